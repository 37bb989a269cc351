"""One write transaction: new blocks, new pieces and the rows that refer to them.

A piece is a byte string that is stored once, however often it occurs: a message body, a packed
case. Its name is a keyed digest, so the file does not tell which well-known text it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    false,
    func,
    select,
)

from premortem.store.blocks import BODIES, HEADS, BlockReader, BlockWriter, Span, next_block
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.insertion import insert_rows
from premortem.store.tables import pieces

ASKED_MAX = 500
"""Values in one IN list."""
BODY, CASE = "body", "case"
"""Kinds of pieces."""

T = TypeVar("T")


class Batch:
    """What is added in one transaction; nothing of it is seen before all of it."""

    def __init__(self, connection: Connection, cipher: Cipher) -> None:
        first = next_block(connection)
        self.connection = connection
        self.cipher = cipher
        self._heads = BlockWriter(connection, cipher, first=first + HEADS)
        self._bodies = BlockWriter(connection, cipher, first=first + BODIES)
        self._heads_used = self._bodies_used = False
        self._next_piece = next_number(connection, pieces.c.id)
        self._new_pieces: dict[bytes, int] = {}
        """Digest -> number of those that no query finds before `finish` wrote them."""
        self._rows: dict[Table, list[dict[str, Any]]] = {pieces: []}

    def record(self, value: bytes) -> Span:
        """Store VALUE; its span goes into the row that refers to it."""
        self._heads_used = True
        return self._heads.append(value)

    def piece_record(self, value: bytes) -> Span:
        """Store VALUE, which is a piece already, once more; its row must be pointed there."""
        self._bodies_used = True
        return self._bodies.append(value)

    def pieces(self, values: Sequence[bytes], *, kind: str) -> list[int]:
        """The piece numbers of VALUES, of which only the new ones are written."""
        digests = [self.cipher.digest(value, kind=kind) for value in values]
        known = find_all(
            self.connection,
            lambda part: select(pieces.c.digest, pieces.c.id).where(pieces.c.digest.in_(part)),
            set(digests),
        )
        numbers: dict[bytes, int] = dict(known) | self._new_pieces
        for digest, value in zip(digests, values, strict=True):
            if digest in numbers:
                continue
            self._bodies_used = True
            numbers[digest] = self._new_pieces[digest] = self._next_piece
            block, start, length = self._bodies.append(value)
            row = {
                "id": self._next_piece,
                "kind": kind,
                "digest": digest,
                "block": block,
                "start": start,
                "length": length,
            }
            self._rows[pieces].append(row)
            self._next_piece += 1
        return [numbers[digest] for digest in digests]

    def row(self, table: Table, values: dict[str, Any]) -> None:
        """Add a row; rows are written in the order in which their tables were first named."""
        self._rows.setdefault(table, []).append(values)

    def finish(self) -> None:
        """Write everything that waits."""
        if self._heads_used:
            self._heads.finish()
        if self._bodies_used:
            self._bodies.finish()
        for table, rows in self._rows.items():
            if rows:
                insert_rows(self.connection, table, rows)


@contextmanager
def batch(database: Database, cipher: Cipher) -> Iterator[Batch]:
    """A transaction that stores all that is put into the batch, or nothing."""
    with database.writing() as connection:
        current = Batch(connection, cipher)
        yield current
        current.finish()


def read_pieces(
    connection: Connection, reader: BlockReader, numbers: Collection[int | None]
) -> dict[int | None, bytes]:
    """The pieces NUMBERS; None stands for no piece and reads as empty."""
    asked = {number for number in numbers if number is not None}
    found = find_all(
        connection,
        lambda part: select(pieces.c.id, *span_columns(pieces)).where(pieces.c.id.in_(part)),
        asked,
    )
    values = reader.read(connection, [Span(*row[1:]) for row in found])
    read: dict[int | None, bytes] = {None: b""}
    read |= {row[0]: value for row, value in zip(found, values, strict=True)}
    return read


def span_columns(table: Table) -> tuple[Column[Any], Column[Any], Column[Any]]:
    """The columns that make a Span."""
    return table.c.block, table.c.start, table.c.length


def next_number(connection: Connection, column: Column[Any]) -> int:
    """The number after the highest one; only inside the one writer's transaction."""
    return int(connection.execute(select(func.coalesce(func.max(column), 0))).scalar_one()) + 1


def find_all(
    connection: Connection, query: Callable[[list[T]], Any], values: Collection[T]
) -> list[Any]:
    """All rows of QUERY(part of VALUES), ASKED_MAX values at a time."""
    found: list[Any] = []
    for part in parts(values, ASKED_MAX):
        found += connection.execute(query(part)).all()
    return found


def parts(values: Collection[T], size: int) -> Iterator[list[T]]:
    """VALUES in lists of at most SIZE."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def starts_with(column: Column[str], prefix: str) -> ColumnElement[bool]:
    """COLUMN starts with PREFIX, in a form that an index serves."""
    if not prefix.isascii() or "\0" in prefix:
        return false()  # ids are hex digits; the last of all characters has none after it
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else ""
    return (column >= prefix) & (column < after) if prefix else column == ""
