"""Exchanges in the store: heads and bodies in blocks, a clear row each for lists and filters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Row, func, select, tuple_

from premortem.domain.traffic import Exchange, Pairs, Recorded, Request, Response, Tags
from premortem.errors import StoreError
from premortem.store.batch import (
    BODY,
    Batch,
    batch,
    find_all,
    next_number,
    parts,
    read_pieces,
)
from premortem.store.blocks import BlockReader, Span
from premortem.store.cipher import Cipher, pack
from premortem.store.database import Database
from premortem.store.facets import Book, Facet, bucket_of, tally
from premortem.store.narrowing import OFFSET, Narrowed, among_numbers, narrowed, value_numbers
from premortem.store.path_pages import PathPages, Placed, add_paths
from premortem.store.query import Added, Counted, TrafficFilter, TrafficRow
from premortem.store.tables import exchanges

BATCH_MAX = 1000
"""Exchanges of one transaction: what a crash in the middle of an import can lose."""
BATCH_BYTES_MAX = 8 * 1024 * 1024
"""Body bytes after which a transaction ends earlier."""
NARROW_MAX = 500
"""Exchanges with one value in their path whose heads are opened to read that path."""
INLINE_BYTES_MAX = 128
"""Bodies up to this length lie in their head: a row and a digest of their own cost more."""
PAGE_MAX = 500
"""Exchanges read with one query."""
PAGE_BYTES_MAX = 32 * 1024 * 1024
"""Body bytes that are in memory at a time; one exchange may be larger."""


class Head(Struct, frozen=True, array_like=True):
    """All of an exchange that can hold data. New fields go to the end, with a default."""

    origin: str
    path: str
    query: Pairs
    request_headers: Pairs
    response_headers: Pairs
    client: str
    session: str
    trace_id: str
    edition: str
    request_body: bytes
    response_body: bytes
    recorded: Recorded = "all"


class _Start(Struct, frozen=True, array_like=True):
    """The first fields of a head."""

    origin: str
    path: str


T = TypeVar("T")
Read = tuple[Row[Any], Head]
"""A row and what lies in its block."""

ORDER = (exchanges.c.started_at, exchanges.c.seq)

_ID = re.compile(r"[0-9a-f]{16}")
_PREFIX = re.compile(r"[0-9a-f]{1,16}")
_decoder = msgspec.msgpack.Decoder(Head)
_path_decoder = msgspec.msgpack.Decoder(_Start)


def number_of(exchange_id: str) -> int:
    """The number that stands for EXCHANGE_ID, 16 hex digits, in the same order."""
    return int(exchange_id, 16) - OFFSET


def id_of(number: int) -> str:
    """The id for which NUMBER stands."""
    return f"{number + OFFSET:016x}"


def numbers_of(prefix: str) -> tuple[int, int] | None:
    """The first and last number of the ids that start with PREFIX; None: none does."""
    if not _PREFIX.fullmatch(prefix):
        return None
    return number_of(prefix.ljust(16, "0")), number_of(prefix.ljust(16, "f"))


class Adding:
    """Stores exchanges."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher
        self._book = Book(cipher)

    def add(self, given: Iterable[Exchange]) -> Added:
        """Store what is not there yet, in batches; what GIVEN yields before it raises is kept."""
        added = total = size = 0
        waiting: list[Exchange] = []
        try:
            for exchange in given:
                waiting.append(exchange)
                size += len(exchange.request.body) + len(exchange.response.body)
                if len(waiting) >= BATCH_MAX or size >= BATCH_BYTES_MAX:
                    taken, waiting, size = waiting, [], 0
                    added += self._add_batch(taken)
                    total += len(taken)
        finally:
            added += self._add_batch(waiting)
            total += len(waiting)
        return Added(added=added, duplicates=total - added)

    def _add_batch(self, given: list[Exchange]) -> int:
        by_id: dict[int, Exchange] = {}
        for exchange in given:
            by_id.setdefault(number_of(exchange.id), exchange)
        if not by_id:
            return 0
        try:
            with batch(self._database, self._cipher) as current:
                known = find_all(
                    current.connection,
                    lambda part: select(exchanges.c.id).where(among_numbers(exchanges.c.id, part)),
                    by_id,
                )
                for row in known:
                    del by_id[row[0]]
                self._book.refresh(current.connection)
                self._put(current, by_id)
        except BaseException:
            self._book.forget()
            raise
        return len(by_id)

    def _put(self, current: Batch, by_id: dict[int, Exchange]) -> None:
        bodies = [
            body
            for exchange in by_id.values()
            for body in (exchange.request.body, exchange.response.body)
            if len(body) > INLINE_BYTES_MAX
        ]
        numbers = iter(current.pieces(bodies, kind=BODY))
        first = next_number(current.connection, exchanges.c.seq)
        counts: Counter[tuple[int, int]] = Counter()
        placed: list[Placed] = []
        for seq, (number, exchange) in enumerate(by_id.items(), first):
            request, response = exchange.request, exchange.response
            block, start, length = current.record(pack(_head(exchange)))
            facet, values = self._placed(exchange)
            counts[bucket_of(exchange.started_at), facet] += 1
            placed.append(Placed(seq, facet, exchange.started_at, request.path))
            row = {
                "seq": seq,
                "id": number,
                "facet": facet,
                "first_value": values[0],
                "last_value": values[1],
                "started_at": exchange.started_at,
                "duration_ms": exchange.duration_ms,
                "request_bytes": len(request.body),
                "response_bytes": len(response.body),
                "request_body": next(numbers) if len(request.body) > INLINE_BYTES_MAX else None,
                "response_body": next(numbers) if len(response.body) > INLINE_BYTES_MAX else None,
                "block": block,
                "start": start,
                "length": length,
            }
            current.row(exchanges, row)
        self._book.write(current.connection)
        tally(current.connection, counts.items())
        add_paths(current.connection, self._cipher, placed)

    def _placed(self, exchange: Exchange) -> tuple[int, tuple[int | None, int | None]]:
        request = exchange.request
        number, shape = self._book.shape(request.path)
        host = request.origin.partition("://")[2]
        status, role = exchange.response.status, exchange.tags.role
        facet = self._book.facet(Facet(request.method, host, number, status, role))
        return facet, value_numbers(self._cipher, request.path, shape)


