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
from premortem.agent.understanding.fields_meant import (
    candidates,
    field_unnamed,
    identifies,
    main_field,
)
from premortem.agent.understanding.index import ANY, Asked, Index, Said
from premortem.agent.understanding.inputs import InputField, input_fields
from premortem.agent.understanding.preconditions import IDENTIFIERS, UNITS
from premortem.agent.understanding.words import (
    VERBS,
    singular,
    spoken_segments,
    stem,
    stems,
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
        question = _question(mode.name, entry, role=role, field=field)
        understood = Understanding(
            prompt=question,
            failure_mode=mode.name,
            operation_ids=(operation.id,),
            field=field.name if field else "",
            role=role,
            entity=titles.entity(operation),
            values=_edges(mode.name, field),
        )
        found.append(Risk(understanding=understood, score=score, because=reasons))
    return sorted(found, key=lambda risk: -risk.score)[:RISKS_MAX]


_NEED_A_FIELD = frozenset(
    {"boundary", "missing_value", "wrong_type", "injection", "unknown_value", "unit_switch"}
    | {"time_edge", "pagination_edge", "over_total"}
)


def _sensible(mode: str, operation: OperationProfile, field: InputField | None) -> bool:
    """Whether asking makes sense: some modes need a field, others a thing that is there."""
    if mode in _NEED_A_FIELD and field is None:
        return False
    in_path = "{" in operation.operation.template
    match mode:
        case "others_data" | "unknown_reference" if operation.operation.method != "POST":
            return in_path
        case "wrong_order":
            names = in_path or any(identifies(f) for f in input_fields(operation))
            return operation.operation.method not in SAFE_METHODS and names
        case "stale_change" | "forbidden_transition":
            # What is made only now has no older version, and was in no state before.
            return in_path or operation.operation.method != "POST"
        case "over_total":
            # The whole lies above the parts; what is replaced takes none.
            return in_path and operation.operation.method == "POST"
    return True


_EDGES: Mapping[str, tuple[str, ...]] = {
    "missing_value": ("null", "missing"),
    "wrong_type": ("wrong_type",),
}
_NUMERIC = frozenset({"number", "integer"})


def _edges(mode: str, field: InputField | None) -> tuple[str, ...]:
    """The edge values to ask for; those of a range where FIELD declares that it has one."""
    if mode != "boundary" or field is None:
        return _EDGES.get(mode, ())
    if not field.types & _NUMERIC:
        return ("too_long",)
    if _unbounded(field):
        return ("negative", "too_large")
    return ("too_large", "maximum")


def _unbounded(field: InputField) -> bool:
    """Whether nothing says how high the number in FIELD may be."""
    return not {"maximum", "exclusiveMaximum"} & field.constraints.keys()


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


def _field(mode: str, entry: Entry) -> InputField | None:
    """The field that MODE is asked about; None: there is none that it could be."""
    edges = _EDGES.get(mode, ())
    match mode:
        case "unit_switch":
            return next((f for f in entry.inputs if set(f.stems) & UNITS), None)
        case "injection":
            found = [f for f in candidates(mode, entry, edges) if "string" in f.types]
            return found[0] if found else None
        case "time_edge":
            return next((f for f in candidates(mode, entry, edges) if _is_moment(f)), None)
        case "boundary":
            bounded = [f for f in entry.inputs if _has_edge(f)]
            return main_field(bounded, ("too_large",)) or main_field(bounded, ())
    return field_unnamed(mode, entry, edges[:1], "")


def _is_moment(field: InputField) -> bool:
    """Whether FIELD holds a moment, and no unit or count that is called after one."""
    written = str(field.constraints.get("format", "")).startswith("date")
    return written or ("string" in (field.types or {"string"}) and not set(field.stems) & UNITS)


def _has_edge(field: InputField) -> bool:
    """Whether FIELD holds a number, or text of any length: no date, no word on a list."""
    if field.types & _NUMERIC:
        return True
    formed = {"format", "enum", "const"} & field.constraints.keys()
    return "string" in field.types and not formed


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


def _question(mode: str, entry: Entry, *, role: str, field: InputField | None) -> str:
    """The question as a person would ask it."""
    operation = entry.operation
    what = titles.asked(operation)
    if mode == "forbidden_role":
        who = "somebody who is not signed in" if role == ANONYMOUS else titles.a(role)
        return f"What if {who} {titles.does(operation)}?"
    if mode == "unknown_reference":
        return f"What if {_unknown(entry)}?"
    if mode == "others_data":
        return f"What if {_others(operation)}?"
    text = _QUESTIONS.get(mode, "{what} and something goes wrong")
    if mode == "boundary" and field is not None:
        edge = _edges(mode, field)[0]
        text = f"{{what}} and the {{field}} is {_BEYOND[edge]}"
    named = titles.called(field.name) if field else ""
    behind = field is not None and _BEHIND & set(field.stems)
    when = "future" if behind else "past"
    return f"What if {text.format(what=what, field=named, when=when)}?"


_BEHIND = frozenset(
    stems("birth born created issued paid signed happened occurred given spent measured read taken")
)
"""Words of moments that have been: nothing is wrong with their lying in the past."""


_BEYOND = {"too_long": "too long", "too_large": "too high", "negative": "negative"}


def _unknown(entry: Entry) -> str:
    """`an invoice that does not exist is approved`, `a payment is created for an invoice that does
    not exist`."""
    operation = entry.operation
    above = _above(operation)
    if not above and "{" in operation.operation.template:
        return titles.asked(operation, whose="that does not exist")
    named = [name for field in entry.inputs if identifies(field) and (name := _named_by(field))]
    what = titles.a(above or named[0]) if above or named else "something"
    return f"{titles.asked(operation)} for {what} that does not exist"


def _others(operation: OperationProfile) -> str:
    """`somebody else's invoice is approved`, `a payment is created for somebody else's invoice`."""
    above = _above(operation)
    if above:
        return f"{titles.asked(operation)} for somebody else's {above}"
    return f"somebody else's {titles.thing(operation)} is {titles.done(operation)}"


def _above(operation: OperationProfile) -> str:
    """The thing that the path names, where that is another than what OPERATION is about: `invoice`
    of `POST /invoices/{id}/payments`; empty: there is none."""
    segments = spoken_segments(operation.operation.template)
    opened = [at for at, segment in enumerate(segments) if "{" in segment]
    if not opened or opened[-1] == 0 or opened[-1] == len(segments) - 1:
        return ""
    thing = " ".join(map(singular, tokens(segments[opened[-1] - 1])))
    return "" if thing == titles.entity(operation) else thing


def _named_by(field: InputField) -> str:
    """What FIELD names: `customer` for `customerId`."""
    return " ".join(word for word in tokens(field.name) if stem(word) not in IDENTIFIERS)


_QUESTIONS: Mapping[str, str] = {
    "duplicate": "{what} twice",
    "missing_value": "{what} without {field}",
    "wrong_type": "{what} and the {field} is of the wrong type",
    "unknown_value": "{what} with an unknown {field}",
    "unit_switch": "{what} in another currency",
    "invalid_token": "{what} with an expired token",
    "forbidden_transition": "{what} in a state that does not allow it",
    "wrong_order": "{what} before its time",
    "stale_change": "{what} with an outdated version",
    "concurrent_change": "{what} by two people at the same moment",
    "retry_after_timeout": "{what}, the answer gets lost and the client sends it again",
    "over_total": "{what} several times and together it is more than there was",
    "pagination_edge": "{what} with a page beyond the end",
    "time_edge": "{what} with a date in the {when}",
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
