"""Realistic cases drawn from what was learned: column by column, many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.random import Generator

from premortem.domain.bodies import (
    FORM,
    general,
    is_json,
    leaves,
    read_body,
    text_of,
    write_form,
)
from premortem.domain.conform import Conformance, compiled, typed_form
from premortem.domain.places import Place
from premortem.domain.run import Case, Intent, Origin
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Exchange, Field, OperationProfile, Pairs, Profile, Request
from premortem.generate import fresh
from premortem.generate.bindings import CONDITIONAL_HEADERS, sent_texts
from premortem.generate.columns import leaf, pool
from premortem.generate.fresh import Draw
from premortem.generate.starts import LINK_CONFIDENCE, Start, Starts
from premortem.generate.trees import Context, tree, value_draw

ROWS_MAX = 1024
"""Rows drawn at once: many enough for numpy, few enough for the processor's cache."""
ROUNDS_MAX = 4
"""Draws for one request of cases; an operation with few distinct requests ends short."""
NEW_SHARE_MIN = 0.1
"""A draw that brings a smaller share of new cases is the last: the operation has few more."""
CREATED = 201
NEW_NAME_LENGTH = 40
"""Longest name that a PUT gives to what it makes."""
NAME_LENGTH_MIN = 3
"""Shorter texts are equal by chance."""
VARYING_SHARE = 0.5
"""From this share of distinct values on, a header's value is made anew for every case."""

_SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})
_REALISTIC = Intent()
_encode = msgspec.json.Encoder().encode
Member = tuple[str, Draw, float, Conformance | None]
"""A query parameter or header: name, column, how often it is there, what it must satisfy."""


class Recipe(Struct, frozen=True, kw_only=True):
    """Everything that drawing cases of one operation needs, worked out once."""

    start: Start
    origin: Origin
    query: tuple[Member, ...]
    query_kept: Pairs
    headers: tuple[Member, ...]
    headers_kept: Pairs
    named: Draw | None
    """The last path segment, where the operation makes what the client names (PUT)."""
    body: Draw | None
    """None: the body stays as recorded."""
    body_kept: bytes
    encode: Callable[[Any], bytes]
    is_valid: Callable[[Any], bool]


