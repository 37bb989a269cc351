"""Sequences that try what was stated of the order of requests and of who sends them (`Stated`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import text_of
from premortem.domain.run import Case, Intent, Origin, Sequence
from premortem.domain.stated import PREFIX, Stated, StatedRules
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_again import halved
from premortem.generate.probe import reader_of
from premortem.generate.replay import UNKNOWN
from premortem.generate.starts import Start, Starts
from premortem.generate.steps import Row, tried, unkeyed

OPERATOR = "rule"
"""Of the origin of these cases."""
WHO_MAX = 3
"""Roles that try one rule."""
ZONES_MAX = 2
FAR_DAY = datetime(2031, 5, 17, tzinfo=UTC)
"""A day on which nothing else happens, where the target can be told the time."""


def ruled(starts: Starts, stated: StatedRules, operation_id: str) -> Iterator[Sequence]:
    """Sequences whose last request is of OPERATION_ID and tries one of the rules STATED."""
    for rule in stated.rules:
        start = starts.of(rule.operation)
        if rule.final != operation_id or start is None or start.hollow:
            continue
        for made in _WAYS[rule.kind](starts, start, rule, stated):
            if made is not None:
                yield made


def _once(starts: Starts, start: Start, rule: Stated, _: StatedRules) -> Iterator[Sequence | None]:
    half = halved(unkeyed(start.final), start.operation)
    # Of halves the second is refused as known already, and not because nothing was left.
    for case in (half, start.final) if half is not None else (start.final,):
        row = Row(starts, start.setup)
        first = row.add(_plain(unkeyed(case)))
        yield row.ending(_last(starts, case, rule, if_passed=first))


def _after(starts: Starts, start: Start, rule: Stated, _: StatedRules) -> Iterator[Sequence | None]:
    other = starts.of(rule.other)
    if other is None or other.hollow:
        return
    row = Row(starts, start.setup)
    move = row.on_same(other, through=start.final)
    if move is None or any(b.step >= len(row) for b in move.bindings):
        return
    moved = row.add(_plain(unkeyed(move)))
    yield row.ending(_last(starts, start.final, rule, if_passed=moved))


def _four_eyes(
    starts: Starts, start: Start, rule: Stated, _: StatedRules
) -> Iterator[Sequence | None]:
    index = _step(start, rule.other)
    if index is None:
        return
    both = _passing(starts, start.operation) & _passing(starts, _operation(starts, rule.other))
    for role in sorted(both)[:WHO_MAX]:
        row = Row(starts, start.setup)
        row.cases[index] = replace(row.cases[index], role=role)
        yield row.ending(_last(starts, replace(start.final, role=role), rule, if_passed=index))


def _owner(starts: Starts, start: Start, rule: Stated, _: StatedRules) -> Iterator[Sequence | None]:
    index = _step(start, rule.other)
    if index is None:
        return
    maker = start.setup[index].role
    others = _roles(starts) - {maker}
    may = _passing(starts, start.operation)
    for role in sorted(others, key=lambda role: (role not in may, role))[:WHO_MAX]:
        row = Row(starts, start.setup)
        yield row.ending(_last(starts, replace(start.final, role=role), rule, if_passed=index))


def _entry(starts: Starts, start: Start, rule: Stated, _: StatedRules) -> Iterator[Sequence | None]:
    reading = starts.of(rule.other)
    if reading is None:
        return
    row = Row(starts, start.setup)
    change = unkeyed(start.final)
    look = reader_of(row, reading, rule.query, change)
    if look is None:
        return
    before = row.add(_plain(look))
    row.add(_plain(change))
    yield row.ending(_last(starts, look, rule, expects_refusal=False, against=before))


def _day(
    starts: Starts, start: Start, rule: Stated, stated: StatedRules
) -> Iterator[Sequence | None]:
    change = starts.of(rule.other)
    if change is None or change.hollow:
        return
    zones = _zones(start.operation, rule.zone)
    for zone, moment in _apart(zones, stated)[:ZONES_MAX]:
        headers: tuple[tuple[str, str], ...] = ()
        if stated.clock_header:
            headers = ((stated.clock_header.lower(), moment.isoformat(timespec="seconds")),)
        row = Row(starts, change.setup)
        looks = [
            _asking(start.final, rule, moment.astimezone(where).date().isoformat(), name, headers)
            for name, where in (("UTC", UTC), (zone.key, zone))
        ]
        if "UTC" not in zones:
            looks[0] = looks[1]
        row.add(_plain(looks[0]))
        before = row.add(_plain(looks[1]))
        done = unkeyed(change.final)
        request = replace(done.request, headers=(*done.request.headers, *headers))
        moved = row.add(_plain(replace(done, request=request)))
        row.add(_plain(looks[0]))
        yield row.ending(
            _last(starts, looks[1], rule, expects_refusal=False, against=before, if_passed=moved)
        )


_WAYS: Mapping[str, Callable[[Starts, Start, Stated, StatedRules], Iterator[Sequence | None]]] = {
    "once": _once,
    "never after": _after,
    "never by who did": _four_eyes,
    "only by who did": _owner,
    "entry": _entry,
    "day": _day,
}


def _last(
    starts: Starts,
    case: Case,
    rule: Stated,
    *,
    expects_refusal: bool = True,
    against: int = -1,
    if_passed: int = -1,
) -> Case:
    origin = Origin(source="mutate", profile_version=starts.profile.version)
    return unkeyed(
        tried(
            case,
            origin,
            operator=OPERATOR,
            breaks=PREFIX + rule.told,
            expects="refusal" if expects_refusal else "answer",
            against=against,
            certain=rule.certain,
            if_passed=if_passed,
        )
    )


def _plain(case: Case) -> Case:
    """CASE as a step whose answer nobody foretells."""
    intent = Intent(kind="adversarial", breaks="order", expects="answer")
    return replace(case, intent=intent, recorded_status=0, recorded_reason="")


def _step(start: Start, operation_id: str) -> int | None:
    """Which case of START's setup is of OPERATION_ID; the last one."""
    found = (i for i, case in enumerate(start.setup) if case.operation_id == operation_id)
    return max(found, default=None)


