"""Scenarios in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.excerpt import printable
from premortem.analyse.terminal.cells import block, indented, stack
from premortem.domain.scenario import Scenario, ScenarioVerdict, Step, StepResult

_OUTCOME_STYLE = {"finding": "bold red", "regression": "bold green", "junk": "dim"}
_MARKS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "undefined": ("?", "magenta"),
    "skipped": ("-", "dim"),
    "broken": ("!", "yellow"),
}


def scenario_view(scenario: Scenario, verdict: ScenarioVerdict | None = None) -> RenderableType:
    """A scenario as it reads, and, where it was run, what each step came to."""
    if verdict is None:
        return stack(block(scenario.title, "bold"), *map(_planned, scenario.steps))
    head = Text.assemble(
        (verdict.outcome, _OUTCOME_STYLE[verdict.outcome]),
        ("  " + printable(scenario.title), "bold"),
    )
    runs = " ".join(verdict.runs)
    killed, survived = len(verdict.faults_killed), len(verdict.faults_survived)
    faults = f"; fails under {killed} of {killed + survived} injected faults"
    told = f"{runs}{faults if killed + survived else ''}"
    expectation = scenario.origin.expectation
    return stack(
        head,
        *(_step(result) for result in verdict.steps),
        indented(block(verdict.reason)),
        indented(block(f"expected because: {expectation}", "dim")) if expectation else None,
        indented(block(f"runs: {told}", "dim")) if runs else None,
        *(indented(block(line, "dim")) for line in _evidence(verdict)),
    )


def _evidence(verdict: ScenarioVerdict) -> Iterator[str]:
    """What the verdict stands on besides, a line each."""
    evidence = verdict.evidence
    yield from (f"not noticed: {fault}" for fault in verdict.faults_survived)
    yield from (f"against its answers: {said}" for said in evidence.noticed)
    if evidence.cells_new:
        more = len(evidence.cells_new) - 1
        also = f", and {more} more" if more else ""
        yield f"tried for the first time: {evidence.cells_new[0]}{also}"
    if evidence.runner and evidence.runner_sees:
        yield f"{evidence.runner} sees it"
    elif evidence.runner_said:
        yield f"no test runner sees it: {evidence.runner_said}"


def _planned(step: Step) -> RenderableType:
    line = Text(f"  {step.keyword} {printable(step.text)}")
    below = [" | ".join(row) for row in step.table] or [" ".join(step.docstring.split())]
    told = [indented(block(text, "dim"), cells=6) for text in below if text]
    return stack(line, *told)


def _step(result: StepResult) -> RenderableType:
    mark, style = _MARKS[result.status]
    line = Text.assemble(
        (f"  {mark} ", style),
        (f"{result.step.keyword} ", "bold"),
        printable(result.step.text),
    )
    detail = indented(block(result.detail, "dim"), cells=6) if result.detail else None
    return stack(line, detail)
