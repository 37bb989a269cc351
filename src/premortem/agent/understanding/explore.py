"""What could go wrong with one operation: every failure mode that fits it, the likeliest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from premortem.agent.planning import titles
from premortem.agent.understanding.entries import Entry
from premortem.agent.understanding.failure_modes import (
    ANONYMOUS,
    FAILURE_MODES,
    mode_named,
    possible,
)
from premortem.agent.understanding.fields_meant import candidates, field_unnamed
from premortem.agent.understanding.index import ANY, Asked, Index, Said
from premortem.agent.understanding.inputs import input_fields
from premortem.agent.understanding.preconditions import UNITS
from premortem.agent.understanding.words import (
    VERBS,
    article,
    participle,
    stem,
    third_person,
    tokens,
)
from premortem.domain.proposal import FailureModeName
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Understanding
from premortem.domain.traffic import OperationProfile, Profile
from premortem.errors import InputError

RISKS_MAX = 21
OFFERED_MAX = 5
"""Operations that an error offers."""
_LIKELY: Mapping[FailureModeName, float] = {
    "duplicate": 3.0,
    "forbidden_role": 3.0,
    "forbidden_transition": 2.5,
    "boundary": 2.5,
    "over_total": 2.5,
    "others_data": 2.2,
    "missing_value": 2.0,
    "concurrent_change": 2.0,
    "retry_after_timeout": 1.9,
    "stale_change": 1.8,
    "unknown_reference": 1.8,
    "wrong_order": 1.7,
    "mass_assignment": 1.6,
    "unit_switch": 1.6,
    "invalid_token": 1.5,
    "unknown_value": 1.5,
    "wrong_type": 1.4,
    "pagination_edge": 1.4,
    "time_edge": 1.3,
    "injection": 1.2,
    "dependency_failure": 1.0,
}
"""How much harm a service's being wrong there usually does, as a start: what evidence adds to."""


class Risk(Struct, frozen=True, kw_only=True):
    """One way in which an operation may be used wrongly."""

    understanding: Understanding
    """As if the question had been asked; `prompt` is the question."""
    score: float
    """Higher: rather ask this first."""
    because: tuple[str, ...]
    """What makes it likely, in words."""


def find_operation(said: str, profile: Profile, *, index: Index | None = None) -> OperationProfile:
    """The operation with the id SAID, or the one that its words speak of.

    Raises InputError, with those that come nearest, when no word fits any.
    """
    exact = profile.operation(" ".join(said.split()))
    if exact is not None:
        return exact
    index = index or Index(profile)
    stemmed = [stem(word) for word in tokens(said)]
    words = tuple(
        Said(means=means, share=1.0, acting=at == 0)
        for at, means in enumerate(map(index.known, stemmed))
        if means
    )
    verbs = {verb_class: 1.0 for base in stemmed[:1] for verb_class in VERBS.get(base, ())[:1]}
    ranked = index.rank(Asked(words=words, verbs=verbs, preferred=ANY))
    if ranked and ranked[0].nouns:
        return ranked[0].operation
    near = "; ".join(scored.operation.id for scored in ranked[:OFFERED_MAX]) or "none"
    raise InputError(
        f"no operation is called {said!r}; write its id, in quotes. There are: {near}. "
        f"`premortem profile show` lists all"
    )


def explore(
    operation: OperationProfile,
    profile: Profile,
    *,
    roles: Collection[str] = (),
    services: Collection[str] = (),
    index: Index | None = None,
) -> list[Risk]:
    """Everything that could go wrong with OPERATION, the likeliest first, at most RISKS_MAX.

    ROLES: the configured ones. SERVICES: those behind the target that can be made to fail.
    """
    entry = (index or Index(profile)).entry(operation.id)
    found = []
    for mode in FAILURE_MODES:
        if not possible(mode.name, operation) or (
            mode.name == "dependency_failure" and not services
        ):
            continue
        role = _role(mode.name, operation, roles)
        if mode.name == "forbidden_role" and not role:
            continue
        field = _field(mode.name, entry)
        if not _sensible(mode.name, operation, field):
            continue
        reasons = _reasons(mode.name, operation, role)
        score = _LIKELY[mode.name] + len(reasons)
        question = _question(mode.name, operation, role=role, field=field)
        understood = Understanding(
            prompt=question,
            failure_mode=mode.name,
            operation_ids=(operation.id,),
            field=field,
            role=role,
            entity=titles.entity(operation),
            values=_EDGES.get(mode.name, ()),
        )
        found.append(Risk(understanding=understood, score=score, because=reasons))
    return sorted(found, key=lambda risk: -risk.score)[:RISKS_MAX]


_NEED_A_FIELD = frozenset(
    {"boundary", "missing_value", "wrong_type", "injection", "unknown_value", "unit_switch"}
    | {"time_edge", "pagination_edge", "over_total"}
)


def _sensible(mode: str, operation: OperationProfile, field: str) -> bool:
    """Whether asking makes sense: some modes need a field, others a thing that is there."""
    if mode in _NEED_A_FIELD and not field:
        return False
    if mode in ("others_data", "unknown_reference") and operation.operation.method != "POST":
        return "{" in operation.operation.template
    return mode != "wrong_order" or operation.operation.method not in SAFE_METHODS


