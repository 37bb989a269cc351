"""What is heard of a run: its requests and answers, kept beside its steps as evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from premortem.agent.steps.world import SIGNS_IN, Phase, ScenarioClient, World
from premortem.domain.run import Case, Fault, Sent
from premortem.domain.scenario import Heard
from premortem.domain.traffic import Response

REQUESTS_MAX = 200
"""Of one run; further ones are sent, and not kept."""
SHOWN_CHARACTERS_MAX = 600
"""Of one body."""
Notice = Callable[[Case, Sent], Iterable[str]]
"""What the specification and production say against an answer, in words; mostly nothing."""


class Said(Struct, frozen=True, kw_only=True):
    """One request of a run, whole."""

    phase: Phase
    case: Case
    sent: Sent


class Hearing:
    """Sends through INNER and keeps what went out and what came back."""

    def __init__(self, inner: ScenarioClient, world: World, said: list[Said]) -> None:
        self._inner, self._world, self._said = inner, world, said

    async def send_case(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        """Send CASE as INNER does."""
        phase = self._world.phase
        sent = await self._inner.send_case(case, answers, intended_at)
        if len(self._said) < REQUESTS_MAX:
            self._said.append(Said(phase=phase, case=case, sent=sent))
        return sent


def heard(said: Iterable[Said]) -> tuple[Heard, ...]:
    """SAID as a card shows it."""
    return tuple(_heard(one) for one in said)


def answers_in_question(said: Iterable[Said]) -> list[Response]:
    """The answers to the request in question, in order."""
    return [
        one.sent.response
        for one in said
        if one.phase == "question" and one.sent.response is not None
    ]


def noticed(said: Iterable[Said], notice: Notice) -> tuple[str, ...]:
    """What NOTICE says of the request in question and of what was read afterwards."""
    found = (text for one in said if one.phase != "before" for text in notice(one.case, one.sent))
    return tuple(dict.fromkeys(found))


def _heard(one: Said) -> Heard:
    request, response, fault = one.sent.request, one.sent.response, one.sent.fault
    query = "&".join(f"{name}={value}" for name, value in request.query)
    secret = one.case.origin.operator == SIGNS_IN  # a password goes out, a session comes back
    return Heard(
        phase=one.phase,
        role=one.case.role,
        request=f"{request.method} {request.path}{'?' + query if query else ''}",
        body="" if secret else _shown(request.body),
        status=response.status if response is not None else 0,
        answer=_said_of(fault) if response is None else "" if secret else _shown(response.body),
        duration_ms=one.sent.duration_ms,
    )


def _said_of(fault: Fault | None) -> str:
    return f"{fault.kind}: {fault.detail}" if fault is not None else ""


def _shown(body: bytes) -> str:
    text = body[: SHOWN_CHARACTERS_MAX * 4].decode("utf-8", "replace")
    cut = len(text) > SHOWN_CHARACTERS_MAX or len(body) > SHOWN_CHARACTERS_MAX * 4
    return text[:SHOWN_CHARACTERS_MAX] + "..." if cut else text
