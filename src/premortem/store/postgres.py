"""All that is particular to PostgreSQL: connecting, its locks, and what its errors mean.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html (SQLSTATE),
https://www.postgresql.org/docs/current/functions-admin.html (advisory locks).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from select import select
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, SQLAlchemyError

from premortem.config import resolve
from premortem.errors import (
    ConfigError,
    DiskFull,
    InputError,
    StoreError,
    StoreLocked,
    StoreUnavailable,
)
from premortem.store.database import Database
from premortem.store.tables import metadata

try:
    from psycopg import Error as DriverError
    from psycopg.pq import Format
except ImportError:  # the extra is not installed; `PostgresDatabase` says so

    class DriverError(Exception):  # type: ignore[no-redef]
        """Never raised."""


VERSION_MIN = 12
"""Oldest major version of the server; 13 is the oldest that its makers still mend."""
CONNECT_TIMEOUT_S = 10
ASKED_AFTER_S = 30
"""Idle for longer, a connection may have been dropped by something between here and the server."""
_IDLE_SINCE = "premortem_idle_since"
WRITER_LOCK = 0x7072656D6F727465
"""The advisory lock of the one writer; locks are apart for each database."""

_DATABASE = {
    "3D000": "there is no such database; make one with `createdb`, or mend the address",
    "28P01": "the password or the user is wrong; mend the variable that the address names",
    "28000": "the server does not let this user in; see its pg_hba.conf, or name another user",
    "42501": "this user may not do that; give it CREATE on the schema, or name another user",
    "25006": "this server only answers reads; name the one that takes writes",
    "53300": "the server has no connection left; end some, or raise its max_connections",
}
_LOCK_TIMEOUT = "55P03"
_DISK_FULL = "53100"
_LOST = frozenset({"57P01", "57P02", "57P03", "08000", "08003", "08006"})
# Before a session is open libpq gives no SQLSTATE, only words; of a server that speaks another
# language the message itself is shown.
_SAID = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    "does not exist": "3D000",
    "permission denied": "42501",
    "too many clients": "53300",
    "remaining connection slots": "53300",
}


class PostgresDatabase(Database):
    """Connections to one PostgreSQL database, which must be the store's alone."""

    def __init__(self, url: URL, *, lock_wait_s: float) -> None:
        super().__init__()
        self.name = url.set(drivername="postgresql").render_as_string(hide_password=True)
        self.lock_wait_s = lock_wait_s
        timeout = url.query.get("connect_timeout", CONNECT_TIMEOUT_S)
        try:
            self.engine: Engine = create_engine(
                url,
                connect_args={"connect_timeout": timeout, "application_name": "premortem"},
                hide_parameters=True,
            )
        except ImportError:
            raise ConfigError(
                "PostgreSQL needs its driver; install it with `pip install 'premortem[postgres]'`"
            ) from None
        self._reader = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writer = self.engine.execution_options(premortem_writer=True)
        event.listen(self.engine, "checkin", _put_back)
        event.listen(self.engine, "checkout", _notice)
        event.listen(self.engine, "before_cursor_execute", _in_binary)
        self._sharer = self.engine.execution_options(premortem_sharer=True)
        event.listen(self.engine, "begin", self._lock)
        self._check_version()

    def _readers(self) -> Engine:
        return self._reader

    def _writers(self) -> Engine:
        return self._writer

    def _sharers(self) -> Engine:
        return self._sharer

    def _lock(self, connection: Connection) -> None:
        options = connection.get_execution_options()
        wait = f"SET LOCAL lock_timeout = {max(1, round(self.lock_wait_s * 1000))}"
        if options.get("premortem_writer", False):
            connection.exec_driver_sql(wait)
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
        elif options.get("premortem_sharer", False):
            # No new key may come while something is written under the present one.
            connection.exec_driver_sql(wait)
            connection.exec_driver_sql("LOCK TABLE keyring IN SHARE MODE")

    def _check_version(self) -> None:
        with self.reading() as connection:
            number = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
        refuse_old(int(number), name=self.name)

    def bytes(self) -> int:
        """Bytes of the store's tables and indexes on the server."""
        names = ", ".join(f"'{name}'" for name in metadata.tables)
        query = (
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "  # noqa: S608
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname = current_schema() AND c.relname IN ({names})"
        )
        with self.reading() as connection:
            return int(connection.exec_driver_sql(query).scalar_one())

    def own_problems(self) -> list[str]:
        """Empty: PostgreSQL checks what it reads; see its `amcheck` for more."""
        return []

    def shrink(self) -> None:
        """Write all tables anew without the room that deletions left."""
        self._vacuum(*metadata.tables)

    def flush(self) -> None:
        """Write the keys' table anew."""
        self._vacuum("keyring")

    def _vacuum(self, *names: str) -> None:
        with self._translated():
            engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({WRITER_LOCK})")
                try:
                    for name in names:
                        connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {name}")
                finally:
                    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({WRITER_LOCK})")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, DriverError) as error:
            raise self._meaning(error) from error
        except UnicodeEncodeError as error:
            raise InputError(f"not valid text: {error.object!a}; give it in UTF-8") from None

    def _meaning(self, error: SQLAlchemyError | DriverError) -> StoreError:
        cause: Any = error.orig if isinstance(error, DBAPIError) else error
        said = " ".join(str(cause).split())
        state = getattr(cause, "sqlstate", None) or next(
            (code for words, code in _SAID.items() if words in said), ""
        )
        if state == _LOCK_TIMEOUT:
            return StoreLocked(path=self.name, waited_s=self.lock_wait_s)
        if state == _DISK_FULL:
            return DiskFull(path=self.name)
        if state in _DATABASE:
            return StoreError(f"cannot use the store {self.name}: {_DATABASE[state]}")
        if state in _LOST or _is_lost(error):
            return StoreUnavailable(
                f"the connection to the store {self.name} was lost ({said}); what was stored "
                f"before is intact: give the same command again once the server answers"
            )
        if not state and type(cause).__name__ in ("OperationalError", "ConnectionTimeout"):
            return StoreUnavailable(
                f"the store {self.name} cannot be reached ({said}); start the server, or mend "
                f"the address in --store or `url` under [store]"
            )
        return StoreError(f"the store {self.name} failed ({said}); run `premortem doctor`")


