"""Reads and writes the target's own database, for steps about tables and states.

Values come as texts from a scenario's table; the columns' types, as the database tells them, say
what they mean.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Inspector,
    MetaData,
    String,
    Table,
    Time,
    create_engine,
    func,
    select,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from premortem.agent.steps.hooks import Database
from premortem.agent.steps.world import StepBroken
from premortem.config import resolve
from premortem.errors import ConfigError

ROWS_MAX = 100_000
"""Rows of a table that are held against how it was before."""
_BOOLEANS = ("false", "true", "0", "1")
NULL = "null"
"""How a scenario's table writes that a value is missing."""


class Tables:
    """One target's database. A connection per use: a reset may exchange all of it."""

    def __init__(
        self,
        database: Database,
        *,
        aliases: Mapping[str, str],
        directory: str,
        environment: Mapping[str, str],
    ) -> None:
        """Raises ConfigError for an address that names no database we can open."""
        self._aliases = aliases
        address = _address(resolve(database.url, environment=environment), directory)
        try:
            self._engine = create_engine(address, poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise ConfigError(
                f"[database] url: {error}; sqlite:/// and postgresql:// (with the extra "
                f"`postgres`) are supported"
            ) from None

    def contain(self, alias: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """See to it that the table ALIAS holds ROWS; one with the same key is replaced."""
        with self._opened(alias) as (connection, table):
            for row in rows:
                values = _values(table, row)
                keys = list(table.primary_key.columns)
                if keys and all(column.name in values for column in keys):
                    same = [column == values[column.name] for column in keys]
                    connection.execute(table.delete().where(*same))
                connection.execute(table.insert().values(values))

    def count(self, alias: str, where: Mapping[str, Any] | None = None) -> int:
        """Rows of the table ALIAS, of those that are as WHERE says."""
        with self._opened(alias) as (connection, table):
            query = select(func.count()).select_from(table)
            for name, value in _values(table, where or {}).items():
                query = query.where(table.c[name] == value)
            return int(connection.execute(query).scalar_one())

    def rows(self, alias: str) -> Counter[str]:
        """All rows of the table ALIAS, each with how often it is there."""
        with self._opened(alias) as (connection, table):
            query = select(text("*")).select_from(table).limit(ROWS_MAX + 1)
            found = connection.execute(query).all()
        if len(found) > ROWS_MAX:
            raise StepBroken(f"the table {alias} has more than {ROWS_MAX} rows to compare")
        return Counter(repr(tuple(row)) for row in found)

    def execute(self, statements: Sequence[str], *, identity: str) -> None:
        """Carry out STATEMENTS in one transaction; `:id` stands for IDENTITY."""
        with self._connected() as connection:
            for statement in statements:
                connection.execute(*_bound(statement, identity))

    def value(self, query: str, *, identity: str) -> Any:
        """The first value that QUERY finds. Raises StepBroken when it finds nothing."""
        with self._connected() as connection:
            row = connection.execute(*_bound(query, identity)).first()
        if row is None:
            raise StepBroken(f"{query!r} found no row")
        value = row[0]
        return float(value) if isinstance(value, Decimal) else value

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def _opened(self, alias: str) -> Iterator[tuple[Connection, Table]]:
        name = self._aliases.get(alias, alias)
        schema, _, bare = name.rpartition(".")
        with self._connected() as connection:
            table = Table(
                bare,
                MetaData(),
                schema=schema or None,
                autoload_with=connection,
                resolve_fks=False,
                listeners=[("column_reflect", _as_stored)],
            )
            yield connection, table

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            first = str(error).splitlines()[0]
            raise StepBroken(f"the database: {type(error).__name__}: {first}") from None


def _address(url: str, directory: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise ConfigError(
            "[database] url is no address of a database; write it like sqlite:///app.db or "
            "postgresql://user:${PASSWORD}@host/name"
        ) from None
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    file = address.database or ""
    if address.get_backend_name() == "sqlite" and file not in ("", ":memory:"):
        path = Path(directory) / file
        # SQLite would make an empty one, and every table would be missing.
        if not path.is_file():
            raise ConfigError(f"[database] url: there is no file {path}")
        address = address.set(database=str(path))
    return address


def _as_stored(inspector: Inspector, _: Table, column: ReflectedColumn) -> None:
    """SQLite has no times: they are the texts that the target wrote, and compare as such."""
    times = isinstance(column["type"], DateTime | Date | Time)
    if times and inspector.dialect.name == "sqlite":
        column["type"] = String()


def _bound(statement: str, identity: str) -> tuple[Any, dict[str, str]]:
    clause = text(statement)
    return clause, {"id": identity} if "id" in clause.compile().params else {}


def _values(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    missing = [name for name in row if name not in table.c]
    if missing:
        known = ", ".join(column.name for column in table.c)
        raise StepBroken(f"the table has no column {missing[0]!r}; it has {known}")
    return {name: _typed(table.c[name], value) for name, value in row.items()}


def _typed(column: Column[Any], value: Any) -> Any:
    """VALUE as COLUMN holds it."""
    if value is None or value == NULL:
        return None
    try:
        kind = column.type.python_type
    except NotImplementedError:
        return value
    try:
        return _as(kind, value)
    except (ValueError, InvalidOperation, TypeError):
        raise StepBroken(f"{value!r} is no value for {column.name} ({column.type})") from None


def _as(kind: type, value: Any) -> Any:
    if kind is str:
        return value if isinstance(value, str) else json.dumps(value)
    if kind is bool:
        return value if isinstance(value, bool) else _BOOLEANS.index(str(value).lower()) % 2 == 1
    if kind is Decimal:
        return Decimal(str(value))
    if kind in (datetime, date, time) and isinstance(value, str):
        return kind.fromisoformat(value)
    if kind in (int, float, UUID):
        return kind(value)
    if kind in (dict, list) and isinstance(value, str):
        return json.loads(value)
    return value
