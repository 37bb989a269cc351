"""Which cells a case covers, and what came of the cells of a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import msgspec

from premortem.domain.agreement import agreed
from premortem.domain.bodies import FORM, is_json, read_form
from premortem.domain.coverage import (
    Cell,
    CellCount,
    CodeTotal,
    RunCoverage,
    Seen,
    StatusClass,
    ValueClass,
)
from premortem.domain.places import Place, body_place, parse_place
from premortem.domain.run import Case
from premortem.domain.shape import Shape, read_shape
from premortem.domain.template import split_path, split_template
from premortem.domain.traffic import Field, OperationProfile
from premortem.domain.value_rule import ABSENT, CLASSES, TYPICAL, WRONG_TYPE, Rule

PLACES_MAX = 400
"""Places of one operation that have cells; those of parameters first, then of the body."""
DEPTH_MAX = 8
"""Levels of a declared body whose places have cells."""
ITEMS_MAX = 32
"""Items of one array that are looked at."""
READERS_MAX = 4096
"""Operations whose reading is remembered."""
KINDS_MAX = 256
"""Roles and editions of one operation whose cells are remembered."""
CELLS_MAX = 200_000
"""Cells that one Coverage counts."""
SEEN_MAX = 50_000
"""Other things that are added up."""

_PARAMETER = re.compile(r"\{([^{}/]+)\}")
_CARRIED = re.compile(
    r"traceparent|tracestate|baggage|b3|x-b3-.*|x-cloud-trace-.*|user-agent|accept(-.*)?"
    r"|(.*-)?(trace|span|request|correlation)-?id"
)
"""Headers that say how a request came, not what it asks: no places unless declared."""
_UNKNOWN = -1
_MISSING: Any = object()


class _Node:
    """A place of a body and those below it."""

    __slots__ = ("index", "item", "members", "rule")

    def __init__(self) -> None:
        self.index = _UNKNOWN
        self.rule: Rule | None = None
        self.members: dict[str, _Node] = {}
        self.item: _Node | None = None

    def child(self, token: str) -> _Node:
        """The node for TOKEN of a pointer, made when there is none."""
        if token == "*":  # noqa: S105 - a pointer's token
            if self.item is None:
                self.item = _Node()
            return self.item
        return self.members.setdefault(token, _Node())

    def rank(self, value: Any, ranks: list[int]) -> None:
        """Put the rank of VALUE, and of what is in it, where it is higher than what is there."""
        rule, kind = self.rule, type(value)
        if rule is not None:
            rank = rule.of_value(value)
            if rank > ranks[self.index]:
                ranks[self.index] = rank
        if kind is dict:
            get = value.get
            for name, node in self.members.items():
                inner = get(name, _MISSING)
                if inner is not _MISSING:
                    node.rank(inner, ranks)
        elif kind is list and self.item is not None:
            for inner in value[:ITEMS_MAX]:
                self.item.rank(inner, ranks)

    def rank_form(self, form: dict[str, Any], ranks: list[int]) -> None:
        """The same for a form: texts, and lists of texts."""
        if self.rule is not None:
            ranks[self.index] = TYPICAL
        for name, node in self.members.items():
            texts = form.get(name)
            if texts is None or node.rule is None:
                continue
            texts = texts if type(texts) is list else [texts]
            ranks[node.index] = max(ranks[node.index], node.rule.of_texts(texts))
            if node.item is not None and node.item.rule is not None:
                items = max(node.item.rule.of_text(text) for text in texts)
                ranks[node.item.index] = max(ranks[node.item.index], items)


class Reader:
    """Reads the cells of requests of one operation."""

    def __init__(self, operation: OperationProfile) -> None:
        self.operation_id = operation.id
        self.places: tuple[Place, ...] = ()
        self._rules: list[Rule] = []
        self._segments: list[tuple[int, int, re.Pattern[str] | None, int]] = []
        """(index of the rule, of the segment, its pattern, of the group)."""
        self._query: dict[str, int] = {}
        self._headers: dict[str, int] = {}
        self._cookies: dict[str, int] = {}
        self._body = _Node()
        self._body_places: list[int] = []
        self._json = not operation.media_types or any(map(is_json, operation.media_types))
        self._required = frozenset(operation.required)
        self._kinds: dict[tuple[str, str], list[tuple[Cell, ...]]] = {}
        self._wholes: dict[tuple[str, str], Cell] = {}
        for place, shape, field in islice(_described(operation), PLACES_MAX):
            self._add(place, Rule(shape, field, part=place.part), operation)

    def _add(self, place: Place, rule: Rule, operation: OperationProfile) -> None:
        index = len(self._rules)
        self._rules.append(rule)
        self.places = (*self.places, place)
        if place.part == "path":
            self._segments += _segments_of(place.name, operation.operation.template, index)
        elif place.part == "query":
            self._query[place.name] = index
        elif place.part == "header":
            self._headers[place.name.lower()] = index
        elif place.part == "cookie":
            self._cookies[place.name] = index
        else:
            node = self._body
            for token in place.tokens:
                node = node.child(token)
            node.index, node.rule = index, rule
            self._body_places.append(index)

    def ranks(self, case: Case) -> list[int]:
        """For each of `places` the index in CLASSES of what CASE has there; -1: not to be told."""
        request = case.request
        ranks = [ABSENT] * len(self._rules)
        rules = self._rules
        if self._segments:
            segments = split_path(request.path)
            for index, at, pattern, group in self._segments:
                if at < len(segments):
                    text = segments[at]
                    if pattern is not None:
                        found = pattern.fullmatch(text)
                        text = found[group] if found is not None else ""
                    ranks[index] = rules[index].of_text(text)
        for names, pairs in ((self._query, request.query), (self._headers, request.headers)):
            if names:
                for name, text in pairs:
                    named = names.get(name)
                    if named is not None:
                        rank = rules[named].of_text(text)
                        ranks[named] = max(rank, ranks[named])
        if self._cookies:
            self._rank_cookies(request.header("cookie") or "", ranks)
        if self._body_places:
            self._rank_body(case, ranks)
        for binding in case.bindings:
            self._rank_bound(binding.place, ranks)
        return ranks

    def _rank_cookies(self, text: str, ranks: list[int]) -> None:
        for pair in text.split(";"):
            name, _, value = pair.strip().partition("=")
            named = self._cookies.get(name)
            if named is not None:
                ranks[named] = self._rules[named].of_text(value)

    def _rank_body(self, case: Case, ranks: list[int]) -> None:
        body, media_type = case.request.body, case.request.media_type
        if not body:
            return
        if media_type == FORM:
            self._body.rank_form(read_form(body), ranks)
            return
        if is_json(media_type) or (self._json and body[:1] in b'{["'):
            try:
                self._body.rank(msgspec.json.decode(body), ranks)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                if self._body.rule is not None:
                    ranks[self._body.index] = WRONG_TYPE
            return
        for index in self._body_places:
            ranks[index] = _UNKNOWN

    def _rank_bound(self, place: Place, ranks: list[int]) -> None:
        """A live value goes there: what the recorded one is compared to says nothing of it."""
        index = _UNKNOWN
        if place.part == "path":
            index = next((i for i, at, _, _ in self._segments if str(at) == place.name), _UNKNOWN)
        elif place.part == "query":
            index = self._query.get(place.name, _UNKNOWN)
        elif place.part == "header":
            index = self._headers.get(place.name, _UNKNOWN)
        elif place.part == "body":
            index = self._index_at(place.tokens)
        if index >= 0:
            ranks[index] = TYPICAL

    def _index_at(self, tokens: tuple[str, ...]) -> int:
        node: _Node | None = self._body
        for token in tokens:
            if node is None:
                return _UNKNOWN
            node = node.members.get(token) or (node.item if token.isdigit() else None)
        return node.index if node is not None else _UNKNOWN

    def cells(self, case: Case, *, edition: str = "") -> tuple[Cell, ...]:
        """See `cells_of`."""
        kind = (case.role, edition)
        cells = self._kinds.get(kind)
        if cells is None:
            cells = self._remember(kind)
        ranks = self.ranks(case)
        found = list(map(tuple.__getitem__, cells, ranks))
        if _UNKNOWN in ranks:
            found = [cell for cell, rank in zip(found, ranks, strict=True) if rank >= 0]
        return (self._wholes[kind], *found)

    def _remember(self, kind: tuple[str, str]) -> list[tuple[Cell, ...]]:
        if len(self._kinds) >= KINDS_MAX:
            self._kinds.clear()
            self._wholes.clear()
        role, edition = kind
        self._wholes[kind] = Cell(operation_id=self.operation_id, role=role, edition=edition)
        self._kinds[kind] = [
            tuple(self._cell(place, name, role, edition) for name in CLASSES)
            for place in self.places
        ]
        return self._kinds[kind]

    def _cell(self, place: Place, value_class: ValueClass, role: str, edition: str) -> Cell:
        return Cell(
            operation_id=self.operation_id,
            place=str(place),
            value_class=value_class,
            role=role,
            edition=edition,
        )

    def possible(self, *, role: str = "", edition: str = "") -> tuple[Cell, ...]:
        """See `possible_cells`."""
        found = [Cell(operation_id=self.operation_id, role=role, edition=edition)]
        for place, rule in zip(self.places, self._rules, strict=True):
            # Without a segment the path is another one, and with an empty one mostly, too; an
            # empty header is as good as none.
            left_out = {"empty"} if place.part in ("path", "header", "cookie") else set()
            classes = [name for name in rule.possible if name not in left_out]
            if place.part != "path":
                classes.append("absent")
            found += [self._cell(place, name, role, edition) for name in classes]
        return tuple(found)


_readers: dict[int, tuple[OperationProfile, Reader]] = {}


def reader_of(operation: OperationProfile) -> Reader:
    """The reader of OPERATION; made at the first use and remembered."""
    # A profile holds mappings and so has no hash; kept with its reader, its address stays its own.
    held = _readers.get(id(operation))
    if held is not None:
        return held[1]
    if len(_readers) >= READERS_MAX:
        _readers.clear()
    reader = Reader(operation)
    _readers[id(operation)] = (operation, reader)
    return reader


def cells_of(case: Case, operation: OperationProfile, *, edition: str = "") -> tuple[Cell, ...]:
    """What CASE covers: a cell for OPERATION as such, and one for each place of it that is
    declared or was learned, also where CASE has nothing there (`absent`).

    Of many values in one place (`*`) the least ordinary one counts. A value that comes from an
    earlier answer is `typical`. Places of a body that cannot be read as values have no cells.
    """
    return reader_of(operation).cells(case, edition=edition)


def possible_cells(
    operation: OperationProfile, *, role: str = "", edition: str = ""
) -> tuple[Cell, ...]:
    """Every cell of OPERATION that a request can cover: classes that make no sense in a place
    (a boundary without limits, a wrong type where all text is right) are left out."""
    return reader_of(operation).possible(role=role, edition=edition)


def status_class_of(status: int) -> StatusClass:
    """`2xx` for 204; `none` for 0, no answer."""
    return _STATUS_CLASSES.get(status // 100, "none")


_STATUS_CLASSES: dict[int, StatusClass] = {1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


class _Count:
    __slots__ = ("at", "hits", "run", "status")

    def __init__(self) -> None:
        self.hits = 0
        self.status = 0
        self.run = ""
        self.at = 0.0


class Coverage:
    """Cells and what came of them, in memory; at most CELLS_MAX cells, further ones are left out
    and counted in `left_out`."""

    def __init__(self, *, cells_max: int = CELLS_MAX) -> None:
        self._cells_max = cells_max
        self._counts: dict[Cell, dict[StatusClass, _Count]] = {}
        self.left_out = 0
        """Additions to cells that there was no room for."""

    def __len__(self) -> int:
        return len(self._counts)

    def __contains__(self, cell: object) -> bool:
        return cell in self._counts

    def add(
        self, cells: Iterable[Cell], status: int, run: str = "", at: float = 0.0, *, times: int = 1
    ) -> None:
        """Count a case of CELLS that was answered with STATUS (0: no answer) in RUN, AT seconds
        since the epoch; TIMES of them."""
        status_class = status_class_of(status)
        for cell in cells:
            count = self._count(cell, status_class)
            if count is not None:
                count.hits += times
                if at >= count.at:
                    count.status, count.run, count.at = status, run, at

    def _count(self, cell: Cell, status_class: StatusClass) -> _Count | None:
        counts = self._counts.get(cell)
        if counts is None:
            if len(self._counts) >= self._cells_max:
                self.left_out += 1
                return None
            counts = self._counts[cell] = {}
        count = counts.get(status_class)
        if count is None:
            count = counts[status_class] = _Count()
        return count

    def hits(self, cell: Cell, status_class: StatusClass | None = None) -> int:
        """How often CELL was tried; with STATUS_CLASS: with that outcome."""
        counts = self._counts.get(cell)
        if counts is None:
            return 0
        if status_class is None:
            return sum(count.hits for count in counts.values())
        count = counts.get(status_class)
        return count.hits if count is not None else 0

    def counts(self) -> tuple[CellCount, ...]:
        """All of them, by cell and outcome."""
        return tuple(sorted(self._all(), key=lambda c: (c.cell, c.status_class)))

    def _all(self) -> Iterator[CellCount]:
        for cell, counts in self._counts.items():
            for status_class, count in counts.items():
                yield CellCount(
                    cell=cell,
                    status_class=status_class,
                    hits=count.hits,
                    last_status=count.status,
                    last_run=count.run,
                    last_at=count.at,
                )

    def merge(self, counts: Iterable[CellCount] | Coverage) -> None:
        """Add what was counted elsewhere; of the last results the later one stays."""
        given = counts._all() if isinstance(counts, Coverage) else counts
        for more in given:
            count = self._count(more.cell, more.status_class)
            if count is not None:
                count.hits += more.hits
                if more.last_at >= count.at:
                    count.status, count.run, count.at = (
                        more.last_status,
                        more.last_run,
                        more.last_at,
                    )


def added_up(parts: Iterable[RunCoverage]) -> RunCoverage | None:
    """PARTS together; of code the latest word on each file that was said. None: there are none."""
    given = sorted(parts, key=lambda part: part.at)
    if not given:
        return None
    coverage = Coverage()
    seen: dict[tuple[str, str, str], Seen] = {}
    code: dict[str, CodeTotal] = {}
    for part in given:
        coverage.merge(part.cells)
        code |= {total.file: total for total in part.code}
        for item in part.seen:
            key = (item.kind, item.operation_id, item.name)
            before = seen[key].hits if key in seen else 0
            if key in seen or len(seen) < SEEN_MAX:
                seen[key] = msgspec.structs.replace(item, hits=before + item.hits)
    versions = {part.profile_version for part in given}
    return RunCoverage(
        run_id=given[0].run_id if len(given) == 1 else "",
        profile_version=versions.pop() if len(versions) == 1 else "",
        at=given[-1].at,
        cells=coverage.counts(),
        seen=tuple(sorted(seen.values())),
        code=tuple(sorted(code.values())),
        cases=sum(part.cases for part in given),
        read=sum(part.read for part in given),
        runs=sum(part.runs for part in given),
        notes=given[-1].notes,
        agreements=agreed(chain.from_iterable(part.agreements for part in given)),
    )


def _described(
    operation: OperationProfile,
) -> Iterator[tuple[Place, Shape | None, Field | None]]:
    """Every place of OPERATION's requests with what is declared and what was learned of it."""
    learned = {field.place: field for field in operation.fields}
    declared: dict[Place, Shape | None] = {}
    for text, document in operation.parameter_schemas.items():
        declared[parse_place(text)] = read_shape(document)
    for name in _PARAMETER.findall(operation.operation.template):
        declared.setdefault(Place(part="path", name=name), None)
    body = read_shape(operation.request_schema)
    bodies: dict[Place, Shape] = {}
    if body is not None:
        bodies = dict(islice(_below(body, (), DEPTH_MAX), PLACES_MAX))
    given = [p for p in learned if p.part != "header" or not _CARRIED.fullmatch(p.name.lower())]
    in_head = [p for p in dict.fromkeys((*declared, *given)) if p.part != "body"]
    for place in in_head:
        yield place, declared.get(place), learned.get(place)
    in_body = [p for p in dict.fromkeys((*bodies, *learned)) if p.part == "body"]
    if in_body and body_place() not in in_body:
        in_body.insert(0, body_place())
    for place in in_body:
        yield place, bodies.get(place), learned.get(place)


def _below(shape: Shape, tokens: tuple[str, ...], depth: int) -> Iterator[tuple[Place, Shape]]:
    yield body_place(*tokens), shape
    if not depth:
        return
    if "object" in shape.types:
        for name in shape.names:
            member = shape.member(name)
            if member is not None:
                yield from _below(member, (*tokens, name), depth - 1)
    item = shape.items if "array" in shape.types else None
    if item is not None:
        yield from _below(item, (*tokens, "*"), depth - 1)


def _segments_of(
    name: str, template: str, index: int
) -> Iterator[tuple[int, int, re.Pattern[str] | None, int]]:
    for at, segment in enumerate(split_template(template)):
        names = _PARAMETER.findall(segment)
        if name not in names:
            continue
        if segment == f"{{{name}}}":
            yield index, at, None, 0
            continue
        parts = _PARAMETER.split(segment)
        text = "".join(re.escape(p) if i % 2 == 0 else "(.+?)" for i, p in enumerate(parts))
        yield index, at, re.compile(text, re.DOTALL), names.index(name) + 1
