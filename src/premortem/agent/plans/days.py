"""A day cut in a time zone: what happens shortly after its midnight counts in that day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.draft import Draft
from premortem.agent.planning.expectation import Expectation, success_status
from premortem.agent.planning.observation import good_answer
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.edges import closed_list
from premortem.agent.plans.ground import Ground, as_role, is_meant, say_outcome, to_scenario
from premortem.agent.plans.ways import start_of
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.inputs import InputField, input_fields, resolved
from premortem.agent.understanding.words import singular, stems, tokens
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Scenario
from premortem.domain.shape import read_shape
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import loose
from premortem.generate.starts import Start
from premortem.generate.steps import moved, unkeyed

NOON, AFTER_MIDNIGHT, BEFORE_MIDNIGHT = time(12), time(0, 30), time(23, 30)
ZONES_MAX = 100
"""Zones of one closed list that are looked at."""
_ZONE = frozenset(stems("zone timezone tz"))
_DAY = frozenset(stems("day date"))


class _Cut(Struct, frozen=True, kw_only=True):
    """A reading of what happened in a day, and how its request says which."""

    day: str
    """The query parameter that holds the day."""
    zone_name: str
    """The one that holds the zone."""
    zone: str


class _Counted(Struct, frozen=True, kw_only=True):
    """What the reading counts."""

    field: str
    """At the top of its answer."""
    done: Start
    """What makes one more of it."""


def cut_in_zone(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """One made at noon counts, as a control; one made half an hour into the day has to, too.

    Nothing, where no request says both a day and a zone, or nothing tells what is counted.
    """
    cut = _cut(ground, operation)
    counted = _counted(ground, operation) if cut is not None else None
    if cut is None or counted is None:
        return
    setup = (*counted.done.setup, counted.done.final)
    size = len(setup)
    first = tuple(unkeyed(loose(case)) for case in setup)
    second = tuple(moved(unkeyed(loose(case)), size) for case in setup)
    (read,) = as_role((reached.cases[-1],), ground)
    draft = Draft((*first, *second, read))
    zone = ZoneInfo(cut.zone)
    day = _day(ground)
    before = f"{counted.field}_before"
    for number, (at, on) in enumerate(((NOON, day), (_edge(zone, day), day + timedelta(days=1)))):
        start = number * size
        draft.add("Given", text("time_set", _moment(on, at, zone)))
        for index in range(start, start + size - 1):
            draft.setup(index)
        query: dict[str, str | None] = {cut.day: on.isoformat(), cut.zone_name: cut.zone}
        draft.request("Given", 2 * size, query=query)
        draft.add("Given", text("save", f"/{counted.field}", before))
        draft.request("Given", start + size - 1)
        draft.request("When" if number else "Given", 2 * size, query=query)
        more = text("holds", f"{counted.field} == ${{{before}}} + 1")
        if not number:
            draft.add("Given", more)
            continue
        expected = _expected(operation, counted, cut)
        say_outcome(draft, expected)
        draft.add("Then", more)
        said = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
        title = said or state_titles.cut_day(operation, cut.zone)
        yield to_scenario(ground, operation, draft, expected, title)


def _expected(operation: OperationProfile, counted: _Counted, cut: _Cut) -> Expectation:
    made = titles.happens(counted.done.operation)
    return Expectation(
        status=success_status(operation),
        because=f"{cut.day} is a day in {cut.zone_name}: what comes shortly after its midnight "
        f"counts in it, as it does at noon ({made})",
        source="specification" if operation.in_spec else "convention",
    )


def _cut(ground: Ground, operation: OperationProfile) -> _Cut | None:
    if operation.operation.method not in SAFE_METHODS or "{" in operation.operation.template:
        return None
    query = [f for f in input_fields(operation) if f.place.part == "query"]
    zones = [f for f in query if set(f.stems) & _ZONE]
    days = [f for f in query if f not in zones and _is_day(f)]
    if len(days) != 1 or not zones:
        return None
    zone = _zone(ground, zones[0], _day(ground))
    return _Cut(day=days[0].name, zone_name=zones[0].name, zone=zone) if zone else None


def _is_day(field: InputField) -> bool:
    form = resolved(field.schema, field.root).get("format") or field.constraints.get("format")
    return form == "date" or (form is None and bool(set(field.stems) & _DAY))


def _zone(ground: Ground, field: InputField, day: date) -> str:
    """The zone that the question names, else the one farthest from UTC that may be asked for."""
    closed = [z for z in closed_list(field) if isinstance(z, str)][:ZONES_MAX]
    known = closed or ["Asia/Tokyo", str(field.usual or "")]
    apart = {z: abs(offset) for z in known if (offset := _offset_h(z, day))}
    said = set(tokens(ground.understood.prompt))
    named = [z for z in apart if set(tokens(z.rpartition("/")[2])) <= said]
    others = [z for z in apart if z != field.usual] or list(apart)
    return max(named or others, key=lambda z: apart[z], default="")


def _offset_h(zone: str, day: date) -> float:
    """Hours that ZONE is ahead of UTC on DAY; 0: none, or no such zone."""
    try:
        offset = datetime.combine(day, NOON, ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return 0.0
    return offset.total_seconds() / 3600 if offset is not None else 0.0


def _day(ground: Ground) -> date:
    """A day of production's: what was recorded fits it."""
    last = ground.profile.timing.last_at or ground.profile.created_at
    return datetime.fromtimestamp(last, UTC).date()


def _edge(zone: ZoneInfo, day: date) -> time:
    """The time of a local day at which it is another day in UTC."""
    return AFTER_MIDNIGHT if _offset_h(zone.key, day) > 0 else BEFORE_MIDNIGHT


def _moment(day: date, at: time, zone: ZoneInfo) -> str:
    return datetime.combine(day, at, zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _counted(ground: Ground, operation: OperationProfile) -> _Counted | None:
    """A whole number at the top of OPERATION's answer that is called as what a POST makes."""
    numbers = _numbers(operation)
    for other in ground.profile.operations:
        template = split_template(other.operation.template)
        last = template[-1] if template else "{"
        if other.operation.method != "POST" or "{" in last:
            continue
        noun = {singular(word) for word in tokens(last)}
        for name in numbers:
            if {singular(word) for word in tokens(name)} - {"count", "number"} == noun:
                start = start_of(ground, other)
                if start is not None and _is_plain(start.final):
                    return _Counted(field=name, done=start)
    return None


def _is_plain(case: Case) -> bool:
    return all(binding.select.part == "body" for binding in case.bindings)


def _numbers(operation: OperationProfile) -> list[str]:
    """Names of the whole numbers at the top of a good answer."""
    answer = good_answer(operation)
    if answer is None:
        return []
    seen = [f for f in answer.fields if f.place.part == "body" and len(f.place.tokens) == 1]
    found = [f.place.tokens[0] for f in seen if set(f.types) == {"integer"}]
    shape = read_shape(answer.schema)
    for name in shape.names if shape is not None and not found else ():
        member = shape.member(name) if shape is not None else None
        if member is not None and member.types <= {"integer"} and member.types:
            found.append(name)
    return [name for name in found if name.isidentifier()]
