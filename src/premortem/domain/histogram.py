"""Counts in fixed bins: what two profiles can be added up from and held against each other.

Bins are log-linear, the same everywhere: each power of two is cut into eight equal parts, so a
value is known to within a sixteenth of itself, and integers below 16 exactly. Adding the counts
of two histograms gives the histogram of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import frexp, ldexp, log2

Bins = tuple[tuple[int, int], ...]
"""(bin, count), by bin; bins that counted nothing are left out."""

PARTS = 8
"""Bins per power of two."""
EXPONENT_MIN, EXPONENT_MAX = -20, 63
"""Smaller magnitudes share the first bin beside zero's, larger ones the last: at most 1,345 bins
(HdrHistogram and DDSketch bound theirs in the same way)."""


def bin_of(number: float) -> int:
    """The bin of NUMBER: 0 for zero, ascending with the number, negative for negative ones."""
    if number == 0:
        return 0
    try:
        fraction, exponent = frexp(abs(number))
    except OverflowError:  # an integer beyond all floats
        fraction, exponent = 0.99, EXPONENT_MAX
    if not fraction < 1:
        fraction, exponent = 0.99, EXPONENT_MAX
    if exponent < EXPONENT_MIN:
        fraction, exponent = 0.5, EXPONENT_MIN
    elif exponent > EXPONENT_MAX:
        fraction, exponent = 0.99, EXPONENT_MAX
    found = (exponent - EXPONENT_MIN) * PARTS + int((fraction - 0.5) * 2 * PARTS) + 1
    return found if number > 0 else -found


def bounds(bin_: int) -> tuple[float, float]:
    """Lowest and highest number of a bin; the one nearer to zero belongs to it."""
    if bin_ == 0:
        return (0.0, 0.0)
    exponent, part = divmod(abs(bin_) - 1, PARTS)
    near = ldexp(0.5 + part / (2 * PARTS), exponent + EXPONENT_MIN)
    far = ldexp(0.5 + (part + 1) / (2 * PARTS), exponent + EXPONENT_MIN)
    return (near, far) if bin_ > 0 else (-far, -near)


def as_bins(counts: Mapping[int, int]) -> Bins:
    """COUNTS as a value."""
    return tuple(sorted((bin_, count) for bin_, count in counts.items() if count))


def added(several: Iterable[Bins]) -> Bins:
    """The histogram of all that SEVERAL counted."""
    counts: Counter[int] = Counter()
    for bins in several:
        counts.update(dict(bins))
    return as_bins(counts)


def quantiles(bins: Bins, shares: Sequence[float], *, integral: bool = False) -> tuple[float, ...]:
    """The values below which SHARES (within [0, 1]) of all lie; empty without any counts.

    Within a bin the values are taken for evenly spread, so each is off by at most an eighth of
    itself. INTEGRAL: rounded to integers, as those that were counted.
    """
    total = sum(count for _, count in bins)
    if not total:
        return ()
    return tuple(_quantile(bins, share * (total - 1), integral) for share in shares)


def _quantile(bins: Bins, rank: float, integral: bool) -> float:
    below = 0
    for bin_, count in bins:
        if rank < below + count:
            low, high = bounds(bin_)
            value = low + (high - low) * ((rank - below + 0.5) / count if count else 0.0)
            if integral:
                # the bin's integers are low, low + 1, ... below high
                return float(int(low if high - low <= 1 else value))
            return value
        below += count
    return bounds(bins[-1][0])[1]


def divergence(baseline: Sequence[int], recent: Sequence[int]) -> float:
    """How far RECENT has moved from BASELINE, in bits: 0 same, 1 disjoint.

    Both hold counts per bucket, shape (k,), in the same order.
    Raises ValueError if the lengths differ or either side counts nothing.
    Source: Lin 1991, Jensen-Shannon divergence, IEEE Trans. Inf. Theory 37(1).
    """
    if len(baseline) != len(recent):
        raise ValueError(f"{len(baseline)} buckets on one side and {len(recent)} on the other")
    first, second = sum(baseline), sum(recent)
    if first <= 0 or second <= 0:
        raise ValueError("nothing was counted on one side")
    total = 0.0
    for a, b in zip(baseline, recent, strict=True):
        p, q = a / first, b / second
        middle = (p + q) / 2
        total += (p * log2(p / middle) if p else 0.0) + (q * log2(q / middle) if q else 0.0)
    return min(1.0, max(0.0, total / 2))


def aligned(a: Mapping[object, int], b: Mapping[object, int]) -> tuple[list[int], list[int]]:
    """The counts of A and B over the keys of both, in one order: what `divergence` takes."""
    keys = sorted({*a, *b}, key=repr)
    return [a.get(key, 0) for key in keys], [b.get(key, 0) for key in keys]
