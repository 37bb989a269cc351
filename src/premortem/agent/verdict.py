"""What a scenario is worth, found by running it: regression, finding or junk.

Lint, bind, run several times from a fresh state, then once under each injected fault. Green is
no merit by itself: a scenario that no fault turns red is junk. A stable red one is a finding,
and a person rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from premortem.agent.bind import BoundStep, bind
from premortem.agent.bindings import Bindings
from premortem.agent.engine import (
    ClientFactory,
    Wrap,
    question_index,
    refuse_unsafe,
    run_scenario,
)
from premortem.agent.faults import FAULTS, wrapping
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import UNCERTAIN, Scenario, ScenarioVerdict, StepResult

RUNS = 5
"""From a fresh state each: what differs among them is flaky."""
Colour = Literal["green", "red", "broken"]


def judge(
    scenario: Scenario,
    *,
    client_factory: ClientFactory,
    reset: Callable[[], object],
    bindings: Bindings,
    roles: Collection[str],
    clock: Callable[[], float],
    runs: int = RUNS,
    unsafe_target: str = "",
) -> ScenarioVerdict:
    """The verdict on SCENARIO. RESET is called before every run.

    UNSAFE_TARGET: address of a target that is not disposable; then a scenario that changes
    data raises UnsafeTarget and nothing is sent. Errors of RESET and of signing in pass through.
    """
    bound = bind(scenario, bindings=bindings, roles=roles)
    problem = lint(bound)
    if problem:
        return _junk(problem, steps=_unsent(bound))
    if unsafe_target:
        refuse_unsafe(bound, bindings, target=unsafe_target)

    def run(wrap: Wrap | None = None) -> tuple[StepResult, ...]:
        reset()
        return run_scenario(
            scenario,
            client_factory=client_factory,
            bindings=bindings,
            roles=roles,
            clock=clock,
            wrap=wrap,
        )

    results: list[tuple[StepResult, ...]] = []
    colours: list[Colour] = []
    for _ in range(runs):
        results.append(run())
        colours.append(_colour(results[-1], question_index(bound)))
        if colours[-1] != colours[0] or colours[0] == "broken":
            break
    settled = _settled(colours, results)
    if settled is not None and settled.outcome == "finding" and UNCERTAIN in scenario.tags:
        why = f"unclear: {settled.reason}; but {scenario.origin.expectation}, for some reason"
        return _junk(why, steps=settled.steps, runs=settled.runs)
    if settled is not None:
        return settled
    return _by_faults(bound, run, colours, results[-1])


def lint(steps: Sequence[BoundStep]) -> str:
    """Why STEPS are no scenario that could be run; empty: they are one."""
    for step in steps:
        if step.problem:
            return f"unbound: {step.step.text!r}: {step.problem}"
    question = question_index(steps)
    if question < 0:
        return "it has no When that sends a request"
    checks = (s.entry is not None and s.entry.checks for s in steps[question + 1 :])
    if not any(checks):
        return "it has no concrete Then behind its last When"
    return ""


def _unsent(bound: Sequence[BoundStep]) -> tuple[StepResult, ...]:
    return tuple(
        StepResult(
            step=step.step,
            status="undefined" if step.problem else "skipped",
            detail=step.problem,
        )
        for step in bound
    )


def _colour(results: Sequence[StepResult], question: int) -> Colour:
    """Red is a check that does not hold from the question on; before it, nothing was asked."""
    for index, result in enumerate(results):
        if result.status == "failed":
            return "red" if index >= question else "broken"
        if result.status in ("broken", "undefined"):
            return "broken"
    return "green"


def _settled(
    colours: list[Colour], results: Sequence[tuple[StepResult, ...]]
) -> ScenarioVerdict | None:
    """The verdict where the runs alone decide it; None: stable green."""
    runs = tuple(colours)
    if len(set(runs)) > 1:
        odd = results[-1]
        return _junk(f"flaky: {_stop(odd)}, but not in every run", steps=odd, runs=runs)
    if runs[0] == "broken":
        return _junk(f"it cannot be carried out: {_stop(results[0])}", steps=results[0], runs=runs)
    if runs[0] == "red":
        stops = {_stopped_at(result) for result in results}
        if len(stops) > 1:
            return _junk("flaky: it fails at different steps", steps=results[-1], runs=runs)
        return ScenarioVerdict(
            outcome="finding",
            reason=f"red in {len(runs)} of {len(runs)} runs: {_stop(results[0])}",
            runs=runs,
            steps=results[0],
        )
    return None


def _by_faults(
    bound: Sequence[BoundStep],
    run: Callable[[Wrap | None], tuple[StepResult, ...]],
    colours: Sequence[Colour],
    steps: tuple[StepResult, ...],
) -> ScenarioVerdict:
    refused, changes = _expects_refusal(bound), _changes_data(bound)
    killed: list[str] = []
    survived: list[str] = []
    for fault in FAULTS:
        if fault.applies(refused, changes):
            colour = _colour(run(wrapping(fault)), question_index(bound))
            (killed if colour == "red" else survived).append(fault.name)
    runs = tuple(colours)
    if not killed:
        return _junk("green whatever happens: no injected fault turns it red", steps, runs)
    return ScenarioVerdict(
        outcome="regression",
        reason=f"green in {len(runs)} of {len(runs)} runs, red under {len(killed)} of "
        f"{len(killed) + len(survived)} injected faults",
        runs=runs,
        steps=steps,
        faults_killed=tuple(killed),
        faults_survived=tuple(survived),
    )


def _expects_refusal(bound: Sequence[BoundStep]) -> bool:
    for step in bound[question_index(bound) + 1 :]:
        if step.entry is not None and step.entry.name == "status":
            return int(step.arguments[0]) >= 400
    return False


def _changes_data(bound: Sequence[BoundStep]) -> bool:
    """Whether the request in question is unsafe; a repetition repeats the one before it."""
    sending = [s for s in bound[: question_index(bound) + 1] if s.entry and s.entry.sends]
    methods = [str(s.arguments[1]) for s in sending if s.entry and s.entry.name.startswith("send")]
    return bool(methods) and methods[-1] not in SAFE_METHODS


def _stopped_at(results: Sequence[StepResult]) -> int:
    return next((i for i, r in enumerate(results) if r.status != "passed"), -1)


def _stop(results: Sequence[StepResult]) -> str:
    for result in results:
        if result.status != "passed":
            return f"{result.step.text!r}: {result.detail}"
    return "every step passed"


def _junk(
    reason: str, steps: tuple[StepResult, ...] = (), runs: tuple[Colour, ...] = ()
) -> ScenarioVerdict:
    return ScenarioVerdict(outcome="junk", reason=reason, runs=runs, steps=steps)
