"""What a person is asked about a proposed scenario, and what they need to rule on it.

A scenario says what a correct service does; whether that is so, a person knows. So each card
puts one question, in terms of what was sent and what the service answered.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from premortem.agent.steps.catalogue import match, text
from premortem.agent.understanding.failure_modes import mode_named
from premortem.agent.understanding.words import article, is_plural, singular, tokens
from premortem.domain.proposal import Gap, Signal
from premortem.domain.scenario import Heard, Scenario, ScenarioVerdict
from premortem.domain.template import split_template

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.-][A-Za-z0-9]+)*")
_CODE_KEYS = ("code", "error_code", "errorcode", "error", "type", "title", "reason")
CODE_CHARACTERS_MAX = 60
DEPTH_MAX = 4
"""Of the answer's objects in which an error's code is looked for."""
_OUTCOMES = {
    "accepted": "be accepted",
    "invalid": "be refused as invalid",
    "denied": "be denied, with nothing changed",
    "not_found": "be answered as not found",
    "conflict": "be refused because of the state it is in",
    "unchanged": "be answered with success and change nothing further",
    "one_wins": "let exactly one of the requests succeed",
    "unavailable": "be answered as not available at the moment, with nothing changed",
}


def question_for_person(scenario: Scenario, verdict: ScenarioVerdict) -> str:
    """The one question that decides on SCENARIO: `Should a second refund answer 409
    DuplicateRefund?`; where the service does otherwise, that is said behind it."""
    asked = next((h for h in reversed(verdict.evidence.heard) if h.phase == "question"), None)
    status, code = _expected(scenario)
    if status and asked is not None and asked.status == status:
        code = code or _code_of(asked)
    if status:
        wanted = f"answer {status}{f' {code}' if code else ''}"
        if scenario.origin.outcome == "unchanged":
            wanted += " and change nothing further"
    else:
        wanted = _OUTCOMES.get(scenario.origin.outcome, "do what this scenario says")
    question = f"Should {subject(scenario)} {wanted}?"
    if verdict.outcome != "finding" or asked is None:
        return question
    if asked.status == status:
        return f"{question} So it did, but a later check does not hold."
    code = _code_of(asked)
    got = (
        f"answered {asked.status}{f' {code}' if code else ''}" if asked.status else "did not answer"
    )
    return f"{question} The service {got}."


def subject(scenario: Scenario) -> str:
    """What is asked about: `a second refund`, else the scenario by its title."""
    thing = thing_made(scenario.operation_id)
    if thing and any(step.text == text("repeat_key") for step in scenario.steps):
        return f"{article(thing)} {thing} sent again with the same idempotency key"
    if scenario.origin.failure_mode == "duplicate" and thing:
        return f"a second {thing}"
    with_value = re.fullmatch(rf"({re.escape(thing)}) (with .+)", scenario.title, re.IGNORECASE)
    if thing and with_value:
        return f"{article(thing)} {thing} {with_value[2]}"
    return f"“{scenario.title}”"


def gap_of(scenario: Scenario) -> Gap:
    """What SCENARIO closes: the untested thing, with the signal that told of it."""
    origin = scenario.origin
    meaning = mode_named(origin.failure_mode).meaning if origin.failure_mode else ""
    who = f" as {scenario.role}" if scenario.role else ""
    where = f" in edition {scenario.edition}" if scenario.edition else ""
    what = f"No scenario for {scenario.operation_id or scenario.feature}{who}{where}"
    return Gap(
        what=f"{what}: {meaning}" if meaning else what,
        kind="edition" if scenario.edition else "scenario",
        operation_id=scenario.operation_id,
        role=scenario.role,
        edition=scenario.edition,
        failure_mode=origin.failure_mode,
        signals=(Signal(kind="prompt", text=origin.prompt, trace_id=scenario.trace_id),)
        if origin.prompt
        else (),
    )


def _expected(scenario: Scenario) -> tuple[int, str]:
    """The status and error code that SCENARIO's last answer is to have; 0 and empty: it does not
    say."""
    status, code = 0, ""
    keyword = "Given"
    for step in scenario.steps:
        keyword = keyword if step.keyword == "And" else step.keyword
        found = match(step.text)
        if found is None:
            continue
        # What is read after the question only looks at what came of it.
        if found.entry.sends and keyword == "When":
            status, code = 0, ""
        elif found.entry.name == "status":
            status = status or int(found.arguments[0])
        elif found.entry.name == "field" and status >= 400:
            key = str(found.arguments[0]).rsplit("/", 1)[-1].lower()
            code = code or (_as_code(found.arguments[1]) if key in _CODE_KEYS else "")
    return status, code


def _code_of(heard: Heard) -> str:
    """The error code in an answer; empty: it has none."""
    if heard.status < 400:
        return ""
    try:
        return _found_code(msgspec.json.decode(heard.answer), DEPTH_MAX)
    except (msgspec.DecodeError, RecursionError):
        return ""


def _found_code(value: Any, depth: int) -> str:
    if not isinstance(value, dict) or depth == 0:
        return ""
    keyed = {str(key).lower(): item for key, item in value.items()}
    for key in _CODE_KEYS:
        if code := _as_code(keyed.get(key)):
            return code
    return next((c for item in keyed.values() if (c := _found_code(item, depth - 1))), "")


def _as_code(value: object) -> str:
    said = value if isinstance(value, str) else ""
    return said if len(said) <= CODE_CHARACTERS_MAX and _CODE.fullmatch(said) else ""


def thing_made(operation_id: str) -> str:
    """What a POST to a collection makes, in the singular; empty: it is another operation."""
    method, _, template = operation_id.partition(" ")
    segments = split_template(template) if template.startswith("/") else []
    if method != "POST" or not segments or "{" in segments[-1]:
        return ""
    words = tokens(segments[-1])
    if not words or not is_plural(words[-1]):
        return ""
    return " ".join([*words[:-1], singular(words[-1])])
