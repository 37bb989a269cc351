"""The skill ExpandPromptIntoPaths: a vague question as several scenarios that it may mean.

"What if the amount is too high?" names no value and no operation: what is at the edge of what is
allowed, what is beyond it, nothing at all, another type, and the same again are all worth asking.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from msgspec.structs import replace

from premortem.agent.planning.draft import CannotWrite
from premortem.agent.planning.planner import PLANS, SCENARIOS_MAX, ground_of
from premortem.agent.planning.reach import Reached, reach
from premortem.agent.plans.edges import types_of_value
from premortem.agent.plans.given import with_given
from premortem.agent.plans.ground import Ground, Plan
from premortem.agent.plans.repeats import duplicate
from premortem.agent.plans.valued import base_of, named_field
from premortem.agent.plans.values import one_value, with_mode
from premortem.agent.understanding.boundaries import EdgeValue, edge_value
from premortem.agent.understanding.inputs import InputField
from premortem.agent.understanding.said import LESS, numbers
from premortem.agent.understanding.words import stems, tokens
from premortem.domain.proposal import FailureModeName
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.template import split_template
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.errors import InputError

_VAGUE = frozenset({"maximum", "too_large", "too_small", "too_long"})
"""Edges that say on which side of what is allowed, and no value."""
_NEXT_OF_KIN: Mapping[str, tuple[FailureModeName, ...]] = {
    "duplicate": ("retry_after_timeout", "concurrent_change", "forbidden_transition"),
    "forbidden_role": ("invalid_token", "others_data"),
    "invalid_token": ("forbidden_role", "others_data"),
    "others_data": ("forbidden_role", "unknown_reference"),
    "concurrent_change": ("duplicate", "stale_change"),
    "stale_change": ("concurrent_change", "forbidden_transition"),
    "forbidden_transition": ("wrong_order", "duplicate", "forbidden_role"),
    "wrong_order": ("forbidden_transition", "unknown_reference"),
    "unknown_reference": ("others_data", "wrong_order"),
    "retry_after_timeout": ("duplicate", "concurrent_change"),
    "over_total": ("boundary", "duplicate", "concurrent_change"),
}
"""What else is worth asking where one of these is asked."""
_FIELD_KIN: tuple[FailureModeName, ...] = ("boundary", "missing_value", "wrong_type", "duplicate")


def is_vague(understood: Understanding, profile: Profile) -> bool:
    """Whether the question names a field and a side, but neither a value nor what is done."""
    values = set(understood.values)
    if understood.failure_mode != "boundary" or not understood.field or not values:
        return False
    if not values <= _VAGUE or numbers(understood.prompt):
        return False
    said = set(stems(understood.prompt)) - set(stems(understood.field))
    operations = (profile.operation(i) for i in understood.operation_ids)
    return not any(said & _named(operation) for operation in operations if operation is not None)


def _named(operation: OperationProfile) -> set[str]:
    literal = (s for s in split_template(operation.operation.template) if "{" not in s)
    return {word for segment in literal for word in stems(segment)}


def expand_prompt_into_paths(
    understood: Understanding,
    *,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    roles: Collection[str],
) -> list[Scenario]:
    """At most SCENARIOS_MAX distinct scenarios that UNDERSTOOD may mean, from the edge outwards.

    All are about one operation, the first that one can be planned for. Raises InputError when
    there is none, with why.
    """
    ground = ground_of(understood, profile=profile, exchanges=exchanges, roles=roles)
    reasons: list[str] = []
    for operation_id in understood.operation_ids:
        operation = profile.operation(operation_id)
        if operation is None:
            continue
        reached = reach(operation, profile, exchanges, roles=ground.roles)
        if isinstance(reached, str):
            reasons.append(f"{operation_id}: {reached}")
            continue
        try:
            reached = with_given(reached, operation, understood.given)
        except CannotWrite as error:
            reasons.append(f"{operation_id}: {error}")
            continue
        found = list(islice(_distinct(_paths(ground, operation, reached)), SCENARIOS_MAX))
        if found:
            return found
        reasons.append(f"{operation_id}: nothing fits")
    raise InputError(
        f"the question cannot be taken apart: {'; '.join(reasons[:3]) or 'nothing fits'}; name the "
        f"operation or the field that it is about"
    )


def meant_first(scenarios: Iterable[Scenario], understood: Understanding) -> list[Scenario]:
    """SCENARIOS with the one first that breaks what the question says is broken."""
    mode = understood.failure_mode

    def rank(scenario: Scenario) -> bool:
        origin = scenario.origin
        return origin.failure_mode != mode or origin.outcome == "accepted"

    return sorted(scenarios, key=rank)


def _distinct(scenarios: Iterable[Scenario]) -> Iterator[Scenario]:
    """SCENARIOS of different titles and steps."""
    ids: set[str] = set()
    names: set[str] = set()
    for scenario in scenarios:
        if scenario.id not in ids and scenario.title not in names:
            ids.add(scenario.id)
            names.add(scenario.title)
            yield scenario


def _paths(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    field = named_field(ground, operation)
    if field is not None and ground.understood.failure_mode in _FIELD_KIN:
        yield from _of_field(ground, operation, reached, field)
        return
    mode = ground.understood.failure_mode
    further = (*ground.understood.further_modes, *_NEXT_OF_KIN.get(mode, _FIELD_KIN))
    for one in dict.fromkeys((mode, *further)):
        plan = PLANS.get(one)  # type: ignore[call-overload]
        asked = ground if one == mode else with_mode(ground, one)  # type: ignore[arg-type]
        if plan is not None:
            yield from _first(plan, asked, operation, reached)


def _first(
    plan: Plan, ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The first scenario of PLAN; none where steps cannot say it."""
    try:
        yield from islice(plan(ground, operation, reached), 1)
    except CannotWrite:
        return