def _head(exchange: Exchange) -> Head:
    request, response, tags = exchange.request, exchange.response, exchange.tags
    return Head(
        request.origin,
        request.path,
        request.query,
        request.headers,
        response.headers,
        tags.client,
        tags.session,
        tags.trace_id,
        tags.edition,
        request.body if len(request.body) <= INLINE_BYTES_MAX else b"",
        response.body if len(response.body) <= INLINE_BYTES_MAX else b"",
        exchange.recorded,
    )


class Traffic:
    """Reads exchanges."""

    def __init__(self, database: Database, cipher: Cipher, reader: BlockReader) -> None:
        self._database = database
        self._cipher = cipher
        self._reader = reader
        self._book = Book(cipher)
        self._paths = PathPages(database, cipher)

    def narrowed(self, where: TrafficFilter) -> Narrowed:
        """What WHERE comes to in this store as it is now."""
        with self._database.reading() as connection:
            stamp = self._book.refresh(connection)
        return replace(narrowed(where, self._book, self._cipher), stamp=stamp)

    def matching(self, where: TrafficFilter, *, limit: int | None) -> Iterator[Exchange]:
        """By start, then order of import; those that are there when the first one is asked for."""
        left = limit
        for matched in self.pages(self.narrowed(where)):
            part = matched if left is None else matched[:left]
            yield from self._whole(part)
            if left is not None:
                left -= len(part)
                if left <= 0:
                    return

    def by_id(self, ids: Collection[str]) -> dict[str, Exchange]:
        """Those of IDS that are there, in the order of IDS."""
        found: dict[str, Exchange] = {}
        for part in parts(dict.fromkeys(ids), PAGE_MAX):
            numbers = {i: number_of(i) for i in part if _ID.fullmatch(i)}
            with self._database.snapshot() as connection:
                self._book.refresh(connection)
                query = select(exchanges).where(among_numbers(exchanges.c.id, numbers.values()))
                rows = connection.execute(query).all()
                whole = self._whole(list(zip(rows, self.heads(rows), strict=True)))
                read = dict(zip((row.id for row in rows), whole, strict=True))
            found |= {i: read[n] for i, n in numbers.items() if n in read}
        return found

    def times(self, limit: int) -> list[float]:
        """Starts of the latest LIMIT exchanges, ascending, in seconds since the epoch."""
        started = exchanges.c.started_at
        query = select(started).order_by(started.desc()).limit(limit)
        with self._database.reading() as connection:
            return list(connection.scalars(query))[::-1]

    def pages(
        self, wanted: Narrowed, *, skip: int = 0, size: int = PAGE_MAX
    ) -> Iterator[list[Read]]:
        """Rows with their heads that are WANTED, by start, then order of import, after SKIP;
        about SIZE at a time where only paths tell which."""
        if wanted.is_empty:
            return
        if self._is_wide(wanted):
            for seqs in self._paths.found(wanted, skip=skip):
                for part in parts(seqs, min(size, PAGE_MAX)):
                    yield self._found(part, wanted)
            return
        for page in self._looked_at(wanted):
            yield page[skip:]
            skip = max(0, skip - len(page))

    def look(self, wanted: Narrowed, *, limits: tuple[int, int] | None) -> Counted:
        """How many are WANTED, where paths must be read; LIMITS: see `PathPages.counted`."""
        if self._is_wide(wanted):
            return self._paths.counted(wanted, limits=limits)
        return Counted(count=sum(map(len, self._looked_at(wanted))), exact=True)

    def _is_wide(self, wanted: Narrowed) -> bool:
        """So many paths must be read that their own pages are faster than an index and heads."""
        if not wanted.read or wanted.sure:
            return bool(wanted.read)
        candidates = select(exchanges.c.seq).where(*wanted.conditions()).limit(NARROW_MAX + 1)
        with self._database.reading() as connection:
            query = select(func.count()).select_from(candidates.subquery())
            return connection.execute(query).scalar_one() > NARROW_MAX

    def _found(self, seqs: list[int], wanted: Narrowed) -> list[Read]:
        query = select(exchanges).where(among_numbers(exchanges.c.seq, seqs)).order_by(*ORDER)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return self.verified(rows, wanted)

    def _looked_at(self, wanted: Narrowed) -> Iterator[list[Read]]:
        query = select(exchanges).where(*wanted.conditions()).order_by(*ORDER).limit(PAGE_MAX)
        with self._database.reading() as connection:
            # What is added meanwhile is left for the next reading, so every reading ends.
            last = connection.execute(select(func.max(exchanges.c.seq))).scalar()
            query = query.where(exchanges.c.seq <= (last or 0))
            rows = list(connection.execute(query))
        while rows:
            yield self.verified(rows, wanted)
            if len(rows) < PAGE_MAX:
                return
            # A new connection for each page: a reader that dawdles holds nothing up.
            after = tuple_(*ORDER) > (rows[-1].started_at, rows[-1].seq)
            with self._database.reading() as connection:
                rows = list(connection.execute(query.where(after)))

    def verified(self, rows: Sequence[Row[Any]], wanted: Narrowed) -> list[Read]:
        """Those of ROWS that are WANTED, with their heads."""
        if wanted.glob is not None and wanted.read:
            # Of most rows nothing but the path is wanted, so only that is unpacked.
            paths = self._unpacked(rows, _path_decoder)
            rows = [
                row
                for row, start in zip(rows, paths, strict=True)
                if row.facet not in wanted.read or wanted.glob.matches(start.path)
            ]
        return list(zip(rows, self.heads(rows), strict=True))

    def heads(self, rows: Sequence[Row[Any]]) -> list[Head]:
        """What lies in the blocks of ROWS."""
        return self._unpacked(rows, _decoder)

    def _unpacked(self, rows: Sequence[Row[Any]], decoder: msgspec.msgpack.Decoder[T]) -> list[T]:
        spans = [Span(row.block, row.start, row.length) for row in rows]
        with self._database.reading() as connection:
            packed = self._reader.read(connection, spans)
        return [self._cipher.unpack(decoder, value) for value in packed]

    def listed(self, pairs: Iterable[Read]) -> list[TrafficRow]:
        """PAIRS as lines of a list."""
        return [_listed(row, head, self._facet(row.facet)) for row, head in pairs]

    def _facet(self, number: int) -> Facet:
        facet = self._book.facets.get(number)
        if facet is None:  # written since
            with self._database.reading() as connection:
                self._book.refresh(connection)
            facet = self._book.facets.get(number)
        if facet is None:
            raise StoreError(
                f"facet {number} of the store {self._database.name} is gone; put back a copy of "
                f"the store, or move it away and import the recordings again"
            )
        return facet

    def _whole(self, pairs: list[Read]) -> Iterator[Exchange]:
        for part in _portions(pairs):
            wanted = {n for row, _ in part for n in (row.request_body, row.response_body)}
            with self._database.reading() as connection:
                bodies = read_pieces(connection, self._reader, wanted)
            for row, head in part:
                asked = bodies[row.request_body] or head.request_body
                answered = bodies[row.response_body] or head.response_body
                yield _exchange(row, head, self._facet(row.facet), asked, answered)


def _portions(pairs: list[Read]) -> Iterator[list[Read]]:
    portion: list[Read] = []
    size = 0
    for pair in pairs:
        portion.append(pair)
        size += pair[0].request_bytes + pair[0].response_bytes
        if size >= PAGE_BYTES_MAX:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _exchange(row: Row[Any], head: Head, facet: Facet, asked: bytes, answered: bytes) -> Exchange:
    return Exchange(
        request=Request(
            method=facet.method,
            origin=head.origin,
            path=head.path,
            query=head.query,
            headers=head.request_headers,
            body=asked,
        ),
        response=Response(status=facet.status, headers=head.response_headers, body=answered),
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        tags=Tags(
            client=head.client,
            session=head.session,
            trace_id=head.trace_id,
            role=facet.role,
            edition=head.edition,
        ),
        recorded=head.recorded,
    )


def _listed(row: Row[Any], head: Head, facet: Facet) -> TrafficRow:
    return TrafficRow(
        id=id_of(row.id),
        method=facet.method,
        host=facet.host,
        path=head.path,
        status=facet.status,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        role=facet.role,
        bytes=row.request_bytes + row.response_bytes,
    )
