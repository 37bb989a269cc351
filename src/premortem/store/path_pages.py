"""The paths of exchanges once more, side by side in pages: what a glob is matched against.

A path lies in its exchange's head, among bodies of headers. To find those that match a glob by
what stands within a value, heads would all have to be opened; a page holds nothing but the
paths of a thousand exchanges, each different one once, with the facet and the start of each.
What the file tells without the key is which exchanges, by number and time, a page is about.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from sqlalchemy import Connection, Label, Row, delete, insert, select, update

from premortem.store.batch import parts
from premortem.store.cipher import Cipher, pack
from premortem.store.database import Database
from premortem.store.facets import EPOCH
from premortem.store.narrowing import Narrowed, among_numbers
from premortem.store.path_text import BREAK, LineGlob, breaks_of
from premortem.store.query import Counted
from premortem.store.tables import path_pages, state

PAGE_ROWS_MAX = 1_000
"""Exchanges of one page: as many as one transaction of an import holds."""
CACHED_BYTES_MAX = 96 * 1024 * 1024
"""Opened pages that are kept."""
PAGES_AT_ONCE_MAX = 64
"""Pages fetched with one query; the first query fetches PAGES_AT_FIRST."""
PAGES_AT_FIRST = 4
ENOUGH = 1_000
"""Matches from whose share a count is worked out: by chance it is off by some 3 percent."""

_NEVER, _SURELY, _BY_PATH = range(3)


class Placed(NamedTuple):
    """An exchange as a page knows it."""

    seq: int
    facet: int
    started_at: float
    path: str


class _Page(Struct, frozen=True, array_like=True):
    """What lies sealed; the columns are numbers of one width each, byte by byte."""

    text: str
    """Different paths, each behind a line break, and one more of these at the end."""
    odd: dict[int, str]
    """Line -> the path, where that has line breaks of its own; in `text` the line is empty."""
    lines: bytes
    seqs: bytes
    """The first, then by how much each is higher than the one before."""
    facets: bytes
    started: bytes


class Opened:
    """A page, ready to be searched; its columns are made when first needed."""

    def __init__(self, page: _Page, *, low: float, high: float, last_seq: int) -> None:
        self.text = page.text
        self.odd = page.odd
        self.low, self.high, self.last_seq = low, high, last_seq
        self._page = page
        self._asked: tuple[str, NDArray[np.bool_] | None] | None = None

    @cached_property
    def lines(self) -> NDArray[np.uint16]:
        """Exchange -> its path's line."""
        return _joined(self._page.lines, "<u2")

    @cached_property
    def seqs(self) -> NDArray[np.int64]:
        """Of each exchange, rising."""
        return np.cumsum(_joined(self._page.seqs, "<i8"))

    @cached_property
    def facets(self) -> NDArray[np.uint32]:
        """Of each exchange."""
        return _joined(self._page.facets, "<u4")

    @cached_property
    def started(self) -> NDArray[np.float64]:
        """Of each exchange, in seconds since the epoch."""
        return _joined(self._page.started, "<f8")

    @cached_property
    def breaks(self) -> NDArray[np.int32]:
        """Where the line breaks of `text` stand."""
        return breaks_of(self.text).astype(np.int32)

    @property
    def bytes(self) -> int:
        """In memory, about, with all columns."""
        width = 4 if self.odd or not self.text.isascii() else 1
        return width * len(self.text) + 2 * len(self._page.seqs) * 22 // 8 + 2_000

    def placed(self) -> list[Placed]:
        """What it holds, in order."""
        paths = self.text.split(BREAK)[1:-1]
        for line, path in self.odd.items():
            paths[line] = path
        columns = (self.seqs.tolist(), self.facets.tolist(), self.started.tolist())
        return [
            Placed(seq, facet, started, paths[line])
            for seq, facet, started, line in zip(*columns, self.lines.tolist(), strict=True)
        ]

    def matches(self, fits: NDArray[np.bool_]) -> Matches:
        """Start and `seq` of those that FITS says; of length 0: none."""
        return (self.started[fits], self.seqs[fits]) if len(fits) else _no_matches()

    def hits(self, glob: LineGlob) -> NDArray[np.bool_] | None:
        """Line -> whether its path matches; None: none does."""
        # Who has counted asks for a page of the list, then for the next one.
        asked = self._asked
        if asked is not None and asked[0] == glob.pattern:
            return asked[1]
        found = glob.hits(self.text, self.breaks)
        if self.odd:
            found = np.zeros(len(self.breaks) - 1, dtype=bool) if found is None else found
            for line, path in self.odd.items():
                found[line] = glob.matches(path)
        self._asked = (glob.pattern, found)
        return found


