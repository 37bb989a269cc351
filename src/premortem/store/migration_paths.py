"""Step 3: paths lie once more in pages of their own; in one transaction, in constant memory."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    select,
)

from premortem.store.blocks import BlockReader, Span
from premortem.store.cipher import Cipher
from premortem.store.path_pages import Placed, add_paths

PAGE_MAX = 1000


class _Head(Struct, frozen=True, array_like=True):
    """The start of what lies in an exchange's block."""

    origin: str
    path: str


def to_path_pages(connection: Connection, cipher: Cipher | None) -> None:
    """Make the table, and fill it from the exchanges that are there."""
    metadata = MetaData()
    number = BigInteger().with_variant(Integer, "sqlite")
    Table(
        "path_pages",
        metadata,
        Column("id", number, primary_key=True, autoincrement=False),
        Column("low", Double, nullable=False),
        Column("high", Double, nullable=False),
        Column("first_seq", number, nullable=False),
        Column("last_seq", number, nullable=False),
        Column("rows", Integer, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Index("path_pages_in_order", "low", "high", "rows"),
    )
    metadata.create_all(connection)
    held = Table("exchanges", MetaData(), autoload_with=connection)
    decoder = msgspec.msgpack.Decoder(_Head)
    after = 0
    while rows := connection.execute(
        select(held).where(held.c.seq > after).order_by(held.c.seq).limit(PAGE_MAX)
    ).all():
        assert cipher is not None  # noqa: S101 - there is data, so there is a key
        after = rows[-1].seq
        spans = [Span(row.block, row.start, row.length) for row in rows]
        packed = BlockReader(cipher).read(connection, spans)
        placed = [
            Placed(row.seq, row.facet, row.started_at, decoder.decode(data).path)
            for row, data in zip(rows, packed, strict=True)
        ]
        add_paths(connection, cipher, placed)
