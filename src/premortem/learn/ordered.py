"""Dates, times and numbers that never come in the other order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import permutations

from premortem.domain.moments import epoch_seconds, moment_of
from premortem.learn import chance
from premortem.learn.rows import Cell, Table, names_things, number_of, words_of
from premortem.learn.support import CHANCE_MAX, SUPPORT_MIN, VARYING_MIN, Found

COLUMNS_MAX = 20
"""Columns of dates, and of numbers, that are held against each other."""
NUMBERS_SUPPORT_MIN = 30
"""Messages that must show an order of numbers whose names do not say that they are bounds."""
DAY_S = 86_400.0

_BOUNDS = (
    *(("min", "max"), ("minimum", "maximum"), ("start", "end"), ("from", "to"), ("low", "high")),
    *(("lower", "upper"), ("since", "until"), ("begin", "end"), ("after", "before")),
    *(("first", "last"), ("starts", "ends"), ("floor", "ceiling"), ("open", "close")),
)
"""Pairs of English words for the two ends of a range."""

Moments = list[tuple[float, bool] | None]
"""(seconds since the epoch, whether it is a day only) per row."""


def orders(table: Table, *, twins: Collection[str] = ()) -> Iterator[Found]:
    """Pairs of which the first is never larger; without those that others imply.

    TWINS: places that repeat another one, left out.
    """
    found: dict[tuple[str, str], int] = {}
    times = {k: m for k, c in table.columns.items() if k not in twins and (m := _moments(c))}
    numbers = {
        k: n
        for k, c in table.columns.items()
        if k not in twins and k not in times and not names_things(k) and (n := _numbers(k, c))
    }
    for a, b in permutations(list(times)[:COLUMNS_MAX], 2):
        equal = bounds(a, b)
        if support := _times_ordered(times[a], times[b], table.owners, equal=equal):
            found[a, b] = support
    for a, b in permutations(list(numbers)[:COLUMNS_MAX], 2):
        if support := _numbers_ordered(a, numbers[a], b, numbers[b], table.owners):
            found[a, b] = support
    for (a, b), support in found.items():
        implied = any((a, c) in found and (c, b) in found for c in {*times, *numbers} - {a, b})
        if not implied:
            yield Found(kind="order", places=(a, b), support=support)


def _moments(cells: Sequence[Cell]) -> Moments:
    """Every value that is there as a moment; empty when one is none, or all are the same."""
    moments: Moments = []
    for cell in cells:
        if isinstance(cell, str) and cell:
            moment = moment_of(cell)
            if moment is None:
                return []
            moments.append(moment)
        elif isinstance(cell, int | float) and not isinstance(cell, bool):
            seconds = epoch_seconds(cell)
            if seconds is None:
                return []
            moments.append((seconds, False))
        else:
            moments.append(None)
    return moments if len({*moments} - {None}) > 1 else []


def _times_ordered(first: Moments, second: Moments, owners: list[int], *, equal: bool) -> int:
    """Messages that show the order; EQUAL: it may be that both were always the same."""
    shown: dict[int, tuple[float, float]] = {}
    for one, other, owner in zip(first, second, owners, strict=True):
        if one is None or other is None:
            continue
        small, large = one[0], other[0]
        if one[1] or other[1]:
            small, large = small // DAY_S, large // DAY_S
        if small > large:
            return 0
        shown.setdefault(owner, (small, large))
    if len(shown) < SUPPORT_MIN or (not equal and all(a == b for a, b in shown.values())):
        return 0
    return len(shown) if _surprising(list(shown.values())) else 0


def _surprising(pairs: Sequence[tuple[float, float]]) -> bool:
    return chance.order([a for a, _ in pairs], [b for _, b in pairs]) <= CHANCE_MAX


def _numbers(key: str, cells: Sequence[Cell]) -> list[float | None]:
    """Numbers where there are any; empty when they do not vary or are mixed with texts."""
    numbers = [number_of(key, cell) for cell in cells]
    for cell, number in zip(cells, numbers, strict=True):
        if number is None and isinstance(cell, str | bool):
            return []
    return numbers if len({*numbers} - {None}) >= VARYING_MIN else []


def _numbers_ordered(
    a: str, first: list[float | None], b: str, second: list[float | None], owners: list[int]
) -> int:
    """Messages that show A never above B, 0 when they do not convince.

    Numbers that merely grow together are often ordered too. So either their names say that they
    are the ends of a range, or the one has reached the other, at several values, and stopped.
    """
    shown: dict[int, tuple[float, float]] = {}
    for one, other, owner in zip(first, second, owners, strict=True):
        if one is None or other is None:
            continue
        if one > other:
            return 0
        shown.setdefault(owner, (one, other))
    pairs = list(shown.values())
    if len(pairs) < SUPPORT_MIN or not _surprising(pairs):
        return 0
    if bounds(a, b):
        return len(pairs)
    reached = [one for one, other in pairs if one == other and one]
    touches = VARYING_MIN <= len(reached) < len(pairs) and len(set(reached)) >= VARYING_MIN
    alike = bool({*words_of(a)} & {*words_of(b)})
    enough = len(pairs) >= NUMBERS_SUPPORT_MIN
    return len(pairs) if enough and touches and alike else 0


def bounds(a: str, b: str) -> bool:
    """Whether the names of two places say that A is the lower end of what B is the upper of."""
    first, second = words_of(a), words_of(b)
    for low, high in _BOUNDS:
        if low in first and high in second:
            rest = [word for word in first if word != low]
            if rest == [word for word in second if word != high]:
                return True
    return False
