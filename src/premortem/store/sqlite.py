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
from premortem.store.database import PROBLEMS_MAX, Database

PAGE_BYTES = 8192
"""Blocks are large: with the default of 4096 the chains of overflow pages are twice as long."""
CACHE_KIB = 96 * 1024
"""A million exchanges have 90 MB of indexes by random values; what of them does not fit is read
again and again during an import."""
CHECKPOINT_PAGES = 4096
"""32 MiB: fewer, larger checkpoints write a page that changed often only once."""
WAL_BYTES_MAX = 64 * 1024 * 1024
"""What is left of the write-ahead log after a large import is cut back to this."""

_TRUNCATE = "PRAGMA wal_checkpoint(TRUNCATE)"
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


class SqliteDatabase(Database):
    """Connections to one SQLite file."""

    def __init__(self, path: Path, *, lock_wait_s: float) -> None:
        super().__init__()
        self.path = path
        self.name = str(path)
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

    def _readers(self) -> Engine:
        return self.engine

    def _writers(self) -> Engine:
        return self._writer

    def _sharers(self) -> Engine:
        return self._writer

    def bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        total = 0
        for suffix in ("", "-wal"):
            try:
                total += Path(f"{self.path}{suffix}").stat().st_size
            except OSError:
                continue
        return total

    def own_problems(self) -> list[str]:
        """What SQLite's own check finds wrong, at most PROBLEMS_MAX lines; empty: nothing."""
        with self.reading() as connection:
            found = connection.exec_driver_sql(f"PRAGMA integrity_check({PROBLEMS_MAX})")
            return [str(row[0]) for row in found if row[0] != "ok"]

    def shrink(self) -> None:
        """Write the file anew without the room that deletions left, and empty the log."""
        self._run("VACUUM", _TRUNCATE)

    def flush(self) -> None:
        """Empty the log, which keeps earlier states of pages."""
        self._run(_TRUNCATE)

    def _run(self, *statements: str) -> None:
        with self._translated():
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                for statement in statements:
                    cursor.execute(statement)
                    cursor.fetchall()
                cursor.close()
            finally:
                raw.close()

    def _make_file(self) -> None:
        # The clear columns tell when there was traffic and how much: nobody else's business.
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
        # What is deleted is overwritten with zeros.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        cursor.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    writer = connection.get_execution_options().get("premortem_writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")
