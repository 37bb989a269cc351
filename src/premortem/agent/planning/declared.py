"""The way to a request that nobody was seen sending, from the specification alone.

What its path and its body refer to is made before, by the operations that make such things;
links that were learned tell more than names do. Who does what stands in the specification, or
else is one of the configured roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from premortem.agent.planning.expectation import asks_for_none
from premortem.agent.planning.identity import ID_WORDS, identity_of, located
from premortem.agent.planning.plausible import plausible_at
from premortem.agent.understanding.words import (
    VERBS,
    participle,
    singular,
    spoken_segments,
    stems,
    tokens,
)
from premortem.domain.bodies import at, text_of
from premortem.domain.places import Place, body_place, parse_place
from premortem.domain.run import SAFE_METHODS, Binding, Case, Origin
from premortem.domain.shape import Shape, read_shape
from premortem.domain.template import encode_segment, split_template
from premortem.domain.traffic import OperationProfile, Pairs, Profile, Request
from premortem.generate.breaks import read_schema
from premortem.generate.filler import NOTHING, Filler, read_only
from premortem.generate.payload import media_type_for, write_value
from premortem.generate.references import needed_references

SETUP_MAX = 10
"""Requests that one way may take."""
DEPTH_MAX = 5
"""Things that a thing may need before it, one below the other."""
VERSIONS = frozenset({"version", "revision", "rev", "etag", "row_version", "lock_version"})
"""Fields that say which state of a thing a change is based on."""
_PARAMETER = re.compile(r"\{([^{}]+)\}((?::[\w-]+)?)")
"""A parameter, and a custom method behind it: `{id}:restart` (Google AIP-136)."""
_WIDE = re.compile(r"admin|owner|root|super", re.IGNORECASE)
_NOT = frozenset({"not", "no", "never", "un", "without"})


class _NoWay(Exception):
    """Something is needed that nothing in the specification makes; becomes a reason."""


class _Thing(Struct, frozen=True, kw_only=True):
    """What a place names: a step's answer, or a name of the client's choice."""

    step: int = -1
    select: Place | None = None
    name: str = ""


def declared_way(
    operation: OperationProfile,
    profile: Profile,
    *,
    roles: Sequence[str] = (),
    unnamed: bool = False,
) -> tuple[Case, ...] | str:
    """Requests that lead to one of OPERATION, which is the last; or why there are none.

    ROLES: the configured ones. UNNAMED: what nothing makes is named all the same.
    """
    row = _Row(profile, roles, unnamed=unnamed)
    try:
        row.add(operation)
    except _NoWay as error:
        return str(error)
    return tuple(row.cases)


def made_body(operation: OperationProfile) -> bytes | None:
    """A smallest body that OPERATION's schema allows; empty: it wants none; None: none can be."""
    schema = read_schema(operation.request_schema)
    bodiless = SAFE_METHODS | {"DELETE"}
    if schema is None or operation.operation.method in bodiless:
        learned = any(f.place.part == "body" and f.presence >= 1 for f in operation.fields)
        return None if learned and operation.operation.method not in bodiless else b""
    filler = Filler(schema.root, plausible_at(operation))
    value = filler.value(schema.shape, ())
    if value is NOTHING:
        return None
    if operation.operation.method == "PATCH" and isinstance(value, dict):
        value = _changing(value, schema.shape, filler)
    return write_value(value, media_type_for(operation) or "application/json")


def _changing(value: dict[str, Any], shape: Shape, filler: Filler) -> dict[str, Any]:
    """VALUE, the body of a change, with a member that changes something, the plainest that may be
    sent; a version changes nothing."""
    if set(value) - VERSIONS:
        return value
    ranked: list[tuple[int, int, str, Any]] = []
    for number, name in enumerate(shape.names):
        member = shape.member(name)
        if name in value or member is None or read_only(member):
            continue
        made = filler.value(member, (name,))
        if made is not NOTHING and not isinstance(made, dict | list) and made is not None:
            closed = any("enum" in branch for branch in member.branches)
            ranked.append((int(closed or not isinstance(made, str)), number, name, made))
    if not ranked:
        return value
    *_, name, made = min(ranked, key=lambda one: one[:2])
    return {**value, name: made}


