"""How to see that nothing changed: a safe operation beside the one in question, and what to read.

Looked at before and after, the same fields must hold the same. Only fields that stand still by
themselves are compared: lists, closed sets of words and amounts, never clocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from premortem.agent.planning.expectation import Evidence
from premortem.agent.understanding.words import VERSION_SEGMENT, stems
from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.shape import Shape, read_shape
from premortem.domain.template import fill, parameter_names, split_template
from premortem.domain.traffic import Answer, Exchange, Field, OperationProfile
from premortem.generate.filler import read_only

WITNESSES_MAX = 3
"""Fields that one observation compares."""
COMPARED_MAX = 500
"""Recorded answers of one operation in which changes are looked for."""
_CLOCK_WORDS = """
    time timestamp date at ms seconds duration elapsed age uptime latency took now expires expiry
    ttl modified updated accessed seen version etag cursor token nonce load memory cpu random
"""
_CLOCKS = frozenset(stems(_CLOCK_WORDS))


class Observation(Struct, frozen=True, kw_only=True):
    """A request that changes nothing and the fields of its answer that are compared."""

    operation_id: str
    path: str
    """As a step has it, `${name}` included."""
    fields: tuple[str, ...]
    """JSON pointers; the empty one is the whole answer."""
    lists: bool = False
    """They are lists, of whole things."""
    roles: tuple[str, ...] = ()
    """Who was answered it well, most often first."""


def observation(
    operation: OperationProfile,
    params: Mapping[str, str],
    evidence: Evidence,
    *,
    gone: bool = False,
    known: Collection[str] = (),
    absent: Collection[str] = (),
) -> Observation | None:
    """The look at what OPERATION could change, with PARAMS for its path, or None.

    PARAMS: parameter name of OPERATION's template -> its text in a step's path. GONE: the thing
    itself is not there any more when it is looked at. KNOWN: paths of what was made before. ABSENT:
    pointers that nobody sent, though production did.
    """
    ranked = sorted(
        (rank, other.operation.template, other)
        for other in evidence.profile.operations
        if (rank := _closeness(operation, other, gone=gone)) is not None
    )
    for _, _, other in ranked:
        path = _path(operation, other, params)
        answer = good_answer(other)
        if path is None or answer is None:
            continue
        made_by_it = operation.operation.method == "PUT" and _names_same(operation, other)
        if made_by_it and "${" not in path and path not in known:
            continue  # the request in question would create it: there is nothing to see yet
        changing = _changing(evidence.of(other)[:COMPARED_MAX])
        fields = _witnesses(answer, changing, absent)
        if fields:
            return Observation(
                operation_id=other.id,
                path=path,
                fields=fields,
                lists=list_in(other) in fields,
                roles=_roles(other),
            )
    return None


def effects(other: OperationProfile, evidence: Evidence) -> tuple[str, ...]:
    """Pointers of the amounts and words in OTHER's answer that production saw change for one and
    the same path, and that stand still by themselves: what shows how often something was done."""
    answer = good_answer(other)
    if answer is None:
        return ()
    fields = {field.place.name: field for field in answer.fields if field.place.part == "body"}
    changing = _changing(evidence.of(other)[:COMPARED_MAX])
    telling = [
        name
        for name, field in fields.items()
        if name in changing and _is_always_there(name, fields) and _stands_still(field)
    ]
    ordered = sorted(telling, key=lambda name: (fields[name].enumeration, name.count("/")))
    return tuple(ordered[:WITNESSES_MAX])


def _names_same(operation: OperationProfile, other: OperationProfile) -> bool:
    return operation.operation.template == other.operation.template


def _closeness(operation: OperationProfile, other: OperationProfile, *, gone: bool) -> int | None:
    """How near OTHER's answer shows what OPERATION changes: 0 nearest; None: not at all."""
    if other.operation.method != "GET" or any(q.startswith("query:") for q in other.required):
        return None
    mine = [_shape(segment) for segment in split_template(operation.operation.template)]
    theirs = [_shape(segment) for segment in split_template(other.operation.template)]
    if gone and theirs[-1:] == ["{}"] and len(theirs) == len(mine):
        return None
    if mine[: len(theirs)] == theirs and any(map(_is_named, theirs)):
        return len(mine) - len(theirs)
    if operation.operation.method == "POST" and mine[-1:] == theirs[-1:] and _is_list(theirs):
        return len(mine) + 1
    return None


def _is_list(segments: Sequence[str]) -> bool:
    """`/refunds`, under whatever prefix: all of them, wherever they belong."""
    return bool(segments) and "{}" not in segments and _is_named(segments[-1])


def _is_named(segment: str) -> bool:
    return segment != "{}" and VERSION_SEGMENT.fullmatch(segment) is None


def _shape(segment: str) -> str:
    return "{}" if "{" in segment else segment


def _path(
    operation: OperationProfile, other: OperationProfile, params: Mapping[str, str]
) -> str | None:
    """OTHER's path, by the parameters that stand at the same place in OPERATION's template."""
    mine, theirs = (
        parameter_names(operation.operation.template),
        parameter_names(other.operation.template),
    )
    known = {
        name: params[mine[at]]
        for at, name in enumerate(theirs)
        if at < len(mine) and mine[at] in params
    }
    if len(known) < len(theirs):
        return None
    # `${name}` must stay readable: encoded, it would be no variable any more.
    path = fill(other.operation.template, {name: f"\x00{name}\x00" for name in theirs})
    for name, text in known.items():
        path = path.replace(f"%00{name}%00", text)
    return path


