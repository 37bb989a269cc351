"""Faults put between scenario and target: what a broken service would have done.

A scenario that stays green under all of them would stay green whatever happens. Which ones make
sense follows from what a correct service does with the request in question (`OutcomeClass`) and
from the failure mode. Most change answers on their way back; some change what is done: the request
goes out twice, with another idempotency key, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from premortem.agent.steps.world import ScenarioClient, World
from premortem.agent.verdicts.question import Question
from premortem.domain.once import names_one_request
from premortem.domain.run import SAFE_METHODS, Case, Sent
from premortem.domain.traffic import Response

DEPTH_MAX = 6
"""Levels of an answer that a fault changes."""
Doing = Literal["once", "twice", "anew", "never"]
"""What becomes of the request in question: sent as it is; sent twice; sent with an idempotency key
of its own instead of the one it repeats; not sent, but answered as in the run before."""


class InjectedFault(Struct, frozen=True, kw_only=True):
    """One way in which the target could be broken."""

    name: str
    applies: Callable[[Question], bool]
    """Whether it makes sense for a scenario with that question."""
    doing: Doing = "once"
    answer: Callable[[Response, Question], Response] = lambda response, _: response
    """What becomes of the answer in question."""
    after: Callable[[Response], Response] = lambda response: response
    """What becomes of what is read afterwards."""


class FaultyClient:
    """Sends through INNER as FAULT says, from the question on.

    REMEMBERED: the answers in question of a run without faults, in order.
    """

    def __init__(
        self,
        inner: ScenarioClient,
        world: World,
        fault: InjectedFault,
        *,
        question: Question,
        remembered: Sequence[Response] = (),
    ) -> None:
        self._inner, self._world = inner, world
        self._fault, self._question = fault, question
        self._remembered = list(remembered)
        self.happened = fault.doing == "once"
        """The fault came about; a target that guards itself against it shows nothing."""

    async def send_case(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        """Send CASE; what is done and answered is the fault's."""
        phase = self._world.phase
        if phase == "question":
            return await self._ask(case, answers, intended_at)
        sent = await self._inner.send_case(case, answers, intended_at)
        if phase == "before" or sent.response is None or case.request.method not in SAFE_METHODS:
            return sent
        return msgspec.structs.replace(sent, response=self._fault.after(sent.response))

    async def _ask(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        doing = self._fault.doing
        if doing == "never" and self._remembered:
            self.happened = True
            return Sent(request=case.request, response=self._remembered.pop(0))
        anew = with_another_key(case)
        if doing == "anew" and anew is not case:
            sent = await self._inner.send_case(anew, answers, intended_at)
            self.happened = self.happened or _is_success(sent)
            return sent
        sent = await self._inner.send_case(case, answers, intended_at)
        if doing == "twice":
            again = await self._inner.send_case(anew, answers, intended_at)
            self.happened = self.happened or (_is_success(sent) and _is_success(again))
        if sent.response is None:
            return sent
        changed = self._fault.answer(sent.response, self._question)
        return msgspec.structs.replace(sent, response=changed)


def with_another_key(case: Case) -> Case:
    """CASE under another idempotency key; CASE itself where it has none."""
    headers = case.request.headers
    if not any(names_one_request(name) for name, _ in headers):
        return case
    changed = tuple(
        (name, f"{value}-anew" if names_one_request(name) else value) for name, value in headers
    )
    request = msgspec.structs.replace(case.request, headers=changed)
    return msgspec.structs.replace(case, request=request)


def _is_success(sent: Sent) -> bool:
    return sent.response is not None and 200 <= sent.response.status < 300


def _let_through(response: Response, question: Question) -> Response:
    if response.status < 400:
        return response
    return _answered(response, question.success, {"id": "injected"})


def _crash(response: Response, question: Question) -> Response:
    status = 500 if question.status != 500 else 502
    return _answered(response, status, {"error": "injected"})


def _refuse(response: Response, _: Question) -> Response:
    return _answered(response, 409, {"error": "injected"})


def _misname(response: Response, question: Question) -> Response:
    """Refused, with the status of another reason (RFC 9110, 15.5)."""
    other = {400: 404, 422: 409, 409: 422, 401: 404, 403: 404, 404: 403, 410: 403, 412: 400}
    return msgspec.structs.replace(response, status=other.get(question.status, 400))


def _answered(response: Response, status: int, body: Any) -> Response:
    return msgspec.structs.replace(response, status=status, body=msgspec.json.encode(body))


def _other_answer(response: Response, _: Question) -> Response:
    return changed(response) if response.status < 400 else response


def changed(response: Response) -> Response:
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


_AGAIN = frozenset({"duplicate", "retry_after_timeout", "concurrent_change"})
"""Failure modes that send the same more than once."""
_OUTDATED = frozenset({"stale_change", "concurrent_change"})


def _drops_check(question: Question) -> bool:
    return question.refused and question.mode != "others_data" and question.mode not in _OUTDATED


FAULTS: tuple[InjectedFault, ...] = (
    InjectedFault(
        name="the check is dropped: the refusal becomes a success",
        applies=_drops_check,
        answer=_let_through,
        after=changed,
    ),
    InjectedFault(
        name="another's data is given out: the refusal becomes a success with it",
        applies=lambda q: q.refused and q.mode == "others_data",
        answer=_let_through,
        after=changed,
    ),
    InjectedFault(
        name="a lost update: the outdated change is let through",
        applies=lambda q: q.refused and q.mode in _OUTDATED,
        answer=_let_through,
        after=changed,
    ),
    InjectedFault(
        name="refused, but done all the same: what is read afterwards has changed",
        # In a table or an event log no fault of ours can show.
        applies=lambda q: q.refused and q.changes and not q.looks_elsewhere,
        after=changed,
    ),
    InjectedFault(
        name="a wrong status: refused for another reason",
        applies=lambda q: q.refused,
        answer=_misname,
    ),
    InjectedFault(
        name="a duplicated effect: it is done and answered once more",
        applies=lambda q: q.outcome == "unchanged" and q.mode in _AGAIN,
        answer=_other_answer,
        after=changed,
    ),
    InjectedFault(
        name="a duplicated effect: the idempotency key is not looked at",
        applies=lambda q: q.outcome == "unchanged" and q.mode in _AGAIN,
        doing="anew",
    ),
    InjectedFault(
        name="what should be ignored is taken over: it shows in the answer and afterwards",
        applies=lambda q: q.outcome == "unchanged" and q.mode not in _AGAIN,
        answer=_other_answer,
        after=changed,
    ),
    InjectedFault(
        name="all of them win: each is answered with success",
        applies=lambda q: q.outcome == "one_wins",
        answer=_let_through,
        after=changed,
    ),
    InjectedFault(
        name="a duplicated effect: one wins, and it is done more than once",
        applies=lambda q: q.outcome == "one_wins" and not q.looks_elsewhere,
        after=changed,
    ),
    InjectedFault(
        name="a duplicated effect: the request is carried out twice",
        applies=lambda q: q.outcome == "accepted" and q.method == "POST",
        doing="twice",
    ),
    InjectedFault(
        name="a lost effect: answered with success, and nothing is done",
        applies=lambda q: q.outcome == "accepted" and q.changes,
        doing="never",
    ),
    InjectedFault(
        name="another's data: the answer holds other values",
        applies=lambda q: q.outcome == "accepted" and not q.changes,
        answer=_other_answer,
    ),
    InjectedFault(
        name="the request in question is refused",
        applies=lambda q: not q.refused,
        answer=_refuse,
    ),
    InjectedFault(
        name="the request in question ends in a server error",
        applies=lambda _: True,
        answer=_crash,
    ),
)
"""What is tried, in this order: by the mode's own way of going wrong first."""


def faults_for(question: Question) -> tuple[InjectedFault, ...]:
    """Those of FAULTS that make sense for a scenario with QUESTION."""
    return tuple(fault for fault in FAULTS if fault.applies(question))
