"""All that is particular to SQLite: opening a file, its locks, and what its errors mean.

Source: https://www.sqlite.org/wal.html (readers see the last commit and never wait for the
writer), https://www.sqlite.org/rescode.html (result codes).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from premortem.errors import DiskFull, InputError, StoreError, StoreLocked

PAGE_BYTES = 8192
"""Blocks are large: with the default of 4096 the chains of overflow pages are twice as long."""
CACHE_KIB = 16 * 1024
WAL_BYTES_MAX = 64 * 1024 * 1024
"""What is left of the write-ahead log after a large import is cut back to this."""
PROBLEMS_MAX = 20
"""Problems that an integrity check lists."""

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FULL = frozenset(
    {
        sqlite3.SQLITE_FULL,
        # A quota or a limit on the file's size is no ENOSPC, so SQLite names only the write.
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)


class Database:
    """Connections to one SQLite file; errors leave as StoreError, never as SQLAlchemy's.

    `lock_wait_s`: how long a writer waits for another one before StoreLocked.
    """

    def __init__(self, path: Path, *, lock_wait_s: float) -> None:
        self.path = path
        self.lock_wait_s = lock_wait_s
        self._make_file()
        self.engine: Engine = create_engine(
            URL.create("sqlite", database=str(path)),
            connect_args={"timeout": lock_wait_s},
            hide_parameters=True,
        )
        event.listen(self.engine, "connect", _configure)
        event.listen(self.engine, "begin", _begin)
        self._writer = self.engine.execution_options(premortem_writer=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the store; never waits for a writer."""
        with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the one writer: all of it is stored, or nothing.

        Raises StoreLocked when another process keeps writing, DiskFull when there is no room.
        """
        with self._translated(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections; the last one folds the write-ahead log into the file."""
        with self._translated():
            self.engine.dispose()

    def bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        total = 0
        for suffix in ("", "-wal"):
            try:
                total += Path(f"{self.path}{suffix}").stat().st_size
            except OSError:
                continue
        return total

    def problems(self) -> list[str]:
        """What SQLite's own checks find wrong, at most PROBLEMS_MAX lines; empty: nothing."""
        with self.reading() as connection:
            found = connection.exec_driver_sql(f"PRAGMA integrity_check({PROBLEMS_MAX})")
            lines = [str(row[0]) for row in found if row[0] != "ok"]
            dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(
                PROBLEMS_MAX
            )
            lines += [f"row {row[1]} of {row[0]} refers to nothing in {row[2]}" for row in dangling]
        return lines[:PROBLEMS_MAX]

    def _make_file(self) -> None:
        # The clear columns name hosts and roles: nobody else's business.
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(
                f"cannot open the store {self.path}: {error.strerror}; "
                f"name a writable file with --store or `path` under [store]"
            ) from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._meaning(error) from error
        except UnicodeEncodeError as error:
            # SQLite's text is UTF-8; arguments that are not come as lone surrogates.
            raise InputError(f"not valid text: {error.object!a}; give it in UTF-8") from None

    def _meaning(self, error: SQLAlchemyError | sqlite3.Error) -> StoreError:
        cause = error.orig if isinstance(error, DBAPIError) else error
        extended = getattr(cause, "sqlite_errorcode", 0)
        code = extended & 0xFF
        path = str(self.path)
        if code in _LOCKED:
            return StoreLocked(path=path, waited_s=self.lock_wait_s)
        if code in _FULL or extended in _FULL:
            return DiskFull(path=path)
        if code in _DAMAGED:
            return StoreError(
                f"{path} is damaged or no store at all ({cause}); put back a copy of it, or move "
                f"it away and import the recordings again"
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return StoreError(
                f"cannot write the store {path} ({cause}); make the file and its folder writable, "
                f"or name another store with --store"
            )
        return StoreError(f"the store {path} failed ({cause}); run `premortem doctor`")


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not begin transactions on its own: `_begin` decides which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        # Asked first: switching needs the file alone, and would wait for a writer.
        if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        cursor.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    writer = connection.get_execution_options().get("premortem_writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")
