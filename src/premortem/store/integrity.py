"""Whether everything in a store can still be read."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, Connection, Table, func, select
from sqlalchemy.sql.expression import Select

from premortem.errors import StoreError
from premortem.store.blocks import BLOCKS_FETCHED_MAX, place_of
from premortem.store.cipher import Cipher
from premortem.store.database import PROBLEMS_MAX, Database
from premortem.store.tables import (
    blocks,
    cases,
    exchanges,
    facets,
    path_pages,
    pieces,
    rejections,
    results,
    sequences,
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
)
"""What refers to what. No foreign keys: they would look each row up again on every import, and
on every purge; the one writer keeps them."""


def check(database: Database, cipher: Cipher) -> int:
    """The database's own checks, every reference, then every block opened; how many blocks.

    In constant memory. Raises StoreError with the first problems.
    """
    problems = database.own_problems()
    with database.reading() as connection:
        problems += _dangling(connection)
        problems += _uncounted(connection)
    checked, after = 0, -1
    while len(problems) < PROBLEMS_MAX:
        page = select(blocks).where(blocks.c.id > after).order_by(blocks.c.id)
        with database.reading() as connection:
            rows = connection.execute(page.limit(BLOCKS_FETCHED_MAX)).all()
        for row in rows:
            try:
                cipher.open(row.payload, place=place_of(row.id))
            except StoreError:
                problems.append(f"{place_of(row.id)} cannot be opened")
        checked += len(rows)
        if len(rows) < BLOCKS_FETCHED_MAX:
            break
        after = rows[-1].id
    if problems:
        more = len(problems) - PROBLEMS_NAMED
        named = "; ".join(problems[:PROBLEMS_NAMED]) + (f"; {more} more" if more > 0 else "")
        raise StoreError(
            f"the store {database.name} is damaged ({named}); put back a copy of it, or move it "
            f"away and import the recordings again"
        )
    return checked


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
