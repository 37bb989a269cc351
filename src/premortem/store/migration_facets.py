"""Step 2: exchanges are filtered by facets instead of clear columns; foreign keys go.

In one transaction, in constant memory.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    inspect,
    select,
)

from premortem.store.blocks import BlockReader, Span
from premortem.store.cipher import Cipher
from premortem.store.facets import Book, Facet, bucket_of, tally
from premortem.store.insertion import insert_rows
from premortem.store.narrowing import OFFSET, value_numbers
from premortem.store.tables import find_by_value

PAGE_MAX = 1000


class _Head(Struct, frozen=True, array_like=True):
    """The start of what lies in an exchange's block."""

    origin: str
    path: str


def to_facets(connection: Connection, cipher: Cipher | None) -> None:
    """Make the tables anew, and take what the old ones hold over."""
    metadata = MetaData()
    tables = [
        _exchanges(metadata),
        _cases(metadata),
        _rejections(metadata),
        _results(metadata),
        _pieces(metadata),
    ]
    _new_tables(metadata)
    for table in tables:
        for index in inspect(connection).get_indexes(table.name):
            if not index.get("duplicates_constraint"):
                connection.exec_driver_sql(f"DROP INDEX {index['name']}")
        connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO old_{table.name}")
    metadata.create_all(connection)
    _move_exchanges(connection, metadata, cipher)
    for table in tables:
        if table.name != "exchanges":
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            connection.exec_driver_sql(
                f"INSERT INTO {table.name} ({names}) SELECT {names} FROM old_{table.name}"  # noqa: S608
            )
        connection.exec_driver_sql(f"DROP TABLE old_{table.name}")


def _move_exchanges(connection: Connection, metadata: MetaData, cipher: Cipher | None) -> None:
    old = Table("old_exchanges", MetaData(), autoload_with=connection)
    new = metadata.tables["exchanges"]
    after = 0
    while rows := connection.execute(
        select(old).where(old.c.seq > after).order_by(old.c.seq).limit(PAGE_MAX)
    ).all():
        assert cipher is not None  # noqa: S101 - there is data, so there is a key
        after = rows[-1].seq
        spans = [Span(row.block, row.start, row.length) for row in rows]
        packed = BlockReader(cipher).read(connection, spans)
        book = Book(cipher)
        book.refresh(connection)
        counts: Counter[tuple[int, int]] = Counter()
        moved: list[dict[str, Any]] = []
        for row, data in zip(rows, packed, strict=True):
            path = msgspec.msgpack.decode(data, type=_Head).path
            number, shape = book.shape(path)
            facet = Facet(row.method, row.host, number, row.status, row.role)
            first_value, last_value = value_numbers(cipher, path, shape)
            values = {name: row._mapping[name] for name in new.c.keys() if name in old.c}  # noqa: SIM118
            values["id"] = int(row.id, 16) - OFFSET
            values["facet"] = book.facet(facet)
            values["first_value"], values["last_value"] = first_value, last_value
            counts[bucket_of(row.started_at), values["facet"]] += 1
            moved.append(values)
        book.write(connection)
        insert_rows(connection, new, moved)
        tally(connection, counts.items())


def _number(name: str, *, nullable: bool = False, unique: bool | None = None) -> Column[int]:
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column(name, kind, nullable=nullable, unique=unique)


def _key(name: str) -> Column[int]:
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column(name, kind, primary_key=True, autoincrement=False)


def _text(name: str, length: int | None = None) -> Column[str]:
    kind = String(length).with_variant(String(length, collation="C"), "postgresql")
    return Column(name, kind, nullable=False)


def _span() -> tuple[Column[int], ...]:
    return (_number("block"), Column("start", Integer, nullable=False), _number("length"))


def _double(name: str) -> Column[float]:
    return Column(name, Double, nullable=False)


def _new_tables(metadata: MetaData) -> None:
    kind = String(16).with_variant(String(16, collation="C"), "postgresql")
    Table("state", metadata, Column("name", kind, primary_key=True), _number("value"))
    for name in ("shapes", "facets"):
        Table(name, metadata, _key("id"), Column("payload", LargeBinary, nullable=False))
    Table(
        "tallies",
        metadata,
        _key("bucket"),
        _key("facet"),
        _number("count"),
        sqlite_with_rowid=False,
    )


def _exchanges(metadata: MetaData) -> Table:
    exchanges = Table(
        "exchanges",
        metadata,
        _key("seq"),
        _number("id", unique=True),
        _number("facet"),
        _number("first_value", nullable=True),
        _number("last_value", nullable=True),
        _double("started_at"),
        _double("duration_ms"),
        _number("request_bytes"),
        _number("response_bytes"),
        *_span(),
        _number("request_body", nullable=True),
        _number("response_body", nullable=True),
        Index("exchanges_in_order", "started_at", "seq", "facet"),
    )
    find_by_value(exchanges)
    return exchanges


def _pieces(metadata: MetaData) -> Table:
    digest = Column("digest", LargeBinary(16), nullable=False, unique=True)
    return Table("pieces", metadata, _key("id"), _text("kind", 8), digest, *_span())


def _cases(metadata: MetaData) -> Table:
    return Table(
        "cases",
        metadata,
        _key("seq"),
        _text("id", 16),
        _number("sequence"),
        Column("position", Integer, nullable=False),
        Column("operation", LargeBinary(16), nullable=False),
        _text("source"),
        _text("kind"),
        _text("role"),
        Column("setup", Boolean, nullable=False),
        _number("piece"),
        UniqueConstraint("sequence", "position"),
        Index("cases_by_id", "id"),
    )


def _rejections(metadata: MetaData) -> Table:
    return Table(
        "rejections",
        metadata,
        _key("seq"),
        _text("case_id", 16),
        _text("rule"),
        _double("created_at"),
        _number("piece"),
        *_span(),
    )


def _results(metadata: MetaData) -> Table:
    return Table(
        "results",
        metadata,
        _key("seq"),
        _text("run_id"),
        _text("sequence_id", 16),
        Column("position", Integer, nullable=False),
        _text("case_id", 16),
        _text("outcome"),
        Column("status", Integer, nullable=True),
        Column("failed", Boolean, nullable=False),
        _double("intended_at"),
        _double("duration_ms"),
        _number("piece"),
        _number("request_body", nullable=True),
        _number("response_body", nullable=True),
        *_span(),
        Index("results_of_run", "run_id", "seq"),
    )
