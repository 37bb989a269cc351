"""Numbers that are calculated from others in the same message: sums and products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from premortem.domain.moments import epoch_seconds
from premortem.learn import chance
from premortem.learn.rows import Cell, Table, names_things, number_of
from premortem.learn.support import CHANCE_MAX, SUPPORT_MIN, VARYING_MIN, Found

COLUMNS_MAX = 24
"""Numbers of one table that are calculated with."""
LISTS_MAX = 12
TERMS_OF_MAX = 16
"""Numbers of one table of which three are added up."""
PROBES = 3
"""Messages that candidates are collected from; each must fit all of them."""
TOTAL_DISTINCT_MIN = 5
"""Different results that a calculation must have come to."""
DECIMALS_MAX = 4
RELATIVE = 1e-9


@dataclass(slots=True)
class _Column:
    """Numbers of one place."""

    key: str
    values: list[float | None]
    decimals: int

    def near(self, row: int, value: float) -> bool:
        """Whether VALUE, rounded as this column is, is what stands in ROW."""
        own = self.values[row]
        if own is None:
            return False
        slack = 0.5 * 10**-self.decimals if self.decimals else 0.0
        return abs(own - value) <= slack + RELATIVE * max(1.0, abs(own))


def _columns(table: Table) -> list[_Column]:
    found = []
    for key, cells in table.columns.items():
        if (column := _column(key, cells)) is not None:
            found.append(column)
    return found[:COLUMNS_MAX]


def _column(key: str, cells: Sequence[Cell]) -> _Column | None:
    if names_things(key):
        return None
    values = [number_of(key, cell) for cell in cells]
    known = {*values} - {None}
    if len(known) < 2 or all(v is None or epoch_seconds(v) is not None for v in values):
        return None
    if any(isinstance(c, str) and v is None for c, v in zip(cells, values, strict=True)):
        return None
    return _Column(key=key, values=values, decimals=_decimals(v for v in values if v is not None))


def _decimals(values: Iterator[float]) -> int:
    most = 0
    for value in values:
        text = repr(value)
        if "." in text and "e" not in text and not text.endswith(".0"):
            most = max(most, len(text) - text.index(".") - 1)
    return min(most, DECIMALS_MAX)


def products(table: Table) -> Iterator[Found]:
    """Numbers that are the product of two others in the same row, as amount = quantity x price."""
    columns = _columns(table)
    for total in columns:
        probes = _probes(total)
        if not probes:
            continue
        for a, b in combinations([c for c in columns if c is not total], 2):
            if all(_multiplied(total, a, b, row) is not False for row in probes):
                support = _product_support(table, total, a, b)
                if support:
                    yield Found(kind="product", places=(total.key, a.key, b.key), support=support)


def _probes(total: _Column) -> list[int]:
    """Rows of different results; a result of zero proves nothing."""
    rows: dict[float, int] = {}
    for row, value in enumerate(total.values):
        if value:
            rows.setdefault(value, row)
            if len(rows) == PROBES:
                break
    return list(rows.values()) if len(rows) == PROBES else []


def _multiplied(total: _Column, a: _Column, b: _Column, row: int) -> bool | None:
    first, second = a.values[row], b.values[row]
    if first is None or second is None or total.values[row] is None:
        return None
    return total.near(row, first * second)


def _product_support(table: Table, total: _Column, a: _Column, b: _Column) -> int:
    shown: dict[int, float] = {}
    factors: tuple[set[float], set[float]] = (set(), set())
    telling = 0
    for row, owner in enumerate(table.owners):
        fits = _multiplied(total, a, b, row)
        if fits is False:
            return 0
        value, first, second = total.values[row], a.values[row], b.values[row]
        if fits and value and first is not None and second is not None:
            shown.setdefault(owner, value)
            factors[0].add(first)
            factors[1].add(second)
            telling += first != 1 and second != 1
    if min(map(len, factors)) < 2 or telling < VARYING_MIN:
        return 0
    return _convincing(list(shown.values()))


def _convincing(results: Sequence[float]) -> int:
    """How many RESULTS there are, or 0 where they are too few or chance explains them."""
    if len(results) < SUPPORT_MIN or len(set(results)) < TOTAL_DISTINCT_MIN:
        return 0
    return len(results) if chance.agreement(results) <= CHANCE_MAX else 0


def sums(messages: Table) -> Iterator[Found]:
    """Numbers that are the sum of all items' values, of such a sum and more, or of other numbers.

    A sum that two of the found ones already imply is left out.
    """
    columns = _columns(messages)
    lists = _lists(messages)
    found: list[Found] = []
    for total in columns:
        probes = _probes(total)
        if not probes:
            continue
        others = [c for c in columns if c is not total]
        parts: list[tuple[_Column, ...]] = [(c,) for c in lists]
        parts += [(c, extra) for c in lists for extra in others]
        parts += list(combinations(others, 2))
        parts += [(c, *pair) for c in lists for pair in combinations(others[:TERMS_OF_MAX], 2)]
        parts += list(combinations(others[:TERMS_OF_MAX], 3))
        for terms in parts:
            if all(_added(total, terms, row) is not False for row in probes):
                support = _sum_support(total, terms)
                if support:
                    places = (total.key, *(c.key for c in terms))
                    found.append(Found(kind="sum", places=places, support=support))
    known = {f.places for f in found}
    yield from (f for f in found if not _implied(f.places, known))


@dataclass(slots=True)
class _List(_Column):
    """Per message, the sum of one member over the items of an array."""

    items: list[int]
    """Items with a value other than zero."""


def _lists(messages: Table) -> list[_List]:
    made = []
    for key, lists in messages.lists.items():
        if names_things(key):
            continue
        values, items = [], []
        for cells in lists:
            numbers = [number_of(key, cell) for cell in cells] if cells else [None]
            known = [n for n in numbers if n is not None]
            # one item without a number leaves the sum open
            values.append(sum(known) if len(known) == len(numbers) else None)
            items.append(sum(bool(n) for n in known))
        if len({*values} - {None}) > 1:
            made.append(_List(key=key, values=values, decimals=0, items=items))
    return made[:LISTS_MAX]


def _added(total: _Column, terms: Sequence[_Column], row: int) -> bool | None:
    value = 0.0
    for term in terms:
        part = term.values[row]
        if part is None:
            return None
        value += part
    return None if total.values[row] is None else total.near(row, value)


def _sum_support(total: _Column, terms: Sequence[_Column]) -> int:
    results: list[float] = []
    telling = [0] * len(terms)
    several = [0] * len(terms)
    for row in range(len(total.values)):
        fits = _added(total, terms, row)
        if fits is False:
            return 0
        value = total.values[row]
        if not fits or value is None:
            continue
        results.append(value)
        for position, term in enumerate(terms):
            telling[position] += bool(term.values[row])
            if isinstance(term, _List):
                several[position] += term.items[row] > 1
    if min(telling) < VARYING_MIN:
        return 0
    if any(isinstance(t, _List) and several[p] < VARYING_MIN for p, t in enumerate(terms)):
        return 0
    return _convincing(results)


def _implied(places: tuple[str, ...], known: set[tuple[str, ...]]) -> bool:
    """Whether `total = items + tax` follows from `subtotal = items`, `total = subtotal + tax`; so
    of three terms, two of which are another's sum."""
    total, *terms = places
    for size in (1, 2):
        if len(terms) <= size or (size == 1 and "*" not in terms[0]):
            continue
        for inner in combinations(terms, size):
            rest = [term for term in terms if term not in inner]
            halves = [p[0] for p in known if set(p[1:]) == {*inner} and p[0] != total]
            if any(p[0] == total and {*p[1:]} == {h, *rest} for h in halves for p in known):
                return True
    return False
