"""Pages and counts of exchanges: from the tallies as far as these go, so that neither a deep page
nor a count has to pass by every row before it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, func, select

from premortem.store.database import Database
from premortem.store.exchanges import ORDER, Read, Traffic
from premortem.store.facets import bucket_edges, bucket_of
from premortem.store.narrowing import Narrowed, among_numbers
from premortem.store.query import Counted, TrafficFilter, TrafficRow
from premortem.store.tables import exchanges, tallies

NEAR_MAX = 2_000
"""Rows that are passed by rather than looked up in the tallies, where every row matches."""
COUNT_LIMITS = (100_000, 2_000_000)
"""Exchanges whose paths a count looks at: first, and at most where few of the first match."""


class Run(Struct, frozen=True, kw_only=True):
    """A stretch of time with matches in each of its hours."""

    low: float
    high: float
    count: int


class Listing:
    """Lists and counts what `Traffic` reads."""

    def __init__(
        self, database: Database, traffic: Traffic, *, count_limits: tuple[int, int] = COUNT_LIMITS
    ) -> None:
        self._database = database
        self._traffic = traffic
        self._count_limits = count_limits

    def rows(self, where: TrafficFilter, *, limit: int, offset: int) -> list[TrafficRow]:
        """One page of a list, in the order of `Traffic.matching`."""
        wanted = self._traffic.narrowed(where)
        if wanted.is_empty:
            return []
        if wanted.read:
            return self._traffic.listed(self._read(wanted, limit=limit, offset=offset))
        with self._database.reading() as connection:
            rows = self._page(connection, wanted, limit=limit, offset=offset)
        return self._traffic.listed(self._traffic.verified(rows, wanted))

    def _read(self, wanted: Narrowed, *, limit: int, offset: int) -> list[Read]:
        found: list[Read] = []
        for page in self._traffic.pages(wanted, skip=offset, size=limit):
            found += page[: limit - len(found)]
            if len(found) >= limit:
                break
        return found

    def _page(
        self, connection: Connection, wanted: Narrowed, *, limit: int, offset: int
    ) -> Sequence[Row[Any]]:
        near = wanted.sure is None and offset <= NEAR_MAX
        if near or not wanted.tallied:
            return _rows(connection, wanted.conditions(), limit=limit, offset=offset)
        found: list[Row[Any]] = []
        for run in _joined(_hours(connection, wanted), skip=offset):
            if offset >= run.count:
                offset -= run.count
                continue
            among = [] if wanted.sure is None else [among_numbers(exchanges.c.facet, wanted.sure)]
            among += [exchanges.c.started_at >= run.low, exchanges.c.started_at < run.high]
            found += _rows(connection, among, limit=limit - len(found), offset=offset)
            offset = 0
            if len(found) >= limit:
                break
        return found

    def count(self, where: TrafficFilter) -> Counted:
        """How many match; worked out from a part where very many paths had to be read."""
        return self._count(where, limits=self._count_limits)

    def exact_count(self, where: TrafficFilter) -> int:
        """How many match, however many have to be read."""
        return self._count(where, limits=None).count

    def _count(self, where: TrafficFilter, *, limits: tuple[int, int] | None) -> Counted:
        wanted = self._traffic.narrowed(where)
        if wanted.is_empty:
            return Counted(count=0, exact=True)
        if wanted.read:
            return self._traffic.look(wanted, limits=limits)
        with self._database.reading() as connection:
            return Counted(count=self._candidates(connection, wanted), exact=True)

    def _candidates(self, connection: Connection, wanted: Narrowed) -> int:
        # The tallies know one part; the other has a value in its path, so an index knows it.
        count = 0
        if wanted.sure is None or wanted.sure:
            count = sum(run.count for run in _hours(connection, wanted))
        if wanted.anchored:
            among = wanted.only_anchored().conditions()
            query = select(func.count()).select_from(exchanges).where(*among)
            count += connection.execute(query).scalar_one()
        return count


def _rows(
    connection: Connection, conditions: list[Any], *, limit: int, offset: int
) -> Sequence[Row[Any]]:
    # The numbers first, from an index alone; only the page's own rows are then read.
    inner = select(exchanges.c.seq).where(*conditions).order_by(*ORDER)
    page = inner.limit(limit).offset(offset).subquery()
    query = select(exchanges).join(page, exchanges.c.seq == page.c.seq).order_by(*ORDER)
    return connection.execute(query).all()


def _hours(connection: Connection, wanted: Narrowed) -> Iterator[Run]:
    """The hours that hold matches, in order; those that `since` and `until` cut are counted."""
    among = [] if wanted.sure is None else [among_numbers(tallies.c.facet, wanted.sure)]
    since = -math.inf if wanted.since is None else wanted.since
    until = math.inf if wanted.until is None else wanted.until
    if since >= until:
        return
    times = list(among)
    if since > -math.inf:
        times.append(tallies.c.bucket >= bucket_of(since))
    if until < math.inf:
        times.append(tallies.c.bucket <= bucket_of(until))
    query = select(tallies.c.bucket, func.sum(tallies.c["count"])).where(*times)
    for bucket, count in connection.execute(
        query.group_by(tallies.c.bucket).order_by(tallies.c.bucket)
    ).all():
        low, high = bucket_edges(bucket)
        if since > low or until < high:
            low, high = max(low, since), min(high, until)
            count = _between(connection, wanted, low, high)
        if count:
            yield Run(low=low, high=high, count=int(count))


def _between(connection: Connection, wanted: Narrowed, low: float, high: float) -> int:
    among = [] if wanted.sure is None else [among_numbers(exchanges.c.facet, wanted.sure)]
    within = (exchanges.c.started_at >= low) & (exchanges.c.started_at < high)
    query = select(func.count()).select_from(exchanges).where(within, *among)
    return connection.execute(query).scalar_one()


def _joined(hours: Iterator[Run], *, skip: int) -> Iterator[Run]:
    """HOURS with neighbours made one, as far as they lie behind the first SKIP matches."""
    open_run: Run | None = None
    for hour in hours:
        if open_run is None and skip >= hour.count:
            skip -= hour.count
            yield hour
        elif open_run is not None and open_run.high == hour.low:
            count = open_run.count + hour.count
            open_run = Run(low=open_run.low, high=hour.high, count=count)
        else:
            if open_run is not None:
                yield open_run
            open_run = hour
    if open_run is not None:
        yield open_run
