"""Carries out bound steps: one engine under every adapter.

Requests go through the same client as cases do, so credentials, redaction tokens and timing
are handled once. What is sent under Given is a precondition: refused, it breaks the scenario. A
step that is not true of the target fails; one that could not be carried
out is broken; the steps behind either are skipped.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

import msgspec

from premortem.agent.bind import BoundStep, bind
from premortem.agent.bindings import Bindings, HookRequest
from premortem.agent.world import (
    ScenarioClient,
    StepBroken,
    StepFailed,
    World,
    field_of,
    json_body,
    mismatch,
    same,
    shown,
    shown_bytes,
)
from premortem.domain.run import SAFE_METHODS, Case, Origin, Sent
from premortem.domain.scenario import Scenario, StepResult
from premortem.domain.traffic import Request
from premortem.errors import UnsafeTarget

ClientFactory = Callable[[], AbstractAsyncContextManager[ScenarioClient]]
Wrap = Callable[[ScenarioClient, World], ScenarioClient]
T = TypeVar("T")


def run_scenario(
    scenario: Scenario,
    *,
    client_factory: ClientFactory,
    bindings: Bindings,
    roles: Collection[str],
    clock: Callable[[], float],
    wrap: Wrap | None = None,
    new_key: Callable[[], str] = lambda: str(uuid4()),
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
                world=world,
                bindings=bindings,
                clock=clock,
                new_key=new_key if wants_key(bound) else None,
            )
            return await engine.run(bound)

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


def _requests(step: BoundStep, bindings: Bindings) -> list[tuple[str, str]]:
    if step.entry is None:
        return []
    arguments = [str(argument) for argument in step.arguments]
    if step.entry.name in ("send", "send_body"):
        return [(arguments[1], arguments[2])]
    if step.entry.name == "state_set":
        hook = bindings.hook(arguments[0], arguments[2])
        return [(r.method, r.path) for r in hook.steps] if hook else []
    return []


def _unbound(step: BoundStep) -> StepResult:
    if step.problem:
        return StepResult(step=step.step, status="undefined", detail=step.problem)
    return StepResult(step=step.step, status="skipped")


class Engine:
    """Performs bound steps one after the other over one client, in one world."""

    def __init__(
        self,
        client: ScenarioClient,
        *,
        world: World,
        bindings: Bindings,
        clock: Callable[[], float],
        new_key: Callable[[], str] | None = None,
    ) -> None:
        self._client = client
        self._world = world
        self._bindings = bindings
        self._clock = clock
        self._new_key = new_key

    async def run(self, steps: Sequence[BoundStep]) -> tuple[StepResult, ...]:
        """All STEPS; those behind one that did not pass are skipped."""
        question = question_index(steps)
        results: list[StepResult] = []
        stopped = False
        for index, step in enumerate(steps):
            if stopped:
                results.append(StepResult(step=step.step, status="skipped"))
                continue
            if index >= question:
                self._world.phase = "question" if index == question else "after"
            result = await self.perform(step)
            results.append(result)
            stopped = result.status != "passed"
        return tuple(results)

    async def perform(self, step: BoundStep) -> StepResult:
        """One step; what does not hold becomes its result, never an exception."""
        if step.entry is None or step.problem:
            return _unbound(step)
        handler = _HANDLERS[step.entry.name]
        try:
            await handler(self, step)
        except StepFailed as error:
            return StepResult(step=step.step, status="failed", detail=str(error))
        except StepBroken as error:
            return StepResult(step=step.step, status="broken", detail=str(error))
        return StepResult(step=step.step, status="passed")

    async def _actor_role(self, step: BoundStep) -> None:
        actor, role = _texts(step)
        self._world.actors[actor] = self._bindings.role(role)

    async def _actor_anonymous(self, step: BoundStep) -> None:
        self._world.actors[_texts(step)[0]] = ""

    async def _send(self, step: BoundStep) -> None:
        actor, method, target = _texts(step)
        body, media = b"", ""
        if step.step.docstring:
            body, media = self._world.document(step.step.docstring)
        role = self._world.actor(actor)
        await self._deliver(self._case(method, target, role=role, body=body, media=media))
        status = self._world.response.status
        if step.keyword == "Given" and status >= 400:
            said = shown_bytes(self._world.response.body)
            raise StepBroken(f"what is given did not come about: {status} {said}")

    async def _repeat(self, step: BoundStep) -> None:
        for _ in range(int(step.arguments[0])):
            case = self._last()
            if self._world.key:
                case = self._keyed(case)
            await self._deliver(case)

    async def _repeat_key(self, _: BoundStep) -> None:
        await self._deliver(self._last())

    async def _status(self, step: BoundStep) -> None:
        response = self._world.response
        wanted = int(step.arguments[0])
        if response.status != wanted:
            body = f": {shown_bytes(response.body)}" if response.body else ""
            raise StepFailed(f"the status is {response.status}, not {wanted}{body}")

    async def _field(self, step: BoundStep) -> None:
        name, text = _texts(step)
        actual = field_of(self._world.response, self._world.text(name))
        expected = self._world.expected(text)
        if not same(actual, expected):
            raise StepFailed(f"{name or 'the body'} is {shown(actual)}, not {shown(expected)}")

    async def _header(self, step: BoundStep) -> None:
        name, text = _texts(step)
        actual = self._world.response.header(name.lower())
        expected = self._world.text(text)
        if actual is None:
            raise StepFailed(f"the answer has no header {name}")
        if actual != expected:
            raise StepFailed(f"{name} is {shown(actual)}, not {shown(expected)}")

    async def _matches(self, step: BoundStep) -> None:
        pattern = self._world.fill(msgspec.json.decode(step.step.docstring))
        if found := mismatch(json_body(self._world.response), pattern):
            raise StepFailed(found)

    async def _time(self, step: BoundStep) -> None:
        _ = self._world.response
        sent, limit = self._world.sent, int(step.arguments[0])
        if sent is not None and sent.duration_ms >= limit:
            raise StepFailed(f"it took {sent.duration_ms:.0f} ms, not under {limit}")

    async def _save(self, step: BoundStep) -> None:
        name, variable = _texts(step)
        self._world.save(variable, field_of(self._world.response, self._world.text(name)))

    async def _state_set(self, step: BoundStep) -> None:
        resource, identity, state = _texts(step)
        hook = self._bindings.hook(resource, state)
        for request in hook.steps if hook else ():
            sent = await self._hooked(request, self._world.text(identity))
            status = sent.response.status if sent.response else 0
            if not 200 <= status < 300:
                raise StepBroken(
                    f"{request.request} of [states.{resource}.{state}] was answered "
                    f"{status or 'not at all'}"
                )

    async def _state_check(self, step: BoundStep) -> None:
        resource, identity, state = _texts(step)
        hook = self._bindings.hook(resource, state)
        if hook is None:
            raise StepBroken(f"there is no [states.{resource}.{state}] in the binding file")
        read = HookRequest(request=hook.read, role=hook.role)
        sent = await self._hooked(read, self._world.text(identity))
        if sent.response is None:
            raise StepBroken(f"{hook.read} was not answered")
        actual, wanted = field_of(sent.response, hook.field), hook.value or state
        if not same(actual, wanted):
            raise StepFailed(f"{hook.field} is {shown(actual)}, not {wanted!r}")

    async def _hooked(self, request: HookRequest, identity: str) -> Sent:
        """Send a hook's request beside the scenario's own: the last answer stays what it was."""
        inner = World(variables={"id": identity})
        body, media = b"", ""
        if request.json is not None:
            body, media = msgspec.json.encode(inner.fill(request.json)), "application/json"
        case = _case(
            request.method, inner.path(request.path), role=request.role, body=body, media=media
        )
        return await self._client.send_case(case, (), self._clock())

    def _case(self, method: str, target: str, *, role: str, body: bytes, media: str) -> Case:
        case = _case(method, self._world.path(target), role=role, body=body, media=media)
        self._world.key = ""
        keyed = self._new_key is not None and method not in SAFE_METHODS
        return self._keyed(case) if keyed else case

    def _keyed(self, case: Case) -> Case:
        """CASE with a fresh idempotency key."""
        self._world.key = self._new_key() if self._new_key else ""
        name = self._bindings.idempotency_header.lower()
        headers = tuple(pair for pair in case.request.headers if pair[0] != name)
        request = msgspec.structs.replace(case.request, headers=(*headers, (name, self._world.key)))
        return msgspec.structs.replace(case, request=request)

    def _last(self) -> Case:
        if self._world.case is None:
            raise StepBroken("no request was sent that could be repeated")
        return self._world.case

    async def _deliver(self, case: Case) -> None:
        """Send CASE; no answer to the request in question is a failure of the target's."""
        sent = await self._client.send_case(case, (), self._clock())
        self._world.case, self._world.sent = case, sent
        if sent.fault is None:
            return
        what = f"no answer to {case.operation_id} ({sent.fault.kind}: {sent.fault.detail})"
        if self._world.phase == "question" and sent.fault.kind in _TARGETS_FAULT:
            raise StepFailed(what)
        raise StepBroken(what)


