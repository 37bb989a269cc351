"""Rows of jobs, changed within a transaction: states, payloads, reasons, and what is counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from premortem.domain.jobs import Count, Job, JobState
from premortem.domain.packing import pack_job, unpack_job
from premortem.domain.run import Result
from premortem.errors import StoreError
from premortem.store.batch import Batch, find_all
from premortem.store.cipher import Cipher
from premortem.store.counts import add_counts
from premortem.store.database import Database
from premortem.store.insertion import insert_rows
from premortem.store.queue_rows import (
    job_state,
    job_values,
    place_of_job,
    place_of_reason,
    row_id,
)
from premortem.store.results import RESULTS_FULL_MAX, Results
from premortem.store.tables import dead_jobs, job_payloads, jobs, live_runs


class _JobDecoder:
    """Jobs of bytes."""

    def decode(self, data: bytes, /) -> Job:
        return unpack_job(data)


_decoder = _JobDecoder()


class Changed(Struct, frozen=True, kw_only=True):
    """A job's row and what it becomes."""

    id: int
    state: JobState


class JobTable:
    """Reads and changes rows of jobs."""

    def __init__(self, database: Database, cipher: Cipher, results: Results) -> None:
        self._database = database
        self._cipher = cipher
        self._results = results

    def changing(self, *, with_results: bool) -> AbstractContextManager[Connection]:
        """A transaction; results in full lie in blocks, whose numbers the one writer hands out."""
        return self._database.writing() if with_results else self._database.sharing()

    def locked(self, connection: Connection, numbers: Collection[int]) -> dict[int, Row[Any]]:
        """Row number -> row; until the transaction ends nobody else changes them."""
        found = find_all(
            connection,
            lambda part: (
                select(jobs).where(jobs.c.id.in_(part)).order_by(jobs.c.id).with_for_update()
            ),
            sorted(numbers),
        )
        return {row.id: row for row in found}

    def insert(self, connection: Connection, run: int, given: Sequence[tuple[Job, bytes]]) -> None:
        """Enter untaken jobs, each with its sealed payload; RUN is the number of their run."""
        rows, payloads = [], []
        for job, payload in given:
            number = row_of(run, job)
            state = JobState(job_id=job.id, first=job.first, count=job.count)
            row = {
                "id": number,
                "run": run,
                "number": job.number,
                "first": job.first,
                "cases": job.count,
                "start_s": job.start_s,
                "end_s": job.end_s,
                "payload_bytes": len(payload),
            }
            rows.append(row | job_values(state))
            payloads.append({"id": number, "payload": payload})
        if rows:
            insert_rows(connection, jobs, rows)
            insert_rows(connection, job_payloads, payloads)

    def sealed(self, run: int, job: Job) -> bytes:
        """JOB as it lies in the store."""
        return self._cipher.seal(pack_job(job), place=place_of_job(row_of(run, job)))

    def payloads(self, connection: Connection, numbers: Collection[int]) -> dict[int, bytes]:
        """Row number -> what `opened` takes."""
        found = find_all(
            connection,
            lambda part: select(job_payloads).where(job_payloads.c.id.in_(part)),
            sorted(numbers),
        )
        there = {row.id: row.payload for row in found}
        lost = next((number for number in numbers if number not in there), None)
        if lost is not None:
            raise StoreError(
                f"{place_of_job(lost)} of the store {self._database.name} is gone; put back a "
                f"copy of the store, or start the run anew"
            )
        return there

    def plain(self, number: int, payload: bytes) -> bytes:
        """The job of a row, packed."""
        return self._cipher.open(payload, place=place_of_job(number))

    def opened(self, number: int, payload: bytes) -> Job:
        """The job of a row."""
        return open_job(self._cipher, number, payload)

    def save(self, connection: Connection, changed: Iterable[Changed]) -> None:
        """Write states; the payload of what is done goes, why a job is dead is written down."""
        given = list(changed)
        if not given:
            return
        rows = [job_values(item.state) | {"key": item.id} for item in given]
        values: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "key"}
        statement = update(jobs).where(jobs.c.id == bindparam("key")).values(values)
        connection.execute(statement, rows)
        done = [item.id for item in given if item.state.status == "done"]
        if done:
            connection.execute(delete(job_payloads).where(job_payloads.c.id.in_(done)))
        for item in given:
            if item.state.status == "dead":
                _explain(connection, self._cipher, item.id, item.state.reason)

    def states(self, rows: Sequence[Row[Any]], *, run_id: str) -> list[JobState]:
        """Rows of `jobs` with the reasons of dead ones."""
        dead = [row.id for row in rows if row.status == "dead"]
        with self._database.reading() as connection:
            found = find_all(
                connection,
                lambda part: select(dead_jobs).where(dead_jobs.c.id.in_(part)),
                dead,
            )
        reasons = {
            row.id: self._cipher.open(row.payload, place=place_of_reason(row.id)).decode()
            for row in found
        }
        return [job_state(row, run_id=run_id, reason=reasons.get(row.id, "")) for row in rows]

    def record(
        self,
        connection: Connection,
        run: int,
        run_id: str,
        *,
        counts: Iterable[Count],
        results: Sequence[Result],
    ) -> None:
        """Add to a run's counts and results; the latter only in the one writer's transaction."""
        add_counts(connection, self._cipher, run, counts, part=_writer_of(connection))
        if not results:
            return
        mine = live_runs.c.seq == run
        held = connection.execute(select(live_runs.c.results).where(mine)).scalar_one()
        kept = list(results[: max(0, RESULTS_FULL_MAX - held)])
        if kept:
            batch = Batch(connection, self._cipher)
            self._results.put(batch, run_id, kept)
            batch.finish()
            connection.execute(update(live_runs).where(mine).values(results=held + len(kept)))


