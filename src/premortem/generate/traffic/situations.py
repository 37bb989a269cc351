"""Recorded requests with what went before them: what the model learns from and starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import leaves, read_body
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Binding, Case
from premortem.domain.traffic import Exchange, Profile
from premortem.generate.replay import UNKNOWN, Replayer

SETUP_MAX = 16
"""Requests before one that belong to it."""
FLOW_MAX = 2_000
"""Requests of a flow that are looked at together."""
TOLD_MAX = 200
"""Values of one answer that may be copied."""
ROUNDS_MAX = 12
"""Steps from a request back to what made what it names."""
HELD_OUT_SHARE = 0.4
"""Of all sessions: half of them stand for production, and half are what that is compared with."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded request, and what of its flow it needs."""

    exchange_id: str
    exchange: Exchange
    setup: tuple[Case, ...]
    final: Case
    """Its bindings refer to `setup`."""
    told: Mapping[str, tuple[Any, int, Place]]
    """`operation id|place` of an answer in `setup` -> (value, index in `setup`, place there)."""
    lost: int
    """References whose maker is not among `setup`, or that only a list told: it cannot be sent."""

    @property
    def role(self) -> str:
        """Who sent it, as far as the recording tells."""
        role = self.exchange.tags.role
        return role if role != UNKNOWN else ""

    @property
    def session(self) -> str:
        """Whose request it was; without a session every request is its own."""
        return self.exchange.tags.session or self.exchange_id


def held_out(session: str, share: float = HELD_OUT_SHARE) -> bool:
    """Whether SESSION is never trained on: by its name alone, so always alike."""
    digest = blake2b(session.encode(), digest_size=4, person=b"held out").digest()
    return int.from_bytes(digest, "big") < share * 2**32


def situations(
    profile: Profile, exchanges: Mapping[str, Exchange], replayer: Replayer
) -> Iterator[Situation]:
    """Every recorded request that was let through and recorded whole, flow by flow. What of
    credentials that nobody can present becomes of it is REPLAYER's to say."""
    for flow in profile.flows:
        known = [(i, exchanges[i]) for i in flow.exchange_ids if i in exchanges]
        for start in range(0, len(known), FLOW_MAX):
            yield from _of_flow(known[start : start + FLOW_MAX], replayer)


def _of_flow(steps: list[tuple[str, Exchange]], replayer: Replayer) -> Iterator[Situation]:
    cases = replayer.cases(steps)
    if not cases:
        return
    by_id = dict(steps)
    ids = [case.origin.parents[0] for case in cases]
    changes = _changes(cases)
    answers: list[list[tuple[str, Any, Place]] | None] = [None] * len(cases)
    for index, case in enumerate(cases):
        exchange = by_id[ids[index]]
        if not 0 < exchange.response.status < 400 or case.role == UNKNOWN:
            continue
        needed = _needed(index, cases, changes)
        where = {step: at for at, step in enumerate(needed)}
        known: dict[str, tuple[Any, int, Place]] = {}
        for step in needed:
            if answers[step] is None:
                answers[step] = list(told_by(cases[step].operation_id, by_id[ids[step]]))
            for key, value, place in answers[step] or ():
                known[key] = (value, where[step], place)
        yield Situation(
            exchange_id=ids[index],
            exchange=exchange,
            setup=tuple(replace(_moved(cases[i], where), setup=True) for i in needed),
            final=_moved(case, where),
            told=known,
            lost=sum(_lost(cases[i], where) for i in (*needed, index)),
        )


def _changes(cases: Sequence[Case]) -> dict[int, list[int]]:
    """Step -> later changes of what it made, that were let through."""
    found: dict[int, list[int]] = {}
    for index, case in enumerate(cases):
        if case.request.method in SAFE_METHODS or not 200 <= case.recorded_status < 300:
            continue
        for binding in case.bindings:
            if binding.place.part == "path":
                found.setdefault(binding.step, []).append(index)
    return found


def _needed(index: int, cases: Sequence[Case], changes: Mapping[int, Sequence[int]]) -> list[int]:
    """Steps before INDEX that made what it names, directly or not, and changed that since."""
    needed: set[int] = set()
    fresh = {binding.step for binding in cases[index].bindings}
    for _ in range(ROUNDS_MAX):
        fresh -= needed
        if not fresh:
            break
        needed |= fresh
        more = {b.step for step in fresh for b in cases[step].bindings}
        more |= {c for step in fresh for c in changes.get(step, ()) if c < index}
        fresh = {step for step in more if step < index}
    makers = {binding.step for binding in cases[index].bindings}
    ranked = sorted(needed, key=lambda step: (step not in makers, -step))
    return sorted(ranked[:SETUP_MAX])


def _moved(case: Case, where: Mapping[int, int]) -> Case:
    """CASE with its bindings as they are in a shorter sequence; those to what is left out go."""
    kept: list[Binding] = [replace(b, step=where[b.step]) for b in case.bindings if b.step in where]
    return replace(case, bindings=tuple(kept))


def _lost(case: Case, where: Mapping[int, int]) -> int:
    return sum(
        b.step not in where or any(token.isdigit() for token in b.select.tokens)
        for b in case.bindings
    )


def told_by(operation_id: str, exchange: Exchange) -> Iterator[tuple[str, Any, Place]]:
    """Scalars of an answer outside arrays: numbers and texts that may be copied."""
    try:
        body = read_body(exchange.response)
    except ValueError:
        return
    count = 0
    for place, value in leaves(body):
        if value is None or isinstance(value, bool) or value == "":
            continue
        if any(token.isdigit() for token in place.tokens):
            continue
        count += 1
        if count > TOLD_MAX:
            return
        yield f"{operation_id}|{place}", value, place
