"""Bodies from a schema: at every limit, in every alternative, with each constraint broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.places import body_place
from premortem.domain.references import says_reference
from premortem.domain.run import Case, Intent
from premortem.domain.shape import type_of
from premortem.domain.traffic import Field, OperationProfile, Request
from premortem.generate.alteration import Alteration
from premortem.generate.breaks import Break, Schema
from premortem.generate.columns import EXACT_MAX
from premortem.generate.faults import NEAR_ZERO, Change, at_limits, broken
from premortem.generate.filler import NOTHING, Filler, read_only
from premortem.generate.parts import content_type_for
from premortem.generate.payload import bindings_outside, media_type_for, read_value, write_value
from premortem.generate.walk import Put, Spot, put, spots, without

PER_AIM_MAX = 3
"""Ways kept to break one keyword at one place, or to reach one limit."""
ALWAYS_SEEN_MIN = 5
"""Requests that all have a member before leaving it out counts as unlike production."""
EVIDENCE_MIN = 20
"""Requests from which a learned regularity is taken for a constraint."""
FORMATS_NOTICED = frozenset({"date", "date-time", "uuid", "email", "ipv4"})
"""Formats that services are expected to enforce; JSON Schema (2020-12, 7.2.1) makes all of them
annotations unless said otherwise."""


_NUMERIC = frozenset({"integer", "number"})
encode = msgspec.json.Encoder().encode
Aims = dict[tuple[tuple[str, ...], Break | str], set[int]]
"""(place, what is broken or reached) -> the steps that do it."""


class Bodies(Struct, frozen=True, kw_only=True):
    """What is known of one operation's bodies."""

    operation: OperationProfile
    schema: Schema
    filler: Filler
    kept: frozenset[tuple[str, ...]]
    """Pointers (`*` for items) of values that name things that are there."""
    tied: frozenset[tuple[str, ...]]
    """Pointers of values that a learned rule ties to others."""
    limits: Mapping[tuple[str, ...], float]
    """Numbers above which a value may be too much for the state that the setup makes."""
    needed: bool
    """The body must be there."""
    parallel: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    """(object, its members that are equally long arrays)."""

    @property
    def declared(self) -> bool:
        """The specification says what a body looks like, not only traffic."""
        return self.operation.request_source == "spec"


class _Step(Struct, frozen=True, kw_only=True):
    """A change, and what leads up to it."""

    lead: tuple[Put, ...]
    change: Change

    @property
    def touched(self) -> list[tuple[str, ...]]:
        """Pointers of what is no longer as it was."""
        return [at for at, _, always in self.lead if always] + [self.change.at]


def body_alterations(bodies: Bodies, base: Case) -> Iterator[Iterable[Alteration]]:
    """Everything that can be done to bodies like BASE's, place by place."""
    try:
        value = read_value(base.request, bodies.schema.shape)
    except ValueError:
        return
    if value is not NOTHING and not bodies.schema.is_valid(value):
        return
    yield list(_whole_body(bodies, value))
    aims: Aims = {}
    for spot in spots(bodies.schema.shape, value, bodies.filler):
        yield _at_spot(bodies, spot, aims)


def _whole_body(bodies: Bodies, value: Any) -> Iterator[Alteration]:
    for step in _wholes(bodies, value):
        yield Alteration(rank=0, alter=_altering(bodies, step, {}))
    if bodies.needed and bodies.declared:
        yield Alteration(rank=0, alter=_no_body)


def _at_spot(bodies: Bodies, spot: Spot, aims: Aims) -> Iterator[Alteration]:
    done: set[tuple[object, ...]] = set()
    limits = (c for c in at_limits(spot, bodies.filler) if _realistic(bodies, spot, c))
    for change in chain(broken(spot, bodies.filler), limits):
        same = (change.at, change.drop, encode(change.value), change.keyword)
        if same not in done:
            done.add(same)
            step = _Step(lead=spot.lead, change=change)
            yield Alteration(rank=change.rank, alter=_altering(bodies, step, aims))


def _meant(found: frozenset[Break], change: Change) -> bool:
    """Whether what was FOUND broken is what CHANGE is meant to break, and nothing else."""
    if not change.keyword:
        return not found
    if len(found) != 1:
        return False
    (one,) = found
    if one.keyword == change.keyword:
        return one.at in (change.at, change.at[:-1])
    return one.keyword in ("anyOf", "oneOf") and change.at[: len(one.at)] == one.at


