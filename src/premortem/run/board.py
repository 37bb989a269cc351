"""What came of a run so far, in sums: bounded, however many cases there are."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from premortem.domain.jobs import Count
from premortem.domain.latency import Latency

CLASSES = tuple(f"{first}xx" for first in range(10))
SECONDS_KEPT = 120
"""Of the last seconds, one by one: what rules with a window look at."""

T = TypeVar("T")
Kind = tuple[str, str, bool, int, int, str, str]
"""Operation id, source, setup, recorded status, status (0: none), outcome, kind of fault."""


class Sums:
    """Cases that ended, by what they were and what came of them."""

    def __init__(self) -> None:
        self.kinds: Counter[Kind] = Counter()
        self.latency: dict[str, Latency] = {}
        """Operation id -> of its answers."""

    def add(self, count: Count) -> None:
        """Count in."""
        kind = (
            count.operation_id,
            count.source,
            count.setup,
            count.recorded,
            count.status,
            count.outcome,
            count.fault,
        )
        self.kinds[kind] += count.count
        if count.latency:
            self.latency.setdefault(count.operation_id, Latency()).add(
                Latency.unpacked(count.latency)
            )

    @property
    def ended(self) -> int:
        """Cases that have a result."""
        return self.kinds.total()

    @property
    def setup(self) -> int:
        """Of them, cases that brought about the state for others."""
        return sum(count for (_, _, setup, *_), count in self.kinds.items() if setup)

    @property
    def outcomes(self) -> Counter[str]:
        """`answered`, `faulted`, `unknown` -> count."""
        return self.summed(lambda kind: kind[5])

    @property
    def by_source(self) -> Counter[str]:
        """Source -> count."""
        return self.summed(lambda kind: kind[1])

    @property
    def faults(self) -> Counter[str]:
        """Kind of fault -> count."""
        found = self.summed(lambda kind: kind[6])
        del found[""]
        return found

    @property
    def statuses(self) -> Counter[str]:
        """Status class (`2xx`) -> count."""
        found = self.summed(lambda kind: class_of(kind[4]))
        del found["none"]
        return found

    @property
    def recorded_class(self) -> tuple[int, int]:
        """Replayed cases whose status class was the recorded one, and all replayed."""
        replayed = [
            (status // 100 == recorded // 100, count)
            for (_, source, setup, recorded, status, *_), count in self.kinds.items()
            if source == "replay" and not setup and recorded
        ]
        return sum(count for same, count in replayed if same), sum(count for _, count in replayed)

    def operations(self) -> dict[str, dict[str, int]]:
        """Operation id -> status class, `none` without an answer -> count."""
        found: dict[str, dict[str, int]] = {}
        counts = self.summed(lambda kind: (kind[0], class_of(kind[4])))
        order = {name: index for index, name in enumerate(("none", *CLASSES))}
        for operation_id, name in sorted(counts, key=lambda key: (key[0], order[key[1]])):
            found.setdefault(operation_id, {})[name] = counts[operation_id, name]
        return found

    def counts(self) -> list[Count]:
        """As counts that add up to these sums; `second` is -1."""
        latency = dict(self.latency)
        found = []
        for kind, count in sorted(self.kinds.items()):
            theirs = latency.pop(kind[0], None)  # of an operation's answers: with its first kind
            found.append(Count(-1, *kind, count, theirs.packed() if theirs else b""))
        return found

    def all_latency(self) -> Latency:
        """Of every operation together."""
        total = Latency()
        for latency in self.latency.values():
            total.add(latency)
        return total

    def summed(self, question: Callable[[Kind], T]) -> Counter[T]:
        """The counts by the answer to QUESTION."""
        found: Counter[T] = Counter()
        for kind, count in self.kinds.items():
            found[question(kind)] += count
        return found


class Board:
    """The sums of the whole run, and of its last seconds one by one."""

    def __init__(self) -> None:
        self.whole = Sums()
        self.lag = Latency()
        self.failed = 0
        """Results with a verdict."""
        self._seconds: deque[tuple[int, Sums, Latency]] = deque(maxlen=SECONDS_KEPT)

    def add(self, counts: Iterable[Count], *, now_s: float) -> None:
        """Counts that came in at NOW_S seconds of the run."""
        recent = self._second(int(now_s))[1]
        for count in counts:
            self.whole.add(count)
            recent.add(count)

    def add_lag(self, lag: Latency, *, now_s: float) -> None:
        """Send times behind the intended ones."""
        self.lag.add(lag)
        self._second(int(now_s))[2].add(lag)

    def last(self, seconds: float, *, now_s: float) -> tuple[Sums, Latency]:
        """What ended, and the lag of what went out, within the last SECONDS before NOW_S."""
        sums, lag = Sums(), Latency()
        for second, part, their_lag in self._seconds:
            if now_s - seconds <= second + 1 and second <= now_s:
                sums.kinds.update(part.kinds)
                for name, latency in part.latency.items():
                    sums.latency.setdefault(name, Latency()).add(latency)
                lag.add(their_lag)
        return sums, lag

    def _second(self, second: int) -> tuple[int, Sums, Latency]:
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, Sums(), Latency()))
        return self._seconds[-1]


def class_of(status: int) -> str:
    """`2xx`; `none` for 0."""
    return CLASSES[status // 100] if status else "none"


def percentiles(latency: Latency) -> dict[str, float]:
    """`p50`, `p90`, `p99`, `p99.9`, `max` in ms; empty when nothing was counted."""
    if not latency:
        return {}
    found = {f"p{percent:g}": latency.percentile_ms(percent) for percent in (50, 90, 99, 99.9)}
    return found | {"max": latency.max_ms}
