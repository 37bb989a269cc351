"""Fixed features of requests, as two classifiers want them.

Path segments, keys, 3-grams of values, lengths; and what two places hold, coarsely: where every
value is right and only their company is wrong, nothing else would show it. Each counts once for
its operation and once for all. Which ones are looked at is decided by how often they occur, never
by the side they occur on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import log10
from typing import Any

import numpy as np

from premortem.analyse.realism.specimens import Specimen, masked
from premortem.domain.bodies import text_of

NAMES_MAX = 30_000
"""Features of the linear classifier, the most frequent ones."""
PAIRED_MAX = 10
"""Places of one request that are looked at two by two, the first ones."""
HEAD = 6
"""Characters of a text by which it is looked at together with another."""
TREE_NAMES_MAX = 250
"""Of these, the ones that trees see, too: those nearest to being there half the time."""
MEASURES_MAX = 250
"""Lengths and numbers that trees see."""
GRAMS_MAX = 40
"""3-grams of one value, the first ones and the last."""
COUNT_MIN = 3
"""Requests with a feature before it counts."""

MISSING = -1000.0
"""Below every measure."""

Matrix = np.ndarray[Any, Any]


def names_of(specimen: Specimen) -> set[str]:
    """What is there in SPECIMEN."""
    operation = specimen.operation_id
    found = {f"segment {s}" for s in operation.split(" ")[-1].split("/") if s}
    heads = [f"as {specimen.role}"]
    keys = [heads[0]]
    for place, value in specimen.values:
        text = masked(value) if isinstance(value, str) else text_of(value)
        keys += [place, f"{place} length {len(text).bit_length()}"]
        keys += [f"{place} {gram}" for gram in _grams(text)]
        if isinstance(value, int | float) and not isinstance(value, bool):
            keys.append(f"{place} size {round(2 * _size(value))}")
            heads.append(f"{place}={round(2 * _size(value))}")
        else:
            heads.append(f"{place}={text[:HEAD]}")
    keys += [f"{place} items {min(length, 20)}" for place, length in specimen.lengths]
    keys += [f"{a} & {b}" for a, b in combinations(heads[:PAIRED_MAX], 2)]
    found.update(keys)
    found.update(f"{operation} {key}" for key in keys)
    return found


def _grams(text: str) -> Iterator[str]:
    whole = f"^{text}$"
    if len(whole) - 2 > GRAMS_MAX:
        whole = whole[: GRAMS_MAX // 2] + whole[-GRAMS_MAX // 2 :]
    for start in range(max(1, len(whole) - 2)):
        yield whole[start : start + 3]


def _size(value: float) -> float:
    """Sign and order of magnitude."""
    return (1 if value >= 0 else -1) * log10(1 + min(abs(value), 1e300))


def measures_of(specimen: Specimen) -> dict[str, float]:
    """Numbers, lengths of texts and of arrays, by operation and place; the last one of a place."""
    operation = specimen.operation_id
    found: dict[str, float] = {}
    for place, value in specimen.values:
        key = f"{operation} {place}"
        if isinstance(value, bool) or value is None:
            found[key] = float(value or 0)
        elif isinstance(value, int | float):
            found[key] = _size(value)
        else:
            found[key] = float(len(value))
    for place, length in specimen.lengths:
        found[f"{operation} {place} items"] = float(length)
    return found


class Features:
    """What is looked at in one comparison, found in all its requests together."""

    def __init__(self, specimens: Sequence[Specimen]) -> None:
        self._named = [names_of(specimen) for specimen in specimens]
        self._measured = [measures_of(specimen) for specimen in specimens]
        counts: Counter[str] = Counter()
        for names in self._named:
            counts.update(names)
        total = len(specimens)
        kept = sorted(
            (n for n, c in counts.items() if COUNT_MIN <= c < total), key=lambda n: (-counts[n], n)
        )[:NAMES_MAX]
        self.names = {name: index for index, name in enumerate(kept)}
        near = sorted(kept, key=lambda n: (abs(2 * counts[n] - total), n))[:TREE_NAMES_MAX]
        self._near = {name: index for index, name in enumerate(near)}
        measured: Counter[str] = Counter()
        for measures in self._measured:
            measured.update(measures.keys())
        often = sorted(measured, key=lambda n: (-measured[n], n))[:MEASURES_MAX]
        self._often = {name: index for index, name in enumerate(often)}

    def sparse(self) -> tuple[list[int], list[int]]:
        """(ends of rows, columns) of a 0/1 matrix, one column for each name."""
        ends, columns = [0], []
        for names in self._named:
            columns += sorted(self.names[name] for name in names if name in self.names)
            ends.append(len(columns))
        return ends, columns

    def dense(self) -> Matrix:
        """Shape (requests, measures + names); a measure that is not there is MISSING."""
        width = len(self._often)
        out = np.zeros((len(self._named), width + len(self._near)), dtype=np.float32)
        out[:, :width] = MISSING
        for row, (names, measures) in enumerate(zip(self._named, self._measured, strict=True)):
            for name, value in measures.items():
                if name in self._often:
                    out[row, self._often[name]] = value
            for name in names & self._near.keys():
                out[row, width + self._near[name]] = 1.0
        return out
