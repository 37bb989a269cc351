"""Carries out bound steps: one engine under every adapter.

Requests go through the same client as cases do, so credentials, redaction tokens and timing
are handled once. What is sent under Given is a precondition: refused, it breaks the scenario. A
step that is not true of the target fails; one that could not be carried
out is broken; the steps behind either are skipped.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar
from uuid import uuid4

from premortem.agent.steps.bind import BoundStep, bind, named
from premortem.agent.steps.bindings import ANY, Bindings
from premortem.agent.steps.hooks import changes
from premortem.agent.steps.http import HTTP_STEPS
from premortem.agent.steps.performing import Perform
from premortem.agent.steps.stage import Stage
from premortem.agent.steps.surroundings import WORLD_STEPS, restore, watch
from premortem.agent.steps.world import ScenarioClient, StepBroken, StepFailed, World
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario, StepResult
from premortem.errors import TargetError, UnsafeTarget

ClientFactory = Callable[[], AbstractAsyncContextManager[ScenarioClient]]
Wrap = Callable[[ScenarioClient, World], ScenarioClient]
T = TypeVar("T")

_PERFORM: Mapping[str, Perform] = {**HTTP_STEPS, **WORLD_STEPS}


def run_scenario(
    scenario: Scenario,
    *,
    client_factory: ClientFactory,
    bindings: Bindings,
    roles: Collection[str],
    clock: Callable[[], float],
    wrap: Wrap | None = None,
    new_key: Callable[[], str] = lambda: str(uuid4()),
    environment: Mapping[str, str] = os.environ,
) -> tuple[StepResult, ...]:
    """Run SCENARIO once against the target, from the state the target is in.

    A scenario with an undefined step is not sent at all: its other steps are skipped.
    """
    bound = bind(scenario, bindings=bindings, roles=roles)
    if any(step.problem for step in bound):
        return tuple(_unbound(step) for step in bound)

    async def run() -> tuple[StepResult, ...]:
        async with client_factory() as client:
            world = World()
            engine = Engine(
                wrap(client, world) if wrap else client,
                steps=bound,
                world=world,
                bindings=bindings,
                clock=clock,
                new_key=new_key,
                environment=environment,
            )
            return await engine.run()

    return run_async(run())


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """WORK to its end, on the fast loop where there is one."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)


def wants_key(steps: Sequence[BoundStep]) -> bool:
    """Whether requests need idempotency keys, because one of STEPS repeats with the same."""
    return any(step.entry is not None and step.entry.name == "repeat_key" for step in steps)


def question_index(steps: Sequence[BoundStep]) -> int:
    """Index of the last sending step under When: the request in question; -1: there is none."""
    sending = (
        index
        for index, step in enumerate(steps)
        if step.entry is not None and step.entry.sends and step.keyword == "When"
    )
    return max(sending, default=-1)


def refuse_unsafe(steps: Sequence[BoundStep], bindings: Bindings, *, target: str) -> None:
    """Raise UnsafeTarget when STEPS would change data; for targets that are not disposable."""
    for step in steps:
        for method, path in _requests(step, bindings):
            if method not in SAFE_METHODS:
                raise UnsafeTarget(target=target, method=method, operation_id=f"{method} {path}")


def _requests(step: BoundStep, bindings: Bindings) -> Iterator[tuple[str, str]]:
    """Method and path of all that STEP sends; what else it changes has a method of its own."""
    if step.entry is None:
        return
    arguments = [str(argument) for argument in step.arguments]
    switch = None
    match step.entry.name:
        case "send" | "send_body" | "race" | "race_body":
            yield arguments[1], arguments[2]
        case "state_set":
            hook = bindings.hook(arguments[0], arguments[2])
            if hook is not None:
                yield from changes(hook.steps)
                yield from (("SQL", statement) for statement in hook.sql)
        case "table_contains":
            yield "SQL", f"INSERT INTO {arguments[0]}"
        case "edition":
            switch = bindings.edition(arguments[0])
        case "service_status":
            switch = bindings.service(arguments[0])
        case "time_set":
            switch = bindings.clock
    if switch is not None:
        yield from changes((*switch.steps, *switch.restore_steps))
        if switch.command:
            yield "run", switch.command


def _unbound(step: BoundStep) -> StepResult:
    if step.problem:
        return StepResult(step=step.step, status="undefined", detail=step.problem)
    return StepResult(step=step.step, status="skipped")


class Engine:
    """Performs the bound steps of one scenario over one client, in one world."""

    def __init__(
        self,
        client: ScenarioClient,
        *,
        steps: Sequence[BoundStep] | None,
        world: World,
        bindings: Bindings,
        clock: Callable[[], float],
        new_key: Callable[[], str],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """STEPS None: nobody knows what is to come, so all that could be is got ready for."""
        self.steps = tuple(steps or ())
        self._open = steps is None
        self._question = question_index(self.steps)
        if steps is None:
            self._tables = list(bindings.tables)
            self._events = [event for event in bindings.events if event != ANY]
        else:
            self._tables = list(named(steps, "table_unchanged"))
            self._events = list(named(steps, "event"))
        self._world = world
        self._stage = Stage(
            client,
            world=world,
            bindings=bindings,
            clock=clock,
            new_key=new_key if self._open or wants_key(self.steps) else None,
            environment=environment,
        )

    async def run(self) -> tuple[StepResult, ...]:
        """All steps in order; those behind one that did not pass are skipped.

        Raises TargetError when what they switched cannot be switched back.
        """
        results: list[StepResult] = []
        stopped = False
        try:
            for index, step in enumerate(self.steps):
                if stopped:
                    results.append(StepResult(step=step.step, status="skipped"))
                    continue
                results.append(await self.perform(step, index))
                stopped = results[-1].status != "passed"
        finally:
            await self.finish()
        return tuple(results)

    async def perform(self, step: BoundStep, index: int) -> StepResult:
        """STEP, the INDEX-th; what does not hold becomes its result, never an exception."""
        if step.entry is None or step.problem:
            return _unbound(step)
        if self._open:
            asks = step.entry.sends and step.keyword == "When"
            self._world.phase = "question" if asks else self._world.phase
        elif index >= self._question:
            self._world.phase = "question" if index == self._question else "after"
        try:
            if step.entry.sends:
                self._world.round.clear()
                if step.keyword == "When":
                    await watch(self._stage, tables=self._tables, events=self._events)
            await _PERFORM[step.entry.name](self._stage, step)
        except StepFailed as error:
            return StepResult(step=step.step, status="failed", detail=str(error))
        except StepBroken as error:
            return StepResult(step=step.step, status="broken", detail=str(error))
        return StepResult(step=step.step, status="passed")

    async def finish(self) -> None:
        """Switch back what was switched. Raises TargetError when that does not succeed."""
        try:
            await restore(self._stage)
        except StepBroken as error:
            raise TargetError(f"the target is not as it was: {error}; mend it there") from None
        finally:
            self._stage.close()
