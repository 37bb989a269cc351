"""`premortem ask`, `premortem explore`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number

from premortem.agent.understanding import prompt_input
from premortem.agent.understanding.explore import RISKS_MAX
from premortem.agent.understanding.prompt_input import PromptInput
from premortem.analyse import scenario_view
from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FINDINGS,
    Common,
    print_json,
    say,
    show,
    warn,
)
from premortem.cli.progress import spinner
from premortem.domain.proposal import Signal
from premortem.domain.scenario import Scenario, Understanding
from premortem.errors import InputError
from premortem.pipeline import asking, exploring
from premortem.pipeline.asking import Asked, Judged, Proposed
from premortem.pipeline.exploring import Considered, Explored

CONTEXT_BYTES_MAX = 1_000_000
_DOES = {
    "accepted": "accepts it",
    "invalid": "refuses it as invalid",
    "denied": "denies it, and nothing changes",
    "not_found": "answers that there is no such thing",
    "conflict": "refuses it as a conflict with what is there",
    "unchanged": "answers with success, and nothing changes further",
    "one_wins": "lets exactly one of them succeed",
    "unavailable": "says that it is not available at the moment, and nothing changes",
}
"""Outcome -> what a correct service does."""
Event = TypeVar("Event")


def ask(
    *question: str,
    no_run: bool = False,
    context: Path | None = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    context_schema: bool = False,
    common: Common = COMMON,
) -> int:
    """Turn a what-if question into a scenario, run it, write it as a .feature file.

    The scenario runs several times from a fresh state, and against injected faults.
    It ends as one of these:

    regression   stable green, and red when the service misbehaves
    finding      stable red: perhaps the bug itself; a person rules (exit 1)
    junk         kept out, with the reason

    For example:

        premortem ask "What if a refund is issued twice?"
        premortem ask "What if the amount is negative?" --set amount=-5
        premortem ask --context prompt.json

    Parameters
    ----------
    question
        What could go wrong, in a sentence: what is done, and how it goes wrong.
        An instruction will do, too: "Add auth scenario for Guest in lite".
    no_run
        Only plan and show the scenarios: nothing is sent or written.
    context
        A JSON file with what the question came with:
        handler, validator, roles, edition, blueprint_id, trace_id,
        values; and the prompt, if it does not stand here.
    settings
        field=value to send, the value as JSON or as text;
        as often as you like.
    context_schema
        Print the JSON Schema of a context file, and end.
    """
    if context_schema:
        print_json(prompt_input.context_schema())
        return EXIT_CLEAN
    signal = question_signal(" ".join(question), context, settings)
    asked: Asked | None = None
    with common.opened() as (config, store):
        events = asking.ask(
            signal.text, config=config, store=store, run=not no_run, came_with=signal
        )
        for event in _shown(events, quiet=common.json):
            if isinstance(event, Asked):
                asked = event
            elif not common.json:
                _print(event, only_planned=no_run)
    if asked is None:
        return EXIT_CLEAN
    if common.json:
        print_json(asked)
    for path in () if common.json else asked.files:
        say("written: ", (path, "bold"), f"  (behave {path})")
    found = any(verdict.outcome == "finding" for verdict in asked.verdicts)
    return EXIT_FINDINGS if found else EXIT_CLEAN


def explore(
    *operation: str,
    run: bool = False,
    modes: Annotated[int, Parameter(validator=Number(gte=0, lte=RISKS_MAX))] = 0,
    common: Common = COMMON,
) -> int:
    """Ask by itself what could go wrong with an operation: every way that fits it.

    Each way is planned as a scenario, the likeliest first, with what speaks for it.
    With --run each is judged as `premortem ask` does it, and written unless it is junk.

    For example:

        premortem explore "POST /payments/{payment_id}/refunds"
        premortem explore approve invoice --run --modes 3

    Parameters
    ----------
    operation
        Its id, as `premortem profile` shows it, or words that it goes by.
    run
        Judge each scenario and write it; a finding is exit code 1.
    modes
        So many ways at most; 0: all that fit.
    """
    explored: Explored | None = None
    with common.opened() as (config, store):
        events = exploring.explore(
            " ".join(operation), config=config, store=store, run=run, modes_max=modes
        )
        for event in _shown(events, quiet=common.json):
            if isinstance(event, Explored):
                explored = event
            elif not common.json:
                _print_considered(event)
    if explored is None:
        return EXIT_CLEAN
    if common.json:
        print_json(explored)
    for path in () if common.json else explored.files:
        say("written: ", (path, "bold"), f"  (behave {path})")
    verdicts = (one.verdict for one in explored.considered if one.verdict is not None)
    found = any(verdict.outcome == "finding" for verdict in verdicts)
    return EXIT_FINDINGS if found else EXIT_CLEAN


def _print_considered(one: Considered) -> None:
    say((one.told, "bold"))
    if one.scenario is None:
        say((f"  not planned: {one.why_not}", "dim"))
    elif one.verdict is not None:
        show(scenario_view(one.scenario, one.verdict))
    else:
        say(f"  {one.risk.understanding.prompt}")
        say((f"  {_expected(one.scenario)}", "dim"))


def _expected(scenario: Scenario) -> str:
    """What a correct service does with SCENARIO, and how that is known."""
    origin = scenario.origin
    does = _DOES.get(origin.outcome)
    if does is None:
        return "what a correct service does is not known: a person rules"
    because = origin.expectation
    if because.startswith("convention: "):
        because = f"by {because}"
    elif because:
        because = f"because {because}"
    return f"a correct service {does}" + (f", {because}" if because else "")


def question_signal(question: str, path: Path | None, settings: tuple[str, ...]) -> Signal:
    """QUESTION with what it came with. Raises InputError for a file that cannot be read."""
    given: PromptInput | None = None
    if path is not None:
        try:
            if path.stat().st_size > CONTEXT_BYTES_MAX:
                raise InputError(f"{path} has more than {CONTEXT_BYTES_MAX} bytes; shorten it")
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 ({error.reason}); save it as UTF-8") from None
        given = prompt_input.read_context(text, source=str(path))
    return prompt_input.signal_of(question, given, settings=settings)


def _shown(events: Iterator[Event], *, quiet: bool) -> Iterator[Event]:
    """EVENTS as they come; something turns while the next one is waited for."""
    while True:
        with spinner("asking", quiet=quiet):
            event = next(events, None)
        if event is None:
            return
        yield event


def _print(event: Proposed | Judged, *, only_planned: bool) -> None:
    if isinstance(event, Judged):
        show(scenario_view(event.scenario, event.verdict))
        return
    understood = event.understanding
    say("understood: " + ", ".join(_understood(understood)))
    for note in event.notes:
        warn((note, "yellow"))
    if understood.not_understood:
        words = ", ".join(understood.not_understood)
        warn((f"not understood, and left aside: {words}", "yellow"))
    for scenario in event.scenarios if only_planned else ():
        show(scenario_view(scenario))


def _understood(understood: Understanding) -> Iterator[str]:
    """What was made of a question, in parts."""
    yield f"failure mode {understood.failure_mode}"
    yield f"operation {understood.operation_ids[0]}"
    for name in ("field", "role", "state", "edition"):
        said = getattr(understood, name)
        if said:
            yield f"{name} {said}"
    if understood.given:
        yield "with " + ", ".join(f"{name}={value}" for name, value in understood.given)
