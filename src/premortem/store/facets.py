"""Facets: what many exchanges have in common, kept once, and counted by the hour.

A facet is method, host, role, status and the shape of the path (`paths`). Which facets match a
filter is worked out on this small dictionary, opened once; then only numbers are compared, and
counts come from tallies instead of rows. What that tells somebody who has the file but no key:
how many kinds of exchanges there are, how often each came in which hour, and which exchanges
share the first or last value of their path; not which kinds or values these are.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Integer,
    LargeBinary,
    Table,
    cast,
    func,
    insert,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects import sqlite

from premortem.store.cipher import Cipher
from premortem.store.insertion import insert_rows
from premortem.store.paths import Shape, Shapes
from premortem.store.tables import exchanges, facets, shapes, state, tallies

BUCKET_S = 3600
"""Seconds of a tally."""
BUCKET_MAX = 2**52 // BUCKET_S
"""Times further off share the outermost buckets."""
EPOCH = "epoch"
"""In `state`: how often facets, shapes or blocks were taken away; what is remembered of an
earlier epoch may be wrong."""


Stamp = tuple[int, int]
"""Names a state of the store's exchanges: its epoch, and the highest `seq`."""


class Facet(Struct, frozen=True, array_like=True):
    """New fields go to the end, with a default."""

    method: str
    host: str
    shape: int
    """Number of the path's shape."""
    status: int
    role: str


class _Segments(Struct, frozen=True, array_like=True):
    segments: tuple[str | int, ...]


