"""What came of a run's cases, counted: a row for each second of the plan, merged on every write.

A row holds, sealed, the kinds of cases that ended within its second (operation, source, setup,
recorded status, status, outcome, fault), how many of each, and their latencies as sparse counts.
So a run of any rate has few rows, and any question about it is answered from all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, bindparam, select, text, update

from premortem.domain.jobs import Count
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.queue_rows import count_id, count_ids, place_of_counts, second_of
from premortem.store.tables import counts

ROWS_READ_MAX = 256
"""Rows read at a time: seconds of a run."""
BY = (
    "second",
    "operation_id",
    "source",
    "setup",
    "recorded",
    "status",
    "outcome",
    "fault",
)
"""What counts can be asked by; the fields of a Count."""
_MICROS_BITS = 32
_MICROS_MASK = (1 << _MICROS_BITS) - 1
_NOTHING = Count(-1, "", "", False, 0, 0, "", "", 0)

Kind = tuple[str, str, bool, int, int, str, str]
"""The fields of a Count between `second` and `count`."""
Numbers = NDArray[np.int64]


class _Second(Struct, frozen=True, array_like=True):
    """One row, unsealed."""

    kinds: list[Kind]
    counts: list[int]
    """Of each kind."""
    keys: bytes
    """Latencies, ascending: the kind's index times 2^32, plus microseconds; 64 bits each."""
    times: bytes
    """How often each was measured, 64 bits."""


