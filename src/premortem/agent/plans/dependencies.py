"""The request while a service behind is down."""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.draft import DoesNotApply, Draft
from premortem.agent.planning.expectation import (
    UNAVAILABLE,
    Expectation,
    captured,
    success_status,
)
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import (
    Ground,
    as_role,
    is_meant,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.words import stems
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile

_ANSWERS = (*UNAVAILABLE, 424)
_OUTAGE = UNAVAILABLE[0]
"""What the service behind answers, and what ours should where nothing says otherwise."""
UNNAMED = "dependency"
"""What a service is called where neither the question nor the binding file names one."""
ANY = "*"
"""The binding file's entry for services that it does not name."""
_AFTERWARDS = re.compile(
    r"\b(?:asynchronous\w*|in the background|background (?:job|task|process)|queued?|afterwards|"
    r"later by|does not wait|not waited for)\b",
    re.IGNORECASE,
)
_TELLS = re.compile(
    r"\b(?:e-?mails?|mail(?:er|s|ing)?|smtp|sms|text messages?|push (?:messages?|service)|notif\w+|"
    r"newsletters?|analytics|statistics|printer|chat)\b"
)
"""What is told of something rather than asked for it."""
_ALL_THE_SAME = re.compile(
    r"\b(?:nonetheless|nevertheless|all the same|anyway|even (?:though|if)|go(?:es)? through|"
    r"still (?:be|wants?|goes|go|works?|saved?|gets?|taken?|kept|recorded|there|possible))\b"
)
_DOWN = re.compile(
    r"\b(?:the |our |an? )?([a-z][\w-]{2,40})(?: (?:service|api|system|server|provider|gateway))? "
    r"(?:is|are|was|were|goes|went|times|timed|answers?|answered|does|did|returns?|fails?|failed|"
    r"falls|hangs|crashe[sd]|breaks)\b"
)
"""`the bank is down`, `the fraud-check service answers with 500`."""


def dependency_failure(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request while the service asked about answers 503: refused in order, nothing changed."""
    if not ground.services:
        raise DoesNotApply(
            "no service behind it can be made to fail: name one in the binding file, [services]"
        )
    service = _asked(ground)
    cases = as_role(reached.cases, ground)
    draft = Draft(cases)
    last = len(cases) - 1
    for index in range(last):
        draft.setup(index)
    expected = _as_asked(operation, ground.understood.prompt.lower(), of_outage(operation))
    seen = witness(draft, operation, ground)
    if seen is not None:
        look(draft, seen, before=True)
    draft.add("Given", text("service_status", service, _OUTAGE))
    draft.request("When", last)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)
    title = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
    yield to_scenario(
        ground,
        operation,
        draft,
        expected,
        title or state_titles.unavailable(operation, "" if service == UNNAMED else service),
    )


def _asked(ground: Ground) -> str:
    """The service that the question names, else the first one that is bound by name."""
    asked = set(stems(ground.understood.prompt))
    bound = [s for s in ground.services if s != ANY]
    named = [s for s in bound if set(stems(s)) & asked]
    if named or ANY not in ground.services:
        return (*named, *bound)[0]
    found = _DOWN.search(ground.understood.prompt.lower())
    return found[1] if found else (*bound, UNNAMED)[0]


def _as_asked(operation: OperationProfile, low: str, expected: Expectation) -> Expectation:
    """EXPECTED, or success where only convention speaks, and what is down only tells of what was
    done, or the question LOW expects it to be done all the same."""
    if expected.source != "convention" or not (_TELLS.search(low) or _ALL_THE_SAME.search(low)):
        return expected
    return Expectation(
        status=success_status(operation),
        because="convention: what can be made up for afterwards keeps nothing from being done",
        source="convention",
        certain=False,
    )


def of_outage(operation: OperationProfile) -> Expectation:
    """What OPERATION should answer while a service that it needs is down."""
    for status in _ANSWERS:
        count = captured(operation, status)
        if count or status in operation.declared:
            return Expectation(
                status=status,
                because=f"production answered {status} ({count} captured)"
                if count
                else f"the specification declares {status}",
                source="captured" if count else "specification",
                outcome="unavailable",
            )
    if _AFTERWARDS.search(f"{operation.summary} {operation.description}"):
        return Expectation(
            status=success_status(operation),
            because="the specification says that what is needed of others is done afterwards",
            source="specification",
            certain=False,
        )
    return Expectation(
        status=_OUTAGE,
        because="convention: what cannot be done now is answered 503 (RFC 9110, 15.6.4)",
        source="convention",
        certain=False,
    )