def bucket_of(started_at: float) -> int:
    """The hour in which STARTED_AT (seconds since the epoch) lies."""
    return max(-BUCKET_MAX, min(BUCKET_MAX, math.floor(started_at) // BUCKET_S))


def bucket_edges(bucket: int) -> tuple[float, float]:
    """Times from .. before which a bucket holds, in seconds since the epoch."""
    low = -math.inf if bucket <= -BUCKET_MAX else float(bucket * BUCKET_S)
    high = math.inf if bucket >= BUCKET_MAX else float((bucket + 1) * BUCKET_S)
    return low, high


class Book:
    """The facets and shapes of one store, opened once and brought up to date when asked."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher
        self._lock = threading.RLock()
        self._forget(0)

    def _forget(self, epoch: int) -> None:
        self._epoch = epoch
        self.facets: dict[int, Facet] = {}
        self.shapes: dict[int, Shape] = {}
        self._facet_numbers: dict[Facet, int] = {}
        self._shape_numbers: dict[Shape, int] = {}
        self._known = Shapes()
        self._last_facet = self._last_shape = 0
        self._new: dict[Table, list[dict[str, Any]]] = {shapes: [], facets: []}

    def refresh(self, connection: Connection) -> Stamp:
        """Take in what was written since; which state of the store that was."""
        with self._lock:
            given = _news(connection, self._last_shape, self._last_facet)
            if given.stamp[0] != self._epoch:
                self._forget(given.stamp[0])
                given = _news(connection, 0, 0)
            for number, payload in given.shapes:
                found = self._cipher.open_value(payload, _Segments, place=f"shape {number}")
                self._take_shape(number, found.segments)  # type: ignore[arg-type]
            for number, payload in given.facets:
                facet = self._cipher.open_value(payload, Facet, place=f"facet {number}")
                self._take_facet(number, facet)
            return given.stamp

    def _take_shape(self, number: int, shape: Shape) -> None:
        self.shapes[number] = shape
        self._shape_numbers[shape] = number
        self._known.add(shape)
        self._last_shape = number

    def _take_facet(self, number: int, facet: Facet) -> None:
        self.facets[number] = facet
        self._facet_numbers[facet] = number
        self._last_facet = number

    def forget(self) -> None:
        """Start anew at the next `refresh`: what was entered may not have been committed."""
        with self._lock:
            self._forget(-1)

    def unused(self) -> list[int]:
        """Shapes that no facet has."""
        return sorted(set(self.shapes) - {facet.shape for facet in self.facets.values()})

    def shape(self, path: str) -> tuple[int, Shape]:
        """The number and shape of PATH; a new one waits for `write`."""
        shape = self._known.of(path)
        number = self._shape_numbers.get(shape)
        if number is None:
            number = self._last_shape + 1
            value = self._cipher.seal_value(_Segments(shape), place=f"shape {number}")
            self._new[shapes].append({"id": number, "payload": value})
            self._take_shape(number, shape)
        return number, shape

    def facet(self, facet: Facet) -> int:
        """The number of FACET; a new one waits for `write`."""
        number = self._facet_numbers.get(facet)
        if number is None:
            number = self._last_facet + 1
            value = self._cipher.seal_value(facet, place=f"facet {number}")
            self._new[facets].append({"id": number, "payload": value})
            self._take_facet(number, facet)
        return number

    def write(self, connection: Connection) -> None:
        """Enter what is new; in the one writer's transaction in which `refresh` was called."""
        for table, rows in self._new.items():
            if rows:
                insert_rows(connection, table, rows)
                rows.clear()


class _News(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    shapes: list[tuple[int, bytes]]
    """Number and payload, in order."""
    facets: list[tuple[int, bytes]]


def _news(connection: Connection, last_shape: int, last_facet: int) -> _News:
    # One statement: most of the time nothing is new, and a server is asked once.
    nothing = cast(null(), LargeBinary).label("payload")
    kind = [literal_column(str(kind), Integer).label("kind") for kind in range(4)]
    number = func.coalesce(func.max(exchanges.c.seq), 0)
    query = union_all(
        select(kind[0], state.c.value.label("id"), nothing).where(state.c.name == EPOCH),
        select(kind[1], number, nothing),
        select(kind[2], shapes.c.id, shapes.c.payload).where(shapes.c.id > last_shape),
        select(kind[3], facets.c.id, facets.c.payload).where(facets.c.id > last_facet),
    )
    found: tuple[list[tuple[int, bytes]], ...] = ([], [], [], [])
    for of, *value in connection.execute(query):
        found[of].append((value[0], value[1]))
    epoch, last, *new = found
    stamp = (epoch[0][0] if epoch else 0, last[0][0])
    return _News(stamp=stamp, shapes=sorted(new[0]), facets=sorted(new[1]))


def tally(connection: Connection, counts: Iterable[tuple[tuple[int, int], int]]) -> None:
    """Add COUNTS, each ((bucket, facet), how many), to the tallies."""
    rows = [{"bucket": b, "facet": f, "count": n} for (b, f), n in counts]
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        # One statement: a round trip for each row would take as long as all else.
        columns = [[row[name] for row in rows] for name in ("bucket", "facet", "count")]
        connection.exec_driver_sql(_UNNESTED, tuple(columns))
        return
    given = sqlite.insert(tallies)
    more = tallies.c["count"] + given.excluded["count"]
    statement = given.on_conflict_do_update(
        index_elements=[tallies.c.bucket, tallies.c.facet], set_={"count": more}
    )
    connection.execute(statement, rows)


_UNNESTED = (
    "INSERT INTO tallies (bucket, facet, count) "
    "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) "
    "ON CONFLICT (bucket, facet) DO UPDATE SET count = tallies.count + excluded.count"
)


def epoch_of(connection: Connection) -> int:
    """How often something was taken away from the store."""
    return connection.execute(select(state.c.value).where(state.c.name == EPOCH)).scalar() or 0


def next_epoch(connection: Connection) -> None:
    """Say to all who have the store open that something was taken away."""
    set_state(connection, EPOCH, epoch_of(connection) + 1)


def set_state(connection: Connection, name: str, value: int) -> None:
    """Keep VALUE under NAME."""
    connection.execute(state.delete().where(state.c.name == name))
    connection.execute(insert(state), {"name": name, "value": value})


def state_of(connection: Connection, name: str) -> int | None:
    """The value under NAME, or None."""
    return connection.execute(select(state.c.value).where(state.c.name == name)).scalar()


def clear_state(connection: Connection, name: str) -> None:
    """Forget NAME."""
    connection.execute(state.delete().where(state.c.name == name))
