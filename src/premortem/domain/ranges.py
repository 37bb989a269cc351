"""Ranges of numbers, both ends included: which cases of a run have ended."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ranges = tuple[tuple[int, int], ...]
"""(low, high) with low <= high. What this module gives is ascending, apart and not adjacent."""


def merged(*given: Iterable[tuple[int, int]]) -> Ranges:
    """All numbers of GIVEN, which may overlap and be in any order."""
    rows: list[list[int]] = []
    for low, high in sorted(pair for ranges in given for pair in ranges):
        if rows and low <= rows[-1][1] + 1:
            rows[-1][1] = max(rows[-1][1], high)
        else:
            rows.append([low, high])
    return tuple((low, high) for low, high in rows)


def size(ranges: Iterable[tuple[int, int]]) -> int:
    """How many numbers; one that is in two ranges counts twice."""
    return sum(high - low + 1 for low, high in ranges)


def overlapping(*given: Iterable[tuple[int, int]]) -> int | None:
    """The lowest number that is in two of all ranges GIVEN; None: there is none."""
    rows = sorted(pair for ranges in given for pair in ranges)
    return next((low for (_, end), (low, _) in pairwise(rows) if low <= end), None)


def of_mask(mask: NDArray[np.bool_], first: int) -> Ranges:
    """The numbers FIRST + k for which MASK, shape (n,), is true at k."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    bounds = (edges + first).tolist()
    return tuple((low, end - 1) for low, end in zip(bounds[::2], bounds[1::2], strict=True))


def to_mask(ranges: Iterable[tuple[int, int]], first: int, count: int) -> NDArray[np.bool_]:
    """Which of FIRST .. FIRST + COUNT - 1 are in RANGES, shape (count,)."""
    mask = np.zeros(count, dtype=np.bool_)
    for low, high in ranges:
        mask[max(0, low - first) : max(0, high - first + 1)] = True
    return mask
