"""Operators that ask for the same once more: afterwards, at once, with one key or one version."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import is_json, read_body
from premortem.domain.conform import compiled
from premortem.domain.once import names_one_request
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import Kit, is_own, loose
from premortem.generate.shown import key_place
from premortem.generate.starts import Start
from premortem.generate.steps import Row, moved, tried, unkeyed

AT_ONCE = 3
"""Requests that are sent at once: two meet in most races, a third makes it likelier."""
CONTROLLED_STEPS_MAX = 12
"""A longer way to the state is not gone twice."""
SAME_KEY = "order same key"
KEY = "premortem-4f1c2a9be07d"
"""Made anew for each sequence, see `once`."""
VERSION_SEEN_MIN = 1
TIME_DIGITS_MIN = 9
"""A number this long is a time rather than a count of changes."""
_VERSION = Place(part="header", name="if-match")


def repeated(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """The same request twice. Reading what is one's own twice tells the same; what production
    refused the second time is to be refused; of the rest nothing is known but that the answer is
    to be sane."""
    row = kit.row(start)
    first = row.add(unkeyed(start.final))
    again = tried(start.final, kit.origin, operator="repeat", breaks="order repeated")
    intent = again.intent
    if start.final.request.method in SAFE_METHODS:
        # What all see, others may have changed in between.
        if is_own(start.final):
            intent = replace(intent, expects="same", against=first)
    elif start.operation.id in kit.shown.refused_again:
        intent = replace(intent, expects="refusal", certain=True, if_passed=first)
    yield row.ending(unkeyed(replace(again, intent=intent)))


def repeated_in_part(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """Half of it twice, then at once: what was refused as known already is refused as that, not
    because nothing was left."""
    case = halved(unkeyed(start.final), start.operation)
    if case is None or start.operation.id not in kit.shown.refused_as_known:
        return
    row = kit.row(start)
    first = row.add(loose(case))
    yield row.ending(
        tried(
            case,
            kit.origin,
            operator="repeat in part",
            breaks="order repeated",
            expects="refusal",
            certain=True,
            if_passed=first,
        )
    )
    yield _at_once(kit, kit.row(start), case, [case] * AT_ONCE)


def halved(case: Case, operation: OperationProfile) -> Case | None:
    """CASE with half of each number in its body; None where that is not to be had."""
    try:
        body = read_body(case.request)
    except ValueError:
        return None
    bound = {b.place.tokens for b in case.bindings if b.place.part == "body"}
    if not isinstance(body, dict) or not is_json(case.request.media_type):
        return None
    halves = {
        name: value // 2 if isinstance(value, int) else round(value / 2, 2)
        for name, value in body.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and (name,) not in bound
    }
    made = {**body, **halves}
    conformance = compiled(operation.request_schema)
    if not halves or made == body or (conformance and not conformance.is_valid(made)):
        return None
    return replace(case, request=replace(case.request, body=msgspec.json.encode(made)))


def repeated_with_key(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A retry under one key has no second effect, and is told what the first was told
    (draft-ietf-httpapi-idempotency-key-header-06, 2.6)."""
    case = keyed(start.final, start.operation)
    if case is None:
        return
    row = kit.row(start)
    first = row.add(loose(case))
    yield row.ending(
        tried(
            case,
            kit.origin,
            operator="repeat with one key",
            breaks=SAME_KEY,
            expects="same",
            against=first,
            if_passed=first,
        )
    )
    row = kit.row(start)
    first = len(row)
    group = tried(
        case,
        kit.origin,
        operator="at once with one key",
        breaks=SAME_KEY,
        expects="once",
        against=first,
    )
    yield row.at_once([loose(case), loose(case), group])


