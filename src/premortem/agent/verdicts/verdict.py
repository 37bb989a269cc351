"""What a scenario is worth, found by running it: regression, finding or junk.

Lint, bind, run several times from a fresh state, then once under each fault that fits what it
asks. Green is no merit by itself: a scenario that no fault turns red is junk. A stable red one is
a finding, and so is a green one whose answers break what the specification promises; a person
rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

import msgspec

from premortem.agent.steps.bind import BoundStep, bind
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.engine import ClientFactory, question_index, refuse_unsafe, run_scenario
from premortem.agent.steps.world import ScenarioClient, World
from premortem.agent.verdicts.faults import FaultyClient, InjectedFault, faults_for
from premortem.agent.verdicts.hearing import (
    Hearing,
    Notice,
    Said,
    answers_in_question,
    heard,
    noticed,
)
from premortem.agent.verdicts.question import Question, question_of
from premortem.domain.scenario import UNCERTAIN, Evidence, Scenario, ScenarioVerdict, StepResult

RUNS = 5
"""From a fresh state each: what differs among them is flaky."""
FLAKY = "flaky"
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
    notice: Notice = lambda _case, _sent: (),
) -> ScenarioVerdict:
    """The verdict on SCENARIO. RESET is called before every run; False: there is none.

    UNSAFE_TARGET: address of a target that is not disposable; then a scenario that changes
    data raises UnsafeTarget and nothing is sent. NOTICE: what speaks against an answer though no
    step asks for it. Errors of RESET and of signing in pass through.
    """
    bound = bind(scenario, bindings=bindings, roles=roles)
    problem = lint(bound)
    if problem:
        return _junk(problem, steps=_unsent(bound))
    if unsafe_target:
        refuse_unsafe(bound, bindings, target=unsafe_target)
    trial = _Trial(
        scenario,
        bound,
        client_factory=client_factory,
        reset=reset,
        bindings=bindings,
        roles=roles,
        clock=clock,
    )
    began = clock()
    verdict = _ruled(trial, runs, notice)
    evidence = Evidence(
        heard=heard(trial.said),
        noticed=verdict.evidence.noticed,
        duration_s=round(clock() - began, 3),
    )
    return msgspec.structs.replace(verdict, evidence=evidence)


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


class _Trial:
    """Runs one scenario again and again, each time from a fresh state."""

    def __init__(
        self,
        scenario: Scenario,
        bound: Sequence[BoundStep],
        *,
        client_factory: ClientFactory,
        reset: Callable[[], object],
        bindings: Bindings,
        roles: Collection[str],
        clock: Callable[[], float],
    ) -> None:
        self.scenario, self.bound = scenario, bound
        self.question: Question = question_of(bound, scenario.origin)
        self._client_factory, self._reset = client_factory, reset
        self._bindings, self._roles, self._clock = bindings, roles, clock
        self.said: list[Said] = []
        """Of the last run without a fault."""
        self.fresh = True
        """Every run began in the same state, as far as the reset says."""

    def run(self) -> tuple[StepResult, ...]:
        """Once, as it is."""
        said: list[Said] = []
        results = self._run(lambda client, world: Hearing(client, world, said))
        self.said = said
        return results

    def under(self, fault: InjectedFault) -> Colour | None:
        """What FAULT makes of it; None: the fault did not come about."""
        clients: list[FaultyClient] = []
        remembered = answers_in_question(self.said)

        def wrap(client: ScenarioClient, world: World) -> ScenarioClient:
            faulty = FaultyClient(
                client, world, fault, question=self.question, remembered=remembered
            )
            clients.append(faulty)
            return faulty

        results = self._run(wrap)
        happened = any(client.happened for client in clients)
        index = question_index(self.bound)
        stopped = _stopped_at(results)
        if not happened or 0 <= stopped < index:
            return None
        # Broken counts as noticed: a runner shows it as red, too.
        return "red" if stopped >= 0 else "green"

    def _run(
        self, wrap: Callable[[ScenarioClient, World], ScenarioClient]
    ) -> tuple[StepResult, ...]:
        self.fresh = self._reset() is not False and self.fresh
        return run_scenario(
            self.scenario,
            client_factory=self._client_factory,
            bindings=self._bindings,
            roles=self._roles,
            clock=self._clock,
            wrap=wrap,
        )


def _ruled(trial: _Trial, runs: int, notice: Notice) -> ScenarioVerdict:
    results: list[tuple[StepResult, ...]] = []
    colours: list[Colour] = []
    notices: list[tuple[str, ...]] = []
    for _ in range(runs):
        results.append(trial.run())
        notices.append(noticed(trial.said, notice))
        colours.append(_colour(results[-1], question_index(trial.bound)))
        if colours[-1] == "broken" and _crashed(trial.said):
            colours[-1] = "red"  # whatever was asked: a service is never to fail on its side
        if colours[-1] != colours[0] or colours[0] == "broken":
            break
    always = tuple(text for text in notices[0] if all(text in other for other in notices))
    verdict = _settled(colours, results) or _against(always, colours, results)
    if verdict is not None and not trial.fresh and verdict.reason.startswith(FLAKY):
        why = f"{verdict.reason}; no `[target.reset]` is configured, so runs begin differently"
        return msgspec.structs.replace(verdict, reason=why)
    if verdict is None:
        return _by_faults(trial, colours, results[-1])
    verdict = msgspec.structs.replace(verdict, evidence=Evidence(noticed=always))
    if verdict.outcome == "finding" and UNCERTAIN in trial.scenario.tags:
        return _unclear(verdict, trial)
    return verdict


def _unclear(verdict: ScenarioVerdict, trial: _Trial) -> ScenarioVerdict:
    """Where evidence speaks against the expectation, red proves nothing; a crash does."""
    if verdict.evidence.noticed or _crashed(trial.said):
        return verdict
    because = trial.scenario.origin.expectation
    why = f"unclear: {verdict.reason}; but {because}, for some reason"
    return _junk(why, steps=verdict.steps, runs=verdict.runs)


def _crashed(said: Sequence[Said]) -> bool:
    """Whether the last answer is a server error."""
    last = said[-1].sent.response if said else None
    return last is not None and last.status >= 500


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
        return _junk(f"{FLAKY}: {_stop(odd)}, but not in every run", steps=odd, runs=runs)
    if runs[0] == "broken":
        return _junk(f"it cannot be carried out: {_stop(results[0])}", steps=results[0], runs=runs)
    if runs[0] == "red":
        stops = {_stopped_at(result) for result in results}
        if len(stops) > 1:
            return _junk(f"{FLAKY}: it fails at different steps", steps=results[-1], runs=runs)
        return ScenarioVerdict(
            outcome="finding",
            reason=f"red in {len(runs)} of {len(runs)} runs: {_stop(results[0])}",
            runs=runs,
            steps=results[0],
        )
    return None


def _against(
    noticed_always: Sequence[str],
    colours: Sequence[Colour],
    results: Sequence[tuple[StepResult, ...]],
) -> ScenarioVerdict | None:
    """The finding that its answers are, though every step passes; None: nothing speaks against
    them."""
    if not noticed_always:
        return None
    runs = tuple(colours)
    return ScenarioVerdict(
        outcome="finding",
        reason=f"every step passes, but in {len(runs)} of {len(runs)} runs: {noticed_always[0]}",
        runs=runs,
        steps=results[0],
    )


def _by_faults(
    trial: _Trial, colours: Sequence[Colour], steps: tuple[StepResult, ...]
) -> ScenarioVerdict:
    killed: list[str] = []
    survived: list[str] = []
    for fault in faults_for(trial.question):
        colour = trial.under(fault)
        if colour is not None:
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