class Sampler:
    """Draws realistic cases of a profile's operations; the same seed draws the same ones."""

    def __init__(
        self,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        seed: int,
        *,
        starts: Starts | None = None,
    ) -> None:
        self._profile = profile
        self._seed = seed
        self._stream = 0
        self._starts = starts or Starts(profile, exchanges)
        self._order = {o.id: index for index, o in enumerate(profile.operations)}
        self._calls: dict[str, int] = {}
        self._given: dict[str, set[object]] = {}
        self._recipes: dict[str, Recipe | None] = {}
        self._reused = _reused_places(profile)

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """COUNT distinct cases of OPERATION_ID, without their setup; fewer when there are no more.

        They are the last cases of a sequence that begins with the setup of the operation's
        start. Each call draws on.
        """
        recipe = self._recipe(operation_id)
        if recipe is None or count <= 0:
            return []
        call = self._calls[operation_id] = self._calls.get(operation_id, -1) + 1
        rng = np.random.default_rng([self._seed, self._stream, self._order[operation_id], call])
        given = self._given.setdefault(operation_id, set())
        found: list[Case] = []
        for _ in range(ROUNDS_MAX):
            before, missing = len(found), count - len(found)
            for start in range(0, missing, ROWS_MAX):
                _draw(recipe, rng, min(missing - start, ROWS_MAX), given, found)
            if len(found) >= count or len(found) - before < NEW_SHARE_MIN * missing:
                break
        return found

    def apart(self) -> Sampler:
        """A sampler that draws other cases, and shares what was worked out for drawing them."""
        other = copy(self)
        other._stream = self._stream + 1
        other._calls, other._given = {}, {}
        return other

    def start(self, operation_id: str) -> Start | None:
        """Where cases of OPERATION_ID start from."""
        return self._starts.of(operation_id)

    def _recipe(self, operation_id: str) -> Recipe | None:
        if operation_id not in self._recipes:
            start = self._starts.of(operation_id)
            self._recipes[operation_id] = self._prepare(start) if start is not None else None
        return self._recipes[operation_id]

    def _prepare(self, start: Start) -> Recipe | None:
        operation, request = start.operation, start.final.request
        conformance = compiled(operation.request_schema)
        query, query_kept = self._query(start)
        headers, headers_kept = self._headers(start)
        form = request.media_type == FORM
        body: Draw | None = None
        if request.body or not start.recorded:
            body = self._body(start, conformance)
        if body is None and not start.recorded and operation.request_schema:
            return None
        return Recipe(
            start=start,
            origin=Origin(
                source="sample",
                parents=start.final.origin.parents,
                seed=self._seed,
                profile_version=self._profile.version,
            ),
            query=query,
            query_kept=query_kept,
            headers=headers,
            headers_kept=headers_kept,
            named=_naming(start),
            body=body,
            body_kept=request.body,
            encode=write_form if form else _encode,
            is_valid=conformance.is_valid if conformance is not None else lambda _: True,
        )

    def _body(self, start: Start, conformance: Conformance | None) -> Draw | None:
        request, operation = start.final.request, start.operation
        form = request.media_type == FORM
        if not form and not is_json(request.media_type):
            return None
        shape = conformance.shape if conformance is not None else None
        try:
            recorded = read_body(request)
        except ValueError:
            return None
        bound = [b.place for b in start.final.bindings if b.place.part == "body"]
        kept = _kept(recorded, [*bound, *_named_before(recorded, start, operation)])
        if form and shape is not None and isinstance(recorded, dict):
            kept = {k: typed_form({k[0]: v}, shape)[k[0]] for k, v in kept.items()}
        fields = [field for field in operation.fields if field.place.part == "body"]
        if start.recorded and not fields:
            return None
        context = Context(
            kept=kept,
            recorded=recorded,
            needed=frozenset(at[: i + 1] for at in kept for i in range(len(at))),
            reused=self._reused.get(operation.id, frozenset()),
            secrets=request.method not in ("PATCH", "PUT"),
            invent=not start.recorded,
        )
        return value_draw(tree(fields) if fields else None, shape, context)

    def _query(self, start: Start) -> tuple[tuple[Member, ...], Pairs]:
        bound = {b.place.name for b in start.final.bindings if b.place.part == "query"}
        kept = tuple(pair for pair in start.final.request.query if pair[0] in bound)
        return self._members(start, "query", lambda field: field.place.name not in bound), kept

    def _headers(self, start: Start) -> tuple[tuple[Member, ...], Pairs]:
        bound = {b.place.name for b in start.final.bindings if b.place.part == "header"}
        recorded = [
            (name, value)
            for name, value in start.final.request.headers
            if name in bound or value == "*" or name not in CONDITIONAL_HEADERS
        ]
        present = {name for name, _ in recorded}
        members = self._members(
            start,
            "header",
            lambda f: f.place.name in present - bound and (_varies(f) or f.redacted),
        )
        made = {name for name, *_ in members}
        kept = tuple((name, _without_tokens(value)) for name, value in recorded if name not in made)
        return tuple((name, draw, 1.0, c) for name, draw, _, c in members), kept

    def _members(
        self, start: Start, part: str, wanted: Callable[[Field], bool]
    ) -> tuple[Member, ...]:
        operation = start.operation
        reused = self._reused.get(operation.id, frozenset())
        members: list[Member] = []
        seen = {f.place.name: f for f in operation.fields if f.place.part == part and wanted(f)}
        have = {f.place.name for f in operation.fields if f.place.part == part}
        demanded = [
            place.partition(":")[2] for place in operation.required if place.startswith(part)
        ]
        for name in [*seen, *(n for n in demanded if n not in have)]:
            place = f"{part}:{name}"
            conformance = compiled(operation.parameter_schemas.get(place, ""))
            field = seen.get(name)
            draw = _parameter(field, conformance, reused=(part, name) in reused)
            if draw is None:
                continue
            always = field is None or place in operation.required
            presence = 1.0 if always or field is None else field.presence
            members.append((name, draw, presence, conformance))
        return tuple(members)