def _split(values: NDArray[Any]) -> bytes:
    """Byte by byte: equal upper bytes side by side are packed to almost nothing."""
    return values.view(np.uint8).reshape(len(values), -1).T.tobytes()


def _joined(packed: bytes, kind: str) -> NDArray[Any]:
    width = np.dtype(kind).itemsize
    apart = np.frombuffer(packed, dtype=np.uint8).reshape(width, -1)
    whole = np.empty((apart.shape[1], width), dtype=np.uint8)
    for place, part in enumerate(apart):  # a third of the time that the transposed view takes
        whole[:, place] = part
    return whole.view(kind).reshape(-1)


def _page_of(rows: Sequence[Placed]) -> _Page:
    numbers: dict[str, int] = {}
    lines = [numbers.setdefault(row.path, len(numbers)) for row in rows]
    odd = {number: path for path, number in numbers.items() if BREAK in path}
    text = BREAK + "".join(("" if BREAK in path else path) + BREAK for path in numbers)
    seqs = np.diff(np.array([row.seq for row in rows], dtype="<i8"), prepend=0).astype("<i8")
    return _Page(
        text,
        odd,
        _split(np.array(lines, dtype="<u2")),
        _split(seqs),
        _split(np.array([row.facet for row in rows], dtype="<u4")),
        _split(np.array([row.started_at for row in rows], dtype="<f8")),
    )


def add_paths(connection: Connection, cipher: Cipher, rows: list[Placed]) -> None:
    """Enter ROWS, in order of `seq`; in the one writer's transaction."""
    query = select(path_pages).order_by(path_pages.c.id.desc()).limit(1)
    last = connection.execute(query).first()
    number = 1 if last is None else last.id + 1
    if last is not None and rows and last.rows + len(rows) <= PAGE_ROWS_MAX:
        # Many small imports do not make many small pages.
        rows = _opened(cipher, last).placed() + rows
        values = _values(cipher, last.id, rows)
        connection.execute(update(path_pages).where(path_pages.c.id == last.id), values)
        return
    for part in parts(rows, PAGE_ROWS_MAX):
        connection.execute(insert(path_pages), {"id": number} | _values(cipher, number, part))
        number += 1


def drop_paths(connection: Connection, cipher: Cipher, seqs: Collection[int]) -> None:
    """Take the paths of exchanges that go out; in the one writer's transaction."""
    if not seqs:
        return
    gone = set(seqs)
    within = (path_pages.c.first_seq <= max(gone)) & (path_pages.c.last_seq >= min(gone))
    numbers = connection.execute(select(path_pages.c.id).where(within)).scalars().all()
    for number in numbers:
        at = path_pages.c.id == number
        placed = _opened(cipher, connection.execute(select(path_pages).where(at)).one()).placed()
        kept = [row for row in placed if row.seq not in gone]
        if not kept:
            connection.execute(delete(path_pages).where(at))
        elif len(kept) < len(placed):
            connection.execute(update(path_pages).where(at), _values(cipher, number, kept))


def _values(cipher: Cipher, number: int, rows: Sequence[Placed]) -> dict[str, Any]:
    started = [row.started_at for row in rows]
    return {
        "low": min(started),
        "high": max(started),
        "first_seq": rows[0].seq,
        "last_seq": rows[-1].seq,
        "rows": len(rows),
        "payload": cipher.seal(pack(_page_of(rows)), place=place_of_paths(number)),
    }


def place_of_paths(number: int) -> str:
    """What binds a page's bytes to its number."""
    return f"paths {number}"