def _done(start: Any, change: Change) -> Any:
    if change.drop:
        return without(start, change.at)
    return put(start, [(change.at, change.value, True)])


def _realistic(bodies: Bodies, spot: Spot, change: Change) -> bool:
    """Whether the profile, too, would let the valid CHANGE pass.

    Names of things that are there, values tied to others by a rule, and closed sets that
    production showed stay; references that nobody ever sent are not made up, nor numbers that
    readers of JSON need not agree on (RFC 8259, 6).
    """
    generic = tuple("*" if token.isdigit() else token for token in spot.at)
    for held in (*bodies.kept, *bodies.tied):
        if held[: len(generic)] == generic or generic[: len(held)] == held:
            return False
    value = change.value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and (value > bodies.limits.get(change.at, value) or abs(value) > EXACT_MAX):
        return False
    field = _field(bodies, generic)
    if number and change.operator in NEAR_ZERO and field is not None and field.numbers is not None:
        least, most = field.numbers.quantiles[0], field.numbers.quantiles[-1]
        if not least <= value <= most:
            return False  # nothing is declared, but production kept to one side of it
    if not change.drop and value is None and _never_emptied(bodies, generic):
        return False
    if change.drop and _always(bodies, tuple("*" if t.isdigit() else t for t in change.at)):
        return False
    if not change.drop and _never_so(field if change.at == spot.at else None, change.value):
        return False
    if "enum" in spot.branch or "const" in spot.branch or change.drop or change.value is None:
        return True
    if field is not None and field.enumeration and isinstance(change.value, str):
        return False
    name = next((t for t in reversed(generic) if t != "*"), "")
    text = isinstance(change.value, str | int | list) and not isinstance(change.value, bool)
    return not (text and (says_reference(name) or spot.branch.get("format") == "uuid"))


def _always(bodies: Bodies, generic: tuple[str, ...]) -> bool:
    """Whether production never left out what stands there, though it could have."""
    field = _field(bodies, generic)
    return field is not None and field.presence >= 1 and field.seen >= ALWAYS_SEEN_MIN


def _never_so(field: Field | None, value: Any) -> bool:
    """Whether production, which sent FIELD often, never sent a value of VALUE's type."""
    if field is None or field.seen < ALWAYS_SEEN_MIN or field.redacted:
        return False
    kind = type_of(value)
    return kind not in field.types and not (kind in _NUMERIC and _NUMERIC & field.types.keys())


def _never_emptied(bodies: Bodies, generic: tuple[str, ...]) -> bool:
    """Whether what is changed shows a value there in every answer: null would take it away."""
    if bodies.operation.operation.method not in ("PUT", "PATCH") or not generic:
        return False
    answered = (f for a in bodies.operation.answers if 200 <= a.status < 300 for f in a.fields)
    shown = [f.types for f in answered if f.place.tokens[-len(generic) :] == generic]
    return bool(shown) and not any("null" in types for types in shown)


def _field(bodies: Bodies, generic: tuple[str, ...]) -> Field | None:
    return next(
        (f for f in bodies.operation.fields if f.place == body_place(*generic)),
        None,
    )


def _wholes(bodies: Bodies, value: Any) -> Iterator[_Step]:
    """The body with every member that may be there, and with none that need not."""
    shape = bodies.schema.shape
    root = value if isinstance(value, dict) else {}
    if () in bodies.kept:
        return
    optional = [n for n in shape.names if n not in shape.required]
    fewest = {
        name: item
        for name, item in root.items()
        if name in shape.required or (name,) in bodies.kept or _always(bodies, (name,))
    }
    most = dict(root)
    for name in optional:
        member = shape.member(name)
        if name not in most and member is not None and not read_only(member):
            made = bodies.filler.value(member, (name,))
            used = bodies.operation.count >= ALWAYS_SEEN_MIN
            invented = (used or says_reference(name)) and _field(bodies, (name,)) is None
            if made is not NOTHING and not invented:
                most[name] = made
    for made, operator in ((fewest, "nothing optional"), (most, "everything optional")):
        if isinstance(value, dict) and made and made != root and bodies.schema.is_valid(made):
            change = Change(at=(), value=made, operator=operator, rank=0)
            yield _Step(lead=(), change=change)


