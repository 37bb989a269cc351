"""`premortem ask`."""

from __future__ import annotations

from cyclopts import App

from premortem import pipeline
from premortem.analyse import scenario_view
from premortem.cli.context import COMMON, EXIT_CLEAN, EXIT_FINDINGS, Common, err, out, print_json
from premortem.pipeline.ask import Asked, Judged, Proposed


def register(app: App) -> None:
    """Add the command to APP."""
    app.command(ask)


def ask(question: str, /, *, run: bool = True, common: Common = COMMON) -> int:
    """Turn a what-if question into a scenario, run it, and write it as a .feature file.

    The scenario runs several times from a fresh state, and against injected faults: it ends as
    **regression** (stable green, and red when the service misbehaves), **finding** (stable red:
    perhaps the bug itself; a person rules) or **junk** (kept out, with the reason).

    Parameters
    ----------
    question
        For example "What if a refund is issued twice?".
    run
        With --no-run, only plan and show the scenarios: nothing is sent or written.
    """
    asked: Asked | None = None
    with common.opened() as (config, store):
        for event in pipeline.ask(question, config=config, store=store, run=run):
            if isinstance(event, Asked):
                asked = event
            elif common.json:
                continue
            elif isinstance(event, Proposed):
                _print_understood(event)
            elif isinstance(event, Judged):
                out.print(scenario_view(event.scenario, event.verdict))
    if asked is None:
        return EXIT_CLEAN
    if common.json:
        print_json(asked)
    else:
        for path in asked.files:
            out.print(f"written: [bold]{path}[/]  (behave {path})")
    found = any(verdict.outcome == "finding" for verdict in asked.verdicts)
    return EXIT_FINDINGS if found else EXIT_CLEAN


def _print_understood(event: Proposed) -> None:
    understood = event.understanding
    parts = [f"failure mode [bold]{understood.failure_mode}[/]"]
    parts += [f"operation [bold]{understood.operation_ids[0]}[/]"]
    if understood.field:
        parts.append(f"field {understood.field}")
    if understood.role:
        parts.append(f"role {understood.role}")
    out.print("understood: " + ", ".join(parts))
    if understood.not_understood:
        words = ", ".join(understood.not_understood)
        err.print(f"not understood, and left aside: {words}", markup=False, style="yellow")
