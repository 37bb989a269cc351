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


class Latency:
    """Counts of times in microseconds; grows by distinct values, at most some 6,000."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts: dict[int, int] = dict(counts or {})

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
        values, counts = np.unique(micros // step * step, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            self._counts[value] = self._counts.get(value, 0) + count

    def add(self, other: Latency) -> None:
        """Count what OTHER counted."""
        mine = self._counts
        for value, count in other._counts.items():
            mine[value] = mine.get(value, 0) + count

    def since(self, before: Latency | None) -> Latency:
        """What was counted after BEFORE, an earlier state of this."""
        if before is None:
            return Latency(self._counts)
        gone = before._counts
        more = ((value, count - gone.get(value, 0)) for value, count in self._counts.items())
        return Latency({value: count for value, count in more if count})

    def __bool__(self) -> bool:
        return bool(self._counts)

    @property
    def count(self) -> int:
        """How many times were counted."""
        return sum(self._counts.values())

    def counts(self) -> list[tuple[int, int]]:
        """(microseconds, count), ascending."""
        return sorted(self._counts.items())

    def percentile_ms(self, percent: float) -> float:
        """The time that PERCENT of all do not exceed, in ms; 0.0 when nothing was counted."""
        if not self._counts:
            return 0.0
        rank = max(1, -(-self.count * percent // 100))
        seen = 0
        for value, count in self.counts():
            seen += count
            if seen >= rank:
                return value / 1000
        return max(self._counts) / 1000

    @property
    def max_ms(self) -> float:
        """The longest, to three digits; 0.0 when nothing was counted."""
        return max(self._counts, default=0) / 1000

    @property
    def mean_ms(self) -> float:
        """Of all; 0.0 when nothing was counted."""
        count = self.count
        return sum(v * c for v, c in self._counts.items()) / count / 1000 if count else 0.0

    def packed(self) -> bytes:
        """As bytes, ascending: n 64-bit values, then n 64-bit counts, little-endian."""
        rows = self.counts()
        return np.array([v for v, _ in rows] + [c for _, c in rows], dtype="<i8").tobytes()

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """What `packed` gave. Raises ValueError for anything else."""
        numbers = np.frombuffer(data, dtype="<i8").tolist()
        half = len(numbers) // 2
        if len(numbers) % 2:
            raise ValueError("not packed latencies: an odd number of values")
        return cls(dict(zip(numbers[:half], numbers[half:], strict=True)))
