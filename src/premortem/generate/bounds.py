"""Which members are the two ends of one range, as far as their names say it.

Few recordings show such a pair often enough for a rule to be learned, and no schema can state it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from premortem.generate.filler import NOTHING

_ENDS = (
    ("lower", "upper"),
    ("min", "max"),
    ("minimum", "maximum"),
    ("low", "high"),
    ("lowest", "highest"),
    ("floor", "ceiling"),
    ("start", "end"),
    ("started", "ended"),
    ("starts", "ends"),
    ("begin", "end"),
    ("from", "to"),
    ("from", "until"),
    ("since", "until"),
    ("after", "before"),
    ("first", "last"),
)
_NUMBERED = 6
"""The first of them are said of numbers, too; all of them of dates and moments."""
_WORD = re.compile(r"[A-Za-z][a-z]*")

Pointer = tuple[str, ...]


def ranges(places: Iterable[Pointer]) -> Iterator[tuple[Pointer, Pointer, bool]]:
    """(lower end, upper end, whether it may be of numbers) among PLACES, siblings all of them."""
    known = dict.fromkeys(places)
    for at in known:
        for index, (low, high) in enumerate(_ENDS):
            other = _with_word(at[-1], low, high) if at else ""
            if other and (*at[:-1], other) in known:
                yield at, (*at[:-1], other), index < _NUMBERED


def _with_word(name: str, word: str, other: str) -> str:
    """NAME with OTHER instead of WORD, in the same case; empty where it has no such word."""
    for match in _WORD.finditer(name):
        if match[0].lower() == word:
            put = other.capitalize() if match[0][0].isupper() else other
            return name[: match.start()] + put + name[match.end() :]
    return ""


def in_order(low: Any, high: Any, *, numbers: bool) -> bool | None:
    """Whether LOW is smaller than HIGH; None where they are not of a kind that has ends."""
    if low is NOTHING or high is NOTHING:
        return None
    if _is_number(low) and _is_number(high):
        return bool(low < high) if numbers else None
    if isinstance(low, str) and isinstance(high, str):
        first, last = _moment(low), _moment(high)
        if (
            first is not None
            and last is not None
            and (first.tzinfo is None) == (last.tzinfo is None)
        ):
            return first < last
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
