"""Whether everything in a store can still be read."""

from __future__ import annotations

from sqlalchemy import select

from premortem.errors import StoreError
from premortem.store.blocks import BLOCKS_FETCHED_MAX, place_of
from premortem.store.cipher import Cipher
from premortem.store.sqlite import PROBLEMS_MAX, Database
from premortem.store.tables import blocks

PROBLEMS_NAMED = 3


def check(database: Database, cipher: Cipher) -> int:
    """The database's own checks, then every block opened, in constant memory; how many blocks.

    Raises StoreError with the first problems.
    """
    problems = database.problems()
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
            f"the store {database.path} is damaged ({named}); put back a copy of it, or move it "
            f"away and import the recordings again"
        )
    return checked
