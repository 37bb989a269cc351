"""mostlyai-engine as one more model of how requests are written.

It gets the same training requests as the traffic model, one flat table per operation, with what
is given before a request is written (role, the request before), and writes the same places:
paths, headers, references and setups are the recorded ones for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from generators.tables import Columns, Row, flattened, unflattened
from generators.worker import Worker
from premortem.domain.traffic_model import TrafficModel
from premortem.generate.traffic import Rooms
from premortem.generate.traffic.emit import Known
from premortem.generate.traffic.rooms import Base, Room
from premortem.generate.traffic.rows import row_of
from premortem.generate.traffic.tokens import NOTHING_THERE
from premortem.generate.traffic.train import given_text

MINUTES = 1.5
"""Most that one operation's training may take; it ends by itself where nothing is gained."""
ROWS_MIN = 20
"""Of an operation with anything to write, for a model of its own; fewer are left out."""
PARTS = ("query:", "body:")


class MostlyPen:
    """Writes one operation's requests as `premortem.generate.traffic.draw.Pen` does."""

    def __init__(self, worker: Worker, room: Room, told: Callable[[float, int], None]) -> None:
        self._worker, self._told = worker, told
        self.columns = room.pen.columns
        self._name = room.operation.id
        self._context = [
            c.place for c in self.columns if c.given and not c.place.startswith((*PARTS, "told:"))
        ]
        self._free = {c.place for c in self.columns if not c.given}
        self._bases = {id(base.known): base for base in room.bases}
        shape = room.conformance.shape if room.conformance is not None else None
        rows = []
        for at in room.recorded:
            base = room.bases[at]
            request = row_of(base.situation.final.request, shape)
            held = {place: v for place, v in request.items() if place in self._free}
            rows.append({**self._given(base), **flattened(held)})
        self._table = Columns(rows, self._context)
        self.trained_s = 0.0
        self.idle = not self._table.kinds.keys() - set(self._context)
        """Whether nothing is left to write: the request is known before."""
        if not self.idle and len(rows) >= ROWS_MIN:
            answer = worker.asked(
                fit=self._name,
                columns=self._table.kinds,
                given=self._context,
                rows=[self._table.spelled(row) for row in rows],
                minutes=MINUTES,
            )
            self.trained_s = answer["cpu_s"]

    @property
    def writes(self) -> bool:
        """Whether it was trained."""
        return self.trained_s > 0

    def _given(self, base: Base) -> Row:
        return {place: given_text(base.situation, place) for place in self._context}

    def write(
        self,
        given: Any,
        values: Sequence[Any],
        known: Sequence[Known],
        _rng: object,
        _above: Any = (),
    ) -> list[Row]:
        """See `Pen.write`."""
        bases = [self._bases[id(one)] for one in known]
        drawn: list[Row] = [{} for _ in bases]
        if self.writes and bases:
            asked = [self._table.spelled(self._given(base)) for base in bases]
            answer = self._worker.asked(sample=self._name, given=asked, count=len(bases))
            self._told(answer["cpu_s"], len(bases))
            drawn = [unflattened(self._table.read(row)) for row in answer["rows"]]
        rows: list[Row] = []
        for number, row in enumerate(drawn):
            made: Row = {}
            for index, column in enumerate(self.columns):
                place = column.place
                if not place.startswith(PARTS):
                    continue
                stands = int(given[index][number]) >= 0
                value = values[index][number] if stands else row.get(place, NOTHING_THERE)
                if value is not NOTHING_THERE:
                    made[place] = value
            rows.append(made)
        return rows


class MostlyRooms:
    """`premortem.generate.traffic.Rooms` with another pen in each."""

    def __init__(self, rooms: Rooms, model: TrafficModel, worker: Worker) -> None:
        self._rooms = rooms
        self._made: dict[str, Room] = {}
        self.trained_s = self.spent_s = 0.0
        self.written = self.tables = 0
        for operation in model.operations:
            room = rooms.of(operation.operation_id)
            if room is not None:
                pen = MostlyPen(worker, room, self._told)
                self.trained_s += pen.trained_s
                self.tables += pen.writes
                if pen.writes or pen.idle:
                    self._made[operation.operation_id] = replace(room, pen=pen)

    def _told(self, seconds: float, rows: int) -> None:
        self.spent_s += seconds
        self.written += rows

    def of(self, operation_id: str) -> Room | None:
        """See `Rooms.of`."""
        return self._made.get(operation_id)

    def number(self, operation_id: str) -> int:
        """See `Rooms.number`."""
        return self._rooms.number(operation_id)
