"""What runs covered: a sealed value for each run, and those of old ones added up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Row, delete, func, insert, select

from premortem.domain.coverage import RunCoverage
from premortem.domain.value_class import added_up
from premortem.store.batch import next_number
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.tables import coverage

RUNS_APART_MAX = 100
"""Runs whose coverage is kept by itself; older ones are added up, by profile."""


def place_of_coverage(run_id: str, profile_version: str) -> str:
    """What binds a sealed value to its row."""
    return f"coverage {run_id or f'before of {profile_version}'}"


class Coverages:
    """Writes and reads them."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def save(self, given: RunCoverage) -> None:
        """Keep what the run GIVEN covered, in place of an earlier word on the same one."""
        with self._database.writing() as connection:
            self._put(connection, given)
            self._retire(connection)

    def of_run(self, run_id: str) -> RunCoverage | None:
        """What that run covered; None: nothing is known, or not by itself any more."""
        return next(self._read(coverage.c.run_id == run_id), None) if run_id else None

    def of_profile(self, version: str) -> RunCoverage | None:
        """What all runs with cases of that profile covered together."""
        return added_up(self._read(coverage.c.profile == version))

    def of_all(self) -> RunCoverage | None:
        """What all runs covered together."""
        return added_up(self._read(coverage.c.seq > 0))

    def runs(self) -> list[str]:
        """Those that are kept by themselves, newest first."""
        query = select(coverage.c.run_id).where(coverage.c.run_id != "")
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(coverage.c.at.desc())).scalars())

    def _read(self, where: Any) -> Iterator[RunCoverage]:
        with self._database.reading() as connection:
            rows = connection.execute(select(coverage).where(where)).all()
        for row in rows:
            yield self._open(row)

    def _open(self, row: Row[Any]) -> RunCoverage:
        place = place_of_coverage(row.run_id, row.profile)
        return self._cipher.open_value(row.payload, RunCoverage, place=place)

    def _put(self, connection: Connection, given: RunCoverage) -> None:
        same = coverage.c.run_id == given.run_id
        if not given.run_id:
            same &= coverage.c.profile == given.profile_version
        connection.execute(delete(coverage).where(same))
        place = place_of_coverage(given.run_id, given.profile_version)
        row = {
            "seq": next_number(connection, coverage.c.seq),
            "run_id": given.run_id,
            "profile": given.profile_version,
            "at": given.at,
            "payload": self._cipher.seal_value(given, place=place),
        }
        connection.execute(insert(coverage).values(row))

    def _retire(self, connection: Connection) -> None:
        apart = coverage.c.run_id != ""
        held = connection.execute(select(func.count()).where(apart)).scalar_one()
        if held <= RUNS_APART_MAX:
            return
        oldest = select(coverage).where(apart).order_by(coverage.c.at, coverage.c.seq)
        for row in connection.execute(oldest.limit(held - RUNS_APART_MAX)).all():
            before = select(coverage).where(
                coverage.c.run_id == "", coverage.c.profile == row.profile
            )
            earlier = [self._open(found) for found in connection.execute(before)]
            whole = added_up([*earlier, self._open(row)])
            connection.execute(delete(coverage).where(coverage.c.seq == row.seq))
            if whole is not None:
                # Alone it would still bear the name of its run.
                self._put(connection, _nameless(whole, row.profile))


def _nameless(whole: RunCoverage, profile_version: str) -> RunCoverage:
    return replace(whole, run_id="", profile_version=profile_version)