def _naming(start: Start) -> Draw | None:
    """New names for what a PUT makes; None where the last segment names something made before."""
    operation = start.operation
    last = split_template(operation.operation.template)[-1:]
    made = any(answer.status == CREATED for answer in operation.answers)
    if operation.operation.method != "PUT" or not made or not start.recorded:
        return None
    if not last or not last[0].startswith("{") or not last[0].endswith("}"):
        return None
    name = last[0][1:-1]
    before = {text for case in start.setup for text in sent_texts(case.request)}
    bound = {b.place.name for b in start.final.bindings if b.place.part == "path"}
    segments = split_path(start.final.request.path)
    if segments[-1] in before or str(len(segments) - 1) in bound:
        return None
    fields = [f for f in operation.fields if f.place == Place(part="path", name=name)]
    values = [text_of(msgspec.json.decode(v)) for f in fields for v, _ in f.values]
    return fresh.like(values, fields[0].format if fields else "", 1, NEW_NAME_LENGTH)


def _parameter(
    field: Field | None, conformance: Conformance | None, *, reused: bool
) -> Draw | None:
    """The column of a query parameter or header: scalars, else recorded texts that can be read
    as something valid (arrays and objects in one of their styles), else what is declared."""
    shape = conformance.shape if conformance is not None else None
    # `null` has no text: a parameter that may be nothing else but an array or object is not null.
    empty = shape is not None and shape.types & _SCALARS == {"null"}
    scalar = None if empty else leaf(field, shape, reused=reused)
    if scalar is not None or conformance is None:
        return scalar
    recorded = [(text_of(msgspec.json.decode(v)), n) for v, n in field.values] if field else []
    known = [(text, float(n)) for text, n in recorded if conformance.reads_valid([text])]
    return pool(known) if known else value_draw(None, shape, Context())


def _reused_places(profile: Profile) -> dict[str, frozenset[tuple[str, ...]]]:
    """Operation -> body pointers and (part, name) of values that links lead to."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for link in profile.links:
        if link.confidence < LINK_CONFIDENCE:
            continue
        place = link.place
        key = place.tokens if place.part == "body" else (place.part, place.name)
        found.setdefault(link.consumer, set()).add(key)
    return {consumer: frozenset(keys) for consumer, keys in found.items()}


def _kept(body: Any, places: Iterable[Place]) -> dict[tuple[str, ...], Any]:
    """What of BODY stays as recorded because the values at PLACES must.

    Inside an array the whole array stays: its other items may not be there otherwise.
    """
    kept: dict[tuple[str, ...], Any] = {}
    for place in places:
        value = body
        at: tuple[str, ...] = ()
        for token in place.tokens:
            if not isinstance(value, dict) or token not in value:
                break
            value, at = value[token], (*at, token)
        kept[at] = value
    return {
        at: value for at, value in kept.items() if not any(at[:i] in kept for i in range(len(at)))
    }


def _named_before(body: Any, start: Start, operation: OperationProfile) -> Iterator[Place]:
    """Places of BODY that name what the setup made under a name of the client's choice."""
    if not start.setup:
        return
    known = {text for case in start.setup for text in sent_texts(case.request)}
    closed = {f.place.tokens for f in operation.fields if f.enumeration}
    for place, value in leaves(body):
        named = isinstance(value, str) and len(value) >= NAME_LENGTH_MIN and " " not in value
        if (
            named
            and value in known
            and not holds_token(value)
            and general(place).tokens not in closed
        ):
            yield place


def _varies(field: Field) -> bool:
    return field.seen > 1 and field.distinct >= VARYING_SHARE * field.seen


def _without_tokens(text: str) -> str:
    """TEXT, or as many other characters where a redaction token stands in it."""
    if not holds_token(text):
        return text
    rng = np.random.default_rng(len(text))
    return str(fresh.characters(len(text), len(text))(rng, 1)[0])


