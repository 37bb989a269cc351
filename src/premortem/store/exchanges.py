"""Exchanges in the store: heads and bodies in blocks, a clear row each for lists and filters."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Row, Select, func, select, tuple_

from premortem.domain.traffic import Exchange, Pairs, Request, Response, Tags
from premortem.store.batch import (
    BODY,
    batch,
    find_all,
    next_number,
    parts,
)
from premortem.store.blocks import BlockReader, Span
from premortem.store.cipher import Cipher, pack
from premortem.store.query import Added, TrafficFilter, TrafficRow
from premortem.store.sqlite import Database
from premortem.store.tables import exchanges, pieces

BATCH_MAX = 1000
"""Exchanges of one transaction: what a crash in the middle of an import can lose."""
BATCH_BYTES_MAX = 8 * 1024 * 1024
"""Body bytes after which a transaction ends earlier."""
INLINE_BYTES_MAX = 128
"""Bodies up to this length lie in their head: a row and a digest of their own cost more."""
PAGE_MAX = 500
"""Exchanges read with one query."""
PAGE_BYTES_MAX = 32 * 1024 * 1024
"""Body bytes that are in memory at a time; one exchange may be larger."""


class _Head(Struct, frozen=True, array_like=True):
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


ORDER = (exchanges.c.started_at, exchanges.c.seq)

_decoder = msgspec.msgpack.Decoder(_Head)
_request_body = pieces.alias("request_piece")
_response_body = pieces.alias("response_piece")


def add(database: Database, cipher: Cipher, given: Iterable[Exchange]) -> Added:
    """Store what is not there yet, in batches; what GIVEN yields before it raises is kept."""
    added = total = size = 0
    waiting: list[Exchange] = []
    try:
        for exchange in given:
            waiting.append(exchange)
            size += len(exchange.request.body) + len(exchange.response.body)
            if len(waiting) >= BATCH_MAX or size >= BATCH_BYTES_MAX:
                taken, waiting, size = waiting, [], 0
                added += _add_batch(database, cipher, taken)
                total += len(taken)
    finally:
        added += _add_batch(database, cipher, waiting)
        total += len(waiting)
    return Added(added=added, duplicates=total - added)


def _add_batch(database: Database, cipher: Cipher, given: list[Exchange]) -> int:
    by_id: dict[str, Exchange] = {}
    for exchange in given:
        by_id.setdefault(exchange.id, exchange)
    if not by_id:
        return 0
    with batch(database, cipher) as current:
        known = find_all(
            current.connection,
            lambda part: select(exchanges.c.id).where(exchanges.c.id.in_(part)),
            by_id,
        )
        for row in known:
            del by_id[row[0]]
        bodies = [
            body
            for exchange in by_id.values()
            for body in (exchange.request.body, exchange.response.body)
            if len(body) > INLINE_BYTES_MAX
        ]
        numbers = iter(current.pieces(bodies, kind=BODY))
        first = next_number(current.connection, exchanges.c.seq)
        for seq, (exchange_id, exchange) in enumerate(by_id.items(), first):
            request, response = exchange.request, exchange.response
            block, start, length = current.record(pack(_head(exchange)))
            row = {
                "seq": seq,
                "id": exchange_id,
                "method": request.method,
                "host": request.origin.partition("://")[2],
                "status": response.status,
                "started_at": exchange.started_at,
                "duration_ms": exchange.duration_ms,
                "role": exchange.tags.role,
                "request_bytes": len(request.body),
                "response_bytes": len(response.body),
                "request_body": next(numbers) if len(request.body) > INLINE_BYTES_MAX else None,
                "response_body": next(numbers) if len(response.body) > INLINE_BYTES_MAX else None,
                "block": block,
                "start": start,
                "length": length,
            }
            current.row(exchanges, row)
    return len(by_id)


def _head(exchange: Exchange) -> _Head:
    request, response, tags = exchange.request, exchange.response, exchange.tags
    return _Head(
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
    )


class Traffic:
    """Reads exchanges."""

    def __init__(self, database: Database, cipher: Cipher, reader: BlockReader) -> None:
        self._database = database
        self._cipher = cipher
        self._reader = reader

    def matching(self, where: TrafficFilter, *, limit: int | None) -> Iterator[Exchange]:
        """By start, then order of import; those that are there when the first one is asked for."""
        left = limit
        for rows in self._pages(where):
            matched = self._matched(rows, where)
            if left is not None:
                matched, left = matched[:left], left - len(matched)
            yield from self._whole(matched)
            if left is not None and left <= 0:
                return

    def by_id(self, ids: Collection[str]) -> dict[str, Exchange]:
        """Those of IDS that are there, in the order of IDS."""
        found: dict[str, Exchange] = {}
        for part in parts(dict.fromkeys(ids), PAGE_MAX):
            with self._database.reading() as connection:
                rows = connection.execute(_query().where(exchanges.c.id.in_(part))).all()
            heads = self._heads(rows)
            exchanges_read = self._whole(list(zip(rows, heads, strict=True)))
            read = dict(zip((row.id for row in rows), exchanges_read, strict=True))
            found |= {i: read[i] for i in part if i in read}
        return found

    def rows(self, where: TrafficFilter, *, limit: int, offset: int) -> list[TrafficRow]:
        """One page of a list, in the order of `matching`."""
        if where.path_pattern() is None:
            return self._rows_unread(where, limit=limit, offset=offset)
        listed: list[TrafficRow] = []
        skip = offset
        for page in self._pages(where):
            matched = self._matched(page, where)
            matched, skip = matched[skip:], max(0, skip - len(matched))
            listed += [_listed(row, head) for row, head in matched[: limit - len(listed)]]
            if len(listed) >= limit:
                break
        return listed

    def _rows_unread(self, where: TrafficFilter, *, limit: int, offset: int) -> list[TrafficRow]:
        query = select(exchanges).where(*where.conditions()).order_by(*ORDER)
        with self._database.reading() as connection:
            rows = connection.execute(query.limit(limit).offset(offset)).all()
        return [_listed(row, head) for row, head in zip(rows, self._heads(rows), strict=True)]

    def count(self, where: TrafficFilter) -> int:
        """How many match."""
        if where.path_pattern() is not None:
            return sum(len(self._matched(page, where)) for page in self._pages(where))
        with self._database.reading() as connection:
            query = select(func.count()).select_from(exchanges).where(*where.conditions())
            return connection.execute(query).scalar_one()

    def _pages(self, where: TrafficFilter) -> Iterator[list[Row[Any]]]:
        query = _query().where(*where.conditions()).order_by(*ORDER).limit(PAGE_MAX)
        with self._database.reading() as connection:
            # What is added meanwhile is left for the next reading, so every reading ends.
            last = connection.execute(select(func.max(exchanges.c.seq))).scalar()
            query = query.where(exchanges.c.seq <= (last or 0))
            rows = list(connection.execute(query))
        while rows:
            yield rows
            if len(rows) < PAGE_MAX:
                return
            # A new connection for each page: a reader that dawdles holds nothing up.
            after = tuple_(*ORDER) > (rows[-1].started_at, rows[-1].seq)
            with self._database.reading() as connection:
                rows = list(connection.execute(query.where(after)))

    def _matched(self, rows: list[Row[Any]], where: TrafficFilter) -> list[tuple[Row[Any], _Head]]:
        pattern = where.path_pattern()
        pairs = list(zip(rows, self._heads(rows), strict=True))
        return pairs if pattern is None else _on_path(pairs, pattern)

    def _heads(self, rows: Iterable[Row[Any]]) -> list[_Head]:
        spans = [Span(row.block, row.start, row.length) for row in rows]
        with self._database.reading() as connection:
            packed = self._reader.read(connection, spans)
        return [self._cipher.unpack(_decoder, value) for value in packed]

    def _whole(self, pairs: list[tuple[Row[Any], _Head]]) -> Iterator[Exchange]:
        for part in _portions(pairs):
            spans: list[Span] = []
            for row, _ in part:
                if row.request_body is not None:
                    spans.append(Span(row.request_block, row.request_start, row.request_bytes))
                if row.response_body is not None:
                    spans.append(Span(row.response_block, row.response_start, row.response_bytes))
            with self._database.reading() as connection:
                bodies = iter(self._reader.read(connection, spans))
            for row, head in part:
                asked = next(bodies) if row.request_body is not None else head.request_body
                answered = next(bodies) if row.response_body is not None else head.response_body
                yield _exchange(row, head, asked, answered)


def _query() -> Select[Any]:
    asked, answered = _request_body, _response_body
    return (
        select(
            exchanges,
            asked.c.block.label("request_block"),
            asked.c.start.label("request_start"),
            answered.c.block.label("response_block"),
            answered.c.start.label("response_start"),
        )
        .outerjoin(asked, exchanges.c.request_body == asked.c.id)
        .outerjoin(answered, exchanges.c.response_body == answered.c.id)
    )


def _portions(pairs: list[tuple[Row[Any], _Head]]) -> Iterator[list[tuple[Row[Any], _Head]]]:
    portion: list[tuple[Row[Any], _Head]] = []
    size = 0
    for pair in pairs:
        portion.append(pair)
        size += pair[0].request_bytes + pair[0].response_bytes
        if size >= PAGE_BYTES_MAX:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _on_path(
    pairs: list[tuple[Row[Any], _Head]], pattern: re.Pattern[str]
) -> list[tuple[Row[Any], _Head]]:
    return [pair for pair in pairs if pattern.match(pair[1].path)]


def _exchange(row: Row[Any], head: _Head, asked: bytes, answered: bytes) -> Exchange:
    return Exchange(
        request=Request(
            method=row.method,
            origin=head.origin,
            path=head.path,
            query=head.query,
            headers=head.request_headers,
            body=asked,
        ),
        response=Response(status=row.status, headers=head.response_headers, body=answered),
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        tags=Tags(
            client=head.client,
            session=head.session,
            trace_id=head.trace_id,
            role=row.role,
            edition=head.edition,
        ),
    )


def _listed(row: Row[Any], head: _Head) -> TrafficRow:
    return TrafficRow(
        id=row.id,
        method=row.method,
        host=row.host,
        path=head.path,
        status=row.status,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        role=row.role,
        bytes=row.request_bytes + row.response_bytes,
    )