def _of_field(
    ground: Ground, operation: OperationProfile, reached: Reached, field: InputField
) -> Iterator[Scenario]:
    """At the edge, beyond it, nothing, another type, and the same again."""
    name = " ".join(tokens(field.name)).capitalize() or field.name
    base = base_of(reached.cases[-1], field)
    for mode, edge, says in _variants(ground, field, base):
        asked = with_mode(ground, mode, edge.boundary)
        try:
            found = one_value(asked, operation, reached, field, edge, title=f"{name} {says}")
        except CannotWrite:
            continue
        if found is not None:
            yield found
    again = with_mode(ground, "duplicate")
    for scenario in _first(duplicate, again, operation, reached):
        yield replace(scenario, title=f"{name} submitted twice")


def _variants(
    ground: Ground, field: InputField, base: Any
) -> Iterator[tuple[FailureModeName, EdgeValue, str]]:
    types = field.types or types_of_value(base)
    numeric = bool(types & {"number", "integer"})
    low = LESS.search(ground.understood.prompt.lower()) is not None
    side = "min" if low else "max"
    at = f"equals {side} allowed" if numeric else f"has {side} allowed length"
    edge = _at_least(field, base, numeric=numeric) if low else _edge("maximum", field, types, base)
    if edge is not None:
        yield "boundary", edge, at
    beyond = _edge("too_small" if low else "too_large", field, types, base)
    if beyond is not None:
        length = "" if numeric else " length"
        says = f"is below {side} allowed{length}" if low else f"exceeds {side} allowed{length}"
        yield "boundary", beyond, says
    yield "missing_value", EdgeValue(boundary="null", says="null"), "is null"
    if numeric:
        wrong = EdgeValue(boundary="wrong_type", says="as text", value="not a number")
        yield "wrong_type", wrong, "is string"
    elif "string" in types:
        wrong = EdgeValue(boundary="wrong_type", says="as a number", value=12345)
        yield "wrong_type", wrong, "is number"


def _edge(name: str, field: InputField, types: frozenset[str], base: Any) -> EdgeValue | None:
    return edge_value(name, schema=field.constraints, types=types, usual=base)


def _at_least(field: InputField, base: Any, *, numeric: bool) -> EdgeValue | None:
    """The least that is allowed; None: nothing says."""
    schema = field.constraints
    value: Any
    if not numeric:
        least = schema.get("minLength")
        value = str(base or "x").ljust(least, "x")[:least] if isinstance(least, int) else None
    else:
        step = schema.get("multipleOf", 1 if "integer" in field.types else 0.01)
        above = schema.get("exclusiveMinimum")
        value = schema.get("minimum", round(above + step, 9) if _is_number(above) else None)
    return None if value is None else EdgeValue(boundary="minimum", says="", value=value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
