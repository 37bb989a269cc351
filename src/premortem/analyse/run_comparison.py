"""Two runs held against each other, with intervals: what changed, and what may be chance.

Answers of one second are alike, so single answers are no independent draws. Whole seconds are
drawn again instead (moving blocks of a length of one: Künsch 1989, The jackknife and the
bootstrap for general stationary observations, Annals of Statistics 17(3)); percentiles of the
differences are the interval (Efron, Tibshirani 1993, An Introduction to the Bootstrap, 13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from premortem.domain.jobs import Count
from premortem.domain.latency import Latency

DRAWS = 1_000
BLOCKS_MAX = 300
"""Of a longer run several seconds in a row are one block."""
BLOCKS_MIN = 5
"""Fewer say nothing about chance."""
CONFIDENCE = 0.95
OPERATIONS_MAX = 200

Floats = NDArray[np.float64]


class Compared(Struct, frozen=True, kw_only=True):
    """One metric of two runs."""

    metric: str
    operation_id: str = ""
    """Empty: the whole run."""
    before: float | None
    after: float | None
    """None: nothing was measured."""
    low: float | None = None
    high: float | None = None
    """Of after - before, CONFIDENCE of the time; None: too short a run to tell."""

    @property
    def difference(self) -> float | None:
        """after - before."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before

    @property
    def clear(self) -> bool:
        """The interval does not hold 0."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0


class _Blocks(NamedTuple):
    """A run or an operation of it, shape (n,) or (n, values): n blocks of seconds."""

    seconds: Floats
    ended: Floats
    errors: Floats
    values: Floats
    """Distinct latencies in ms, ascending."""
    counts: Floats


_PERCENTS = {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "p999_ms": 99.9}


def compare_runs(
    before: Iterable[Count], after: Iterable[Count], *, seed: int = 1
) -> list[Compared]:
    """The metrics of two runs, whole first, then each operation of both.

    Counts by second, operation, status, outcome, with their latencies. The same SEED gives the
    same intervals.
    """
    first, second = list(before), list(after)
    rng = np.random.default_rng(seed)
    found = _compared("", first, second, rng, ("rate_per_second", "error_ratio", *_PERCENTS))
    names = {c.operation_id for c in first} & {c.operation_id for c in second}
    for name in sorted(names)[:OPERATIONS_MAX]:
        mine = [c for c in first if c.operation_id == name]
        theirs = [c for c in second if c.operation_id == name]
        found += _compared(name, mine, theirs, rng, ("error_ratio", "p50_ms", "p99_ms"))
    return found


def _compared(
    operation_id: str,
    before: list[Count],
    after: list[Count],
    rng: np.random.Generator,
    metrics: tuple[str, ...],
) -> list[Compared]:
    first, second = _blocks(before), _blocks(after)
    enough = min(len(first.ended), len(second.ended)) >= BLOCKS_MIN
    drawn = (_weights(first, rng), _weights(second, rng)) if enough else None
    found: list[Compared] = []
    for name in metrics:
        measure = _measure(name)
        a = measure(first, np.ones((1, len(first.ended))))
        b = measure(second, np.ones((1, len(second.ended))))
        row = Compared(
            metric=name,
            operation_id=operation_id,
            before=_known(a[0]),
            after=_known(b[0]),
        )
        if drawn is not None and row.difference is not None:
            differences = measure(second, drawn[1]) - measure(first, drawn[0])
            differences = differences[np.isfinite(differences)]
            if len(differences) > DRAWS / 2:
                tail = 100 * (1 - CONFIDENCE) / 2
                low, high = np.percentile(differences, (tail, 100 - tail)).tolist()
                row = Compared(
                    metric=name,
                    operation_id=operation_id,
                    before=row.before,
                    after=row.after,
                    low=low,
                    high=high,
                )
        found.append(row)
    return found


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _blocks(counts: list[Count]) -> _Blocks:
    last = max((count.second for count in counts), default=-1) + 1
    first = min((count.second for count in counts), default=0)
    length = max(1, -(-(last - first) // BLOCKS_MAX))
    blocks = max(0, -(-(last - first) // length))
    ended, errors = np.zeros(blocks), np.zeros(blocks)
    times: list[Latency] = [Latency() for _ in range(blocks)]
    for count in counts:
        index = (count.second - first) // length
        ended[index] += count.count
        if count.outcome != "answered" or count.status >= 500:
            errors[index] += count.count
        if count.latency:
            times[index].add(Latency.unpacked(count.latency))
    values = sorted({value for latency in times for value, _ in latency.counts()})
    place: Mapping[int, int] = {value: index for index, value in enumerate(values)}
    found = np.zeros((blocks, len(values)))
    for index, latency in enumerate(times):
        for value, number in latency.counts():
            found[index, place[value]] = number
    return _Blocks(
        seconds=np.full(blocks, float(length)),
        ended=ended,
        errors=errors,
        values=np.array(values, dtype=np.float64) / 1000,
        counts=found,
    )


def _weights(blocks: _Blocks, rng: np.random.Generator) -> Floats:
    """How often each block is drawn, shape (DRAWS, n)."""
    n = len(blocks.ended)
    return rng.multinomial(n, np.full(n, 1 / n), size=DRAWS).astype(np.float64)


def _measure(name: str) -> Callable[[_Blocks, Floats], Floats]:
    """Blocks and weights, shape (d, n) -> the metric of each draw, shape (d,); NaN: nothing."""
    if name == "rate_per_second":
        return lambda b, w: _ratio(w @ b.ended, w @ b.seconds)
    if name == "error_ratio":
        return lambda b, w: _ratio(w @ b.errors, w @ b.ended)
    percent = _PERCENTS[name]
    return lambda b, w: _percentile(b, w, percent)


def _ratio(part: Floats, whole: Floats) -> Floats:
    found: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return found


def _percentile(blocks: _Blocks, weights: Floats, percent: float) -> Floats:
    if not len(blocks.values):
        return np.full(len(weights), np.nan)
    below = np.cumsum(weights @ blocks.counts, axis=1)
    total = below[:, -1]
    rank = np.maximum(1.0, np.ceil(total * percent / 100))
    index = np.minimum((below < rank[:, None]).sum(axis=1), len(blocks.values) - 1)
    return np.where(total > 0, blocks.values[index], np.nan)
