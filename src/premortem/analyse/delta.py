"""Delta debugging: a least part of a list that still does what the whole does.

Source: Zeller, Hildebrandt 2002, Simplifying and isolating failure-inducing input, IEEE Trans.
Softw. Eng. 28(2), 183-200: ddmin, by complements only, with everything left out tried first.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def fewest(items: list[T]) -> Generator[list[T], bool, list[T]]:
    """A part of ITEMS, in order, of which no single one can be left out (1-minimal).

    Yields parts, and is told of each whether it does what the whole does.
    """
    if not items or (yield []):
        return []
    parts = 2
    while len(items) >= 2:
        size = -(-len(items) // parts)
        chunks = [items[i : i + size] for i in range(0, len(items), size)]
        for number in range(len(chunks)):
            rest = [item for i, chunk in enumerate(chunks) if i != number for item in chunk]
            if rest and (yield rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(items))
    return items
