"""What every backend of the store can do; `sqlite` and `postgres` say how."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Engine

Guard = Callable[[Connection], None]
"""Looks at a write transaction before anything is written in it; raises to refuse it."""

PROBLEMS_MAX = 20
"""Problems that an integrity check lists."""


class Database(ABC):
    """Connections to one store's database; errors leave as StoreError, never as SQLAlchemy's."""

    name: str
    """Names it in messages: a path, or an address without the password."""
    lock_wait_s: float
    """How long a writer waits for another one before StoreLocked."""
    engine: Engine
    guard: Guard | None = None

    def __init__(self) -> None:
        self._held = threading.local()

    @abstractmethod
    def _translated(self) -> AbstractContextManager[None]:
        """Turns the driver's errors into ours."""

    @abstractmethod
    def _readers(self) -> Engine:
        """Connections that read one state of the store."""

    @abstractmethod
    def _writers(self) -> Engine:
        """Connections whose transaction is the only one that writes."""

    @abstractmethod
    def _sharers(self) -> Engine:
        """Connections whose transactions lock the rows they write; those of writers, where rows
        cannot be locked."""

    @abstractmethod
    def bytes(self) -> int:
        """Bytes that the store takes on disk."""

    @abstractmethod
    def own_problems(self) -> list[str]:
        """What the database's own check finds wrong, at most PROBLEMS_MAX lines."""

    @abstractmethod
    def shrink(self) -> None:
        """Give room that deletions left back to the disk; takes as much again meanwhile."""

    @abstractmethod
    def flush(self) -> None:
        """See to it that what was overwritten in a moment's work is gone from the disk."""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the store; never waits for a writer."""
        held: Connection | None = getattr(self._held, "connection", None)
        if held is not None:
            yield held
            return
        with self._translated(), self._readers().connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection as of `reading`, which all that this thread reads within uses: one state
        of the store, and one beginning and end instead of one for each question to a server."""
        with self.reading() as connection:
            before = getattr(self._held, "connection", None)
            self._held.connection = connection
            try:
                yield connection
            finally:
                self._held.connection = before

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the one writer: all of it is stored, or nothing.

        Raises StoreLocked when another process keeps writing, DiskFull when there is no room.
        """
        with self._translated(), self._writers().begin() as connection:
            if self.guard is not None:
                self.guard(connection)
            yield connection

    @contextmanager
    def sharing(self) -> Iterator[Connection]:
        """A transaction beside others, on rows whose numbers nobody has to hand out.

        It locks what it reads in order to change it (`with_for_update`), in ascending order.
        Raises StoreLocked and DiskFull as `writing` does.
        """
        with self._translated(), self._sharers().begin() as connection:
            if self.guard is not None:
                self.guard(connection)
            yield connection

    def close(self) -> None:
        """Close all connections."""
        with self._translated():
            self.engine.dispose()
