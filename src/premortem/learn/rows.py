"""Whole messages, thinned and flat: what relations between fields are looked for in.

Fields alone forget which values came together. A bounded sample of messages remembers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from premortem.domain.places import Place, body_place, parse_place
from premortem.learn.bodies import Body
from premortem.learn.lexical import CACHE_MAX, words_in

ROWS_MAX = 256
"""Messages kept per operation and side: every n-th, so that all of the traffic counts."""
CELLS_MAX = 1_500_000
"""Values kept over all operations, about 100 bytes each; later messages are not kept."""
COLUMNS_MAX = 64
"""Places outside arrays that are looked at in one message, the first ones."""
DEPTH_MAX = 4
"""Levels of objects whose values are looked at."""
ARRAYS_MAX = 6
ITEMS_MAX = 40
"""Items of an array that are kept; of a longer one the first ITEMS_OF_LONG."""
ITEMS_OF_LONG = 5
MEMBERS_MAX = 24
"""Values of one item that are looked at."""
TEXT_MAX = 80
"""Longer texts are content: that they were there is kept, not what they say."""
TABLE_ROWS_MAX = 1500

Scalar = str | int | float | bool | None


class Mark:
    """Stands for a value that is there and cannot be compared."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


LONG = Mark("long")
"""A long text."""
VARIES = Mark("varies")
"""Different values in the items of one message."""
MISSING = Mark("missing")
"""Nothing."""

Cell = Scalar | Mark
_ID_WORDS = frozenset({"id", "ids", "uid", "uuid", "guid", "key", "number", "code", "ref", "zip"})


@dataclass(slots=True)
class Row:
    """One message, flat. Keys are `str(place)`."""

    cells: dict[str, Cell]
    lengths: dict[str, int] = field(default_factory=dict)
    """Array -> its items."""
    items: dict[str, list[dict[str, Cell]]] = field(default_factory=dict)
    """Array -> the values of its items, keys with `*`; complete unless the array is long."""
    asked: dict[str, Cell] = field(default_factory=dict)
    """Of an answer: what its request held, by `str(place)`."""
    role: str = ""
    whole: bool = True
    """Body and headers were recorded, too."""
    session: str = ""
    began: float = 0.0
    ended: float = 0.0
    """When it was asked for and answered, seconds since the epoch by the recorder's clock."""
    ahead_s: float = 0.0
    """How far the service's `date` header was ahead of that."""

    @property
    def size(self) -> int:
        """Values in it."""
        inner = (len(item) for items in self.items.values() for item in items)
        return len(self.cells) + len(self.lengths) + len(self.asked) + sum(inner)


class Budget:
    """Values that may still be kept, over all operations."""

    __slots__ = ("left",)

    def __init__(self, left: int = CELLS_MAX) -> None:
        self.left = left


class Rows:
    """Messages of one operation and side, thinned evenly."""

    __slots__ = ("_budget", "_count", "_stride", "kept")

    def __init__(self, budget: Budget) -> None:
        self.kept: list[Row] = []
        self._budget = budget
        self._stride = 1
        self._count = 0

    @property
    def wanted(self) -> bool:
        """Whether the next message is to be kept; counts it."""
        turn = self._count % self._stride == 0 and self._budget.left > 0
        self._count += 1
        return turn

    def add(self, row: Row) -> None:
        """Keep ROW."""
        self.kept.append(row)
        self._budget.left -= row.size
        if len(self.kept) >= ROWS_MAX:
            self._budget.left += sum(gone.size for gone in self.kept[1::2])
            self.kept = self.kept[::2]
            self._stride *= 2


def read_row(
    body: Body,
    *,
    named: Sequence[tuple[str, str]] = (),
    whole: bool = True,
    session: str = "",
    began: float = 0.0,
    ended: float = 0.0,
    ahead_s: float = 0.0,
) -> Row:
    """A message as a Row: NAMED are (`str(place)`, text) of its path and query."""
    row = Row(cells={}, whole=whole, session=session)
    row.began, row.ended, row.ahead_s = began, ended, ahead_s
    for place, text in named:
        # a name given twice has no single value
        row.cells[place] = VARIES if place in row.cells else _cell(text)
    if body.kind == "json":
        _flatten(body.value, (), row)
    elif body.kind in ("form", "multipart"):
        for name, value in body.value.items():
            _flatten(_spelled(value), (name,), row)
    return row


def _spelled(value: Any) -> Any:
    """The number that a form's text says, or VALUE itself."""
    number = number_of("", value) if isinstance(value, str) else None
    return value if number is None else int(number) if number.is_integer() else number


def _cell(value: Any) -> Cell:
    if isinstance(value, str):
        return value if len(value) <= TEXT_MAX else LONG
    return value if isinstance(value, int | float) or value is None else LONG


@lru_cache(maxsize=CACHE_MAX)
def key_of(tokens: tuple[str, ...]) -> str:
    """`str(place)` of a body's pointer."""
    return str(body_place(*tokens))


