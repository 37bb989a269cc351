"""The source `traffic`: requests written by the traffic model from recorded situations."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Many
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.random import Generator

from premortem.domain.bodies import text_of
from premortem.domain.run import Binding, Case, Intent, Sequence
from premortem.domain.template import encode_segment
from premortem.domain.traffic import Pairs, Request
from premortem.generate.filler import NOTHING
from premortem.generate.payload import write_value
from premortem.generate.relate import Ties, tied
from premortem.generate.traffic.draw import Codes
from premortem.generate.traffic.rooms import Base, Room, Rooms
from premortem.generate.traffic.rows import Row, built, readable

ROWS_MAX = 1024
"""Requests written at once."""
ROUNDS_MAX = 4
"""Times it is written anew for those that the schema forbids, or that are not new."""
NEW_SHARE_MIN = 0.05
"""A round that brings a smaller share of new ones is the last."""
_REALISTIC = Intent()


class TrafficSource:
    """Writes requests like production's; the same seed writes the same ones."""

    def __init__(self, rooms: Rooms, seed: int) -> None:
        self._rooms, self._seed = rooms, seed
        self._calls: dict[tuple[str, str], int] = {}
        self._given: dict[str, set[object]] = {}
        self.tried = 0
        """Requests written."""
        self.valid = 0
        """Of these, requests that the operation's schema allows."""

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """Up to COUNT distinct cases behind the setup of the operation's start; each call goes on.
        None where too little was recorded for a model."""
        room = self._rooms.of(operation_id)
        if room is None or not room.own:
            return []
        return [case for _, case in self._new(room, "cases", count, room.own)]

    def sequences(self, operation_id: str, count: int) -> list[Sequence]:
        """Up to COUNT distinct sequences, each with the setup of another recorded request."""
        room = self._rooms.of(operation_id)
        if room is None or not room.sound:
            return []
        found = self._new(room, "sequences", count, room.sound)
        return [Sequence(cases=(*room.bases[at].situation.setup, case)) for at, case in found]

    def drawn(self, operation_id: str, count: int) -> list[Sequence]:
        """COUNT sequences as they are drawn, equal ones included: what realism is measured on."""
        room = self._rooms.of(operation_id)
        if room is None or count <= 0:
            return []
        rng = self._rng(operation_id, "drawn")
        found: list[Sequence] = []
        for _ in range(ROUNDS_MAX + count // ROWS_MAX):
            wanted = min(count - len(found), ROWS_MAX)
            for at, case in self._written(room, rng, wanted, room.recorded):
                found.append(Sequence(cases=(*room.bases[at].situation.setup, case)))
            if len(found) >= count:
                break
        return found

    def _new(self, room: Room, kind: str, count: int, among: Many[int]) -> list[tuple[int, Case]]:
        rng = self._rng(room.operation.id, kind)
        given = self._given.setdefault(f"{kind} {room.operation.id}", set())
        found: list[tuple[int, Case]] = []
        for _ in range(ROUNDS_MAX + count // ROWS_MAX):
            before, missing = len(found), min(count - len(found), ROWS_MAX)
            if missing <= 0:
                break
            for at, case in self._written(room, rng, missing, among, own=kind == "cases"):
                key = case.id
                if key not in given:
                    given.add(key)
                    found.append((at, case))
            if len(found) - before < NEW_SHARE_MIN * missing:
                break
        return found

    def _rng(self, operation_id: str, kind: str) -> Generator:
        call = self._calls[operation_id, kind] = self._calls.get((operation_id, kind), -1) + 1
        stream = sum(kind.encode())
        return np.random.default_rng([self._seed, stream, self._rooms.number(operation_id), call])

    def _written(
        self, room: Room, rng: Generator, rows: int, among: Many[int], *, own: bool = False
    ) -> Iterator[tuple[int, Case]]:
        """(base, case) of up to ROWS requests; those that the schema forbids are left out."""
        picked = [among[i] for i in _turns(len(among), rows, rng)]
        bases = [room.bases[at] for at in picked]
        columns = len(room.pen.columns)
        given: list[Codes] = [
            np.array([base.tokens[column] for base in bases]) for column in range(columns)
        ]
        values = [[base.values[column] for base in bases] for column in range(columns)]
        written = room.pen.write(given, values, [base.known for base in bases], rng)
        heads = room.heads.drawn(rng, rows)
        names = room.names(rng, rows) if own and room.names is not None else [""] * rows
        ties = room.own_ties if own else room.ties
        for at, base, row, head, name in zip(picked, bases, written, heads, names, strict=True):
            self.tried += 1
            row = {place: row[place] for place in room.orders.get(frozenset(row), row)}
            value = self._value(room, base, row, ties, rng)
            case = None if value is NOTHING else self._case(room, base, row, head, value, name)
            if case is not None:
                self.valid += 1
                yield at, case

    def _value(self, room: Room, base: Base, row: Row, ties: Ties, rng: Generator) -> Any:
        """The body of ROW as a value, None where it stays as it was recorded; NOTHING where the
        schema forbids it."""
        if not readable(base.situation.final.request):
            return None
        parts = {place: value for place, value in row.items() if place.startswith("body:")}
        value = built(parts, "body:")
        if value is NOTHING:
            return NOTHING
        if not ties.none:
            value = tied(value, ties, rng)
        if room.conformance is not None and not room.conformance.is_valid(value):
            return NOTHING
        return value

    def _case(
        self, room: Room, base: Base, row: Row, head: Pairs, value: Any, name: str
    ) -> Case | None:
        final = base.situation.final
        body: bytes | None = final.request.body
        if readable(final.request):
            body = write_value(value, room.media_type, final.request)
        if body is None:
            return None
        path = final.request.path
        request = Request(
            method=final.request.method,
            origin="",
            path=f"{path.rpartition('/')[0]}/{encode_segment(name)}" if name else path,
            query=tuple(_query(row)),
            headers=room.heads.joined(final, head),
            body=body,
        )
        origin = replace(room.origin, seed=self._seed, parents=(base.situation.exchange_id,))
        return Case(
            request=request,
            operation_id=final.operation_id,
            origin=origin,
            intent=_REALISTIC,
            role=final.role,
            bindings=self._bindings(base, row),
        )

    def _bindings(self, base: Base, row: Row) -> tuple[Binding, ...]:
        """Those of the recorded request that still hold, and those of what was copied anew."""
        kept = [b for b in base.situation.final.bindings if _stands(b, row)]
        return tuple(kept)


def _turns(count: int, rows: int, rng: Generator) -> list[int]:
    """ROWS numbers below COUNT at random, none twice before all were there."""
    rounds = [rng.permutation(count) for _ in range(-(-rows // count))]
    turns: list[int] = np.concatenate(rounds)[:rows].tolist()
    return turns


def _query(row: Row) -> Iterator[tuple[str, str]]:
    for place, value in row.items():
        if not place.startswith("query:") or value is None:
            continue
        name = place.partition(":")[2]
        for text in text_of(value).split("\n"):
            yield name, text


def _stands(binding: Binding, row: Row) -> bool:
    """Whether what BINDING replaces is still there."""
    place = binding.place
    if place.part not in ("query", "body"):
        return True
    whole = str(place)
    known = [value for at, value in row.items() if whole == at or whole.startswith(f"{at}/")]
    return any(isinstance(v, list | dict) or binding.recorded in text_of(v) for v in known)