def _opened(cipher: Cipher, row: Row[Any]) -> Opened:
    page = cipher.unpack(_decoder, cipher.open(row.payload, place=place_of_paths(row.id)))
    return Opened(page, low=row.low, high=row.high, last_seq=row.last_seq)


_decoder = msgspec.msgpack.Decoder(_Page)


class PathPages:
    """Searches the pages of one store; those used last stay open."""

    def __init__(
        self, database: Database, cipher: Cipher, *, cached_bytes_max: int = CACHED_BYTES_MAX
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._cached_bytes_max = cached_bytes_max
        self._lock = threading.Lock()
        self._epoch = -1
        self._cache: OrderedDict[int, tuple[int, Opened]] = OrderedDict()
        self._cached_bytes = 0

    def found(self, wanted: Narrowed, *, skip: int = 0) -> Iterator[list[int]]:
        """The `seq` of all that is WANTED, in order of start, then `seq`, after SKIP; part by
        part.

        Pages that follow each other in time, as those of imports do, are given out one after
        the other; of others, up to 16 bytes for each match are in memory.
        """
        # What is added meanwhile is left for the next reading.
        search = _Search(wanted, last_seq=wanted.stamp[1])
        with self._database.reading() as connection:
            epoch, listed = self._listed(connection, wanted)
        waiting = _no_matches()
        done, size = 0, PAGES_AT_FIRST
        while done < len(listed):
            pages = self._pages(listed[done : done + size], epoch)
            done += size
            size = min(2 * size, PAGES_AT_ONCE_MAX)
            edge = listed[done].low if done < len(listed) else math.inf
            fits = [(page, search.fits(page)) for page in pages]
            total = len(waiting[0]) + sum(int(np.count_nonzero(fit)) for _, fit in fits)
            if total <= skip:
                # Where they stand does not matter, except of those that later pages may precede.
                late = [(page, fit) for page, fit in fits if page.high >= edge]
                waiting = _from(edge, _together([waiting, *(p.matches(fit) for p, fit in late)]))
                skip -= total - len(waiting[0])
                continue
            started, seqs = _together([waiting, *(page.matches(fit) for page, fit in fits)])
            order = np.lexsort((seqs, started))
            started, seqs = started[order], seqs[order]
            split = int(np.searchsorted(started, edge)) if done < len(listed) else len(started)
            waiting = (started[split:], seqs[split:])
            if split > skip:
                yield seqs[skip:split].tolist()
            skip = max(0, skip - split)

    def counted(self, wanted: Narrowed, *, limits: tuple[int, int] | None) -> Counted:
        """How many are WANTED; LIMITS (first, most): how many exchanges may be looked at.

        Pages evenly spread over the time that is asked for come first, with about as many
        exchanges as the first of LIMITS says. ENOUGH matches among them tell how many there are
        within a few percent; of fewer the count is exact, as far as the second limit allows.
        """
        search = _Search(wanted)
        with self._database.reading() as connection:
            epoch, listed = self._listed(connection, wanted)
        rows = sum(page.rows for page in listed)
        looked = matched = 0
        for most in limits or (rows,):
            step = max(1, -(-rows // max(1, most)))
            looked = matched = 0
            for part in parts(listed[::step], PAGES_AT_ONCE_MAX):
                looked += sum(row.rows for row in part)
                pages = self._pages(part, epoch)
                matched += sum(int(np.count_nonzero(search.fits(page))) for page in pages)
            if step == 1:
                return Counted(count=matched, exact=True)
            if matched >= ENOUGH:
                break
        return Counted(count=round(matched * rows / max(1, looked)), exact=False)

    def _listed(self, connection: Connection, wanted: Narrowed) -> tuple[int, list[Row[Any]]]:
        """The epoch, and the pages that can hold any of WANTED."""
        columns = (path_pages.c.id, path_pages.c.rows, path_pages.c.low)
        query = select(*columns, _epoch()).order_by(path_pages.c.low, path_pages.c.id)
        if wanted.since is not None:
            query = query.where(path_pages.c.high >= wanted.since)
        if wanted.until is not None:
            query = query.where(path_pages.c.low < wanted.until)
        rows: list[Row[Any]] = list(connection.execute(query))
        return (rows[0].epoch or 0) if rows else 0, rows

    def _pages(self, listed: Sequence[Row[Any]], epoch: int) -> list[Opened]:
        """The pages LISTED in EPOCH; those that were taken away meanwhile are left out."""
        found: dict[int, Opened] = {}
        with self._lock:
            if epoch > self._epoch:
                self._cache.clear()
                self._cached_bytes, self._epoch = 0, epoch
            for row in listed if epoch == self._epoch else ():
                held = self._cache.get(row.id)
                if held is not None and held[0] >= row.rows:
                    self._cache.move_to_end(row.id)
                    found[row.id] = held[1]
        missing = [row.id for row in listed if row.id not in found]
        if missing:
            with self._database.reading() as connection:
                among = among_numbers(path_pages.c.id, missing)
                for row in connection.execute(select(path_pages, _epoch()).where(among)):
                    found[row.id] = _opened(self._cipher, row)
                    self._keep(row.id, row.rows, found[row.id], row.epoch or 0)
        return [found[row.id] for row in listed if row.id in found]

    def _keep(self, number: int, rows: int, page: Opened, epoch: int) -> None:
        with self._lock:
            if epoch != self._epoch:
                return
            before = self._cache.pop(number, None)
            self._cached_bytes += page.bytes - (before[1].bytes if before else 0)
            self._cache[number] = (rows, page)
            while self._cached_bytes > self._cached_bytes_max and len(self._cache) > 1:
                _, (_, oldest) = self._cache.popitem(last=False)
                self._cached_bytes -= oldest.bytes


def _epoch() -> Label[Any]:
    # A column of the same statement: asked for alone, a server would be asked twice.
    return select(state.c.value).where(state.c.name == EPOCH).scalar_subquery().label("epoch")


Matches = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Start and `seq` of each."""


def _no_matches() -> Matches:
    return np.zeros(0, dtype=np.float64), np.zeros(0, dtype=np.int64)


def _together(parts: Sequence[Matches]) -> Matches:
    started, seqs = zip(*parts, strict=True)
    return np.concatenate(started), np.concatenate(seqs)


def _from(edge: float, matches: Matches) -> Matches:
    """Those of MATCHES that started at EDGE or later."""
    started, seqs = matches
    late = started >= edge
    return started[late], seqs[late]


_NONE = np.zeros(0, dtype=np.bool_)


class _Search:
    """What is wanted, as a page can be asked for it."""

    def __init__(self, wanted: Narrowed, *, last_seq: int | None = None) -> None:
        by_path = set(wanted.read).union(*(item.facets for item in wanted.anchored))
        surely = (wanted.sure or frozenset()) - by_path
        # One place more than facets are known, for all that were entered since.
        self._kinds = np.full(max(by_path | surely, default=0) + 2, _NEVER, dtype=np.uint8)
        self._kinds[list(by_path)] = _BY_PATH
        self._kinds[list(surely)] = _SURELY
        self._surely = bool(surely)
        self._glob = LineGlob(wanted.glob.pattern if wanted.glob else "*")
        self._since = -math.inf if wanted.since is None else wanted.since
        self._until = math.inf if wanted.until is None else wanted.until
        self._last_seq = last_seq

    def fits(self, page: Opened) -> NDArray[np.bool_]:
        """Exchange of PAGE -> whether it matches; of length 0: none does."""
        hits = page.hits(self._glob)
        if hits is None and not self._surely:
            return _NONE
        kinds = self._kinds[np.minimum(page.facets, len(self._kinds) - 1)]
        fits: NDArray[np.bool_] = kinds == _SURELY
        if hits is not None:
            fits |= (kinds == _BY_PATH) & hits[page.lines]
        # Most pages lie within the times that are asked for.
        if page.low < self._since:
            fits &= page.started >= self._since
        if page.high >= self._until:
            fits &= page.started < self._until
        if self._last_seq is not None and page.last_seq > self._last_seq:
            fits &= page.seqs <= self._last_seq
        return fits
