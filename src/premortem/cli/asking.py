"""`premortem ask`."""

from __future__ import annotations

from cyclopts import App

from premortem import pipeline
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
from premortem.cli.data import TEST
from premortem.cli.progress import spinner
from premortem.pipeline.ask import Asked, Judged, Proposed


def register(app: App) -> None:
    """Add the command to APP."""
    app.command(ask, group=TEST, sort_key=5)


def ask(*question: str, no_run: bool = False, common: Common = COMMON) -> int:
    """Turn a what-if question into a scenario, run it, write it as a .feature file.

    The scenario runs several times from a fresh state, and against injected faults.
    It ends as one of these:

    regression   stable green, and red when the service misbehaves
    finding      stable red: perhaps the bug itself; a person rules (exit 1)
    junk         kept out, with the reason

    For example:

        premortem ask "What if a refund is issued twice?"

    Parameters
    ----------
    question
        What could go wrong, in a sentence: what is done, and how it goes wrong.
    no_run
        Only plan and show the scenarios: nothing is sent or written.
    """
    asked: Asked | None = None
    with common.opened() as (config, store):
        events = pipeline.ask(" ".join(question), config=config, store=store, run=not no_run)
        while True:
            with spinner("asking", quiet=common.json):
                event = next(events, None)
            if event is None:
                break
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


def _print(event: Proposed | Judged, *, only_planned: bool) -> None:
    if isinstance(event, Judged):
        show(scenario_view(event.scenario, event.verdict))
        return
    understood = event.understanding
    parts = [f"failure mode {understood.failure_mode}", f"operation {understood.operation_ids[0]}"]
    if understood.field:
        parts.append(f"field {understood.field}")
    if understood.role:
        parts.append(f"role {understood.role}")
    say("understood: " + ", ".join(parts))
    if understood.not_understood:
        words = ", ".join(understood.not_understood)
        warn((f"not understood, and left aside: {words}", "yellow"))
    for scenario in event.scenarios if only_planned else ():
        show(scenario_view(scenario))