def good_answer(other: OperationProfile) -> Answer | None:
    """What OTHER answers when all is well; None: nothing tells."""
    good = [a for a in other.answers if 200 <= a.status < 300]
    return max(good, key=lambda a: a.count, default=None)


def _roles(other: OperationProfile) -> tuple[str, ...]:
    good = {
        role: sum(n for status, n in counts.items() if status.startswith("2"))
        for role, counts in other.roles.items()
    }
    seen = tuple(sorted((r for r, n in good.items() if n), key=lambda r: -good[r]))
    return seen or other.allowed_roles


def _changing(exchanges: Iterable[Exchange]) -> frozenset[str]:
    """Pointers whose values production saw change for one and the same path."""
    seen: dict[tuple[str, str], str] = {}
    changed: set[str] = set()
    for exchange in exchanges:
        if exchange.response.status >= 300:
            continue
        try:
            value = read_body(exchange.response)
        except ValueError:
            continue
        for place, leaf in leaves(value):
            key = (exchange.request.path, place.name)
            if seen.setdefault(key, text_of(leaf)) != text_of(leaf):
                changed.add(place.name)
    return frozenset(changed)


def _witnesses(
    answer: Answer, changing: Collection[str], absent: Collection[str]
) -> tuple[str, ...]:
    """Pointers of what stands still by itself in ANSWER: its list, or words and amounts.

    What production saw CHANGING tells more than what never does.
    """
    fields = {field.place.name: field for field in answer.fields if field.place.part == "body"}
    places = {
        name: field
        for name, field in fields.items()
        if _is_always_there(name, fields) and name not in absent
    }
    if not places and answer.schema:
        shape = read_shape(answer.schema)
        return tuple(_declared(shape))[:WITNESSES_MAX] if shape is not None else ()
    if any(place.startswith("/*") for place in fields):
        return ("",)
    lists = [p for p, field in places.items() if "array" in field.types and "/*" not in p]
    if lists:
        return (min(lists, key=lambda p: (p.count("/"), p)),)
    steady = [place for place, field in places.items() if _stands_still(field)]
    telling = [place for place in steady if place in changing] or steady
    ordered = sorted(telling, key=lambda p: (not places[p].enumeration, p.count("/")))
    return tuple(ordered[:WITNESSES_MAX])


def _is_always_there(pointer: str, fields: Mapping[str, Field]) -> bool:
    """Whether the place and everything it lies in stood in every answer."""
    if "/*" in pointer:
        return False
    while pointer:
        if pointer in fields and fields[pointer].presence < 1:
            return False
        pointer = pointer.rpartition("/")[0]
    return True


def _stands_still(field: Field) -> bool:
    name = [part for part in field.place.tokens if part != "*"][-1:]
    if field.presence < 1 or field.redacted or not name or set(stems(name[0])) & _CLOCKS:
        return False
    types = set(field.types)
    if types & {"number", "integer"}:
        return not types - {"number", "integer", "null"}
    return field.enumeration and types <= {"string", "boolean", "null"}


def _declared(top: Shape) -> Iterator[str]:
    """The same from a schema alone: the first list, else amounts and enumerations."""
    yield from _declared_in(top, "")
    for name in _envelopes(top):
        inner = top.member(name)
        if inner is not None:
            yield from _declared_in(inner, f"/{name}")


def _declared_in(top: Shape, before: str) -> Iterator[str]:
    if top.types - {"null"} == {"array"}:
        yield before
        return
    members = {name: member for name in top.names if (member := top.member(name)) is not None}
    lists = [name for name, member in members.items() if member.types - {"null"} == {"array"}]
    if lists and not _is_thing(members):
        yield f"{before}/{lists[0]}"
        return
    always = top.required | {name for name, member in members.items() if read_only(member)}
    for name, member in members.items():
        if name not in always:
            continue  # what may be left out is not there to be kept
        enumerated = any("enum" in branch for branch in member.branches)
        numeric = bool(member.types & {"number", "integer"}) and not member.types & {"string"}
        if (numeric or enumerated) and not set(stems(name)) & _CLOCKS:
            yield f"{before}/{name}"


def _is_thing(members: Mapping[str, Shape]) -> bool:
    """Whether they are of one thing rather than of a page of a list: it has an id of its own."""
    return "id" in members or "uuid" in members


def _envelopes(top: Shape) -> list[str]:
    """The one member that TOP consists of, where it is an object: `data`."""
    members = {name: top.member(name) for name in top.names}
    inner = [name for name, m in members.items() if m is not None and "object" in m.types]
    return inner if len(members) == 1 else [name for name in inner if name == "data"]


def list_in(operation: OperationProfile) -> str | None:
    """The pointer of the list that OPERATION answers; None: nothing tells of one."""
    answer = good_answer(operation)
    if answer is None:
        return None
    fields = {f.place.name: f for f in answer.fields if f.place.part == "body"}
    if any(place.startswith("/*") for place in fields):
        return ""
    lists = [p for p, f in fields.items() if "array" in f.types and "/*" not in p]
    if lists:
        return min(lists, key=lambda p: (p.count("/"), p))
    top = read_shape(answer.schema)
    if top is None:
        return None
    if top.types - {"null"} == {"array"}:
        return ""
    members = {name: member for name in top.names if (member := top.member(name)) is not None}
    named = [name for name, member in members.items() if member.types - {"null"} == {"array"}]
    return f"/{named[0]}" if named else None