def usual_role(operation: OperationProfile, profile: Profile, roles: Sequence[str]) -> str:
    """Who would do OPERATION: whom production let most often, whom the specification names, else
    whom production let do most elsewhere, else the configured role that sounds like the widest.
    """
    seen = _let_through((operation,), roles)
    if seen:
        return seen
    allowed = [role for role in operation.allowed_roles if role in roles]
    if allowed:
        return allowed[0]
    if asks_for_none(operation, profile):
        return ""
    elsewhere = _let_through(profile.operations, roles)
    wide = [role for role in roles if _WIDE.search(role)]
    return elsewhere or next(iter([*wide, *roles]), "")


def _let_through(operations: Sequence[OperationProfile], roles: Sequence[str]) -> str:
    good: dict[str, int] = {}
    for operation in operations:
        for role, counts in operation.roles.items():
            well = sum(n for status, n in counts.items() if status.startswith("2"))
            if well and role not in ("", "unknown") and (role in roles or not roles):
                good[role] = good.get(role, 0) + well
    return max(sorted(good), key=lambda role: good[role], default="")


class _Row:
    """Requests in the making, each behind those that it needs."""

    def __init__(self, profile: Profile, roles: Sequence[str], *, unnamed: bool = False) -> None:
        self.cases: list[Case] = []
        self._unnamed = unnamed
        self._profile = profile
        self._roles = tuple(roles)
        self._made: dict[str, int] = {}
        """Operation -> its case."""
        self._open: list[str] = []
        """Operations that are being led to."""

    def add(self, operation: OperationProfile) -> int:
        """The index of a request of OPERATION, behind what it needs. Raises _NoWay."""
        if len(self._open) >= DEPTH_MAX or len(self.cases) >= SETUP_MAX:
            raise _NoWay(f"the way would take more than {SETUP_MAX} requests")
        self._open.append(operation.id)
        try:
            path, bindings = self._path(operation)
            self._ready(operation)
            case = self._case(operation, path, bindings)
        finally:
            self._open.pop()
        if self._open:
            case = msgspec.structs.replace(case, setup=True)
        self.cases.append(case)
        self._made[operation.id] = len(self.cases) - 1
        return self._made[operation.id]

    def _path(self, operation: OperationProfile) -> tuple[str, tuple[Binding, ...]]:
        template = split_template(operation.operation.template)
        segments: list[str] = []
        bindings: list[Binding] = []
        for index, segment in enumerate(template):
            if "{" not in segment:
                segments.append(segment)
                continue
            parameter = _PARAMETER.fullmatch(segment)
            if parameter is None:
                raise _NoWay(f"nothing tells what {segment} in its path is")
            name = parameter[1]
            thing = self._named(operation, template[:index], name)
            text = thing.name or name
            segments.append(encode_segment(text) + parameter[2])
            if thing.select is not None:
                place = Place(part="path", name=str(index))
                bindings.append(
                    Binding(step=thing.step, select=thing.select, place=place, recorded=text)
                )
        return "/" + "/".join(segments), tuple(bindings)

    def _named(self, operation: OperationProfile, prefix: tuple[str, ...], name: str) -> _Thing:
        """What the path parameter NAME behind PREFIX names."""
        linked = self._linked(operation, Place(part="path", name=name))
        if linked is not None:
            return linked
        makers = self._makers(prefix, name)
        for where in (identity_of, located):
            for maker in makers:
                select = where(maker, prefix, name)
                thing = self._of(maker, select) if select is not None else None
                if thing is not None:
                    return thing
        return self._put_there(prefix, name) or self._listed(prefix, name)

    def _linked(self, operation: OperationProfile, place: Place) -> _Thing | None:
        """What a link, learned or declared, leads to PLACE of a request of OPERATION."""
        for link in self._profile.links:
            if link.consumer != operation.id or link.place != place or "*" in link.select.tokens:
                continue
            producer = self._profile.operation(link.producer)
            thing = self._of(producer, link.select) if producer is not None else None
            if thing is not None:
                return thing
        return None

    def _of(self, maker: OperationProfile, select: Place) -> _Thing | None:
        """What MAKER makes, made now if it was not before; None: there is no way to it."""
        if select.part not in ("body", "header") or maker.id in self._open:
            return None
        if maker.id not in self._made and not self._tried(maker):
            return None
        return _Thing(step=self._made[maker.id], select=select)

    def _tried(self, operation: OperationProfile) -> bool:
        """OPERATION added; what a failed try added is taken back."""
        cases, made = list(self.cases), dict(self._made)
        try:
            self.add(operation)
        except _NoWay:
            self.cases, self._made = cases, made
            return False
        return True

    def _makers(self, prefix: tuple[str, ...], name: str) -> list[OperationProfile]:
        """What may make the thing that NAME behind PREFIX names, the likeliest first."""
        ranked = []
        for operation in self._profile.operations:
            if operation.operation.method != "POST":
                continue
            rank = _makes(operation, prefix, name)
            if rank is not None:
                depth = len(split_template(operation.operation.template))
                ranked.append((rank, depth, operation.id, operation))
        return [operation for *_, operation in sorted(ranked, key=lambda row: row[:3])]

    def _put_there(self, prefix: tuple[str, ...], name: str) -> _Thing | None:
        """A thing under a name of our own, where PUT makes one."""
        shape = (*map(_shape, prefix), "{}")
        for put in self._profile.operations:
            template = split_template(put.operation.template)
            if put.operation.method != "PUT" or tuple(map(_shape, template)) != shape:
                continue
            words = tokens(prefix[-1]) if prefix else tokens(name)
            own = "-".join([*map(singular, words), "one"])
            if put.id in self._open:
                return _Thing(name=own)
            if put.id in self._made or self._tried(put):
                return _Thing(name=own)
        return None

    def _listed(self, prefix: tuple[str, ...], name: str) -> _Thing:
        """The first of those that are there anyway. Raises _NoWay."""
        shape = tuple(map(_shape, prefix))
        for read in self._profile.operations:
            template = tuple(map(_shape, split_template(read.operation.template)))
            if read.operation.method != "GET" or template != shape:
                continue
            select = identity_of(read, prefix, name, listed=True)
            thing = self._of(read, select) if select is not None else None
            if thing is not None:
                return thing
        if self._unnamed and len(self._open) == 1:
            return _Thing(name=name)
        raise _NoWay(f"nothing in the specification makes what {{{name}}} in the path names")

    def _ready(self, operation: OperationProfile) -> None:
        """What the summary says has happened to the thing: `for an approved invoice`."""
        said = tokens(operation.summary)
        template = split_template(operation.operation.template)
        for end, segment in enumerate(template, 1):
            if "{" not in segment:
                continue
            for action in self._actions(template[:end]):
                last = spoken_segments(action.operation.template)[-1]
                done = participle(tokens(last)[0]) if tokens(last) else ""
                where = said.index(done) if done in said else -1
                negated = where < 0 or bool(_NOT & set(said[max(0, where - 2) : where]))
                if not negated and action.id not in (*self._open, *self._made):
                    self._tried(action)

    def _actions(self, prefix: tuple[str, ...]) -> Iterator[OperationProfile]:
        shape = tuple(map(_shape, prefix))
        for operation in self._profile.operations:
            template = spoken_segments(operation.operation.template)
            behind = operation.operation.method == "POST" and len(template) == len(shape) + 1
            if behind and "{" not in template[-1] and tuple(map(_shape, template[:-1])) == shape:
                yield operation

    def _case(self, operation: OperationProfile, path: str, bindings: tuple[Binding, ...]) -> Case:
        body = made_body(operation)
        if body is None:
            raise _NoWay(f"no body can be made for {operation.id}")
        query, headers = _query(operation), dict[str, str]()
        for binding, text in self._carried(operation, query):
            bindings = (*bindings, binding)
            if binding.place.part == "header":
                headers[binding.place.name] = text
        if body:
            headers["content-type"] = media_type_for(operation) or "application/json"
            bindings = (
                *bindings,
                *self._references(operation, body),
                *self._versions(body, bindings),
            )
        return Case(
            request=Request(
                method=operation.operation.method,
                origin="",
                path=path,
                query=query,
                headers=tuple(headers.items()),
                body=body,
            ),
            operation_id=operation.id,
            origin=Origin(source="scenario", profile_version=self._profile.version),
            role=usual_role(operation, self._profile, self._roles),
            bindings=bindings,
        )

    def _references(self, operation: OperationProfile, body: bytes) -> Iterator[Binding]:
        """What BODY has to name, made before: `customer_id` is what POST /customers gave."""
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return
        told = (
            link.place
            for link in self._profile.links
            if link.declared and link.consumer == operation.id and link.place.part == "body"
        )
        for place in dict.fromkeys([*needed_references(operation), *told]):
            name = place.tokens[-1] if place.tokens else ""
            entity = [word for word in stems(name) if word not in ID_WORDS]
            try:
                recorded = text_of(at(value, place.tokens))
            except (LookupError, TypeError):
                continue
            linked = self._linked(operation, place)
            if linked is not None and linked.select is not None:
                yield _binding(linked, linked.select, place, recorded)
                continue
            for maker in self._makers((), name) if place.part == "body" and entity else ():
                select = identity_of(maker, (), name)
                thing = self._of(maker, select) if select is not None else None
                if thing is not None and thing.select is not None:
                    yield _binding(thing, thing.select, place, recorded)
                    break

    def _carried(self, operation: OperationProfile, query: Pairs) -> Iterator[tuple[Binding, str]]:
        """What links lead to in QUERY and in headers, each with the text that stands there."""
        sent = dict(query)
        for link in self._profile.links:
            place = link.place
            if link.consumer != operation.id or place.part not in ("query", "header"):
                continue
            text = sent.get(place.name) if place.part == "query" else place.name
            wanted = place.part == "query" or link.declared
            thing = self._linked(operation, place) if wanted and text is not None else None
            if thing is not None and thing.select is not None and text is not None:
                yield _binding(thing, thing.select, place, text), text

    def _versions(self, body: bytes, bindings: Sequence[Binding]) -> Iterator[Binding]:
        """The version that BODY names is the one that its thing had last: a change is based on what
        was read."""
        about = [b.step for b in bindings if b.place.part == "path"]
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return
        for name in value if about and isinstance(value, dict) else ():
            if name.lower() not in VERSIONS:
                continue
            shown = [i for i in self._on(about[-1]) if self._shows(i, name)]
            if shown:
                place = body_place(name)
                recorded = text_of(value[name])
                yield Binding(step=shown[-1], select=place, place=place, recorded=recorded)

    def _on(self, step: int) -> list[int]:
        """STEP, and the changes since of what it made."""
        later = range(step + 1, len(self.cases))
        last = (
            (i, [b.step for b in self.cases[i].bindings if b.place.part == "path"]) for i in later
        )
        return [step, *(i for i, steps in last if steps[-1:] == [step])]

    def _shows(self, index: int, name: str) -> bool:
        operation = self._profile.operation(self.cases[index].operation_id)
        return operation is not None and _gives(operation, name)