class _Pile(NamedTuple):
    """Latencies of many kinds: keys as in `_Second`, not in order, and how often each."""

    keys: list[Numbers]
    times: list[Numbers]

    def summed(self) -> tuple[Numbers, Numbers]:
        """Each key once, ascending, and how often it was measured."""
        if not self.keys:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        keys, times = np.concatenate(self.keys), np.concatenate(self.times)
        order = np.argsort(keys, kind="stable")
        keys, times = keys[order], times[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        if not len(keys):
            return keys, times
        return keys[starts], np.add.reduceat(times, starts)


_decoder = msgspec.msgpack.Decoder(_Second)


def add_counts(
    connection: Connection, cipher: Cipher, run: int, given: Iterable[Count], *, part: int
) -> None:
    """Add counts to those of the run with that number, as a part of a transaction.

    PART spreads writers over rows; two may have the same.
    """
    wanted: dict[int, list[Count]] = {}
    for count in given:
        wanted.setdefault(count_id(run, count.second, part), []).append(count)
    if not wanted:
        return
    held = _locked(connection, sorted(wanted))
    missing = [number for number in sorted(wanted) if number not in held]
    if missing:
        _make(connection, missing)
        # Whoever made one of them at the same moment has filled it by now.
        held |= _locked(connection, missing)
    rows = []
    for number, more in wanted.items():
        second = _merged(cipher, number, held[number], more)
        payload = cipher.seal_value(second, place=place_of_counts(number))
        rows.append({"key": number, "sealed": payload})
    statement = update(counts).where(counts.c.id == bindparam("key"))
    connection.execute(statement.values(payload=bindparam("sealed")), rows)


def _locked(connection: Connection, numbers: list[int]) -> dict[int, bytes]:
    query = select(counts).where(counts.c.id.in_(numbers)).order_by(counts.c.id)
    return {row.id: row.payload for row in connection.execute(query.with_for_update())}


def _make(connection: Connection, numbers: list[int]) -> None:
    rows = [{"id": number, "payload": b""} for number in numbers]
    connection.execute(_MADE, rows)


_MADE = text("INSERT INTO counts (id, payload) VALUES (:id, :payload) ON CONFLICT DO NOTHING")
"""In words that both databases know: a dialect of each would be loaded for it."""


def _merged(cipher: Cipher, number: int, payload: bytes, more: list[Count]) -> _Second:
    kinds: dict[Kind, int] = {}
    sums: list[int] = []
    pile = _Pile([], [])
    if payload:
        stored = cipher.unpack(_decoder, cipher.open(payload, place=place_of_counts(number)))
        kinds = {kind: index for index, kind in enumerate(stored.kinds)}
        sums = list(stored.counts)
        pile.keys.append(np.frombuffer(stored.keys, dtype="<i8"))
        pile.times.append(np.frombuffer(stored.times, dtype="<i8"))
    micros, times_, indexes, lengths = [], [], [], []
    for count in more:
        indexes.append(_place(kinds, sums, _kind(count), count.count))
        half = len(count.latency) // 2
        micros.append(count.latency[:half])
        times_.append(count.latency[half:])
        lengths.append(half // 8)
    # All at once: a call for each of many short arrays would take most of the time.
    of_kind = np.repeat(np.array(indexes, dtype=np.int64) << _MICROS_BITS, lengths)
    pile.keys.append(of_kind + np.frombuffer(b"".join(micros), dtype="<i8"))
    pile.times.append(np.frombuffer(b"".join(times_), dtype="<i8"))
    keys, times = pile.summed()
    return _Second(list(kinds), sums, keys.tobytes(), times.tobytes())


def _kind(count: Count) -> Kind:
    return (
        count.operation_id,
        count.source,
        count.setup,
        count.recorded,
        count.status,
        count.outcome,
        count.fault,
    )


def _place(groups: dict[Any, int], sums: list[int], name: Any, more: int) -> int:
    """The index of the group NAME, to which MORE are added."""
    index = groups.setdefault(name, len(groups))
    if index == len(sums):
        sums.append(0)
    sums[index] += more
    return index


def summed_counts(
    database: Database, cipher: Cipher, run: int, *, by: Sequence[str], latency: bool
) -> list[Count]:
    """The counts of a run, summed over all fields that BY does not name, in the order of BY.

    A field that is not named is empty, 0 or False; `second` is -1. Without LATENCY latencies are
    left out.
    """
    groups: dict[tuple[Any, ...], int] = {}
    sums: list[int] = []
    pile = _Pile([], [])
    for row in _rows(database, run):
        opened = cipher.open(row.payload, place=place_of_counts(row.id))
        stored = cipher.unpack(_decoder, opened)
        second = second_of(row.id)
        indexes = [
            _place(groups, sums, _named(by, second, kind), count)
            for kind, count in zip(stored.kinds, stored.counts, strict=True)
        ]
        if latency and stored.keys:
            keys = np.frombuffer(stored.keys, dtype="<i8")
            theirs = np.array(indexes, dtype=np.int64)[keys >> _MICROS_BITS]
            pile.keys.append((theirs << _MICROS_BITS) + (keys & _MICROS_MASK))
            pile.times.append(np.frombuffer(stored.times, dtype="<i8"))
    latencies = _latencies(pile, len(groups))
    found = []
    for values, index in sorted(groups.items()):
        fields = dict(zip(by, values, strict=True))
        fields |= {"count": sums[index], "latency": latencies[index]}
        found.append(msgspec.structs.replace(_NOTHING, **fields))
    return found


def _latencies(pile: _Pile, groups: int) -> list[bytes]:
    """`Latency.packed` of each group."""
    keys, times = pile.summed()
    edges = np.searchsorted(keys, np.arange(groups + 1, dtype=np.int64) << _MICROS_BITS).tolist()
    micros = keys & _MICROS_MASK
    return [micros[low:high].tobytes() + times[low:high].tobytes() for low, high in pairwise(edges)]


def _named(by: Collection[str], second: int, kind: Kind) -> tuple[Any, ...]:
    return tuple(second if name == "second" else kind[BY.index(name) - 1] for name in by)


def _rows(database: Database, run: int) -> Iterator[Row[Any]]:
    after, last = count_ids(run)
    after -= 1
    while True:
        query = select(counts).where(counts.c.id > after, counts.c.id <= last)
        with database.reading() as connection:
            rows = connection.execute(query.order_by(counts.c.id).limit(ROWS_READ_MAX)).all()
        yield from (row for row in rows if row.payload)
        if len(rows) < ROWS_READ_MAX:
            return
        after = rows[-1].id
