"""Rows of requests as flat tables of another maker, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

TEXT_SHARE_MIN = 0.5
"""From this share of different ones on, a column's texts count as free."""
TEXT_SEEN_MIN = 20
COLUMNS_MAX = 64
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ITEM = re.compile(r"\[(\d+)\]")
Row = dict[str, Any]


def flattened(row: Row) -> Row:
    """ROW with a column for each item of an array: `body:/lines[0]/sku`."""
    found: Row = {}
    for place, value in row.items():
        if not isinstance(value, list):
            found[place] = value
            continue
        for index, item in enumerate(value):
            for inner, held in flattened(item).items():
                found[f"{place}[{index}]{inner}"] = held
    return found


def unflattened(row: Row) -> Row:
    """What `flattened` took apart. Items that are missing in between are left out."""
    found: Row = {}
    items: dict[str, dict[int, Row]] = {}
    for place, value in row.items():
        match = _ITEM.search(place)
        if match is None:
            found[place] = value
        else:
            head = place[: match.start()]
            found.setdefault(head, [])
            items.setdefault(head, {}).setdefault(int(match[1]), {})[place[match.end() :]] = value
    for head, inner in items.items():
        found[head] = [unflattened(inner[index]) for index in sorted(inner)]
    return found


class Columns:
    """What the columns of a table hold, and how values are spelled there."""

    def __init__(self, rows: Sequence[Row], given: Iterable[str] = ()) -> None:
        self.given = tuple(given)
        names = dict.fromkeys(name for row in rows for name in row)
        self.kinds: dict[str, str] = {}
        self._whole: set[str] = set()
        self._pointless: set[str] = set()
        for name in list(names)[:COLUMNS_MAX]:
            values = [row[name] for row in rows if row.get(name) is not None]
            kind = "choice" if name in self.given else _kind(values)
            self.kinds[name] = kind
            if kind == "number" and all(isinstance(v, int) for v in values):
                self._whole.add(name)
            elif kind == "number" and not any(isinstance(v, float) and v % 1 == 0 for v in values):
                self._pointless.add(name)

    def spelled(self, row: Row) -> Row:
        """ROW as the table holds it."""
        return {n: _spelled(row[n], kind) for n, kind in self.kinds.items() if n in row}

    def read(self, row: Row) -> Row:
        """A row of the table as values, without what is given."""
        return {
            name: self._read(name, value)
            for name, value in row.items()
            if name not in self.given and value is not None
        }

    def _read(self, name: str, value: Any) -> Any:
        kind = self.kinds[name]
        if kind == "number":
            number = float(value)
            whole = name in self._whole or (name in self._pointless and number.is_integer())
            return round(number) if whole else number
        if kind == "choice":
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value


def _kind(values: Sequence[Any]) -> str:
    if values and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return "number"
    texts = [v for v in values if isinstance(v, str)]
    if len(texts) < len(values) or not texts:
        return "choice"
    if all(_DAY.fullmatch(text) for text in texts):
        return "day"
    free = len(set(texts)) >= max(TEXT_SEEN_MIN, TEXT_SHARE_MIN * len(texts))
    return "text" if free else "choice"


def _spelled(value: Any, kind: str) -> Any:
    return json.dumps(value) if kind == "choice" else value