def at_once(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """Several times at one moment what may happen once.

    That it may is known from production, which refused a repetition; or it is tried out first, on
    another thing of the same kind: where the service itself refuses the second of two that follow
    each other, one of several at one moment is let through at most. So for two people who may
    both do it: whoever comes first leaves nothing to the other.
    """
    method = start.final.request.method
    if method in SAFE_METHODS | {"DELETE", "PUT", "OPTIONS"}:
        return
    case = unkeyed(start.final)
    others = [replace(case, role=role) for role in kit.others(start)]
    if start.operation.id in kit.shown.refused_again:
        yield _at_once(kit, kit.row(start), case, [case] * AT_ONCE)
        for other in others[:1]:
            yield _at_once(kit, kit.row(start), other, [case, other])
    elif len(start.setup) <= CONTROLLED_STEPS_MAX:
        yield _controlled(kit, start, case, case)
        for other in others[:1]:
            yield _controlled(kit, start, case, other, count=2)


def _at_once(
    kit: Kit,
    row: Row,
    last: Case,
    cases: list[Case],
    *,
    if_passed: int = -1,
    if_refused: int = -1,
) -> Sequence | None:
    first = len(row)
    end = tried(
        last,
        kit.origin,
        operator="at once",
        breaks="order at once",
        expects="once",
        against=first,
        if_passed=if_passed,
        if_refused=if_refused,
    )
    return row.at_once([*map(loose, cases[:-1]), end])


def _controlled(
    kit: Kit, start: Start, one: Case, other: Case, *, count: int = AT_ONCE
) -> Sequence | None:
    row = kit.row()
    row.instance(start, whole=False)
    passed = row.add(loose(one))
    refused = row.add(loose(other))
    moved_by = len(row)
    row.instance(start, whole=False)
    one, other = (moved(case, moved_by) for case in (one, other))
    cases = [one] * (count - 1) + [other]
    return _at_once(kit, row, other, cases, if_passed=passed, if_refused=refused)


def stale(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A change of a version that is not there (any more): it must not be carried out
    (RFC 9110, 13.1.1); and two changes of one version at once."""
    operation = start.operation
    if start.final.request.method in SAFE_METHODS or not _versioned(operation):
        return
    certain = any(answer.status == 412 and answer.count for answer in operation.answers)
    certain = certain or 412 in operation.declared
    headers = tuple(pair for pair in start.final.request.headers if pair[0] != _VERSION.name)
    tag = other_tag(start.final.request.header(_VERSION.name) or _told_tag(kit, operation))
    request = replace(start.final.request, headers=(*headers, (_VERSION.name, tag)))
    kept = tuple(b for b in start.final.bindings if b.place != _VERSION)
    yield kit.row(start).ending(
        tried(
            replace(start.final, request=request, bindings=kept),
            kit.origin,
            operator="stale version",
            breaks="order stale version",
            expects="refusal" if certain else "answer",
            certain=certain,
        )
    )
    if any(b.place == _VERSION for b in start.final.bindings):
        for other in islice(_others(kit, start), 1):
            yield _controlled(kit, start, start.final, other)


def _told_tag(kit: Kit, operation: OperationProfile) -> str:
    """An entity tag that production answered OPERATION with; empty: none."""
    for exchange_id in operation.exemplars:
        exchange = kit.exchanges.get(exchange_id)
        tag = exchange.response.header("etag") if exchange is not None else None
        if tag:
            return tag
    return ""


def _versioned(operation: OperationProfile) -> bool:
    """Whether it is known to look at `If-Match`."""
    seen = sum(f.seen for f in operation.fields if f.place == _VERSION)
    declared = any(place.lower() == str(_VERSION) for place in operation.parameter_schemas)
    return seen >= VERSION_SEEN_MIN or declared


def _others(kit: Kit, start: Start) -> Iterator[Case]:
    """START's own request with what production sent another time."""
    for exchange_id in start.operation.exemplars:
        exchange = kit.exchanges.get(exchange_id)
        if exchange is None or exchange.response.status >= 400:
            continue
        if exchange.request.body and exchange.request.body != start.final.request.body:
            request = replace(start.final.request, body=exchange.request.body)
            kept = tuple(b for b in start.final.bindings if b.place.part != "body")
            yield replace(start.final, request=request, bindings=kept)


def other_tag(tag: str) -> str:
    """An entity tag that looks like TAG and names no version there is (RFC 9110, 8.8.3).

    Of a time an earlier one, as some services take a later one for agreement; of a count one that
    is far from its beginning.
    """
    digits = tag.strip('"')
    if not digits.isdigit():
        return '"premortem-0"'
    earlier = "1" + "0" * (len(digits) - 1)
    return tag.replace(digits, earlier if len(digits) >= TIME_DIGITS_MIN else "999999999")


def keyed(case: Case, operation: OperationProfile) -> Case | None:
    """CASE under a key that names the request, where the operation knows such keys."""
    if case.request.method in SAFE_METHODS:
        return None
    if _has_key(case):
        return case
    places = [f.place for f in operation.fields if f.place.part == "header"]
    declared = [p.partition(":")[2] for p in operation.parameter_schemas if p[:7] == "header:"]
    names = [name for name in (*(p.name for p in places), *declared) if names_one_request(name)]
    if not names:
        return None
    headers = (*case.request.headers, (names[0].lower(), KEY))
    return replace(case, request=replace(case.request, headers=headers))


def _has_key(case: Case) -> bool:
    return key_place(case.request) is not None
