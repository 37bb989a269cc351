"""What is known of one metric: its series, their growth, one value of them all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from premortem.config import MetricConfig

SERIES_MAX = 10_000
"""That one metric may stand for; a selector that means more is too wide."""

Labels = tuple[tuple[str, str], ...]
"""Sorted by name: what tells a series from others of its metric."""

_COMBINED: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "max": max,
    "min": min,
    "mean": lambda values: math.fsum(values) / len(values),
}


class Unseen(Exception):
    """A metric cannot be read now; `str` says why. It is data, not an error of the user's."""


class Point(Struct, frozen=True, kw_only=True):
    """One value of one series."""

    series: Labels
    value: float
    at_s: float | None = None
    """When it was so, on the target's clock; None: when it was read."""
    since_s: float | None = None
    """Start of the time that the value has gathered in, where it begins anew each time."""


class Tracked:
    """One metric. Not for several threads at once."""

    def __init__(self, config: MetricConfig) -> None:
        self._config = config
        self._before: dict[Labels, tuple[float, float]] = {}
        """Series -> value of a counter, and when it was that."""
        self._last: dict[Labels, tuple[float, float]] = {}
        """Series -> value or growth, and when it was read."""
        self.seen_at: float | None = None
        self.value = 0.0
        self.why = "nothing has been read yet"
        """Why there is no newer value; empty: there is."""

    def fresh(self, now: float) -> bool:
        """Its value is no older than `stale_s`."""
        return self.seen_at is not None and now - self.seen_at <= self._config.stale_s

    def lose(self, why: str) -> None:
        """It could not be read."""
        self.why = why

    def take(self, points: Iterable[Point], *, now: float, whole: bool) -> None:
        """Count in what was read NOW. WHOLE: a series that is not among POINTS is no more."""
        before = {} if whole else self._last
        seen: set[Labels] = set()
        read = 0
        last: dict[Labels, tuple[float, float]] = {
            series: found
            for series, found in before.items()
            if now - found[1] <= self._config.stale_s
        }
        for point in points:
            read += 1
            if read > SERIES_MAX:
                self.lose(f"more than {SERIES_MAX} series match; name their labels in `series`")
                return
            seen.add(point.series)
            value = self._growth(point, now) if self._config.rate else point.value
            if value is not None and math.isfinite(value):
                last[point.series] = (value, now)
        if whole:
            self._before = {s: found for s, found in self._before.items() if s in seen}
        self._last = last
        if not last:
            self.lose(self._nothing(read))
            return
        combined = _COMBINED[self._config.combine]([value for value, _ in last.values()])
        self.value, self.seen_at, self.why = combined * self._config.scale, now, ""

    def _nothing(self, read: int) -> str:
        if not read:
            return "no series matches"
        if self._config.rate:
            return "it was read once; a rate needs two readings"
        return "its value is not a number"

    def _growth(self, point: Point, now: float) -> float | None:
        """Per second since the reading before; of a counter that fell, since its restart."""
        if point.since_s is not None:
            passed_s = (point.at_s or 0.0) - point.since_s
            return point.value / passed_s if passed_s > 0 else None
        at = now if point.at_s is None else point.at_s
        before = self._before.get(point.series)
        if before is not None and at <= before[1]:
            found = self._last.get(point.series)
            return found[0] if found else None
        if len(self._before) < SERIES_MAX or before is not None:
            self._before[point.series] = (point.value, at)
        if before is None or not math.isfinite(point.value - before[0]):
            return None
        grown = point.value - before[0] if point.value >= before[0] else point.value
        return grown / (at - before[1])