def _flatten(value: Any, tokens: tuple[str, ...], row: Row) -> None:
    if isinstance(value, dict):
        if len(tokens) < DEPTH_MAX:
            for key, child in value.items():
                _flatten(child, (*tokens, key), row)
    elif isinstance(value, list):
        if len(row.lengths) < ARRAYS_MAX:
            _keep_array(value, tokens, row)
    elif len(row.cells) < COLUMNS_MAX:
        row.cells[key_of(tokens)] = _cell(value)


def _keep_array(value: list[Any], tokens: tuple[str, ...], row: Row) -> None:
    array = key_of(tokens)
    row.lengths[array] = len(value)
    kept = value if len(value) <= ITEMS_MAX else value[:ITEMS_OF_LONG]
    items: list[dict[str, Cell]] = []
    for item in kept:
        cells: dict[str, Cell] = {}
        _flatten_item(item, (*tokens, "*"), cells)
        items.append(cells)
    row.items[array] = items


def _flatten_item(item: Any, tokens: tuple[str, ...], cells: dict[str, Cell]) -> None:
    if isinstance(item, dict):
        if len(tokens) < DEPTH_MAX + 1:
            for key, child in item.items():
                _flatten_item(child, (*tokens, key), cells)
    elif not isinstance(item, list) and len(cells) < MEMBERS_MAX:
        cells[key_of(tokens)] = _cell(item)


@dataclass(slots=True)
class Table:
    """Rows of one kind, by column: messages, or the items of one array over all messages."""

    columns: dict[str, list[Cell]]
    """Place -> one cell per row; MISSING where it was not there."""
    owners: list[int]
    """Row -> its message."""
    lists: dict[str, list[list[Cell] | None]] = field(default_factory=dict)
    """Of messages: place with `*` -> what its array's items hold; None for a cut or no array."""
    lengths: dict[str, list[int | None]] = field(default_factory=dict)
    """Of messages: array -> items in each."""

    def __len__(self) -> int:
        return len(self.owners)


def message_table(rows: Sequence[Row]) -> Table:
    """ROWS as one table."""
    names = list(dict.fromkeys(key for row in rows for key in row.cells))
    table = Table(
        columns={name: [row.cells.get(name, MISSING) for row in rows] for name in names},
        owners=list(range(len(rows))),
    )
    arrays = dict.fromkeys(key for row in rows for key in row.lengths)
    for array in arrays:
        table.lengths[array] = [row.lengths.get(array) for row in rows]
        held = dict.fromkeys(k for row in rows for item in row.items.get(array, ()) for k in item)
        for name in list(held)[:MEMBERS_MAX]:
            table.lists[name] = [_list(row, array, name) for row in rows]
    return table


def _list(row: Row, array: str, name: str) -> list[Cell] | None:
    items = row.items.get(array)
    if items is None or len(items) < row.lengths[array]:
        return None
    return [item.get(name, MISSING) for item in items]


def item_tables(rows: Sequence[Row]) -> Iterator[Table]:
    """One table per array: a row per item."""
    arrays = dict.fromkeys(key for row in rows for key in row.items)
    for array in arrays:
        held = [
            (owner, item)
            for owner, row in enumerate(rows)
            for item in row.items.get(array, ())
            if item
        ]
        held = held[:: len(held) // TABLE_ROWS_MAX + 1]
        names = list(dict.fromkeys(key for _, item in held for key in item))[:COLUMNS_MAX]
        if len(held) > 1 and len(names) > 1:
            yield Table(
                columns={name: [item.get(name, MISSING) for _, item in held] for name in names},
                owners=[owner for owner, _ in held],
            )


@lru_cache(maxsize=CACHE_MAX)
def place_of(key: str) -> Place:
    """The place that KEY names."""
    return parse_place(key)


@lru_cache(maxsize=CACHE_MAX)
def words_of(key: str) -> tuple[str, ...]:
    """The words of the place's own name: of `body:/lines/*/unit_price` unit, price."""
    named = [name for name in place_of(key).tokens if name != "*"]
    return words_in(named[-1]) if named else ()


def names_things(key: str) -> bool:
    """Whether values there are identifiers, with which nobody calculates."""
    words = words_of(key)
    return bool(words) and words[-1] in _ID_WORDS


def number_of(key: str, cell: Cell) -> float | None:
    """CELL as a number, or None; texts of paths and queries count by what they say."""
    if isinstance(cell, bool) or cell is None or isinstance(cell, Mark):
        return None
    if isinstance(cell, int | float):
        return float(cell) if abs(cell) < 1e15 else None
    if not key.startswith("body:") and cell.isascii() and cell.replace(".", "", 1).isdigit():
        return float(cell) if len(cell) <= 15 else None
    return None


def text_of(cell: Cell) -> str | None:
    """CELL as text that can be compared over places, or None."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool | float | int):
        return repr(cell)
    return None
