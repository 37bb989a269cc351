"""How likely chance alone explains what was seen: exact tests where there are any.

Logarithms are to base 10. The permutation tests ask: had the values of one side been dealt out
at random, how often would the relation hold in every message, as it did?
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from math import erfc, exp, inf, lgamma, log, sqrt

LN_10 = log(10.0)
_STEPS_MAX = 500
_TINY = 1e-300


def agreement(values: Sequence[object]) -> float:
    """log10 P that a random dealing of VALUES over their own messages agrees everywhere.

    n! dealings, of which the product of c! for the c messages of each value agree.
    """
    counts = Counter(values)
    exponent = sum(lgamma(n + 1) for n in counts.values()) - lgamma(len(values) + 1)
    return exponent / LN_10


def order(small: Sequence[float], large: Sequence[float]) -> float:
    """log10 P that dealing LARGE out at random leaves no value below its partner in SMALL.

    The dealings that fit can be counted: taken from the largest of SMALL down, each chooses
    among the values not below it that are left.
    """
    ordered = sorted(large)
    count = len(ordered)
    exponent = -lgamma(count + 1)
    for taken, value in enumerate(sorted(small, reverse=True)):
        free = count - bisect_left(ordered, value) - taken
        if free <= 0:
            return -inf
        exponent += log(free)
    return exponent / LN_10


def contained(total: int, inner: int, outer: int) -> float:
    """log10 P that INNER of TOTAL messages, drawn at random, all lie within OUTER of them."""
    return (_choose(outer, inner) - _choose(total, inner)) / LN_10


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def chi_square_tail(statistic: float, freedom: int) -> float:
    """P that a chi-square variable of FREEDOM degrees is larger than STATISTIC.

    The regularised upper incomplete gamma function (Abramowitz and Stegun 6.5.29, 6.5.31).
    """
    if statistic <= 0 or freedom <= 0:
        return 1.0
    a, x = freedom / 2, statistic / 2
    scale = exp(-x + a * log(x) - lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for step in range(1, _STEPS_MAX):
            term *= x / (a + step)
            total += term
            if term < total * 1e-12:
                break
        return max(0.0, 1 - total * scale)
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    fraction = d
    for step in range(1, _STEPS_MAX):
        numerator = -step * (step - a)
        b += 2
        d = 1 / _away(numerator * d + b)
        c = _away(b + numerator / c)
        fraction *= d * c
        if abs(d * c - 1) < 1e-12:
            break
    return min(1.0, fraction * scale)


def _away(value: float) -> float:
    """VALUE, or next to it where it would be zero (Lentz 1976)."""
    return value if abs(value) > _TINY else _TINY


def rank_tail(rho: float, count: int) -> float:
    """Two-sided P of Spearman's RHO over COUNT pairs that have nothing to do with each other.

    Normal approximation with variance 1/(n-1) (Hotelling and Pabst 1936); good from 30 pairs on.
    """
    return erfc(abs(rho) * sqrt(max(0, count - 1)) / sqrt(2))


def discoveries(chances: Sequence[float], *, share: float) -> set[int]:
    """Positions in CHANCES of what is found, of which SHARE may be false on average.

    Source: Benjamini and Hochberg 1995, Controlling the false discovery rate, J. R. Stat. Soc. B.
    """
    order_ = sorted(range(len(chances)), key=chances.__getitem__)
    last = -1
    for rank, position in enumerate(order_):
        if chances[position] <= share * (rank + 1) / len(chances):
            last = rank
    return set(order_[: last + 1])


def lower_bound(successes: int, trials: int) -> float:
    """The lower end of the 95 % interval of a share (Wilson 1927); 0 without trials."""
    if trials <= 0:
        return 0.0
    z = 1.96
    share = successes / trials
    middle = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (middle - spread) / (1 + z * z / trials))
