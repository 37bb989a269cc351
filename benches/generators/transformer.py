"""A small transformer in the place of the traffic model's counts: same tokens, same values.

What a column holds is drawn by the transformer from all columns before it, under the same mask of
the schema; what its token becomes is made as the traffic model makes it. Items of arrays are left
to the traffic model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
from msgspec.structs import replace

from generators.worker import Worker
from premortem.domain.traffic_model import Column, TrafficModel
from premortem.generate.traffic import Rooms
from premortem.generate.traffic.copying import shares
from premortem.generate.traffic.rooms import Base, Room
from premortem.generate.traffic.rows import Row, row_of
from premortem.generate.traffic.tokens import NOTHING_THERE, Lexicon, day_of

MINUTES = 6.0
"""Most that training may take; it ends by itself where nothing is gained."""


class Drawn:
    """Draws one column's tokens as `premortem.generate.traffic.draw.Chances` does."""

    def __init__(
        self, worker: Worker, name: str, allowed: Any, told: Callable[[float], None]
    ) -> None:
        self._worker, self._name, self._told = worker, name, told
        self._allowed = allowed.tolist()

    def drawn(self, above: Sequence[Any], rows: int, _rng: object) -> Any:
        """See `Chances.drawn`."""
        held = np.stack(above, axis=1).tolist() if above else [[] for _ in range(rows)]
        answer = self._worker.asked(sample=self._name, above=held, allowed=self._allowed)
        self._told(answer["cpu_s"])
        return np.array(answer["codes"], dtype=np.int64)


class TransformerRooms:
    """`premortem.generate.traffic.Rooms` in which a transformer decides."""

    def __init__(self, rooms: Rooms, model: TrafficModel, worker: Worker) -> None:
        self._rooms = rooms
        self.spent_s = 0.0
        found = {o.operation_id: rooms.of(o.operation_id) for o in model.operations}
        known = {name: room for name, room in found.items() if room is not None}
        tables = {name: _table(room) for name, room in known.items()}
        answer = worker.asked(
            fit={name: table for name, table in tables.items() if table["sizes"]}, minutes=MINUTES
        )
        self.trained = answer
        self._made = {name: self._room(room, name, worker) for name, room in known.items()}

    def _room(self, room: Room, name: str, worker: Worker) -> Room:
        pen = copy(room.pen)
        pen._chances = [
            chances and Drawn(worker, name, chances._allowed, self._told)  # type: ignore[misc]
            for chances in room.pen._chances
        ]
        return replace(room, pen=pen)

    def _told(self, seconds: float) -> None:
        self.spent_s += seconds

    def of(self, operation_id: str) -> Room | None:
        """See `Rooms.of`."""
        return self._made.get(operation_id)

    def number(self, operation_id: str) -> int:
        """See `Rooms.number`."""
        return self._rooms.number(operation_id)


def _table(room: Room) -> dict[str, Any]:
    shape = room.conformance.shape if room.conformance is not None else None
    rows = []
    for at in room.recorded:
        base = room.bases[at]
        row = row_of(base.situation.final.request, shape)
        rows.append([_code(c, i, row, base) for i, c in enumerate(room.pen.columns)])
    return {"sizes": [len(column.tokens) for column in room.pen.columns], "rows": rows}


def _code(column: Column, index: int, row: Row, base: Base) -> int:
    if column.given:
        return base.tokens[index]
    value = row.get(column.place, NOTHING_THERE)
    told = base.known.told
    for number, token in enumerate(column.tokens):
        if token.kind == "copy" and token.text in told and told[token.text] == value:
            return number
    if column.relative:
        value = shares([value], [told], column.relative)[0]
    day = day_of(value) if isinstance(value, str) else None
    dated = day is not None and any(token.kind == "day" for token in column.tokens)
    offset = float(day - base.known.day) if dated and day is not None else None
    return Lexicon(column.tokens).of(value, offset)
