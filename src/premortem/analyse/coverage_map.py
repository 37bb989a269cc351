"""What was tried and what was not, laid out: operations by kinds of values and by roles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from premortem.domain.coverage import (
    CellCount,
    CodeTotal,
    RunCoverage,
    Seen,
    StatusClass,
    ValueClass,
    totalled,
)
from premortem.domain.traffic import OperationProfile, Profile
from premortem.domain.unseen import Unseen, unseen
from premortem.domain.value_class import Coverage, possible_cells

VALUE_CLASSES: tuple[ValueClass, ...] = (
    "typical",
    "enum",
    "boundary",
    "absent",
    "empty",
    "null",
    "out_of_range",
    "wrong_type",
)
"""In the order in which they are shown: the valid ones first."""
UNKNOWN_ROLE = "*"
UNTESTED_MAX = 5_000


class Square(Struct, frozen=True, kw_only=True):
    """A field of the map."""

    possible: int
    """Cells that there are."""
    tried: int
    hits: int = 0
    statuses: Mapping[StatusClass, int] = {}
    last_status: int = 0
    last_run: str = ""
    production: int = 0
    """Recorded requests that cover the cell, or one of them."""


class PlaceRow(Struct, frozen=True, kw_only=True):
    """A place of an operation."""

    place: str
    classes: Mapping[ValueClass, Square]


class OperationRow(Struct, frozen=True, kw_only=True):
    """An operation."""

    operation_id: str
    production: int
    """Requests that the profile was learned from."""
    hits: int
    statuses: Mapping[StatusClass, int]
    classes: Mapping[ValueClass, Square]
    """Whoever tried."""
    roles: Mapping[str, Square]
    """Role -> all cells of the operation, as that role tried them; roles of production too."""
    places: tuple[PlaceRow, ...]

    @property
    def whole(self) -> Square:
        """All of its classes."""
        return _sum(self.classes.values())


class Untested(Struct, frozen=True, kw_only=True):
    """Cells of one place that nobody tried."""

    operation_id: str
    place: str
    """Empty: the operation as such."""
    classes: tuple[ValueClass, ...] = ()
    role: str = ""
    """Production uses the operation so, and no case did; empty: whoever."""
    production: int
    """Recorded requests that cover them."""
    requests: int
    """Recorded requests of the operation."""

    @property
    def what(self) -> str:
        """What is missing, in words."""
        if self.role:
            return f"as {self.role}"
        if not self.place:
            return "never sent"
        return ", ".join(name.replace("_", " ") for name in self.classes)


class CoverageMap(Struct, frozen=True, kw_only=True):
    """What runs covered of a profile."""

    profile_version: str
    covered: RunCoverage
    """Without its cells, which stand in `rows`."""
    rows: tuple[OperationRow, ...]
    """Most used in production first."""
    roles: tuple[str, ...]
    untested: tuple[Untested, ...]
    """What production does most first."""
    behaviours: Unseen
    """Different outcomes of cells: what a class of values in a place was answered with."""
    fields_known: int
    fields_seen: int
    """Places of answers, of those that the profile knows."""
    links_known: int
    links_seen: int
    code: CodeTotal | None
    """All files; None: not measured."""

    @property
    def whole(self) -> Square:
        """All operations."""
        return _sum(row.whole for row in self.rows)


def coverage_map(
    profile: Profile, covered: RunCoverage | None, production: Coverage
) -> CoverageMap:
    """What COVERED, of one run or several, reached of PROFILE, weighed with what PRODUCTION
    itself covers. None: nothing was run yet."""
    covered = covered or RunCoverage(run_id="", profile_version=profile.version, at=0.0, runs=0)
    by_operation: defaultdict[str, list[CellCount]] = defaultdict(list)
    for count in covered.cells:
        by_operation[count.cell.operation_id].append(count)
    weights: defaultdict[str, list[CellCount]] = defaultdict(list)
    for count in production.counts():
        weights[count.cell.operation_id].append(count)
    rows = tuple(
        _row(operation, by_operation[operation.id], weights[operation.id])
        for operation in profile.operations
    )
    untested = sorted(
        (gap for row in rows for gap in _untested(row)),
        key=lambda gap: (-gap.production, -gap.requests, gap.operation_id, gap.place),
    )
    fields = {
        (operation.id, f"{answer.status} {field.place}")
        for operation in profile.operations
        for answer in operation.answers
        for field in answer.fields
        if field.place.part == "body" and not field.types.keys() & {"object", "array"}
    }
    links = {
        (link.consumer, f"{link.producer} {link.select} -> {link.place}") for link in profile.links
    }
    seen = _named(covered.seen)
    return CoverageMap(
        profile_version=profile.version,
        covered=RunCoverage(
            run_id=covered.run_id,
            profile_version=covered.profile_version,
            at=covered.at,
            seen=covered.seen,
            code=covered.code,
            cases=covered.cases,
            read=covered.read,
            runs=covered.runs,
            notes=covered.notes,
        ),
        rows=rows,
        roles=tuple(sorted({role for row in rows for role in row.roles})),
        untested=tuple(untested[:UNTESTED_MAX]),
        behaviours=unseen(_behaviours(covered.cells), tries=covered.read),
        fields_known=len(fields),
        fields_seen=len(fields & seen["field"]),
        links_known=len(links),
        links_seen=len(links & seen["link"]),
        code=totalled(covered.code) if covered.code else None,
    )


def _named(seen: Iterable[Seen]) -> Mapping[str, set[tuple[str, str]]]:
    found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for item in seen:
        found[item.kind].add((item.operation_id, item.name))
    return found


def _behaviours(counts: Iterable[CellCount]) -> list[int]:
    """How often each class of values in each place was answered with each class of status."""
    hits: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
    for count in counts:
        cell = count.cell
        if cell.role != UNKNOWN_ROLE:
            key = (cell.operation_id, cell.place, cell.value_class, count.status_class)
            hits[key] += count.hits
    return list(hits.values())


def _row(
    operation: OperationProfile, counts: list[CellCount], production: list[CellCount]
) -> OperationRow:
    possible = {(c.place, c.value_class) for c in possible_cells(operation)}
    tried = _by_class(counts)
    weights = _by_class(production)
    places: dict[str, dict[ValueClass, Square]] = {}
    strange = {key for key in tried if key not in possible}
    for place, value_class in sorted(possible | strange):
        if place:
            square = _square([*tried.get((place, value_class), ())], 1)
            used = sum(c.hits for c in weights.get((place, value_class), ()))
            places.setdefault(place, {})[value_class] = _with(square, used)
    as_such = [count for count in counts if not count.cell.place]
    classes = {
        name: _sum(row[name] for row in places.values() if name in row)
        for name in VALUE_CLASSES
        if any(name in row for row in places.values())
    }
    return OperationRow(
        operation_id=operation.id,
        production=operation.count,
        hits=sum(count.hits for count in as_such),
        statuses=_statuses(as_such),
        classes=classes,
        roles=_roles(operation, counts, len(possible)),
        places=tuple(PlaceRow(place=place, classes=row) for place, row in places.items()),
    )


def _by_class(counts: Iterable[CellCount]) -> dict[tuple[str, ValueClass], list[CellCount]]:
    found: defaultdict[tuple[str, ValueClass], list[CellCount]] = defaultdict(list)
    for count in counts:
        found[count.cell.place, count.cell.value_class].append(count)
    return found


def _roles(
    operation: OperationProfile, counts: list[CellCount], possible: int
) -> dict[str, Square]:
    by_role: defaultdict[str, list[CellCount]] = defaultdict(list)
    for count in counts:
        by_role[count.cell.role].append(count)
    found: dict[str, Square] = {}
    for role in sorted({*by_role, *operation.roles}):
        mine = by_role[role]
        cells = {(c.cell.place, c.cell.value_class) for c in mine}
        as_such = _square([count for count in mine if not count.cell.place], possible)
        used = sum(operation.roles.get(role, {}).values())
        found[role] = _with(as_such, used, tried=len(cells))
    return found


def _square(counts: list[CellCount], possible: int) -> Square:
    last = max(counts, key=lambda count: count.last_at, default=None)
    return Square(
        possible=possible,
        tried=min(1, len(counts)),
        hits=sum(count.hits for count in counts),
        statuses=_statuses(counts),
        last_status=last.last_status if last is not None else 0,
        last_run=last.last_run if last is not None else "",
    )


def _with(square: Square, production: int, *, tried: int | None = None) -> Square:
    return Square(
        possible=max(square.possible, tried or 0),
        tried=square.tried if tried is None else tried,
        hits=square.hits,
        statuses=square.statuses,
        last_status=square.last_status,
        last_run=square.last_run,
        production=production,
    )


def _statuses(counts: Iterable[CellCount]) -> dict[StatusClass, int]:
    found: defaultdict[StatusClass, int] = defaultdict(int)
    for count in counts:
        found[count.status_class] += count.hits
    return dict(sorted(found.items()))


def _sum(squares: Iterable[Square]) -> Square:
    given = list(squares)
    statuses: defaultdict[StatusClass, int] = defaultdict(int)
    for square in given:
        for name, hits in square.statuses.items():
            statuses[name] += hits
    return Square(
        possible=sum(square.possible for square in given),
        tried=sum(square.tried for square in given),
        hits=sum(square.hits for square in given),
        statuses=dict(sorted(statuses.items())),
        production=sum(square.production for square in given),
    )


def _untested(row: OperationRow) -> Iterable[Untested]:
    if not row.hits:
        yield Untested(
            operation_id=row.operation_id,
            place="",
            production=row.production,
            requests=row.production,
        )
        return
    for role, square in row.roles.items():
        if square.production and not square.hits and UNKNOWN_ROLE not in row.roles:
            yield Untested(
                operation_id=row.operation_id,
                place="",
                role=role,
                production=square.production,
                requests=row.production,
            )
    for place in row.places:
        left = [name for name in VALUE_CLASSES if name in place.classes]
        left = [name for name in left if not place.classes[name].tried]
        if left:
            yield Untested(
                operation_id=row.operation_id,
                place=place.place,
                classes=tuple(left),
                production=sum(place.classes[name].production for name in left),
                requests=row.production,
            )


def heat(square: Square) -> int:
    """0 (nothing tried) to 4 (all)."""
    if not square.tried:
        return 0
    if square.tried >= square.possible:
        return 4
    return 1 + min(2, int(3 * square.tried / square.possible))