def _altering(bodies: Bodies, step: _Step, aims: Aims) -> Callable[[Case], Case | None]:
    """Makes a case with STEP done to its body, if that does what it is meant to."""
    change = step.change
    operator = f"{change.operator} at {body_place(*change.at)}"

    def alter(base: Case) -> Case | None:
        media_type = base.request.media_type or media_type_for(bodies.operation)
        body = _changed_body(bodies, base, step, media_type) if media_type else None
        if not body:  # an emptied form is no request any more that says something
            return None
        request = replace(base.request, body=body, headers=_typed(base.request, media_type))
        found = bodies.schema.breaks(read_value(request, bodies.schema.shape))
        if not _meant(found, change) or (not found and body == b"{}"):
            return None
        ways = aims.setdefault((change.at, next(iter(found), change.operator)), set())
        if len(ways) >= PER_AIM_MAX and id(step) not in ways:
            return None
        ways.add(id(step))
        bindings = base.bindings
        for at in step.touched:
            if at or found:
                bindings = bindings_outside(bindings, at)
        return replace(
            base,
            request=request,
            bindings=bindings,
            intent=_intent(bodies, change, next(iter(found))) if found else Intent(),
            origin=replace(base.origin, operator=operator),
        )

    return alter


def _changed_body(bodies: Bodies, base: Case, step: _Step, media_type: str) -> bytes | None:
    """BASE's body with STEP done; None where it cannot be done, or changes nothing."""
    try:
        value = read_value(base.request, bodies.schema.shape)
    except ValueError:
        return None
    start = put(value, step.lead)
    changed = _done(start, step.change) if start is not NOTHING else NOTHING
    if not step.change.keyword and changed is not NOTHING:
        changed = _evened(bodies, changed)
    if changed is NOTHING or (changed == value and encode(changed) == encode(value)):
        return None
    return write_value(changed, media_type, base.request)


def _evened(bodies: Bodies, value: Any) -> Any:
    """VALUE with arrays that production never sent as long as those beside them, where those are
    always equally long."""
    for at, names in bodies.parallel:
        here = _object_at(value, at)
        sizes = {len(here[n]) for n in names if isinstance(here.get(n), list)}
        for name, items in here.items() if len(sizes) == 1 else ():
            invented = name not in names and _field(bodies, (*at, name)) is None
            if invented and isinstance(items, list) and items:
                (size,) = sizes
                value = put(value, [((*at, name), (items * size)[:size], True)])
    return value


def _object_at(value: Any, at: tuple[str, ...]) -> dict[str, Any]:
    for key in at:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _typed(request: Request, media_type: str) -> tuple[tuple[str, str], ...]:
    if request.media_type:
        return request.headers
    return (*request.headers, ("content-type", content_type_for(media_type)))


def _no_body(base: Case) -> Case | None:
    if not base.request.body:
        return None
    place = body_place()
    return replace(
        base,
        request=replace(base.request, body=b""),
        bindings=bindings_outside(base.bindings, ()),
        intent=Intent(
            kind="adversarial",
            breaks=f"{place} required",
            place=place,
            expects="refusal",
            certain=True,
        ),
        origin=replace(base.origin, operator="no body"),
    )


def _intent(bodies: Bodies, change: Change, found: Break) -> Intent:
    place = body_place(*found.at)
    keyword = found.keyword
    noticed = keyword != "format" or change.operator.removeprefix("format ") in FORMATS_NOTICED
    certain = bodies.declared and noticed
    evident = bodies.declared or _evident(bodies, found)
    return Intent(
        kind="adversarial",
        breaks=f"{place} {keyword}",
        place=place,
        expects="refusal" if evident else "answer",
        certain=certain,
    )


def _evident(bodies: Bodies, found: Break) -> bool:
    """Whether traffic itself says that a service should refuse this."""
    generic = tuple("*" if token.isdigit() else token for token in found.at)
    field = _field(bodies, generic)
    if field is None or field.seen < EVIDENCE_MIN:
        return False
    return found.keyword == "type" or (found.keyword == "required" and field.presence >= 1)


def pointers(values: Sequence[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """VALUES' concrete pointers with `*` for indexes."""
    return frozenset(tuple("*" if t.isdigit() else t for t in at) for at in values)
