"""After a deletion: blocks without the bytes of what was deleted.

Values lie side by side in blocks, so what is left of a block is written into a new one and the
old one goes, its bytes overwritten. Which blocks that concerns is written down (`mark`) in the
transaction that deletes, so that whatever cuts the work off, the next sweep ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    Table,
    bindparam,
    delete,
    except_,
    func,
    insert,
    select,
    union,
    update,
)

from premortem.store.batch import BODY, CASE, Batch, batch, find_all, parts
from premortem.store.blocks import BLOCK_PLAIN_BYTES_MAX, LAST_BLOCK, BlockReader, Span
from premortem.store.cases import bodies_of_cases
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.facets import Book, next_epoch, set_state, state_of
from premortem.store.narrowing import among_numbers
from premortem.store.tables import (
    blocks,
    cases,
    exchanges,
    facets,
    pieces,
    rejections,
    results,
    shapes,
    state,
    tallies,
)

DIRTY = "dirty "
"""In `state`, before a block's number: it holds bytes of something deleted."""
LOOKED_MAX = 2_000
"""Blocks whose remaining values are looked up in one pass over the rows."""
MOVED_MAX = 32
"""Blocks written anew in one transaction: 8 MiB."""
HOLDERS = (exchanges, pieces, rejections, results)
"""Tables whose rows have a span."""


def mark(connection: Connection, numbers: Select[Any]) -> None:
    """Write down that the blocks that NUMBERS selects hold bytes of something deleted."""
    found = set(connection.execute(numbers.distinct()).scalars())
    query = select(state.c.value).where(state.c.name.startswith(DIRTY))
    new = found - set(connection.execute(query).scalars())
    if new:
        rows = [{"name": f"{DIRTY}{number}", "value": number} for number in sorted(new)]
        connection.execute(insert(state), rows)


def sweep(database: Database, cipher: Cipher, *, progress: Callable[[str, int], None]) -> int:
    """Take out pieces that nothing refers to, and the bytes of all that was deleted.

    How many pieces those were.
    """
    orphans = _remove_orphans(database, cipher)
    with database.reading() as connection:
        query = select(state.c.value).where(state.c.name.startswith(DIRTY))
        dirty = sorted(connection.execute(query).scalars())
    done = 0
    for part in parts(dirty, LOOKED_MAX):
        for group in _groups(database, part):
            _rewrite(database, cipher, group)
            done += 1
            progress("rewriting", done)
    _remove_unused(database, cipher, dirty)
    return orphans


def _remove_orphans(database: Database, cipher: Cipher) -> int:
    removed = _remove_pieces(database, _unreferenced(database, CASE, set()))
    # Cases name large bodies by their digest; what no case names now may go.
    held = bodies_of_cases(database, BlockReader(cipher), cipher)
    return removed + _remove_pieces(database, _unreferenced(database, BODY, held))


def _unreferenced(database: Database, kind: str, held: set[bytes]) -> list[int]:
    used = (
        exchanges.c.request_body,
        exchanges.c.response_body,
        cases.c.piece,
        rejections.c.piece,
        results.c.piece,
        results.c.request_body,
        results.c.response_body,
    )
    of_kind = select(pieces.c.id).where(pieces.c.kind == kind)
    orphans = except_(of_kind, *(select(column) for column in used))
    with database.reading() as connection:
        numbers = set(connection.execute(orphans).scalars())
        kept = find_all(
            connection,
            lambda part: select(pieces.c.id).where(pieces.c.digest.in_(part)),
            held,
        )
    return sorted(numbers - {row[0] for row in kept})


def _remove_pieces(database: Database, numbers: list[int]) -> int:
    for part in parts(numbers, LOOKED_MAX):
        with database.writing() as connection:
            among = among_numbers(pieces.c.id, part)
            mark(connection, select(pieces.c.block).where(among))
            connection.execute(delete(pieces).where(among))
    return len(numbers)


Held = tuple[Table, int, Span]
"""A row with a span: its table, its number, where its value lies."""


def _groups(database: Database, dirty: list[int]) -> Iterator[list[Held]]:
    """What still lies in the blocks DIRTY, in parts that fit one transaction."""
    wanted = set(dirty)
    held: list[Held] = []
    with database.reading() as connection:
        for table in HOLDERS:
            key = next(iter(table.primary_key.columns))
            flows = table.c.start + table.c.length > BLOCK_PLAIN_BYTES_MAX
            query = select(key, table.c.block, table.c.start, table.c.length)
            for number, *span in connection.execute(
                query.where(among_numbers(table.c.block, dirty) | flows)
            ):
                where = Span(*span)
                if not wanted.isdisjoint(where.blocks):
                    held.append((table, number, where))
    held.sort(key=lambda item: item[2])
    group: list[Held] = []
    seen: set[int] = set()
    for item in held:
        if len(seen | set(item[2].blocks)) > MOVED_MAX and group:
            yield group
            group, seen = [], set()
        group.append(item)
        seen |= set(item[2].blocks)
    if group:
        yield group


def _rewrite(database: Database, cipher: Cipher, group: list[Held]) -> None:
    with batch(database, cipher) as current:
        values = BlockReader(cipher).read(current.connection, [span for _, _, span in group])
        moved: dict[Table, list[dict[str, int]]] = {}
        for (table, number, span), data in zip(group, values, strict=True):
            new = current.piece_record(data) if table is pieces else current.record(data)
            row = {"key": number, "old": span.block}
            row |= {f"new_{name}": value for name, value in new._asdict().items()}
            moved.setdefault(table, []).append(row)
        for table, rows in moved.items():
            _move(current, table, rows)


def _move(current: Batch, table: Table, rows: list[dict[str, int]]) -> None:
    key = next(iter(table.primary_key.columns))
    # A row that another purge took meanwhile is no longer there to be moved.
    there = (key == bindparam("key")) & (table.c.block == bindparam("old"))
    values: dict[str, BindParameter[int]] = {
        name: bindparam(f"new_{name}") for name in ("block", "start", "length")
    }
    current.connection.execute(update(table).where(there).values(values), rows)


def _remove_unused(database: Database, cipher: Cipher, dirty: list[int]) -> None:
    """Delete every block, facet, shape and tally that nothing refers to, in one transaction."""
    with database.writing() as connection:
        last = connection.execute(select(func.max(blocks.c.id))).scalar()
        set_state(connection, LAST_BLOCK, max(last or 0, state_of(connection, LAST_BLOCK) or 0))
        used = set(
            connection.execute(union(*(select(table.c.block) for table in HOLDERS))).scalars()
        )
        for table in HOLDERS:
            flows = table.c.start + table.c.length > BLOCK_PLAIN_BYTES_MAX
            query = select(table.c.block, table.c.start, table.c.length).where(flows)
            for row in connection.execute(query):
                used.update(Span(*row).blocks)
        unused = sorted(set(connection.execute(select(blocks.c.id)).scalars()) - used)
        for part in parts(unused, LOOKED_MAX):
            connection.execute(delete(blocks).where(among_numbers(blocks.c.id, part)))
        connection.execute(delete(tallies).where(tallies.c["count"] <= 0))
        seen = select(tallies.c.facet).distinct()
        connection.execute(delete(facets).where(facets.c.id.not_in(seen)))
        book = Book(cipher)
        book.refresh(connection)
        connection.execute(delete(shapes).where(among_numbers(shapes.c.id, book.unused())))
        for part in parts(dirty, LOOKED_MAX):
            names = [f"{DIRTY}{number}" for number in part]
            connection.execute(delete(state).where(state.c.name.in_(names)))
        next_epoch(connection)
