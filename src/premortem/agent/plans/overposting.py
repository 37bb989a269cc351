"""The request sets what is not the client's to set: its id, its state, its owner, a role."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Any

from msgspec import Struct

from premortem.agent.planning import titles
from premortem.agent.planning.draft import Draft
from premortem.agent.planning.expectation import Expectation, invalid_status, success_status
from premortem.agent.planning.observation import good_answer
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.readback import ReadBack, echo_of, read_back
from premortem.agent.plans.valued import More, Put, allowed, as_login, takes_body, valued
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.agent.understanding.inputs import InputField, input_fields
from premortem.agent.understanding.words import stems, tokens
from premortem.domain.bodies import text_of
from premortem.domain.places import Place, body_place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario
from premortem.domain.shape import Shape, read_shape
from premortem.domain.template import split_template
from premortem.domain.traffic import Field, OperationProfile

MEMBERS_MAX = 2
"""Members that one question is planned for."""
_PRIVILEGED = tuple(
    stems(
        "role admin status state owner id paid balance total created verified approved price user "
        "permission version"
    )
)
"""Words of members that services keep for themselves, the most harmful first."""
_OWN_ID = "chosen-by-client"
_BEFORE = frozenset(tokens("a an the its it his her their own new with set sets as"))
"""What stands before a member that a question smuggles in."""


class _Member(Struct, frozen=True, kw_only=True):
    """Something that answers show and requests may not set."""

    place: Place
    """In the request."""
    name: str
    shape: Shape | None
    field: Field | None
    """As captured in answers."""


def mass_assignment(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request with a member more, refused where the specification is closed, else ignored."""
    if operation.operation.method in SAFE_METHODS or not takes_body(operation):
        return
    for member in islice(_members(ground, operation), MEMBERS_MAX):
        value = _value(ground, member)
        edge = EdgeValue(boundary="mass_assignment", says="set by the client", value=value)
        field = InputField(place=member.place, declared=True)
        put = Put(field=field, edge=edge)
        expected = _expected(ground, operation, reached, put)
        back = read_back(ground, operation, member.place.tokens)
        changes = operation.operation.method != "POST"
        before = _keep(back) if back is not None and changes and not expected.refused else None
        after = None if expected.refused else _untouched(operation, member, value, back)
        title = titles.with_value(operation, member.name, edge.says)
        yield valued(
            ground,
            operation,
            reached,
            [put],
            title=title,
            expected=expected,
            before=before,
            after=after,
        )


def _members(ground: Ground, operation: OperationProfile) -> list[_Member]:
    """What may be tried, what the question names first, then what would do most harm."""
    own = {f.place.tokens for f in input_fields(operation) if f.place.part == "body"}
    found: dict[tuple[str, ...], _Member] = {}
    for shown in (operation, *_readers(ground, operation)):
        for member in _shown(shown, own):
            found.setdefault(member.place.tokens, member)
    said = set(stems(ground.understood.prompt))
    named = ground.understood.field
    for extra in _said_only(ground, found, own):
        found.setdefault(extra.place.tokens, extra)

    def rank(member: _Member) -> tuple[bool, bool, int]:
        words = stems(member.name)
        harm = [_PRIVILEGED.index(word) for word in words if word in _PRIVILEGED]
        return (
            member.name != named,
            not set(words) <= said,
            min(harm, default=len(_PRIVILEGED)),
        )

    return sorted(found.values(), key=rank)


def _readers(ground: Ground, operation: OperationProfile) -> Iterator[OperationProfile]:
    """What reads the thing that OPERATION makes or changes."""
    back = read_back(ground, operation, ("id",))
    if back is not None:
        yield back.operation
    template = split_template(operation.operation.template)
    for other in ground.profile.operations:
        if other.operation.method == "GET" and split_template(other.operation.template) == template:
            yield other


def _shown(operation: OperationProfile, own: set[tuple[str, ...]]) -> Iterator[_Member]:
    """The members of OPERATION's good answer that requests (OWN places) do not have."""
    answer = good_answer(operation)
    if answer is None:
        return
    wrapped = {at[0] for at in own if len(at) > 1}
    captured = {f.place.tokens: f for f in answer.fields if f.place.part == "body"}
    shape = read_shape(answer.schema)
    places: dict[tuple[str, ...], Shape | None] = {at: None for at in captured if "*" not in at}
    for name in shape.names if shape is not None else ():
        member = shape.member(name) if shape is not None else None
        places[(name,)] = member
        if member is not None and name == "data":
            places |= {(name, inner): member.member(inner) for inner in member.names}
    for at, inner in places.items():
        if not at or (inner is not None and inner.types & {"object", "array"}):
            continue
        if len(at) == 1 or (len(at) == 2 and at[0] in ("data", *wrapped)):
            put = at if len(at) == 1 or at[0] in wrapped else at[1:]
            if put not in own and not any(place[: len(put)] == put for place in own):
                yield _Member(
                    place=body_place(*put), name=at[-1], shape=inner, field=captured.get(at)
                )


