"""Sequences in which what was learned of answers has something to show itself on.

A list that is empty shows nobody's data, and one customer alone cannot be mistaken for another. So
what is read is made first, then made once more with the same words under another identifier (a
twin), and then the first one is read, by every role of which something is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Many
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import at, leaves, read_body, text_of
from premortem.domain.once import names_one_request
from premortem.domain.places import Place, body_place
from premortem.domain.run import SAFE_METHODS, Binding, Case, Intent, Sequence
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Link, OperationProfile, Pairs, Profile
from premortem.generate.starts import Start, Starts
from premortem.generate.steps import Row

OPERATOR = "witness"
"""Of the origin of these readings."""
CHILDREN_MAX = 4
"""Kinds of things made below the one that is read."""
ROLES_MAX = 6
"""Roles that read what was made."""
EVERYTHING_MAX = 45
"""Requests that make one of each thing, for a report to sum up."""
VALUES_MAX = 6
"""Members of a closed set that a report is asked for."""
VARIANTS = 3
"""Times that things are made with other recorded values: a list may show only some."""
SETUP_MAX = 12
"""Requests that make one thing; what needs more is left alone."""


def witnesses(profile: Profile, starts: Starts, operation: OperationProfile) -> Iterator[Sequence]:
    """Sequences that end with a reading of OPERATION, if answers to it can show something."""
    start = starts.of(operation.id)
    if start is None or start.hollow or operation.operation.method not in SAFE_METHODS:
        return
    maker = _maker(starts, operation)
    if any(answer.echoes or answer.views for answer in operation.answers):
        for variant in range(VARIANTS):
            yield from _twins(profile, starts, start, maker, variant)
    if any(answer.rules for answer in operation.answers) and not start.setup and maker is None:
        yield from _sums(profile, starts, start)


def _twins(
    profile: Profile, starts: Starts, start: Start, maker: Start | None, variant: int
) -> Iterator[Sequence]:
    row = Row(starts)
    if start.setup:
        row.instance(start, whole=False)
    elif maker is not None:
        row.instance(maker)
    if not 0 < len(row) <= SETUP_MAX:
        return
    for child in _children(profile, starts, row, variant):
        row.add(child)
    made = tuple(row.cases)
    twin = tuple(_twin(case, len(made)) for case in made)
    final = row.on_same(start)
    if final is None:
        return
    showing = _showing(start.operation, made)
    for role in _roles(start.operation, final.role):
        for query in dict.fromkeys(((), showing)):
            yield Sequence(cases=(*made, *twin, _reading(final, role, query)))


def _showing(operation: OperationProfile, made: Many[Case]) -> Pairs:
    """A query that asks for what the bodies of MADE say, by parameters of the same name."""
    said: dict[str, str] = {}
    for case in made:
        try:
            body = read_body(case.request)
        except ValueError:
            continue
        if isinstance(body, dict):
            plain = {k: text_of(v) for k, v in body.items() if isinstance(v, str | int | float)}
            said = {**said, **plain}
    bound = {b.place.tokens[-1:] for case in made for b in case.bindings}
    names = [f.place.name for f in operation.fields if f.place.part == "query"]
    return tuple((n, said[n]) for n in names if n in said and (n,) not in bound)


def _sums(profile: Profile, starts: Starts, start: Start) -> Iterator[Sequence]:
    """A report on everything, behind one of each thing that production makes."""
    row = Row(starts)
    ways = [
        way
        for o in profile.operations
        if o.operation.method == "POST" and (way := starts.of(o.id)) is not None
        if way.recorded and not way.hollow
    ]
    for way in sorted(ways, key=lambda way: -len(way.setup)):
        there = {case.operation_id for case in row.cases}
        if way.operation.id not in there and len(row) + len(way.setup) < EVERYTHING_MAX:
            row.instance(way)
    for query in _queries(start):
        yield Sequence(cases=(*row.cases, _reading(start.final, start.final.role, query)))


def _queries(start: Start) -> Iterator[Pairs]:
    """The recorded query, and the same with each other member of a closed set in it."""
    query = start.final.request.query
    yield query
    for field in start.operation.fields:
        place = field.place
        if place.part != "query" or not field.enumeration:
            continue
        for text, _ in field.values[:VALUES_MAX]:
            value = text_of(msgspec.json.decode(text))
            other = (*(pair for pair in query if pair[0] != place.name), (place.name, value))
            if other != query:
                yield other


def _maker(starts: Starts, operation: OperationProfile) -> Start | None:
    """How production makes what a collection lists."""
    made = starts.of(f"POST {operation.operation.template}")
    return made if made is not None and made.recorded and not made.hollow else None


def _children(profile: Profile, starts: Starts, row: Row, variant: int) -> Iterator[Case]:
    """Requests that make things which refer to one that ROW makes, each followed by what is done
    to such a thing most often: a draft may not count yet. VARIANT: which recorded ones."""
    makers = {case.operation_id for case in row.cases}
    known = {o.id: o for o in profile.operations}
    seen: set[str] = set()
    for link in profile.links:
        child = known.get(link.consumer)
        if link.producer not in makers or child is None or link.consumer in makers | seen:
            continue
        if child.operation.method != "POST" or len(seen) >= CHILDREN_MAX:
            continue
        case = _referring(starts, child, link, row, variant)
        if case is None:
            continue
        seen.add(child.id)
        yield case
        further = _further(profile, starts, child, row)
        if further is not None:
            seen.add(further.operation_id)
            yield further


def _referring(
    starts: Starts, child: OperationProfile, link: Link, row: Row, variant: int
) -> Case | None:
    """A recorded request of CHILD that refers, by LINK, to what ROW makes."""
    start = starts.of(child.id)
    if start is None or start.hollow:
        return None
    tokens = link.place.tokens
    if link.place.part != "body" or "*" in tokens:
        return row.on_same(start)
    step = next(i for i, case in enumerate(row.cases) if case.operation_id == link.producer)
    select = body_place(*("0" if t == "*" else t for t in link.select.tokens))
    if link.select.part != "body":
        return None
    found = list(_referred(starts, child, link, select))
    # What repeats the words of what it refers to may be found by them, too.
    found.sort(key=lambda pair: -_shared(*pair))
    if not found:
        return None
    case, maker = found[variant % len(found)]
    value = at(read_body(case.request), tokens)
    if maker is not None and not row.cases[step].bindings:
        row.cases[step] = replace(maker, setup=True)
    bound = Binding(step=step, select=select, place=link.place, recorded=text_of(value))
    return replace(case, bindings=(bound,))


def _referred(
    starts: Starts, child: OperationProfile, link: Link, select: Place
) -> Iterator[tuple[Case, Case | None]]:
    """Recorded requests of CHILD that hold a value at LINK's place, and what made that value."""
    for exchange_id in child.exemplars:
        exchange = starts.exchanges.get(exchange_id)
        if exchange is None or exchange.response.status // 100 != 2:
            continue
        try:
            value = at(read_body(exchange.request), link.place.tokens)
        except (LookupError, ValueError):
            continue
        cases = starts.replayer.cases([(exchange_id, exchange)])
        if cases and value is not None:
            yield cases[0], _maker_of(starts, link, select, value)