_EDGES: Mapping[str, tuple[str, ...]] = {
    "boundary": ("too_large", "maximum", "too_long"),
    "missing_value": ("null", "missing"),
    "wrong_type": ("wrong_type",),
}


def _role(mode: str, operation: OperationProfile, roles: Collection[str]) -> str:
    """Who may not: refused in production, else left out by the specification, else nobody."""
    if mode != "forbidden_role":
        return ""
    for role in roles:
        statuses = operation.roles.get(role, {})
        if {"401", "403"} & set(statuses) and not any(s.startswith("2") for s in statuses):
            return role
    for role in roles:
        if operation.allowed_roles and role not in operation.allowed_roles:
            return role
    return ANONYMOUS if operation.secured or operation.allowed_roles else ""


def _field(mode: str, entry: Entry) -> str:
    edges = _EDGES.get(mode, ())
    if mode == "unit_switch":
        return next((f.name for f in entry.inputs if set(f.stems) & UNITS), "")
    if mode == "injection":
        found = [f for f in candidates(mode, entry, edges) if "string" in f.types]
        return found[0].name if found else ""
    field = field_unnamed(mode, entry, edges[:1], "")
    return field.name if field else ""


def _reasons(mode: str, operation: OperationProfile, role: str) -> tuple[str, ...]:
    """What captured answers and the specification say for MODE."""
    seen = {answer.status for answer in operation.answers if answer.count}
    found = []
    for status in _SPEAKS_FOR.get(mode, ()):
        if status in seen:
            found.append(f"production answered {status}")
        elif status in operation.declared:
            found.append(f"the specification declares {status}")
    if mode == "forbidden_role" and role and role in operation.roles:
        found.append(f"production refused {role}")
    if mode == "forbidden_role" and operation.allowed_roles:
        found.append("the specification says who may")
    if mode == "retry_after_timeout" and any(
        "idempotency" in str(place).lower() for place in operation.parameter_schemas
    ):
        found.append("it takes an idempotency key")
    if mode == "stale_change" and any(
        "if-match" in str(place).lower() for place in operation.parameter_schemas
    ):
        found.append("it takes If-Match")
    return tuple(found)


_SPEAKS_FOR: Mapping[str, tuple[int, ...]] = {
    "duplicate": (409,),
    "forbidden_transition": (409,),
    "over_total": (409,),
    "stale_change": (412,),
    "unknown_reference": (404,),
    "others_data": (403,),
    "invalid_token": (401,),
    "boundary": (422, 400),
    "missing_value": (422, 400),
    "dependency_failure": (502, 503),
}
"""Statuses that speak for a failure mode."""


def _question(mode: str, operation: OperationProfile, *, role: str, field: str) -> str:
    """The question as a person would ask it."""
    thing = titles.entity(operation)
    first, *rest = titles.verb(operation).split(" ")
    done = " ".join([participle(first), *rest])
    one = f"{article(thing)} {thing}"
    what = f"{one} is {done}"
    named = " ".join(tokens(field))
    if mode == "boundary" and _is_text(operation, field):
        return f"What if {what} and the {named} is too long?"
    if mode == "forbidden_role":
        who = "somebody who is not signed in" if role == ANONYMOUS else f"{article(role)} {role}"
        return f"What if {who} {' '.join([third_person(first), *rest])} {one}?"
    question = _QUESTIONS.get(mode, "{what} and something goes wrong")
    makes = first == "create"
    text = question.format(
        what=what, thing=thing, done=done, field=named, for_it=" for something" if makes else ""
    )
    return f"What if {text}?"


def _is_text(operation: OperationProfile, field: str) -> bool:
    return any(f.name == field and f.types == {"string"} for f in input_fields(operation))


_QUESTIONS: Mapping[str, str] = {
    "duplicate": "{what} twice",
    "boundary": "{what} and the {field} is too high",
    "missing_value": "{what} without {field}",
    "wrong_type": "{what} and the {field} is of the wrong type",
    "unknown_value": "{what} with an unknown {field}",
    "unit_switch": "{what} in another currency",
    "invalid_token": "{what} with an expired token",
    "others_data": "somebody else's {thing} is {done}",
    "unknown_reference": "{what}{for_it} that does not exist",
    "forbidden_transition": "{what} in a state that does not allow it",
    "wrong_order": "{what} before its time",
    "stale_change": "{what} with an outdated version",
    "concurrent_change": "{what} by two people at the same moment",
    "retry_after_timeout": "{what}, the answer gets lost and the client sends it again",
    "over_total": "{what} several times and together it is more than there was",
    "pagination_edge": "the list is read with a page beyond the end",
    "time_edge": "{what} with a date in the past",
    "injection": "{what} with a script tag in the {field}",
    "mass_assignment": "{what} and the request brings its own id",
    "dependency_failure": "{what} while a service behind it is down",
}
"""How each failure mode is asked about."""


def explained(risk: Risk) -> str:
    """RISK in one line for a list: `duplicate: the same request is sent a second time`."""
    mode = mode_named(risk.understanding.failure_mode)
    because = f" ({'; '.join(risk.because)})" if risk.because else ""
    return f"{mode.name}: {mode.meaning}{because}"
