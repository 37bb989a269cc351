"""Whether everything in a store can still be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Column, Connection, Table, func, select
from sqlalchemy.sql.expression import Select

from premortem.errors import StoreError
from premortem.store.blocks import BLOCKS_FETCHED_MAX, place_of
from premortem.store.cipher import Cipher
from premortem.store.database import PROBLEMS_MAX, Database
from premortem.store.queue_rows import place_of_counts, place_of_job, place_of_reason
from premortem.store.tables import (
    blocks,
    cases,
    counts,
    dead_jobs,
    exchanges,
    facets,
    job_payloads,
    jobs,
    live_runs,
    path_pages,
    pieces,
    rejections,
    results,
    sequences,
    slices,
    tallies,
)

PROBLEMS_NAMED = 3
REFERENCES = (
    (exchanges.c.block, blocks.c.id),
    (exchanges.c.request_body, pieces.c.id),
    (exchanges.c.response_body, pieces.c.id),
    (exchanges.c.facet, facets.c.id),
    (pieces.c.block, blocks.c.id),
    (cases.c.sequence, sequences.c.seq),
    (cases.c.piece, pieces.c.id),
    (rejections.c.piece, pieces.c.id),
    (rejections.c.block, blocks.c.id),
    (results.c.piece, pieces.c.id),
    (results.c.request_body, pieces.c.id),
    (results.c.response_body, pieces.c.id),
    (results.c.block, blocks.c.id),
    (slices.c.run, live_runs.c.seq),
    (jobs.c.run, live_runs.c.seq),
    (job_payloads.c.id, jobs.c.id),
    (dead_jobs.c.id, jobs.c.id),
)
"""What refers to what. No foreign keys: they would look each row up again on every import, and
on every purge; the one writer keeps them."""


SEALED: tuple[tuple[Table, Callable[[int], str]], ...] = (
    (blocks, place_of),
    (job_payloads, place_of_job),
    (dead_jobs, place_of_reason),
    (counts, place_of_counts),
)
"""Tables of many sealed payloads, and what binds one to its number."""


def check(database: Database, cipher: Cipher) -> int:
    """The database's own checks, every reference, then every block opened; how many blocks.

    In constant memory. Raises StoreError with the first problems.
    """
    problems = database.own_problems()
    with database.reading() as connection:
        problems += _dangling(connection)
        problems += _uncounted(connection)
        problems += _without_payload(connection)
    checked = 0
    for table, place in SEALED:
        count = _open_all(database, cipher, table, place, problems)
        checked += count if table is blocks else 0
    if problems:
        more = len(problems) - PROBLEMS_NAMED
        named = "; ".join(problems[:PROBLEMS_NAMED]) + (f"; {more} more" if more > 0 else "")
        raise StoreError(
            f"the store {database.name} is damaged ({named}); put back a copy of it, or move it "
            f"away and import the recordings again"
        )
    return checked


def _open_all(
    database: Database,
    cipher: Cipher,
    table: Table,
    place: Callable[[int], str],
    problems: list[str],
) -> int:
    checked, after = 0, -1
    while len(problems) < PROBLEMS_MAX:
        page = select(table).where(table.c.id > after).order_by(table.c.id)
        with database.reading() as connection:
            rows = connection.execute(page.limit(BLOCKS_FETCHED_MAX)).all()
        for row in rows:
            try:
                cipher.open(row.payload, place=place(row.id))
            except StoreError:
                problems.append(f"{place(row.id)} cannot be opened")
        checked += len(rows)
        if len(rows) < BLOCKS_FETCHED_MAX:
            break
        after = rows[-1].id
    return checked


def _without_payload(connection: Connection) -> Iterator[str]:
    there = select(job_payloads).where(job_payloads.c.id == jobs.c.id).exists()
    unended = jobs.c.status.in_(("untaken", "taken"))
    row = connection.execute(select(jobs.c.id).where(unended, ~there).limit(1)).first()
    if row is not None:
        yield f"{place_of_job(row[0])} has not ended and nothing to send"


def _dangling(connection: Connection) -> Iterator[str]:
    for column, target in REFERENCES:
        row = connection.execute(_lost(column, target)).first()
        if row is not None:
            yield f"row {row[0]} of {column.table.name} refers to nothing in {target.table.name}"


def _lost(column: Column[int], target: Column[int]) -> Select[tuple[int]]:
    table = column.table
    assert isinstance(table, Table)  # noqa: S101 - all of them are
    key = next(iter(table.primary_key.columns))
    found = select(target).where(target == column).exists()
    return select(key).where(column.is_not(None), ~found).limit(1)


def _uncounted(connection: Connection) -> Iterator[str]:
    there = connection.execute(select(func.count()).select_from(exchanges)).scalar_one()
    counted = connection.execute(
        select(func.coalesce(func.sum(tallies.c["count"]), 0))
    ).scalar_one()
    if there != counted:
        yield f"{there} exchanges are there and {counted} are counted"
    paged = connection.execute(select(func.coalesce(func.sum(path_pages.c.rows), 0))).scalar_one()
    if there != paged:
        yield f"{there} exchanges are there and paths of {paged}"
