"""The traffic model: what was learned of how production writes its requests, token by token.

A request is a row of columns, one per place, in the order in which production writes them. A
column holds one of few tokens: nothing, a value that comes again, a range of numbers, a day, a
text, a copy of what an earlier answer brought. What a token is depends on earlier ones.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

TokenKind = Literal[
    "absent", "atom", "pattern", "number", "text", "day", "new", "copy", "length", "kept", "other"
]
"""`absent`: nothing is there. `atom`: this very value. `pattern`: this text with other digits.
`number`: one within a range. `text`: words
like production's. `day`: so many days from the day of the request. `new`: one of the place's format
that nobody sent yet. `copy`: what an earlier answer said at another place. `length`: an array of
so many items. `kept`: a reference, as the request that it starts from has it. `other`: something
else, of what is given and not drawn."""

Counts = tuple[tuple[int, int], ...]
"""(token, times)."""


class Token(Struct, frozen=True, kw_only=True):
    """One thing that a column can hold."""

    kind: TokenKind
    text: str = ""
    """Of an atom its JSON text; of a pattern the text with a zero character for each digit; of a
    copy `operation id|place` in the answer."""
    low: float = 0.0
    high: float = 0.0
    """Of numbers and days, both included; of a length both the same; of a pattern with one number
    that one."""
    steps: tuple[tuple[float, int], ...] = ()
    """(step that a number is a multiple of, times)."""


class Level(Struct, frozen=True, kw_only=True):
    """What a token was, given what the columns of one level more held."""

    parent: int
    """Column that this level looks at beside those of the levels before it; -1: none."""
    counts: tuple[tuple[tuple[int, ...], Counts], ...]
    """(tokens of the columns of all levels up to here, what came with them)."""


class TextModel(Struct, frozen=True, kw_only=True):
    """Which word follows which; rare ones only by their look, so that nobody's come out again."""

    follows: tuple[tuple[tuple[str, str], tuple[tuple[str, int], ...]], ...]
    """(two pieces before, empty at the beginning) -> (piece, times); an empty piece ends."""
    letters: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    """(two letters before; empty: any) -> (letter, times), for words that are made up."""
    rare: tuple[bytes, ...] = ()
    """Digests of words that one session alone used: none of them is written."""


class Column(Struct, frozen=True, kw_only=True):
    """One place, or something that is known before the request is written."""

    place: str
    """`str(place)`; below an array the pointer within one item. Of what is given: `role`,
    `before`, `header:x-edition`."""
    tokens: tuple[Token, ...]
    levels: tuple[Level, ...] = ()
    """Outermost first; empty for what is given."""
    given: bool = False
    """Known before, not drawn."""
    relative: str = ""
    """Numbers are shares of what an earlier answer said there: `operation id|place`."""
    whole: bool = True
    """Whole numbers are written without a point."""
    decimals: int = 0
    """Most digits seen after the point."""
    texts: TextModel | None = None
    suffixes: tuple[tuple[str, int], ...] = ()
    """What stands behind a day in moments."""
    seen: tuple[bytes, ...] = ()
    """Digests of numbers and texts that one session alone sent: none of them is written."""
    items: Group | None = None
    """Of an array."""


class Group(Struct, frozen=True, kw_only=True):
    """Columns that are written together: a request, or an item of an array."""

    columns: tuple[Column, ...]
    """What is given comes first; of items that is the columns of what they stand in."""


class OperationModel(Struct, frozen=True, kw_only=True):
    """How one operation's requests are written."""

    operation_id: str
    requests: int
    group: Group
    orders: tuple[tuple[str, ...], ...] = ()
    """Places in the order in which they are mostly written, for each set of them."""


class TrafficModel(Struct, frozen=True, kw_only=True):
    """A trained model; it holds values of production and is stored as such."""

    version: str
    """12 hex digits of its content."""
    profile_version: str
    created_at: float
    requests: int
    """Of the training sessions."""
    sessions: int
    seconds: float
    """CPU time that training took."""
    held_out_share: float
    """Share of the sessions that it never saw."""
    operations: tuple[OperationModel, ...]

    def operation(self, operation_id: str) -> OperationModel | None:
        """How OPERATION_ID's requests are written; None: it saw too few."""
        return next((o for o in self.operations if o.operation_id == operation_id), None)
