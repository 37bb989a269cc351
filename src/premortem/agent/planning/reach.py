"""How to get to the request in question: production's own way, one pieced together from it, or
one that the specification alone tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from premortem.agent.planning import titles
from premortem.agent.planning.declared import SETUP_MAX, declared_way, made_body
from premortem.agent.understanding.words import stems
from premortem.domain.bodies import at, read_body
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Binding, Case, Origin
from premortem.domain.template import encode_segment, parameter_names, split_path, split_template
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Recipe, Request
from premortem.generate.payload import media_type_for
from premortem.generate.replay import recipe_cases

_WITHDRAWS = frozenset(stems("cancel withdraw retract recall delete"))
"""What somebody does to what they made themselves."""


class Reached(Struct, frozen=True, kw_only=True):
    """Requests in order; the last one is the operation's own, all before bring its state about."""

    cases: tuple[Case, ...]
    recorded: bool
    """Production went exactly this way."""


def reach(
    operation: OperationProfile,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    roles: Sequence[str] = (),
    unnamed: bool = False,
) -> Reached | str:
    """The way to a request of OPERATION that works, or why there is none.

    ROLES: the configured ones, for what nobody was seen doing. UNNAMED: what its path names need
    not be there; the request is to be about what is not.
    """
    for recipe in _by_success(operation):
        cases = recipe_cases(recipe, exchanges, profile)
        if cases and recipe.status < 300:
            return Reached(cases=cases, recorded=True)
    pieced = _pieced(operation, profile, exchanges)
    if pieced is not None:
        return pieced
    declared = declared_way(operation, profile, roles=roles, unnamed=unnamed)
    if not isinstance(declared, str):
        cases = _as_recorded(declared, profile, exchanges, roles)
        return Reached(cases=cases, recorded=False)
    if operation.recipes:
        return f"the recorded way to it cannot be repeated, and {declared}"
    return f"no captured traffic shows how to get there, and {declared}"


def _as_recorded(
    cases: tuple[Case, ...],
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    roles: Sequence[str],
) -> tuple[Case, ...]:
    """CASES with production's own requests in place of those before the last that were made from
    the schema alone: what documents leave out, they have."""
    found: list[Case] = []
    now: list[int] = []
    for at_, case in enumerate(cases[:-1]):
        own: tuple[Case, ...] = (_rebound(case, now),)
        taken = [b.select for later in cases[at_ + 1 :] for b in later.bindings if b.step == at_]
        made = _made_in_production(case, profile, exchanges, roles) if taken else None
        if made is not None and all(_stands(select, made[1]) for select in taken):
            first = len(found)
            here = range(first, first + len(made[0]))
            own = tuple(msgspec.structs.replace(_rebound(c, here), setup=True) for c in made[0])
        found += own
        now.append(len(found) - 1)
    if len(found) >= SETUP_MAX:
        return cases
    return (*found, _rebound(cases[-1], now))


def _rebound(case: Case, now: Sequence[int]) -> Case:
    """CASE with the steps that it takes values of where they are NOW."""
    bindings = tuple(msgspec.structs.replace(b, step=now[b.step]) for b in case.bindings)
    return msgspec.structs.replace(case, bindings=bindings)


def _made_in_production(
    case: Case, profile: Profile, exchanges: Mapping[str, Exchange], roles: Sequence[str]
) -> tuple[tuple[Case, ...], Exchange] | None:
    """Production's way to a request of CASE's operation that worked and that configured roles can
    go, and its last exchange; None: there is none."""
    operation = profile.operation(case.operation_id)
    if operation is None or "{" in operation.operation.template:
        return None
    for recipe in _by_success(operation):
        cases = recipe_cases(recipe, exchanges, profile) if recipe.status < 300 else ()
        if cases and all(not c.role or c.role in roles for c in cases):
            return cases, exchanges[recipe.steps[-1].exchange_id]
    return None


def _stands(select: Place, exchange: Exchange) -> bool:
    """Whether the answer of EXCHANGE has something at SELECT."""
    if select.part != "body":
        return False
    try:
        at(read_body(exchange.response), select.tokens)
    except (LookupError, TypeError, ValueError):
        return False
    return True