_TARGETS_FAULT = frozenset({"timeout", "reset", "garbage"})
"""It was there, took the request and then gave no usable answer."""

_HANDLERS: Mapping[str, Callable[[Engine, BoundStep], Coroutine[Any, Any, None]]] = {
    "actor_role": Engine._actor_role,
    "actor_anonymous": Engine._actor_anonymous,
    "state_set": Engine._state_set,
    "state_check": Engine._state_check,
    "send": Engine._send,
    "send_body": Engine._send,
    "status": Engine._status,
    "field": Engine._field,
    "header": Engine._header,
    "matches": Engine._matches,
    "time": Engine._time,
    "save": Engine._save,
    "repeat": Engine._repeat,
    "repeat_key": Engine._repeat_key,
}


def _texts(step: BoundStep) -> list[str]:
    return [str(argument) for argument in step.arguments]


def _case(method: str, target: str, *, role: str, body: bytes, media: str) -> Case:
    path, _, query = target.partition("?")
    headers: tuple[tuple[str, str], ...] = (("accept", "application/json, */*;q=0.5"),)
    if media:
        headers = (*headers, ("content-type", media))
    return Case(
        request=Request(
            method=method,
            origin="",
            path=path,
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            body=body,
        ),
        operation_id=f"{method} {unquote(path)}",
        origin=Origin(source="scenario"),
        role=role,
    )