def open_job(cipher: Cipher, number: int, payload: bytes) -> Job:
    """The job whose sealed PAYLOAD lies in the row with that number."""
    return cipher.unpack(_decoder, cipher.open(payload, place=place_of_job(number)))


def drop_jobs(
    connection: Connection, cipher: Cipher, numbers: Collection[int], *, reason: str
) -> None:
    """Take out what these jobs send; those that have not ended are dead, for that REASON."""
    unended = jobs.c.id.in_(numbers) & jobs.c.status.in_(("untaken", "taken"))
    query = select(jobs.c.id).where(unended).order_by(jobs.c.id).with_for_update()
    for number in connection.execute(query).scalars().all():
        _explain(connection, cipher, number, reason)
        connection.execute(update(jobs).where(jobs.c.id == number).values(status="dead", worker=""))
    connection.execute(delete(job_payloads).where(job_payloads.c.id.in_(numbers)))


def _explain(connection: Connection, cipher: Cipher, number: int, reason: str) -> None:
    payload = cipher.seal(reason.encode(), place=place_of_reason(number))
    connection.execute(insert(dead_jobs).values(id=number, payload=payload))


def row_of(run: int, job: Job) -> int:
    """The row of JOB, of the run with the number RUN."""
    return row_id(run, job.number)


def _writer_of(connection: Connection) -> int:
    """A number that transactions going on at the same time seldom share."""
    if connection.dialect.name != "postgresql":
        return 0
    driver: Any = connection.connection.driver_connection
    return int(driver.info.backend_pid)


def ready(connection: Connection, run: int) -> tuple[int, int]:
    """How many jobs of a run are untaken, and the bytes of those that have not ended."""
    query = (
        select(jobs.c.status, func.count(), func.coalesce(func.sum(jobs.c.payload_bytes), 0))
        .where(jobs.c.run == run, jobs.c.status.in_(("untaken", "taken")))
        .group_by(jobs.c.status)
    )
    rows = connection.execute(query).all()
    return sum(row[1] for row in rows if row[0] == "untaken"), sum(int(row[2]) for row in rows)
