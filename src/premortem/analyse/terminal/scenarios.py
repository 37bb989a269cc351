"""Scenarios in the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.excerpt import printable
from premortem.analyse.terminal.cells import block, indented, stack
from premortem.domain.scenario import Scenario, ScenarioVerdict, StepResult

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
        lines = [Text(f"  {step.keyword} {printable(step.text)}") for step in scenario.steps]
        return stack(block(scenario.title, "bold"), *lines)
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
    )


def _step(result: StepResult) -> RenderableType:
    mark, style = _MARKS[result.status]
    line = Text.assemble(
        (f"  {mark} ", style),
        (f"{result.step.keyword} ", "bold"),
        printable(result.step.text),
    )
    detail = indented(block(result.detail, "dim"), cells=6) if result.detail else None
    return stack(line, detail)
