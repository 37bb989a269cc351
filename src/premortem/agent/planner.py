"""From what was understood to scenarios: production's own way to the state, then the question.

Planned from profile, specification and role matrix. The first scenario is the one meant; the
others are what the same question may also mean.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import jsonschema_rs
import msgspec
from msgspec import Struct

from premortem.agent import titles
from premortem.agent.boundaries import EdgeValue, edge_value, fits, wanted
from premortem.agent.catalogue import text
from premortem.agent.draft import CannotWrite, Draft
from premortem.agent.expectation import (
    Evidence,
    Expectation,
    of_repetition,
    of_role,
    of_value,
    success_status,
)
from premortem.agent.failure_modes import ANONYMOUS, mode_named
from premortem.agent.inputs import InputField, input_fields
from premortem.agent.observation import Observation, observation
from premortem.agent.reach import Reached, reach
from premortem.agent.understand import main_field
from premortem.agent.whole import whole_amount
from premortem.domain.bodies import at, text_of
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import UNCERTAIN, Scenario, ScenarioOrigin, Understanding
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.errors import InputError

SCENARIOS_MAX = 5
"""Scenarios planned for one question."""


class Ground(Struct, frozen=True, kw_only=True):
    """What every plan of one question stands on."""

    understood: Understanding
    profile: Profile
    exchanges: Mapping[str, Exchange]
    evidence: Evidence
    roles: tuple[str, ...]
    """Configured ones first."""


def plan_scenarios(
    understood: Understanding,
    *,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    roles: Collection[str],
) -> list[Scenario]:
    """At most SCENARIOS_MAX distinct scenarios for UNDERSTOOD, the one meant first.

    ROLES: those that are configured. Raises InputError when none can be planned, with why.
    """
    ground = Ground(
        understood=understood,
        profile=profile,
        exchanges=exchanges,
        evidence=Evidence(profile, exchanges),
        roles=tuple(roles),
    )
    planned: dict[str, Scenario] = {}
    reasons: list[str] = []
    for operation_id in understood.operation_ids:
        operation = profile.operation(operation_id)
        if operation is None:
            continue
        reached = reach(operation, profile, exchanges)
        if isinstance(reached, str):
            reasons.append(f"{operation_id}: {reached}")
            continue
        try:
            for scenario in _plans(ground, operation, reached):
                planned.setdefault(scenario.id, scenario)
        except CannotWrite as error:
            reasons.append(f"{operation_id}: {error}")
    if not planned:
        raise InputError(
            f"no scenario can be planned: {'; '.join(reasons[:3]) or 'nothing fits'}; capture "
            f"traffic in which the operation is used and learn again"
        )
    return list(planned.values())[:SCENARIOS_MAX]


def _plans(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    mode = ground.understood.failure_mode
    if mode == "duplicate":
        yield _repetition(ground, operation, reached)
        if _knows_keys(operation):
            yield _same_key(ground, operation, reached)
    elif mode == "forbidden_role":
        yield from _roles(ground, operation, reached)
    else:
        yield from _values(ground, operation, reached)


def _repetition(ground: Ground, operation: OperationProfile, reached: Reached) -> Scenario:
    expected = of_repetition(operation, ground.evidence)
    draft = Draft(_as_role(reached.cases, ground))
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    body: Any = _modest(operation, draft.body(last)) if expected.own_reason else ...
    whole = None if expected.certain else whole_amount(operation, reached.cases, ground.exchanges)
    if whole is not None:
        place, value = whole
        edge = EdgeValue(boundary="", says="", value=value)
        body = _changed(draft.body(last), place.tokens, edge)
        expected = msgspec.structs.replace(
            expected, certain=True, because=f"{expected.because}; the first takes all there is"
        )
    draft.request("Given", last, body=body)
    gone = operation.operation.method == "DELETE"
    seen = _seen(draft, operation, ground, gone=gone) if expected.refused else None
    if seen is None:
        draft.add("When", text("repeat", 1))
    else:
        _look(draft, seen, before=True)
        draft.request("When", last, body=body)
    _outcome(draft, expected)
    if seen is not None:
        _look(draft, seen, before=False)
    title = titles.from_prompt(ground.understood.prompt) if _is_meant(ground, operation) else ""
    return _scenario(ground, operation, draft, expected, title or titles.repeated(operation))


def _knows_keys(operation: OperationProfile) -> bool:
    """Whether the operation takes an idempotency key (draft-ietf-httpapi-idempotency-key)."""
    names = (*operation.parameter_schemas, *(str(field.place) for field in operation.fields))
    return any(n.startswith("header:") and "idempotency" in n.lower() for n in names)


def _same_key(ground: Ground, operation: OperationProfile, reached: Reached) -> Scenario:
    """The retry of a client that lost the answer: the same key, so the same thing."""
    draft = Draft(_as_role(reached.cases, ground))
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    draft.request("Given", last)
    made = any(f.place.name == "/id" for a in operation.answers for f in a.fields)
    if made:
        draft.add("Given", text("save", "/id", "first_id"))
    draft.add("When", text("repeat_key"))
    expected = Expectation(
        status=success_status(operation),
        because="the operation takes an idempotency key, so a retry is answered like the first",
        source="specification",
        facts=(("/id", "${first_id}"),) if made else (),
    )
    _outcome(draft, expected)
    title = titles.retried(operation)
    return _scenario(ground, operation, draft, expected, title)


def _modest(operation: OperationProfile, body: Any) -> Any:
    """BODY with small amounts, so that nothing but the repetition can be why it is refused.

    Half of a payment can go back twice, the whole only once: another check would hide a
    missing one. Small is what production sent least often less of (5 %).
    """
    for field in operation.fields:
        small = field.numbers.quantiles[1] if field.numbers is not None else None
        if field.place.part != "body" or "*" in field.place.tokens or small is None:
            continue
        try:
            usual = at(body, field.place.tokens)
        except (LookupError, TypeError):
            continue
        if isinstance(usual, int | float) and not isinstance(usual, bool) and usual > 0:
            # A quarter fits in twice, too, where even the smallest is much of what there is.
            least = small if 0 < small <= usual / 2 else usual / 4
            value = int(least) if float(least).is_integer() else round(least, 2)
            if isinstance(usual, int) and usual >= 4:
                value = max(1, int(least))
            if value <= 0:
                continue
            body = _changed(body, field.place.tokens, EdgeValue(boundary="", says="", value=value))
    return body


def _roles(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    for role in _who(ground, operation):
        expected = of_role(operation, role, ground.evidence, roles=ground.roles)
        draft = Draft(reached.cases)
        last = len(reached.cases) - 1
        for index in range(last):
            draft.setup(index)
        seen = _seen(draft, operation, ground) if expected.refused else None
        if seen is not None:
            _look(draft, seen, before=True)
        draft.request("When", last, role="" if role == ANONYMOUS else role)
        _outcome(draft, expected)
        if seen is not None:
            _look(draft, seen, before=False)
        meant = _is_meant(ground, operation) and role == ground.understood.role
        title = titles.from_prompt(ground.understood.prompt) if meant else ""
        yield _scenario(
            ground, operation, draft, expected, title or titles.by_role(operation, role), role=role
        )


def _who(ground: Ground, operation: OperationProfile) -> tuple[str, ...]:
    """The role asked about; none named: those that production refused, or nobody signed in."""
    if ground.understood.role:
        return (ground.understood.role,)
    refused = [
        role
        for role in ground.roles
        if {"401", "403"} & set(operation.roles.get(role, {}))
        and not any(status[0] == "2" for status in operation.roles[role])
    ]
    return tuple(refused[:2]) or (ANONYMOUS,)


def _values(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    names = wanted(ground.understood.prompt)
    field = _field(operation, ground.understood.field, names)
    if field is None:
        return
    for name in names:
        if not fits(name, field.types):
            continue
        base = _base(reached.cases[-1], field)
        edge = edge_value(
            name,
            schema=field.constraints,
            types=field.types or _types(base),
            usual=base,
        )
        if edge is not None:
            scenario = _value(ground, operation, reached, field, edge)
            if scenario is not None:
                yield scenario


def _is_doubtful(
    operation: OperationProfile, field: InputField, edge: EdgeValue, expected: Expectation
) -> bool:
    """A number far above all that was seen, which only the schema allows, where state decides.

    A specification says what an amount may be, not how much is left of it.
    """
    if expected.refused or expected.source != "specification":
        return False
    if not isinstance(edge.value, int | float) or isinstance(edge.value, bool):
        return False
    seen = [
        f.numbers.quantiles[-1] for f in operation.fields if f.place == field.place and f.numbers
    ]
    conflicts = 409 in operation.declared or any(a.status == 409 for a in operation.answers)
    return conflicts and (not seen or edge.value > seen[0])


def _value(
    ground: Ground,
    operation: OperationProfile,
    reached: Reached,
    field: InputField,
    edge: EdgeValue,
) -> Scenario | None:
    draft = Draft(_as_role(reached.cases, ground))
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    in_query = field.place.part == "query"
    body = ... if in_query else _changed(draft.body(last), field.place.tokens, edge)
    plain = (
        None
        if in_query
        else _changed(Draft(reached.cases).plain_body(last), field.place.tokens, edge)
    )
    expected = of_value(
        operation,
        field,
        present=not edge.absent,
        value=edge.value,
        valid=_valid(operation, field, plain, edge),
        evidence=ground.evidence,
    )
    if _is_doubtful(operation, field, edge, expected):
        return None
    seen = _seen(draft, operation, ground) if expected.refused else None
    if seen is not None:
        _look(draft, seen, before=True)
    shown = None if edge.absent else text_of(edge.value)
    draft.request("When", last, body=body, query={field.place.name: shown} if in_query else None)
    _outcome(draft, expected)
    if seen is not None:
        _look(draft, seen, before=False)
    title = titles.with_value(operation, field.name, edge.says)
    return _scenario(ground, operation, draft, expected, title)


def _field(operation: OperationProfile, name: str, edges: Sequence[str]) -> InputField | None:
    inputs = input_fields(operation)
    named = [f for f in inputs if f.name == name and any(fits(e, f.types) for e in edges)]
    return named[0] if named else main_field(inputs, edges)


def _base(case: Case, field: InputField) -> Any:
    """What the recorded request holds there, else what is usual."""
    try:
        found = at(json.loads(case.request.body or b"null"), field.place.tokens)
    except (LookupError, TypeError, ValueError):
        return field.usual
    return found


def _types(value: Any) -> frozenset[str]:
    if isinstance(value, bool) or value is None:
        return frozenset()
    if isinstance(value, int | float):
        return frozenset({"number"})
    return frozenset({"string"}) if isinstance(value, str) else frozenset()


def _changed(body: Any, tokens: Sequence[str], edge: EdgeValue) -> Any:
    """BODY with the edge value at the pointer, in the first item of lists on the way."""
    copy = msgspec.json.decode(msgspec.json.encode(body))
    concrete = tuple("0" if part == "*" else part for part in tokens)
    try:
        parent = at(copy, concrete[:-1])
    except (LookupError, TypeError):
        parent = None
    if isinstance(parent, dict):
        if edge.absent:
            parent.pop(concrete[-1], None)
        else:
            parent[concrete[-1]] = edge.value
    elif isinstance(parent, list) and parent and not edge.absent:
        parent[0] = edge.value
    else:
        raise CannotWrite("the recorded body has no such field")
    return copy


def _valid(
    operation: OperationProfile, field: InputField, body: Any, edge: EdgeValue
) -> bool | None:
    """Whether schema and parameters allow the request; None: nothing says."""
    if field.place.part == "query":
        document = operation.parameter_schemas.get(str(field.place))
        if edge.absent:
            return str(field.place) not in operation.required
        return None if document is None else _allows(document, edge.value)
    return _allows(operation.request_schema, body) if operation.request_schema else None


def _allows(document: str, value: Any) -> bool | None:
    try:
        return bool(jsonschema_rs.validator_for(json.loads(document)).is_valid(value))
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


def _as_role(cases: Sequence[Case], ground: Ground) -> tuple[Case, ...]:
    """CASES with the request in question sent by the role asked about, where one is."""
    role = ground.understood.role
    if not role:
        return tuple(cases)
    chosen = "" if role == ANONYMOUS else role
    return (*cases[:-1], msgspec.structs.replace(cases[-1], role=chosen))


class _Seen(Struct, frozen=True, kw_only=True):
    observation: Observation
    role: str


def _seen(
    draft: Draft, operation: OperationProfile, ground: Ground, *, gone: bool = False
) -> _Seen | None:
    """What shows that nothing changed, and who may look. Reading changes nothing to look at."""
    if operation.operation.method in SAFE_METHODS:
        return None
    params = draft.params(len(draft.cases) - 1, operation.operation.template)
    before = range(len(draft.cases) - 1)
    known = [draft.path(index) for index in before]
    found = observation(operation, params, ground.evidence, gone=gone, known=known)
    if found is None:
        return None
    present = [case.role for case in draft.cases if case.role in found.roles]
    configured = [role for role in found.roles if role in ground.roles or not role]
    roles = [*present, *configured]
    return _Seen(observation=found, role=roles[0]) if roles else None


def _look(draft: Draft, seen: _Seen, *, before: bool) -> None:
    keyword = "Given" if before else "Then"
    draft.look(keyword, seen.observation, seen.role, before=before)  # type: ignore[arg-type]


def _outcome(draft: Draft, expected: Expectation) -> None:
    draft.add("Then", text("status", expected.status))
    for pointer, code in expected.facts:
        draft.add("Then", text("field", pointer, code))


def _is_meant(ground: Ground, operation: OperationProfile) -> bool:
    return ground.understood.operation_ids[:1] == (operation.id,)


def _scenario(
    ground: Ground,
    operation: OperationProfile,
    draft: Draft,
    expected: Expectation,
    title: str,
    *,
    role: str = "",
) -> Scenario:
    understood = ground.understood
    mode = mode_named(understood.failure_mode)
    doubt = () if expected.certain else (UNCERTAIN,)
    return Scenario(
        title=title,
        feature=titles.feature(operation),
        steps=draft.steps(),
        origin=ScenarioOrigin(
            source="prompt",
            prompt=understood.prompt,
            failure_mode=mode.name,
            parents=tuple(parent for case in draft.cases for parent in case.origin.parents),
            profile_version=ground.profile.version,
            expectation=expected.because,
        ),
        operation_id=operation.id,
        role=role or draft.cases[-1].role,
        trace_id="prompt-" + sha256(understood.prompt.encode()).hexdigest()[:8],
        tags=("prompt", mode.tag, *doubt),
    )