def _operation(starts: Starts, operation_id: str) -> OperationProfile | None:
    return starts.profile.operation(operation_id)


def _passing(starts: Starts, operation: OperationProfile | None) -> set[str]:
    """Roles that may do OPERATION, as production showed it or the specification says."""
    if operation is None:
        return set()
    seen = {r for r, statuses in operation.roles.items() if any(s < "4" for s in statuses)}
    return (seen | set(operation.allowed_roles)) & _roles(starts)


def _roles(starts: Starts) -> set[str]:
    known = {role for operation in starts.profile.operations for role in operation.roles}
    return known - {"", UNKNOWN}


def _asking(
    case: Case, rule: Stated, day: str, zone: str, headers: tuple[tuple[str, str], ...]
) -> Case:
    kept = tuple(p for p in case.request.query if p[0] not in (rule.day, rule.zone))
    query = (*kept, (rule.day, day), (rule.zone, zone))
    request = replace(case.request, query=query, headers=(*case.request.headers, *headers))
    return replace(case, request=request)


def _zones(operation: OperationProfile, name: str) -> list[str]:
    """Values of the parameter NAME that the specification or production knows."""
    found: list[str] = []
    for field in operation.fields:
        if field.place.part == "query" and field.place.name == name and not field.redacted:
            found += [text_of(msgspec.json.decode(text)) for text, _ in field.values]
    document = operation.parameter_schemas.get(f"query:{name}", "")
    if document:
        found += _members(msgspec.json.decode(document))
    return list(dict.fromkeys(found)) or ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"]


def _members(schema: object) -> list[str]:
    """Texts of any `enum` within SCHEMA."""
    if isinstance(schema, list):
        return [text for part in schema for text in _members(part)]
    if not isinstance(schema, dict):
        return []
    own = schema.get("enum")
    here = [text for text in own if isinstance(text, str)] if isinstance(own, list) else []
    return here + [t for name, part in schema.items() if name != "enum" for t in _members(part)]


def _apart(zones: list[str], stated: StatedRules) -> list[tuple[ZoneInfo, datetime]]:
    """Zones with a moment at which the day there is another than in UTC."""
    found: list[tuple[ZoneInfo, datetime]] = []
    for name in zones:
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        moment = datetime.fromtimestamp(stated.now, UTC)
        if stated.clock_header:
            offset = FAR_DAY.astimezone(zone).utcoffset() or timedelta()
            moment = FAR_DAY + (
                timedelta(minutes=1410) if offset > timedelta() else timedelta(minutes=30)
            )
        if moment.astimezone(zone).date() != moment.date():
            found.append((zone, moment))
    return found