def _binding(thing: _Thing, select: Place, place: Place, recorded: str) -> Binding:
    return Binding(step=thing.step, select=select, place=place, recorded=recorded)


def _query(operation: OperationProfile) -> Pairs:
    """What the specification requires in the query."""
    pairs: list[tuple[str, str]] = []
    for named in operation.required:
        place = parse_place(named)
        if place.part != "query":
            continue
        schema = read_schema(operation.parameter_schemas.get(named, ""))
        value = (
            NOTHING if schema is None else Filler(schema.root, lambda _: ()).value(schema.shape, ())
        )
        if value is NOTHING or isinstance(value, dict | list):
            value = 1
        pairs.append((place.name, text_of(value)))
    return tuple(pairs)


def _makes(operation: OperationProfile, prefix: tuple[str, ...], name: str) -> int | None:
    """How likely the POST makes what NAME behind PREFIX names: 0 surely; None: it does not."""
    template = spoken_segments(operation.operation.template)
    if not template or "{" in template[-1]:
        return None
    shape = tuple(map(_shape, template))
    wanted = tuple(map(_shape, prefix))
    if prefix and shape == wanted:
        return 0
    if (
        prefix
        and shape[:-1] == wanted
        and stems(template[-1])[:1]
        and (stems(template[-1])[0] in VERBS)
    ):
        return 3
    if any("{" in s for s in prefix) and any("{" in s for s in template):
        return None  # what belongs to one thing is not made below another
    last = stems(template[-1])
    if prefix and "{" not in prefix[-1] and last == stems(prefix[-1]):
        return 1
    entity = [word for word in stems(name) if word not in ID_WORDS]
    if entity and (last == entity or last[-len(entity) :] == entity):
        return 2
    return 4 if entity and _gives(operation, name) else None


def _gives(operation: OperationProfile, name: str) -> bool:
    """Whether a good answer of OPERATION has a member NAME at its top."""
    good = (read_shape(a.schema) for a in operation.answers if 200 <= a.status < 300)
    return any(shape is not None and name in shape.names for shape in good)


def _shape(segment: str) -> str:
    return "{}" if "{" in segment else segment
