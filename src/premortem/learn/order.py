"""What follows what within a session, and how much time lies between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from premortem.domain.histogram import as_bins, bin_of, quantiles
from premortem.domain.relations import Follow
from premortem.domain.traffic import Timing

OPEN_SESSIONS_MAX = 50_000
"""Sessions whose last request is remembered; beyond it the longest idle one counts as ended."""
PAIRS_MAX = 20_000
"""(role, operation, operation) that are counted; later ones are not."""
FOLLOWS_MAX = 2_000
"""Of them, kept in the profile."""
GAP_SHARES = (0.1, 0.5, 0.9)
TRAFFIC_GAP_SHARES = (0.01, 0.1, 0.5, 0.9, 0.99)


@dataclass(slots=True)
class _Step:
    """How often one operation followed another."""

    count: int = 0
    gaps: Counter[int] = field(default_factory=Counter)


class Sessions:
    """The order of requests within sessions, by role."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, str, float]] = {}
        """Session -> (role, operation id, start) of its last request; longest idle first."""
        self._steps: dict[tuple[str, str, str], _Step] = {}

    def add(self, session: str, role: str, operation_id: str, at: float) -> None:
        """Take in a request that came AT (seconds); without a session it follows nothing."""
        if not session:
            return
        before = self._last.pop(session, None)
        if before is None:
            self._count(role, "", operation_id, None)
            if len(self._last) >= OPEN_SESSIONS_MAX:
                self._end(next(iter(self._last)))
        else:
            self._count(role, before[1], operation_id, max(0.0, at - before[2]) * 1000)
        self._last[session] = (role, operation_id, at)

    def _end(self, session: str) -> None:
        role, operation_id, _ = self._last.pop(session)
        self._count(role, operation_id, "", None)

    def _count(self, role: str, before: str, after: str, gap_ms: float | None) -> None:
        key = (role, before, after)
        step = self._steps.get(key)
        if step is None:
            if len(self._steps) >= PAIRS_MAX:
                return
            step = self._steps[key] = _Step()
        step.count += 1
        if gap_ms is not None:
            step.gaps[bin_of(gap_ms)] += 1

    def follows(self) -> tuple[Follow, ...]:
        """What followed what, most frequent first; ends the sessions that are open."""
        for session in list(self._last):
            self._end(session)
        return ranked(
            follow(role, before, after, step.count, step.gaps)
            for (role, before, after), step in self._steps.items()
        )


def follow(role: str, before: str, after: str, count: int, gaps: Counter[int]) -> Follow:
    """A Follow with the quantiles of its GAPS."""
    bins = as_bins(gaps)
    gap_ms = tuple(round(gap, 3) for gap in quantiles(bins, GAP_SHARES))
    return Follow(role=role, before=before, after=after, count=count, gap_ms=gap_ms, gap_bins=bins)


def ranked(follows: Iterable[Follow]) -> tuple[Follow, ...]:
    """FOLLOWS, most frequent first, at most FOLLOWS_MAX."""
    return tuple(sorted(follows, key=lambda f: (-f.count, f.role, f.before, f.after))[:FOLLOWS_MAX])


class Clock:
    """When the traffic came."""

    def __init__(self) -> None:
        self._first_at = self._last_at = 0.0
        self._count = 0
        self._hours = [0] * 24
        self._weekdays = [0] * 7
        self._gaps: Counter[int] = Counter()
        self._before = 0.0

    def add(self, at: float) -> None:
        """Take in a start, seconds since the epoch."""
        if self._count:
            self._gaps[bin_of(max(0.0, at - self._before) * 1000)] += 1
        self._before = at
        self._first_at = min(self._first_at, at) if self._count else at
        self._last_at = max(self._last_at, at) if self._count else at
        self._count += 1
        self._hours[int(at // 3600) % 24] += 1
        # the epoch was a Thursday
        self._weekdays[(int(at // 86_400) + 3) % 7] += 1

    def timing(self) -> Timing:
        """When it came; the rate over the whole span, 0 when there is none."""
        bins = as_bins(self._gaps)
        return timing(self._first_at, self._last_at, self._count, self._hours, self._weekdays, bins)


def timing(
    first_at: float,
    last_at: float,
    count: int,
    hours: list[int],
    weekdays: list[int],
    gap_bins: tuple[tuple[int, int], ...],
) -> Timing:
    """The Timing of COUNT requests from FIRST_AT to LAST_AT."""
    span = last_at - first_at
    return Timing(
        first_at=first_at,
        last_at=last_at,
        rate_per_second=(count - 1) / span if span > 0 else 0.0,
        hours=tuple(hours),
        weekdays=tuple(weekdays),
        gaps_ms=tuple(round(gap, 3) for gap in quantiles(gap_bins, TRAFFIC_GAP_SHARES)),
        gap_bins=gap_bins,
    )