def _said_only(
    ground: Ground, known: dict[tuple[str, ...], _Member], own: set[tuple[str, ...]]
) -> Iterator[_Member]:
    """A member that only the question names, where it is one that services keep for themselves."""
    names = {member.name for member in known.values()} | {at[-1] for at in own if at}
    wanted = [ground.understood.field] if ground.understood.field else []
    words = tokens(ground.understood.prompt)
    wanted += [word for before, word in pairwise(words) if before in _BEFORE and stems(word)]
    for name in dict.fromkeys(wanted):
        privileged = set(stems(name)) & set(_PRIVILEGED) or name == ground.understood.field
        if name and name not in names and privileged:
            wrapped = [at[0] for at in own if len(at) > 1 and at[0] == "data"]
            place = body_place(*wrapped[:1], name)
            yield _Member(place=place, name=name, shape=None, field=None)


def _value(ground: Ground, member: _Member) -> Any:
    """What the client would like to have there: never what it has by itself."""
    branches = member.shape.branches if member.shape is not None else ()
    listed = [value for branch in branches for value in branch.get("enum", ())]
    if listed:
        return listed[-1]
    field = member.field
    if field is not None and field.enumeration and field.values and not field.redacted:
        return json.loads(field.values[-1][0])
    types = set(member.shape.types if member.shape is not None else ())
    types |= set(field.types) if field is not None else set()
    words = set(stems(member.name))
    if "role" in words:
        return next(iter(ground.roles[::-1]), "admin")
    if types & {"number", "integer"} and "string" not in types:
        return 999_999
    if "boolean" in types or "admin" in words:
        return True
    form = next((branch["format"] for branch in branches if "format" in branch), "")
    return {
        "date-time": "2000-01-01T00:00:00Z",
        "date": "2000-01-01",
        "uuid": "00000000-0000-4000-8000-000000000001",
    }.get(str(form), _OWN_ID)


def _expected(
    ground: Ground, operation: OperationProfile, reached: Reached, put: Put
) -> Expectation:
    if allowed(operation, reached, [put]) is False:
        status, how = invalid_status(operation, ground.profile)
        return Expectation(
            status=status,
            because=f"the specification allows no member {put.field.name}; {how}",
            source="specification",
        )
    expected = Expectation(
        status=success_status(operation),
        because=f"convention: {put.field.name} is not the client's to set, so it is ignored "
        "(OWASP API Security 2023, API3)",
        source="convention",
        outcome="unchanged",
        # A service may as well refuse it: only what it does with it tells.
        certain=False,
    )
    return as_login(ground, operation, expected)


def _keep(back: ReadBack) -> More:
    """Steps that keep what stands there before."""

    def look(draft: Draft) -> None:
        last = len(draft.cases) - 1
        role = back.role or draft.cases[-1].role
        draft.add("Given", text("send", draft.actor(role), "GET", draft.path(last)))
        draft.add("Given", text("save", back.pointer, draft.kept(back.pointer)))

    return look


def _untouched(
    operation: OperationProfile, member: _Member, value: Any, back: ReadBack | None
) -> More | None:
    """Steps that see that the client did not get what it asked for."""
    if operation.operation.method != "POST":
        if back is None:
            return None

        def compare(draft: Draft) -> None:
            back.look(draft)
            draft.add("Then", text("field", back.pointer, f"${{{draft.kept(back.pointer)}}}"))

        return compare
    pointer = echo_of(operation, member.place.tokens)
    given = _given(member)
    if pointer is not None and given is not None and given != value:

        def same(draft: Draft) -> None:
            draft.add("Then", text("field", pointer, text_of(given)))

        return same
    if back is None or set(stems(member.name)) != {"id"}:
        return None

    def nowhere(draft: Draft) -> None:
        path = draft.path(len(draft.cases) - 1).rstrip("/")
        role = back.role or draft.cases[-1].role
        draft.add("Then", text("send", draft.actor(role), "GET", f"{path}/{text_of(value)}"))
        draft.add("Then", text("status", 404))

    return nowhere


def _given(member: _Member) -> Any:
    """What the service itself always puts there; None: nothing tells."""
    field = member.field
    if field is not None and len(field.values) == 1 and field.presence >= 1 and not field.redacted:
        return json.loads(field.values[0][0])
    return _default(member.shape.branches if member.shape is not None else ())


def _default(branches: Sequence[Any]) -> Any:
    found = (branch[key] for branch in branches for key in ("const", "default") if key in branch)
    return next(found, None)
