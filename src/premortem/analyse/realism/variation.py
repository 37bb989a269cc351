"""How far apart the values of two sides lie, column by column and pair by pair.

Total variation distance: half the sum of the differences between two distributions; 0: the same,
1: nothing in common. Small samples of one population differ, too: read it beside production's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations

import msgspec
import numpy as np
from msgspec import Struct

from premortem.analyse.realism.specimens import Scalar, Specimen, masked
from premortem.domain.bodies import text_of

VALUES_MAX = 30
"""Values of one column that are told apart; the rest counts by its look."""
BINS = 10
"""Of numbers, by production's quantiles."""
NUMBERS_MIN = 12
"""Different numbers before they are put into bins."""
ROWS_MIN = 20
"""Requests of an operation on each side before its columns are compared."""
COLUMNS_MAX = 24
"""Columns of one operation whose pairs are compared, the most frequent ones."""
LOOK_MAX = 12
ABSENT = "absent"

Row = dict[str, str]
"""Column -> what it holds, as one of few texts."""


class Column(Struct, frozen=True, kw_only=True):
    """One place of one operation."""

    operation_id: str
    place: str
    distance: float
    weight: int
    """Production's requests of the operation."""


class Variation(Struct, frozen=True, kw_only=True):
    """Distances, each weighted by how many of production's requests stand behind it."""

    marginal: float
    pairwise: float
    presence: float
    lengths: float
    """Of arrays; 0 where there are none."""
    columns: tuple[Column, ...]
    """Farthest apart first."""


def variation(production: Sequence[Specimen], other: Sequence[Specimen]) -> Variation:
    """How far OTHER lies from PRODUCTION, of the operations that both have enough of."""
    ours, theirs = _by_operation(production), _by_operation(other)
    columns: list[Column] = []
    pairs: list[tuple[float, int]] = []
    presences: list[tuple[float, int]] = []
    lengths: list[tuple[float, int]] = []
    for operation_id in sorted(ours.keys() & theirs.keys()):
        a, b = ours[operation_id], theirs[operation_id]
        if min(len(a), len(b)) < ROWS_MIN:
            continue
        left, right, names = _rows(a, b)
        for name in names:
            one, two = [r.get(name, ABSENT) for r in left], [r.get(name, ABSENT) for r in right]
            there = total_variation(
                [x != ABSENT for x in one],
                [x != ABSENT for x in two],
            )
            presences.append((there, len(a)))
            apart = total_variation(one, two)
            if name.startswith("items "):
                lengths.append((apart, len(a)))
            else:
                columns.append(
                    Column(operation_id=operation_id, place=name, distance=apart, weight=len(a))
                )
        for x, y in combinations(names[:COLUMNS_MAX], 2):
            one = [f"{r.get(x, ABSENT)}\0{r.get(y, ABSENT)}" for r in left]
            two = [f"{r.get(x, ABSENT)}\0{r.get(y, ABSENT)}" for r in right]
            pairs.append((total_variation(one, two), len(a)))
    return Variation(
        marginal=_mean((c.distance, c.weight) for c in columns),
        pairwise=_mean(pairs),
        presence=_mean(presences),
        lengths=_mean(lengths),
        columns=tuple(sorted(columns, key=lambda c: (-c.distance * c.weight, c.operation_id))),
    )


def total_variation(one: Sequence[Hashable], two: Sequence[Hashable]) -> float:
    """Between two samples, within [0, 1]. Raises ValueError when one is empty."""
    if not one or not two:
        raise ValueError("a sample without values has no distribution")
    a, b = Counter(one), Counter(two)
    return sum(abs(a[key] / len(one) - b[key] / len(two)) for key in a.keys() | b.keys()) / 2


def _mean(weighted: Iterable[tuple[float, int]]) -> float:
    pairs = list(weighted)
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else 0.0


def _by_operation(specimens: Sequence[Specimen]) -> dict[str, list[Specimen]]:
    found: dict[str, list[Specimen]] = defaultdict(list)
    for specimen in specimens:
        found[specimen.operation_id].append(specimen)
    return found


def _rows(a: Sequence[Specimen], b: Sequence[Specimen]) -> tuple[list[Row], list[Row], list[str]]:
    """Both sides as rows of few different texts, and the columns, most frequent first."""
    seen: Counter[str] = Counter()
    texts: dict[str, Counter[str]] = defaultdict(Counter)
    numbers: dict[str, list[float]] = defaultdict(list)
    for specimen in (*a, *b):
        for place, value in specimen.values:
            seen[place] += 1
            texts[place][_text(value)] += 1
    for specimen in a:
        for place, value in specimen.values:
            if isinstance(value, int | float) and not isinstance(value, bool):
                numbers[place].append(float(value))
    edges = {
        place: np.unique(np.quantile(found, np.linspace(0, 1, BINS + 1))).tolist()
        for place, found in numbers.items()
        if len(set(found)) >= NUMBERS_MIN
    }
    often = {place: {t for t, _ in c.most_common(VALUES_MAX)} for place, c in texts.items()}
    left = [_row(specimen, edges, often) for specimen in a]
    right = [_row(specimen, edges, often) for specimen in b]
    names = ["role", *(place for place, _ in seen.most_common())]
    names += sorted({f"items {place}" for s in (*a, *b) for place, _ in s.lengths})
    return left, right, names


def _row(specimen: Specimen, edges: dict[str, list[float]], often: dict[str, set[str]]) -> Row:
    row: Row = {"role": specimen.role}
    for place, value in specimen.values:
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if known and place in edges:
            row[place] = f"bin {int(np.searchsorted(edges[place], float(value or 0)))}"
            continue
        text = _text(value)
        row[place] = text if text in often[place] else f"like {_look(text)}"
    for place, length in specimen.lengths:
        row[f"items {place}"] = str(min(length, 20))
    return row


def _text(value: Scalar) -> str:
    return masked(value) if isinstance(value, str) else text_of(value)


def _look(text: str) -> str:
    """Classes of TEXT's characters, runs as one: `Aa 9`."""
    out = ""
    for char in text:
        kind = "9" if char.isdigit() else "a" if char.isalpha() else char
        if not out.endswith(kind):
            out += kind
        if len(out) >= LOOK_MAX:
            break
    return out


def shuffled(specimens: Sequence[Specimen], *, seed: int = 1) -> list[Specimen]:
    """SPECIMENS with every place's values dealt anew among the requests of the operation: each
    column is as it was, and nothing goes together any more."""
    rng = np.random.default_rng([seed, 3])
    out: list[Specimen] = []
    for _, rows in sorted(_by_operation(specimens).items()):
        places = list(dict.fromkeys(p for row in rows for p, _ in row.values))
        dealt: list[list[tuple[str, Scalar]]] = [[] for _ in rows]
        for place in places:
            held = [[pair for pair in row.values if pair[0] == place] for row in rows]
            for target, source in zip(dealt, rng.permutation(len(rows)).tolist(), strict=True):
                target += held[source]
        arrays = list(dict.fromkeys(p for row in rows for p, _ in row.lengths))
        counts: list[list[tuple[str, int]]] = [[] for _ in rows]
        for place in arrays:
            kept = [[pair for pair in row.lengths if pair[0] == place] for row in rows]
            for sizes, source in zip(counts, rng.permutation(len(rows)).tolist(), strict=True):
                sizes += kept[source]
        out += [
            msgspec.structs.replace(row, values=tuple(v), lengths=tuple(n), group=f"{row.group} s")
            for row, v, n in zip(rows, dealt, counts, strict=True)
        ]
    return out
