"""Faults put between scenario and target: what a broken service would have answered.

A scenario that stays green under all of them would stay green whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from premortem.agent.world import ScenarioClient, World
from premortem.domain.run import SAFE_METHODS, Case, Sent
from premortem.domain.traffic import Response

DEPTH_MAX = 6
"""Levels of an answer that a fault changes."""


class InjectedFault(Struct, frozen=True, kw_only=True):
    """One way in which the target could be broken."""

    name: str
    applies: Callable[[bool, bool], bool]
    """Whether it makes sense, given: a refusal is expected; the question changes data."""
    question: Callable[[Response], Response]
    """What becomes of the answer in question."""
    after: Callable[[Response], Response]
    """What becomes of what is read afterwards."""


class FaultyClient:
    """Sends through INNER and changes the answers as FAULT says, from the question on."""

    def __init__(self, inner: ScenarioClient, world: World, fault: InjectedFault) -> None:
        self._inner, self._world, self._fault = inner, world, fault

    async def send_case(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        """Send CASE; its answer is the fault's."""
        sent = await self._inner.send_case(case, answers, intended_at)
        if sent.response is None or self._world.phase == "before":
            return sent
        if self._world.phase == "question":
            changed = self._fault.question(sent.response)
        elif case.request.method in SAFE_METHODS:
            changed = self._fault.after(sent.response)
        else:
            changed = sent.response
        return msgspec.structs.replace(sent, response=changed)


def _same(response: Response) -> Response:
    return response


def _let_through(response: Response) -> Response:
    body = b'{"id": "injected"}'
    return msgspec.structs.replace(response, status=200, body=body)


def _crash(response: Response) -> Response:
    return msgspec.structs.replace(response, status=500, body=b'{"error": "injected"}')


def _refuse(response: Response) -> Response:
    return msgspec.structs.replace(response, status=409, body=b'{"error": "injected"}')


def _changed(response: Response) -> Response:
    """Something happened meanwhile: lists are longer, numbers and words are others."""
    try:
        value = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.structs.replace(response, body=response.body + b"injected")
    body = msgspec.json.encode(_other(value, DEPTH_MAX))
    return msgspec.structs.replace(response, body=body)


def _other(value: Any, depth: int) -> Any:
    if isinstance(value, dict) and depth:
        return {key: _other(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [*value, value[-1] if value else {"id": "injected"}]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}-injected" if isinstance(value, str) else "injected"


def _is_refusal(refused: bool, _changes: bool) -> bool:
    return refused


def _is_refused_change(refused: bool, changes: bool) -> bool:
    return refused and changes


def _is_answer(refused: bool, _changes: bool) -> bool:
    return not refused


def _always(_refused: bool, _changes: bool) -> bool:
    return True


FAULTS: tuple[InjectedFault, ...] = (
    InjectedFault(
        name="the check is dropped: the refusal becomes a 200",
        applies=_is_refusal,
        question=_let_through,
        after=_changed,
    ),
    InjectedFault(
        name="refused, but done all the same: what is read afterwards has changed",
        applies=_is_refused_change,
        question=_same,
        after=_changed,
    ),
    InjectedFault(
        name="the request in question is refused",
        applies=_is_answer,
        question=_refuse,
        after=_same,
    ),
    InjectedFault(
        name="the request in question ends in a server error",
        applies=_always,
        question=_crash,
        after=_same,
    ),
)


def wrapping(fault: InjectedFault) -> Callable[[ScenarioClient, World], ScenarioClient]:
    """What `run_scenario` wraps its client with to see FAULT."""

    def wrap(client: ScenarioClient, world: World) -> ScenarioClient:
        return FaultyClient(client, world, fault)

    return wrap