def _by_success(operation: OperationProfile) -> list[Recipe]:
    return sorted(operation.recipes, key=lambda r: (r.status >= 300, len(r.steps)))


def _pieced(
    operation: OperationProfile, profile: Profile, exchanges: Mapping[str, Exchange]
) -> Reached | None:
    """The way to a neighbour that stands on the same things, then a request from the schema."""
    body = made_body(operation)
    if body is None or not parameter_names(operation.operation.template):
        return None
    for neighbour in _neighbours(operation, profile):
        for recipe in _by_success(neighbour):
            cases = recipe_cases(recipe, exchanges, profile)
            if not cases or recipe.status >= 300:
                continue
            pieced = _behind(operation, cases, body)
            if pieced is not None:
                return Reached(cases=pieced, recorded=False)
    return None


def _neighbours(operation: OperationProfile, profile: Profile) -> list[OperationProfile]:
    """Operations whose templates begin like OPERATION's up to its last parameter."""
    stem = _upto_last_parameter(operation.operation.template)
    alike = [
        other
        for other in profile.operations
        if other.recipes
        and other.id != operation.id
        and tuple(map(_shape, split_template(other.operation.template)[: len(stem)])) == stem
    ]
    safe = operation.operation.method in SAFE_METHODS

    def likeness(other: OperationProfile) -> tuple[bool, bool, int, int]:
        # Who may read a thing may not change it: its own kind of neighbour knows better who may,
        # and the nearer the better.
        kind = (other.operation.method in SAFE_METHODS) == safe
        shared = _shared(operation.operation.template, other.operation.template)
        return (other.operation.method == "DELETE", not kind, -shared, -other.count)

    return sorted(alike, key=likeness)


def _shared(template: str, other: str) -> int:
    """Segments that the two templates begin with alike."""
    pairs = zip(split_template(template), split_template(other), strict=False)
    same = [_shape(mine) == _shape(theirs) for mine, theirs in pairs]
    return (*same, False).index(False)


def _upto_last_parameter(template: str) -> tuple[str, ...]:
    segments = tuple(map(_shape, split_template(template)))
    last = max(i for i, segment in enumerate(segments) if segment == "{}")
    return segments[: last + 1]


def _shape(segment: str) -> str:
    return "{}" if "{" in segment else segment


def _behind(
    operation: OperationProfile,
    cases: tuple[Case, ...],
    body: bytes,
) -> tuple[Case, ...] | None:
    """The cases before the last of CASES, then one of OPERATION on the same things."""
    last = cases[-1]
    segments = list(split_path(last.request.path))
    wanted = split_template(operation.operation.template)
    length = len(_upto_last_parameter(operation.operation.template))
    if len(segments) < length:
        return None
    # A neighbour that is safe or changes the thing itself need not be sent; its ids matter.
    path = [*map(encode_segment, segments[:length]), *wanted[length:]]
    bindings = tuple(
        Binding(step=b.step, select=b.select, place=b.place, recorded=b.recorded)
        for b in last.bindings
        if b.place.part == "path" and int(b.place.name) < length
    )
    role = last.role
    made = [cases[b.step].role for b in bindings]
    if made and set(stems(titles.verb(operation))) & _WITHDRAWS:
        role = made[-1]  # whoever asked for it takes it back, not whoever decides about it
    case = _case(operation, "/" + "/".join(path), body, role=role, parents=last.origin.parents)
    return (*cases[:-1], msgspec.structs.replace(case, bindings=bindings))


def _case(
    operation: OperationProfile,
    path: str,
    body: bytes,
    *,
    role: str,
    parents: tuple[str, ...] = (),
) -> Case:
    media = media_type_for(operation) or "application/json"
    headers = (("content-type", media),) if body else ()
    return Case(
        request=Request(
            method=operation.operation.method, origin="", path=path, headers=headers, body=body
        ),
        operation_id=operation.id,
        origin=Origin(source="scenario", parents=parents),
        role=role,
    )
