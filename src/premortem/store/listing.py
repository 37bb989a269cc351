"""Pages and counts of exchanges: from the tallies as far as these go, so that neither a deep page
nor a count has to pass by every row before it."""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, func, select

from premortem.store.database import Database
from premortem.store.exchanges import ORDER, Read, Traffic
from premortem.store.facets import bucket_edges, bucket_of
from premortem.store.narrowing import Narrowed, among_numbers
from premortem.store.query import Counted, TrafficFilter, TrafficRow
from premortem.store.tables import exchanges, tallies

NEAR_MAX = 2_000
"""Rows that are passed by rather than looked up in the tallies, where every row matches."""
ANCHORED_MAX = 2_000
"""Rows with one value in their path that are looked up beside what the tallies know."""
KNOWN_MAX = 16
"""Sums of tallies that are remembered, one number for each hour that has any."""
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
        self._lock = threading.Lock()
        self._known: OrderedDict[Any, dict[int, int]] = OrderedDict()

    def rows(self, where: TrafficFilter, *, limit: int, offset: int) -> list[TrafficRow]:
        """One page of a list, in the order of `Traffic.matching`."""
        with self._database.snapshot() as connection:
            wanted = self._traffic.narrowed(where)
            if wanted.is_empty:
                return []
            if wanted.read:
                return self._traffic.listed(self._read(wanted, limit=limit, offset=offset))
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
        others = None if near else _anchored(connection, wanted)
        if others is None:
            return _rows(connection, wanted.conditions(), limit=limit, offset=offset)
        found: list[Row[Any]] = []
        for run in _joined(self._hours(connection, wanted, others), skip=offset):
            if offset >= run.count:
                offset -= run.count
                continue
            among = _among(wanted, others)
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
        with self._database.snapshot() as connection:
            wanted = self._traffic.narrowed(where)
            if wanted.is_empty:
                return Counted(count=0, exact=True)
            if wanted.read:
                return self._traffic.look(wanted, limits=limits)
            return Counted(count=self._candidates(connection, wanted), exact=True)

    def _candidates(self, connection: Connection, wanted: Narrowed) -> int:
        # The tallies know one part; the other has a value in its path, so an index knows it.
        count = 0
        if wanted.sure is None or wanted.sure:
            count = sum(self._tallied(connection, wanted).values())
        if wanted.anchored:
            among = wanted.only_anchored().conditions()
            query = select(func.count()).select_from(exchanges).where(*among)
            count += connection.execute(query).scalar_one()
        return count

    def _hours(
        self, connection: Connection, wanted: Narrowed, others: Sequence[Row[Any]]
    ) -> Iterator[Run]:
        """The hours that hold matches or any of OTHERS, in order."""
        counts = self._tallied(connection, wanted)
        more = Counter(bucket_of(row.started_at) for row in others)
        for bucket in sorted(counts.keys() | more):
            low, high = _edges(bucket, wanted)
            yield Run(low=low, high=high, count=counts.get(bucket, 0) + more[bucket])

    def _tallied(self, connection: Connection, wanted: Narrowed) -> dict[int, int]:
        """How many of those that surely match are in which hour, where there are any."""
        # Who has counted asks for a page of the list: adding up takes longer than both.
        key = (wanted.stamp, wanted.sure, wanted.since, wanted.until)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = _tallied(connection, wanted)
            with self._lock:
                self._known[key] = known
                while len(self._known) > KNOWN_MAX:
                    self._known.popitem(last=False)
        return known


def _edges(bucket: int, wanted: Narrowed) -> tuple[float, float]:
    low, high = bucket_edges(bucket)
    since = -math.inf if wanted.since is None else wanted.since
    until = math.inf if wanted.until is None else wanted.until
    return max(low, since), min(high, until)


def _rows(
    connection: Connection, conditions: list[Any], *, limit: int, offset: int
) -> Sequence[Row[Any]]:
    # The numbers first, from an index alone; only the page's own rows are then read.
    inner = select(exchanges.c.seq).where(*conditions).order_by(*ORDER)
    page = inner.limit(limit).offset(offset).subquery()
    query = select(exchanges).join(page, exchanges.c.seq == page.c.seq).order_by(*ORDER)
    return connection.execute(query).all()


def _anchored(connection: Connection, wanted: Narrowed) -> list[Row[Any]] | None:
    """Start and `seq` of those that have a value in their path; None: the tallies know none of
    WANTED, or too little."""
    if not wanted.anchored:
        return []
    if not wanted.sure:
        return None
    among = wanted.only_anchored().conditions()
    # In no order: asked for one, a database may pass by all there is to find these few.
    query = select(exchanges.c.started_at, exchanges.c.seq).where(*among).limit(ANCHORED_MAX + 1)
    rows: list[Row[Any]] = list(connection.execute(query))
    return rows if len(rows) <= ANCHORED_MAX else None


def _among(wanted: Narrowed, others: Sequence[Row[Any]]) -> list[ColumnElement[bool]]:
    """On what an index in order of time holds."""
    if wanted.sure is None:
        return []
    among = among_numbers(exchanges.c.facet, wanted.sure)
    if others:
        among |= among_numbers(exchanges.c.seq, [row.seq for row in others])
    return [among]


def _tallied(connection: Connection, wanted: Narrowed) -> dict[int, int]:
    times = [] if wanted.sure is None else [among_numbers(tallies.c.facet, wanted.sure)]
    if wanted.since is not None:
        times.append(tallies.c.bucket >= bucket_of(wanted.since))
    if wanted.until is not None:
        times.append(tallies.c.bucket <= bucket_of(wanted.until))
    query = select(tallies.c.bucket, func.sum(tallies.c["count"])).where(*times)
    found: dict[int, int] = {}
    for bucket, count in connection.execute(query.group_by(tallies.c.bucket)).all():
        found[bucket] = int(count)
        low, high = _edges(bucket, wanted)
        if (low, high) != bucket_edges(bucket):
            found[bucket] = _between(connection, wanted, low, high) if low < high else 0
    return {bucket: count for bucket, count in found.items() if count}


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