def _in_binary(connection: Connection, cursor: Any, *_rest: Any) -> None:
    """Have readers get values as they are: in hexadecimal, sealed bytes are twice as long."""
    if connection.get_execution_options().get("postgresql_readonly", False):
        cursor.format = Format.BINARY


def _put_back(_connection: Any, record: Any) -> None:
    record.info[_IDLE_SINCE] = time.monotonic()


def _notice(connection: Any, record: Any, _proxy: Any) -> None:
    """Have the pool connect anew when CONNECTION is gone. A server says so before it hangs up;
    only after a while is it asked: `pool_pre_ping` would wait for an answer each time."""
    if connection.closed or select([connection.fileno()], [], [], 0)[0]:
        raise DisconnectionError
    now = time.monotonic()
    if now - record.info.get(_IDLE_SINCE, now) > ASKED_AFTER_S:
        try:
            connection.execute("SELECT 1")
            connection.rollback()
        except DriverError:
            raise DisconnectionError from None


def refuse_old(version: int, *, name: str) -> None:
    """Raise StoreError for a server of VERSION (`server_version_num`) that is too old."""
    if version // 10_000 < VERSION_MIN:
        raise StoreError(
            f"the server of the store {name} is PostgreSQL {version // 10_000}; "
            f"version {VERSION_MIN} or newer is needed"
        )


def _is_lost(error: SQLAlchemyError | DriverError) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    words = ("connection is lost", "connection is closed", "closed the connection")
    return any(word in str(error) for word in words)


def address_of(text: str, *, environment: Mapping[str, str]) -> URL:
    """The address TEXT with its variables filled in. Raises ConfigError, without the password.

    A variable stands for the whole address, or for a user, password, host or database in it,
    whatever characters that has.
    """
    if text.startswith("${"):
        text = resolve(text, environment=environment)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "the store's address cannot be read; "
            "write it like postgresql://user:${PASSWORD}@host:5432/database"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigError(
            f"a store on {url.drivername!r} is not supported; "
            f"write postgresql://user:${{PASSWORD}}@host:5432/database, or a file's path"
        )

    def filled(value: str | None) -> str | None:
        return value and resolve(value, environment=environment)

    return url.set(
        drivername="postgresql+psycopg",
        username=filled(url.username),
        password=filled(url.password),
        host=filled(url.host),
        database=filled(url.database),
    )
