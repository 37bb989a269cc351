"""Every place that a schema speaks of, each with a value in which it is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from premortem.domain.shape import Branch, Shape, types_of
from premortem.generate.filler import DEPTH_MAX, NOTHING, Filler, natural, read_only

SPOTS_MAX = 600
"""Places of one schema, counted per alternative."""
ALTERNATIVES_MAX = 12
"""Alternatives followed at one place."""
MAP_KEY = "key1"

Put = tuple[tuple[str, ...], Any, bool]
"""(concrete pointer, value, whether it replaces what is there)."""


class Spot(Struct, frozen=True, kw_only=True):
    """One alternative of what may stand at one place."""

    at: tuple[str, ...]
    branch: Branch
    shape: Shape
    """All alternatives of the place."""
    here: Any
    """What stands there once `lead` is done; valid."""
    lead: tuple[Put, ...] = ()
    """What has to be put into a value first so that the place is there, as this alternative."""
    optional: bool = False
    """A member that may be left out."""
    chosen: bool = False
    """`lead` replaced a value of another alternative here."""


def spots(shape: Shape, value: Any, filler: Filler) -> Iterator[Spot]:
    """The places of SHAPE, outermost first, seen from the valid VALUE; NOTHING: there is none."""
    open_: deque[Spot] = deque()
    open_ += _alternatives((), shape, value, (), filler, optional=False)
    given = 0
    while open_ and given < SPOTS_MAX:
        spot = open_.popleft()
        yield spot
        given += 1
        if len(open_) < SPOTS_MAX and len(spot.at) < DEPTH_MAX:
            open_ += _below(spot, filler)


def _alternatives(
    at: tuple[str, ...],
    shape: Shape,
    here: Any,
    lead: tuple[Put, ...],
    filler: Filler,
    *,
    optional: bool,
) -> Iterator[Spot]:
    for branch in shape.branches[:ALTERNATIVES_MAX]:
        if here is not NOTHING and filler.fits(branch, here) and natural(branch, here):
            yield Spot(at=at, branch=branch, shape=shape, here=here, lead=lead, optional=optional)
            continue
        made = filler.of(branch, at)
        if made is not NOTHING:
            yield Spot(
                at=at,
                branch=branch,
                shape=shape,
                here=made,
                lead=(*lead, (at, made, here is not NOTHING or not at)),
                optional=optional,
                chosen=here is not NOTHING,
            )


def _below(spot: Spot, filler: Filler) -> Iterator[Spot]:
    own = Shape(spot.branch, filler.root)
    if isinstance(spot.here, dict):
        yield from _members(spot, own, filler)
    elif isinstance(spot.here, list) and "array" in types_of(spot.branch):
        inner = own.items
        first = len(spot.branch.get("prefixItems", ()))
        for index, fixed in enumerate(spot.branch.get("prefixItems", ())[: len(spot.here)]):
            at = (*spot.at, str(index))
            member = Shape(fixed, filler.root)
            yield from _alternatives(
                at, member, spot.here[index], spot.lead, filler, optional=False
            )
        if inner is None:
            return
        lead = spot.lead
        if len(spot.here) > first:
            item = spot.here[first]
        else:
            item = filler.value(inner, (*spot.at, "*"))
            if item is NOTHING or len(spot.here) < first:
                return
            lead = (*lead, (spot.at, [*spot.here, item], True))
        at = (*spot.at, str(first))
        yield from _alternatives(at, inner, item, lead, filler, optional=False)


def _members(spot: Spot, own: Shape, filler: Filler) -> Iterator[Spot]:
    names = list(own.names)
    if not names:
        extra = own.member(MAP_KEY)
        if extra is not None:
            names = [next(iter(spot.here), MAP_KEY)]
    for name in names:
        member = own.member(name)
        if member is None or read_only(member):
            continue
        here = spot.here.get(name, NOTHING)
        yield from _alternatives(
            (*spot.at, name),
            member,
            here,
            spot.lead,
            filler,
            optional=name not in spot.branch.get("required", ()),
        )


def put(value: Any, puts: Sequence[Put]) -> Any:
    """A copy of VALUE with PUTS done in order; NOTHING where one has no place to stand."""
    for at, item, always in puts:
        value = _put(value, at, item, always=always)
        if value is NOTHING:
            return NOTHING
    return value


def _put(value: Any, at: tuple[str, ...], item: Any, *, always: bool) -> Any:
    if not at:
        return item if always or value is NOTHING else value
    key, rest = at[0], at[1:]
    if isinstance(value, dict):
        if not rest:
            return value if key in value and not always else {**value, key: item}
        if key not in value:
            return NOTHING
        inner = _put(value[key], rest, item, always=always)
        return NOTHING if inner is NOTHING else {**value, key: inner}
    if isinstance(value, list) and key.isdigit() and int(key) < len(value):
        index = int(key)
        inner = item if not rest else _put(value[index], rest, item, always=always)
        if inner is NOTHING or (not rest and not always):
            return value if inner is not NOTHING else NOTHING
        return [*value[:index], inner, *value[index + 1 :]]
    return NOTHING


def without(value: Any, at: tuple[str, ...]) -> Any:
    """A copy of VALUE without the member AT; NOTHING where it is not there."""
    key, rest = at[0], at[1:]
    if isinstance(value, dict) and key in value:
        if not rest:
            return {name: item for name, item in value.items() if name != key}
        inner = without(value[key], rest)
        return NOTHING if inner is NOTHING else {**value, key: inner}
    if isinstance(value, list) and rest and key.isdigit() and int(key) < len(value):
        inner = without(value[int(key)], rest)
        index = int(key)
        return NOTHING if inner is NOTHING else [*value[:index], inner, *value[index + 1 :]]
    return NOTHING
