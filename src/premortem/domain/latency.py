"""Times as sparse counts: what workers send, the store keeps and percentiles are read from.

A time is known to three significant digits of its microseconds, as HdrHistogram's are
(http://hdrhistogram.org); counts of two can be added up without loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

MICROS_MAX = 3_600_000_000
"""An hour; what takes longer counts as an hour."""
PENDING_MAX = 64
"""Additions that wait to be summed up: many at once cost little more than one."""

Integers = NDArray[np.int64]
_NOTHING: Integers = np.zeros(0, dtype=np.int64)


class Latency:
    """Counts of times in microseconds; grows by distinct values, at most some 6,000."""

    __slots__ = ("_counts", "_pending", "_values")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        """COUNTS: microseconds -> how often."""
        self._values, self._counts = _NOTHING, _NOTHING
        self._pending: list[tuple[Integers, Integers]] = []
        """Values and their counts, each ascending, still to be summed up."""
        if counts:
            rows = sorted(counts.items())
            self._values = np.array([value for value, _ in rows], dtype=np.int64)
            self._counts = np.array([count for _, count in rows], dtype=np.int64)

    @classmethod
    def of_ms(cls, values_ms: NDArray[np.float64] | Iterable[float]) -> Self:
        """Milliseconds, shape (n,), counted."""
        made = cls()
        made.add_ms(np.asarray(values_ms, dtype=np.float64))
        return made

    def add_ms(self, values_ms: NDArray[np.float64]) -> None:
        """Count milliseconds, shape (n,)."""
        if not len(values_ms):
            return
        micros = (np.clip(values_ms, 0.001, MICROS_MAX / 1000) * 1000).astype(np.int64)
        step = 10 ** np.maximum(0, np.floor(np.log10(micros)).astype(np.int64) - 2)
        self._later(*np.unique(micros // step * step, return_counts=True))

    def add(self, other: Latency) -> None:
        """Count what OTHER counted."""
        other._sum_up()
        if len(other._values):
            self._later(other._values, other._counts)

    def since(self, before: Latency | None) -> Latency:
        """What was counted after BEFORE, an earlier state of this."""
        found = Latency()
        found.add(self)
        if before is not None:
            before._sum_up()
            found._later(before._values, -before._counts)
        return found

    def __bool__(self) -> bool:
        self._sum_up()
        return len(self._values) > 0

    @property
    def count(self) -> int:
        """How many times were counted."""
        self._sum_up()
        return int(self._counts.sum())

    def counts(self) -> list[tuple[int, int]]:
        """(microseconds, count), ascending."""
        self._sum_up()
        return list(zip(self._values.tolist(), self._counts.tolist(), strict=True))

    def percentile_ms(self, percent: float) -> float:
        """The time that PERCENT of all do not exceed, in ms; 0.0 when nothing was counted."""
        self._sum_up()
        if not len(self._values):
            return 0.0
        below = np.cumsum(self._counts)
        rank = max(1, -(-int(below[-1]) * percent // 100))
        index = min(int(np.searchsorted(below, rank)), len(below) - 1)
        return float(self._values[index]) / 1000

    @property
    def max_ms(self) -> float:
        """The longest, to three digits; 0.0 when nothing was counted."""
        self._sum_up()
        return float(self._values[-1]) / 1000 if len(self._values) else 0.0

    @property
    def mean_ms(self) -> float:
        """Of all; 0.0 when nothing was counted."""
        self._sum_up()
        total = float(self._counts.sum())
        return float((self._values * self._counts).sum()) / total / 1000 if total else 0.0

    def packed(self) -> bytes:
        """As bytes, ascending: n 64-bit values, then n 64-bit counts, little-endian."""
        self._sum_up()
        return self._values.astype("<i8").tobytes() + self._counts.astype("<i8").tobytes()

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """What `packed` gave. Raises ValueError for anything else."""
        numbers = np.frombuffer(data, dtype="<i8")
        half = len(numbers) // 2
        if len(numbers) % 2:
            raise ValueError("not packed latencies: an odd number of values")
        made = cls()
        made._values, made._counts = numbers[:half], numbers[half:]
        return made

    def _later(self, values: Integers, counts: Integers) -> None:
        self._pending.append((values, counts))
        if len(self._pending) >= PENDING_MAX:
            self._sum_up()

    def _sum_up(self) -> None:
        if not self._pending:
            return
        values = np.concatenate([self._values, *(values for values, _ in self._pending)])
        counts = np.concatenate([self._counts, *(counts for _, counts in self._pending)])
        self._pending.clear()
        order = np.argsort(values, kind="stable")
        values, counts = values[order], counts[order]
        starts = np.flatnonzero(np.diff(values, prepend=-1))
        sums = np.add.reduceat(counts, starts)
        kept = sums != 0
        self._values, self._counts = values[starts][kept], sums[kept]
