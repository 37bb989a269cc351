"""A filter, worked out on the facets: which rows surely match, and which must be read to tell."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import BindParameter, ColumnElement, bindparam, false, or_

from premortem.store.cipher import Cipher
from premortem.store.facets import Book, Facet, Stamp
from premortem.store.paths import Fit, Glob, Shape, values_of
from premortem.store.query import TrafficFilter
from premortem.store.tables import exchanges

OFFSET = 2**63
"""Takes 64 bits without a sign to a database's number with one, in the same order."""


class Anchored(Struct, frozen=True, kw_only=True):
    """Facets of which only the exchanges with one value in their path can match."""

    last: bool
    """The value stands in the last open segment rather than the first."""
    value: int
    facets: frozenset[int]

    def condition(self) -> ColumnElement[bool]:
        """On the clear columns of exchanges."""
        column = exchanges.c.last_value if self.last else exchanges.c.first_value
        return (column == self.value) & among_numbers(exchanges.c.facet, self.facets)


class Narrowed(Struct, frozen=True, kw_only=True):
    """What a filter comes to in one store."""

    sure: frozenset[int] | None
    """Facets whose exchanges all match; None: all there are."""
    anchored: tuple[Anchored, ...] = ()
    read: frozenset[int] = frozenset()
    """Facets, among `sure` or `anchored`, whose paths must be read."""
    glob: Glob | None = None
    since: float | None = None
    until: float | None = None
    stamp: Stamp = (0, 0)
    """The state of the store in which that was worked out."""

    @property
    def is_empty(self) -> bool:
        """Nothing can match."""
        return self.sure is not None and not self.sure and not self.anchored

    def only_anchored(self) -> Narrowed:
        """The part of it that has a value in its path."""
        return replace(self, sure=frozenset())

    def conditions(self) -> list[ColumnElement[bool]]:
        """On the clear columns of exchanges."""
        found: list[ColumnElement[bool]] = []
        if self.sure is not None:
            among = [among_numbers(exchanges.c.facet, self.sure)] if self.sure else []
            among += [item.condition() for item in self.anchored]
            found.append(or_(*among) if among else false())
        if self.since is not None:
            found.append(exchanges.c.started_at >= self.since)
        if self.until is not None:
            found.append(exchanges.c.started_at < self.until)
        return found


def among_numbers(column: ColumnElement[int], numbers: Collection[int]) -> ColumnElement[bool]:
    """COLUMN is one of NUMBERS, which may be many thousand: they stand in the statement."""
    given: BindParameter[list[int]] = bindparam(
        None, sorted(numbers), expanding=True, literal_execute=True
    )
    return column.in_(given)


def value_number(cipher: Cipher, value: str) -> int:
    """64 bits that name a VALUE in paths to holders of the key; of a million values two are
    alike in one of 40 million stores, and would be listed together."""
    digest = cipher.digest(value.encode("utf-8", "surrogatepass"), kind="path value")
    return int.from_bytes(digest[:8], "big") - OFFSET


def value_numbers(cipher: Cipher, path: str, shape: Shape) -> tuple[int | None, int | None]:
    """What stands in the clear for the values in the first and the last open segment of PATH."""
    first, last = values_of(path, shape)
    return (
        None if first is None else value_number(cipher, first),
        None if last is None else value_number(cipher, last),
    )


def narrowed(where: TrafficFilter, book: Book, cipher: Cipher) -> Narrowed:
    """WHERE in the store that BOOK describes. Raises InputError when its status is none."""
    accepts = where.accepts()
    if accepts is None and not where.path:
        return Narrowed(sure=None, since=where.since, until=where.until)
    kept = {
        number: facet
        for number, facet in book.facets.items()
        if accepts is None or accepts(facet.method, facet.host, facet.status, facet.role)
    }
    if not where.path:
        return Narrowed(sure=frozenset(kept), since=where.since, until=where.until)
    return _on_path(where, kept, book.shapes, cipher)


def _on_path(
    where: TrafficFilter, kept: dict[int, Facet], shapes: dict[int, Shape], cipher: Cipher
) -> Narrowed:
    glob = Glob(where.path)
    fits = {
        number: _fit(glob, shapes[number]) for number in {facet.shape for facet in kept.values()}
    }
    sure: set[int] = set()
    read: set[int] = set()
    anchored: dict[tuple[bool, str], set[int]] = {}
    for number, facet in kept.items():
        fit, ways = fits[facet.shape]
        if fit == "none":
            continue
        if ways is None:
            sure.add(number)
        for way in ways or ():
            anchored.setdefault(way, set()).add(number)
        if fit == "some":
            read.add(number)
    return Narrowed(
        sure=frozenset(sure),
        anchored=tuple(
            Anchored(last=last, value=value_number(cipher, value), facets=frozenset(numbers))
            for (last, value), numbers in sorted(anchored.items())
        ),
        read=frozenset(read),
        glob=glob,
        since=where.since,
        until=where.until,
    )


def _fit(glob: Glob, shape: Shape) -> tuple[Fit, list[tuple[bool, str]] | None]:
    """How the glob fits, given one of the values that it needs; None: it needs no value."""
    fit = glob.fit(shape)
    ways = glob.filled(shape) if fit == "some" else None
    if ways is None:
        return fit, None
    fits = [(glob.fit(narrower), last, value) for last, value, narrower in ways]
    fits = [way for way in fits if way[0] != "none"]
    if not fits:
        return "none", None
    best: Fit = "all" if all(way[0] == "all" for way in fits) else "some"
    return best, [(last, value) for _, last, value in fits]