def _draw(recipe: Recipe, rng: Generator, rows: int, given: set[object], found: list[Case]) -> None:
    """Append up to ROWS cases to FOUND, less the invalid ones and those in GIVEN."""
    bodies = _bodies(recipe, rng, rows)
    final = recipe.start.final
    if not (recipe.query or recipe.headers or recipe.named or len(recipe.start.paths) > 1):
        _with_bodies(recipe, bodies, given, found)
        return
    queries = _parameters(recipe.query, recipe.query_kept, rng, rows)
    headers = _parameters(recipe.headers, recipe.headers_kept, rng, rows)
    paths = _paths(recipe, rng, rows)
    for body, query, header, (path, role) in zip(bodies, queries, headers, paths, strict=True):
        if body is None or query is None or header is None:
            continue
        key = hash((path, role, query, header, body))
        if key in given:
            continue
        given.add(key)
        found.append(
            Case(
                request=Request(
                    method=final.request.method,
                    origin="",
                    path=path,
                    query=query,
                    headers=header,
                    body=body,
                ),
                operation_id=final.operation_id,
                origin=recipe.origin,
                intent=_REALISTIC,
                role=role,
                bindings=final.bindings,
            )
        )


def _paths(recipe: Recipe, rng: Generator, rows: int) -> list[tuple[str, str]]:
    """(path, role) for each row."""
    known = recipe.start.paths
    picked = [known[i] for i in rng.integers(len(known), size=rows).tolist()]
    if recipe.named is None:
        return picked
    names = recipe.named(rng, rows)
    return [
        (f"{path.rpartition('/')[0]}/{encode_segment(name)}", role)
        for (path, role), name in zip(picked, names, strict=True)
    ]


def _with_bodies(
    recipe: Recipe, bodies: list[bytes | None], given: set[object], found: list[Case]
) -> None:
    """Cases that differ in nothing but their body: the head is hashed once (see `Case.id`)."""
    final = recipe.start.final
    path, role = recipe.start.paths[0]
    method, operation_id = final.request.method, final.operation_id
    query, headers = recipe.query_kept, recipe.headers_kept
    origin, bindings, intent = recipe.origin, final.bindings, _REALISTIC
    empty = Request(method=method, origin="", path=path, query=query, headers=headers)
    head = sha256(role.encode() + b"\0" + empty.canonical_bytes())
    for body in bodies:
        if body is None:
            continue
        digest = head.copy()
        digest.update(body)
        key = digest.hexdigest()[:16]
        if key in given:
            continue
        given.add(key)
        found.append(
            Case(
                request=Request(
                    method=method, origin="", path=path, query=query, headers=headers, body=body
                ),
                operation_id=operation_id,
                origin=origin,
                intent=intent,
                role=role,
                bindings=bindings,
            )
        )


def _bodies(recipe: Recipe, rng: Generator, rows: int) -> list[bytes | None]:
    """Encoded bodies, None where one came out invalid."""
    if recipe.body is None:
        return [recipe.body_kept] * rows
    encode, is_valid = recipe.encode, recipe.is_valid
    return [encode(v) if is_valid(v) else None for v in recipe.body(rng, rows)]


def _satisfies(conformance: Conformance | None) -> Callable[[Any], bool] | None:
    """Whether a drawn value is valid, as itself or as the text it is sent as."""
    if conformance is None:
        return None
    return lambda v: (
        conformance.is_valid(v) or (isinstance(v, str) and conformance.reads_valid([v]))
    )


def _parameters(
    members: tuple[Member, ...], kept: Pairs, rng: Generator, rows: int
) -> Iterator[Pairs | None]:
    """KEPT and drawn pairs, row by row; None where a parameter came out invalid."""
    if not members:
        for _ in range(rows):
            yield kept
        return
    columns = [draw(rng, rows) for _, draw, _, _ in members]
    there = [rng.random(rows) < share for _, _, share, _ in members]
    names = [name for name, *_ in members]
    checks = [_satisfies(c) for *_, c in members]
    for row in range(rows):
        pairs = list(kept)
        for name, column, present, valid in zip(names, columns, there, checks, strict=True):
            if not present[row]:
                continue
            value = column[row]
            if valid is not None and not valid(value):
                pairs = []
                break
            values = value if isinstance(value, list) else [value]
            pairs += [(name, text_of(item)) for item in values if item is not None]
        else:
            yield tuple(pairs)
            continue
        yield None
