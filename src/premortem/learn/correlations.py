"""Fields of requests whose values go together.

Closed sets: Cramer's V with Bergsma's correction (2013, A bias-correction for Cramer's V and
Tschuprow's T, J. Korean Stat. Soc. 42). Numbers: Spearman's rank correlation. Presence: as sets.
Which pairs count is decided over all pairs of an operation at once, by the false discovery rate.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import Literal

import msgspec

from premortem.domain.relations import PAIRS_MAX, Correlation, Rule
from premortem.domain.tokens import holds_token
from premortem.learn import chance
from premortem.learn.rows import MISSING, Cell, Mark, Row, names_things, number_of, place_of

SUPPORT_MIN = 30
"""Requests that a correlation is measured on."""
COLUMNS_MAX = 30
"""Fields that are held against each other: at most 435 pairs, and as many of presence."""
CATEGORIES_MAX = 24
"""Different values of a closed set; the rest counts as one more."""
CATEGORY_MIN = 5
"""Requests with a value before it counts apart from the rest: cells must be filled for the
chi-square test (Cochran 1954)."""
REPEATS_MIN = 3
"""Times a value of a closed set is there on average."""
FALSE_SHARE_MAX = 0.001
"""False ones among those found, on average."""
STRENGTH_MIN = 0.3
"""Weaker ones say little about the next request."""
CORRELATIONS_MAX = 60
_REST = "\0rest"

Kind = Literal["set", "number", "presence"]


@dataclass(frozen=True, slots=True)
class _Measured:
    """A pair of fields, before it is known whether it counts."""

    kind: Kind
    first: str
    second: str
    strength: float
    chance: float
    support: int
    pairs: tuple[tuple[str, str, int], ...] = ()


def find_correlations(rows: Sequence[Row], rules: Sequence[Rule]) -> tuple[Correlation, ...]:
    """What goes together in ROWS, requests of one operation; strongest first.

    What RULES already say (equal values, one that requires the other) is left out.
    """
    rows = _independent([row for row in rows if row.whole] or rows)
    if len(rows) < SUPPORT_MIN:
        return ()
    said = _said(rules)
    measured = [m for m in _measured(rows) if frozenset((m.first, m.second)) not in said]
    if not measured:
        return ()
    kept = chance.discoveries([m.chance for m in measured], share=FALSE_SHARE_MAX)
    found = [m for i, m in enumerate(measured) if i in kept and m.strength >= STRENGTH_MIN]
    found.sort(key=lambda m: (-m.strength, m.first, m.second, m.kind))
    return tuple(
        Correlation(
            first=place_of(m.first),
            second=place_of(m.second),
            strength=round(min(1.0, m.strength), 4),
            kind=m.kind,
            support=m.support,
            pairs=m.pairs,
        )
        for m in found[:CORRELATIONS_MAX]
    )


def _said(rules: Sequence[Rule]) -> set[frozenset[str]]:
    """Pairs of places that a rule ties together."""
    pairs: set[frozenset[str]] = set()
    for rule in rules:
        pairs |= {frozenset(map(str, pair)) for pair in combinations(rule.places, 2)}
    return pairs


def _independent(rows: Sequence[Row]) -> list[Row]:
    """ROWS without what one session merely sent again: repetition is no evidence."""
    seen: set[tuple[str, tuple[tuple[str, Cell], ...]]] = set()
    kept = []
    for row in rows:
        key = (row.session, tuple(row.cells.items()))
        if not row.session or key not in seen:
            seen.add(key)
            kept.append(row)
    return kept


def _measured(rows: Sequence[Row]) -> Iterator[_Measured]:
    names = list(dict.fromkeys(key for row in rows for key in row.cells))
    columns = {name: [row.cells.get(name, MISSING) for row in rows] for name in names}
    sets: dict[str, list[str | None]] = {}
    numbers: dict[str, list[float | None]] = {}
    present: dict[str, list[str | None]] = {}
    for name, cells in columns.items():
        if names_things(name):
            continue
        if (texts := _categories(cells)) and len(sets) < COLUMNS_MAX:
            sets[name] = texts
        elif (values := _numbers(name, cells)) and len(numbers) < COLUMNS_MAX:
            numbers[name] = values
    for name, cells in columns.items():
        there: list[str | None] = ["" if cell is MISSING else "true" for cell in cells]
        if min(Counter(there)[x] for x in ("", "true")) >= CATEGORY_MIN and (
            len(present) < COLUMNS_MAX
        ):
            present[name] = there
    for a, b in combinations(sets, 2):
        yield from _associated("set", a, sets[a], b, sets[b])
    for a, b in combinations(numbers, 2):
        yield from _ranked(a, numbers[a], b, numbers[b])
    yield from _presences(sets, present)


def _presences(
    sets: dict[str, list[str | None]], present: dict[str, list[str | None]]
) -> Iterator[_Measured]:
    """Presence against presence; and against the values of what is always there or varies."""
    for a, b in combinations(present, 2):
        if not _nested(a, b):
            yield from _associated("presence", a, present[a], b, present[b])
    for a, texts in sets.items():
        values: list[str | None] = [text or "" for text in texts]
        for b, there in present.items():
            if a != b and a not in present and not _nested(a, b):
                yield from _associated("presence", a, values, b, there)


def _nested(a: str, b: str) -> bool:
    """Two places of one optional object come and go with it, which is no news."""
    parent, other = a.rpartition("/")[0], b.rpartition("/")[0]
    return parent == other and parent.count("/") > 0


def _categories(cells: Sequence[Cell]) -> list[str | None]:
    """JSON texts of a closed set, None for what was not there; empty when it is none."""
    texts: list[str | None] = []
    for cell in cells:
        if isinstance(cell, Mark):
            if cell is not MISSING:
                return []
            texts.append(None)
        elif isinstance(cell, float) or (isinstance(cell, str) and holds_token(cell)):
            return []
        else:
            texts.append(msgspec.json.encode(cell).decode())
    counts = Counter(text for text in texts if text is not None)
    if not 1 < len(counts) <= CATEGORIES_MAX or counts.total() < REPEATS_MIN * len(counts):
        return []
    return texts


def _numbers(name: str, cells: Sequence[Cell]) -> list[float | None]:
    numbers = [number_of(name, cell) for cell in cells]
    there = sum(cell is not MISSING and cell is not None for cell in cells)
    known = [number for number in numbers if number is not None]
    return numbers if len(known) == there >= SUPPORT_MIN and len({*known}) > 4 else []


def _associated(
    kind: Kind, a: str, first: Sequence[str | None], b: str, second: Sequence[str | None]
) -> Iterator[_Measured]:
    both = [(x, y) for x, y in zip(first, second, strict=True) if x is not None and y is not None]
    if len(both) < SUPPORT_MIN:
        return
    rare_a, rare_b = _rare(x for x, _ in both), _rare(y for _, y in both)
    cells = Counter((_REST if x in rare_a else x, _REST if y in rare_b else y) for x, y in both)
    rows, columns = _margins(cells)
    # a rest too small to count apart is left out of the test
    if rows.get(_REST, CATEGORY_MIN) < CATEGORY_MIN or columns.get(_REST, 5) < CATEGORY_MIN:
        keep_a = rows.get(_REST, CATEGORY_MIN) >= CATEGORY_MIN
        keep_b = columns.get(_REST, CATEGORY_MIN) >= CATEGORY_MIN
        cells = Counter(
            {
                (x, y): n
                for (x, y), n in cells.items()
                if (keep_a or x != _REST) and (keep_b or y != _REST)
            }
        )
        rows, columns = _margins(cells)
    if len(rows) < 2 or len(columns) < 2 or cells.total() < SUPPORT_MIN:
        return
    strength, tail = cramers_v(cells)
    counted = Counter(both).most_common(PAIRS_MAX)
    pairs = tuple((x, y, n) for (x, y), n in counted)
    yield _Measured(
        kind=kind, first=a, second=b, strength=strength, chance=tail, support=len(both), pairs=pairs
    )


def _rare(values: Iterator[str]) -> set[str]:
    return {value for value, count in Counter(values).items() if count < CATEGORY_MIN}


def _margins(cells: Counter[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    rows: Counter[str] = Counter()
    columns: Counter[str] = Counter()
    for (x, y), n in cells.items():
        rows[x] += n
        columns[y] += n
    return rows, columns


def cramers_v(cells: Counter[tuple[str, str]]) -> tuple[float, float]:
    """(bias-corrected V within [0, 1], P of independence) of a contingency table.

    Needs at least two different values on each side.
    """
    rows, columns = _margins(cells)
    total = cells.total()
    statistic = total * (sum(n * n / (rows[x] * columns[y]) for (x, y), n in cells.items()) - 1)
    freedom = (len(rows) - 1) * (len(columns) - 1)
    phi = max(0.0, statistic / total - freedom / (total - 1))
    r = len(rows) - (len(rows) - 1) ** 2 / (total - 1)
    c = len(columns) - (len(columns) - 1) ** 2 / (total - 1)
    least = min(r, c) - 1
    strength = sqrt(phi / least) if least > 0 else 0.0
    return min(1.0, strength), chance.chi_square_tail(statistic, freedom)


def _ranked(
    a: str, first: Sequence[float | None], b: str, second: Sequence[float | None]
) -> Iterator[_Measured]:
    both = [(x, y) for x, y in zip(first, second, strict=True) if x is not None and y is not None]
    if len(both) < SUPPORT_MIN:
        return
    rho = spearman([x for x, _ in both], [y for _, y in both])
    tail = chance.rank_tail(rho, len(both))
    yield _Measured(
        kind="number", first=a, second=b, strength=abs(rho), chance=tail, support=len(both)
    )


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """The rank correlation of pairs, within [-1, 1]; ties share their mean rank; 0 if constant."""
    a, b = _ranks(first), _ranks(second)
    middle = (len(a) + 1) / 2
    both = sum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True))
    scale = sqrt(sum((x - middle) ** 2 for x in a) * sum((y - middle) ** 2 for y in b))
    return both / scale if scale else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    places: defaultdict[float, list[int]] = defaultdict(list)
    for rank, value in enumerate(sorted(values), start=1):
        places[value].append(rank)
    return [(places[value][0] + places[value][-1]) / 2 for value in values]