def _shared(case: Case, maker: Case | None) -> int:
    """Texts that the bodies of both hold."""
    if maker is None:
        return 0
    one, other = ({v for v in _texts(c) if not holds_token(v)} for c in (case, maker))
    return len(one & other)


def _texts(case: Case) -> Iterator[str]:
    try:
        body = read_body(case.request)
    except ValueError:
        return
    yield from (value for _, value in leaves(body) if isinstance(value, str) and value)


def _maker_of(starts: Starts, link: Link, select: Place, value: Any) -> Case | None:
    """The recorded request whose answer brought VALUE: what refers to it may repeat its words."""
    operation = starts.profile.operation(link.producer)
    for exchange_id in operation.exemplars if operation is not None else ():
        exchange = starts.exchanges.get(exchange_id)
        try:
            if exchange is not None and at(read_body(exchange.response), select.tokens) == value:
                cases = starts.replayer.cases([(exchange_id, exchange)])
                return cases[0] if cases and not cases[0].bindings else None
        except (LookupError, ValueError):
            continue
    return None


def _further(profile: Profile, starts: Starts, child: OperationProfile, row: Row) -> Case | None:
    """What is done most often to what CHILD, the last case of ROW, makes."""
    links = [link for link in profile.links if link.producer == child.id]
    for link in sorted(links, key=lambda link: -link.support):
        start = starts.of(link.consumer)
        if start is None or start.operation.operation.method in SAFE_METHODS or start.hollow:
            continue
        bound = [b for b in start.final.bindings if b.place.part == "path"]
        if link.place.part != "path" or len(bound) != 1 or len(start.final.bindings) != 1:
            continue
        last = len(row) - 1
        return replace(start.final, bindings=(replace(bound[0], step=last),))
    return None


def _twin(case: Case, count: int) -> Case:
    """CASE once more, about what the COUNT cases after the first ones make."""
    headers = tuple(
        (name, value[:-1] + ("0" if value[-1:] != "0" else "1"))
        if names_one_request(name) and value
        else (name, value)
        for name, value in case.request.headers
    )
    bindings = tuple(replace(b, step=b.step + count) for b in case.bindings)
    return replace(case, request=replace(case.request, headers=headers), bindings=bindings)


def _roles(operation: OperationProfile, usual: str) -> tuple[str, ...]:
    """The usual reader, and those who see less, as far as production let them in."""
    seen = [view.role for answer in operation.answers for view in answer.views]
    allowed = {
        role
        for role, statuses in operation.roles.items()
        if any(status.startswith("2") for status in statuses)
    }
    return tuple(dict.fromkeys((usual, *(role for role in seen if role in allowed))))[:ROLES_MAX]


def _reading(case: Case, role: str, query: Pairs) -> Case:
    """CASE as ROLE, for what QUERY asks for."""
    return replace(
        case,
        request=replace(case.request, query=query),
        role=role,
        bindings=tuple(b for b in case.bindings if b.place.part != "query"),
        origin=replace(case.origin, source="mutate", operator=OPERATOR),
        intent=Intent(),
        setup=False,
        recorded_status=0,
        recorded_reason="",
    )
