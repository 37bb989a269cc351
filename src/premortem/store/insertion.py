"""Many rows at once, in the way that is fastest on each backend."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, LargeBinary, Table, insert
from sqlalchemy.types import BigInteger, Boolean, Double, Integer


def insert_rows(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert ROWS, which name every column, with values that the driver takes as they are."""
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
        return
    # Core makes the statement, but the driver gets the rows at once: nothing in them needs Core's
    # own pass over every value.
    statement, names = _insertion(table, connection.dialect)
    given = [tuple(map(row.__getitem__, names)) for row in rows]
    connection.exec_driver_sql(statement, given)


@lru_cache(maxsize=64)
def _insertion(table: Table, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    """The statement, and its columns in order."""
    compiled = insert(table).compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup or ())


def _copy(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    # COPY in binary: one stream of rows, without a statement to bind for each.
    names = [column.name for column in table.columns]
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(map(quote, names))
    statement = f"COPY {quote(table.name)} ({columns}) FROM STDIN (FORMAT BINARY)"
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([_type_of(table, name) for name in names])
        for row in rows:
            copy.write_row([row[name] for name in names])


@lru_cache(maxsize=512)
def _type_of(table: Table, name: str) -> str:
    kind = table.c[name].type
    for ours, theirs in _TYPES:
        if isinstance(kind, ours):
            return theirs
    return "text"


_TYPES: tuple[tuple[type[Any], str], ...] = (
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Double, "float8"),
    (Boolean, "bool"),
    (LargeBinary, "bytea"),
)
