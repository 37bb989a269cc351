"""Realistic cases drawn from what was learned: column by column, many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import copy
from functools import partial
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.random import Generator

from premortem.domain.bodies import FORM, is_json, text_of, write_form
from premortem.domain.conform import Conformance, compiled, typed_form
from premortem.domain.places import Place
from premortem.domain.references import says_reference
from premortem.domain.run import Case, Intent, Origin
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Exchange, Field, OperationProfile, Pairs, Profile, Request
from premortem.generate import fresh
from premortem.generate.bindings import CONDITIONAL_HEADERS, sent_texts
from premortem.generate.columns import pool
from premortem.generate.donors import borrowed, overlaid
from premortem.generate.fresh import Draw
from premortem.generate.kept import (
    kept_values,
    knows_conflicts,
    named_before,
    presents_credentials,
    reused_places,
    state_limits,
)
from premortem.generate.naming import made_by
from premortem.generate.novel import Renewal, novel_places, renewal
from premortem.generate.parts import MULTIPART, file_contents, write_multipart
from premortem.generate.passing import REFUSED, passed_bodies, passing_fields
from premortem.generate.payload import FORMS, recorded_value
from premortem.generate.relate import Ties, places_of, related, ties_of
from premortem.generate.sample_parameters import Member, drawn_pairs, parameter_draw
from premortem.generate.starts import Start, Starts
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
VARYING_SHARE = 0.5
"""From this share of distinct values on, a header's value is made anew for every case."""

_REALISTIC = Intent()
_encode = msgspec.json.Encoder().encode


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
    hollow: bool
    """It presents secrets that are made up: good enough to be broken, but not realistic."""
    ties: Ties
    """What holds between the values of drawn bodies."""


class Sampler:
    """Draws realistic cases of a profile's operations; the same seed draws the same ones."""

    def __init__(
        self,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        seed: int,
        *,
        starts: Starts | None = None,
        credentials: Collection[str] = (),
    ) -> None:
        """CREDENTIALS: redaction tokens that are replaced by roles' real secrets when sent."""
        self._credentials = credentials
        self._profile = profile
        self._seed = seed
        self._stream = 0
        self._starts = starts or Starts(profile, exchanges)
        self._order = {o.id: index for index, o in enumerate(profile.operations)}
        self._calls: dict[str, int] = {}
        self._given: dict[str, set[object]] = {}
        self._recipes: dict[str, Recipe | None] = {}
        self._passing: dict[str, tuple[Field, ...]] = {}
        self._reused = reused_places(profile)

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """COUNT distinct cases of OPERATION_ID, without their setup; fewer when there are no more.

        They are the last cases of a sequence that begins with the setup of the operation's
        start. Each call draws on.
        """
        recipe = self._recipe(operation_id)
        if recipe is None or count <= 0 or (recipe.hollow and self._stream == 0):
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

    def apart(self, stream: int = 1) -> Sampler:
        """A sampler that draws other cases, another STREAM of them, and shares what was worked
        out for drawing them."""
        other = copy(self)
        other._stream = self._stream + stream
        other._calls, other._given = {}, {}
        return other

    @property
    def starts(self) -> Starts:
        """Where cases start from, operation by operation."""
        return self._starts

    def start(self, operation_id: str) -> Start | None:
        """Where cases of OPERATION_ID start from."""
        return self._starts.of(operation_id)

    def ties(self, operation_id: str) -> Ties:
        """What holds between the values of OPERATION_ID's bodies, and of the state they meet."""
        recipe = self._recipe(operation_id)
        return recipe.ties if recipe is not None else Ties()

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
        body, ties = None, Ties()
        hollow = start.hollow
        if presents_credentials(operation):
            signing = self._signing(operation)
            body, hollow = pool(signing) if signing else None, not signing
        if body is None and (request.body or not start.recorded):
            body, ties = self._body(start, conformance)
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
            named=naming(start),
            body=body,
            body_kept=request.body,
            encode=_encoding(request),
            is_valid=conformance.is_valid if conformance is not None else lambda _: True,
            hollow=hollow,
            ties=ties,
        )

    def _signing(self, operation: OperationProfile) -> list[tuple[Any, float]]:
        """Recorded bodies whose secrets are those of configured roles."""
        found: list[tuple[Any, float]] = []
        for body in self.recorded_bodies(operation):
            text = _encode(body).decode()
            for token in self._credentials:
                text = text.replace(token, "")
            if not holds_token(text):
                found.append((body, 1.0))
        return found

    def _body(self, start: Start, conformance: Conformance | None) -> tuple[Draw | None, Ties]:
        request, operation = start.final.request, start.operation
        form = request.media_type in FORMS
        if not form and not is_json(request.media_type):
            return None, Ties()
        shape = conformance.shape if conformance is not None else None
        try:
            recorded = recorded_value(request)
        except ValueError:
            return None, Ties()
        bound = [b.place for b in start.final.bindings if b.place.part == "body"]
        kept = kept_values(recorded, [*bound, *named_before(recorded, start, operation)])
        if form and shape is not None and isinstance(recorded, dict):
            kept = {k: typed_form({k[0]: v}, shape)[k[0]] for k, v in kept.items()}
        fields = [f for f in self._fields(operation) if f.place.part == "body"]
        if start.recorded and not fields:
            return None, Ties()
        context = Context(
            kept=kept,
            recorded=recorded,
            needed=frozenset(at[: i + 1] for at in kept for i in range(len(at))),
            reused=self._reused.get(operation.id, frozenset()),
            novel=self._novel(operation),
            secrets=request.method not in ("PATCH", "PUT"),
            invent=not start.recorded,
        )
        draw = value_draw(tree(fields) if fields else None, shape, context)
        if draw is None:
            return None, Ties()
        if request.media_type == MULTIPART:
            draw = overlaid(draw, self._files(operation, request))
        if not start.recorded:
            profile, exchanges = self._profile, self._starts.exchanges
            maker = self._starts.maker(operation)
            draw = overlaid(draw, borrowed(operation, profile, exchanges, maker))
        ties = ties_of(
            operation.rules,
            operation.correlations,
            limits=state_limits(operation, start, recorded),
            bodies=self.recorded_bodies(operation),
            fixed=frozenset(kept),
            places=places_of(operation, shape),
        )
        return related(draw, ties), ties

    def _files(self, operation: OperationProfile, own: Request) -> list[tuple[Any, Draw]]:
        known = (self._starts.exchanges.get(i) for i in operation.exemplars)
        passed = [e.request for e in known if e is not None and 0 < e.response.status < REFUSED]
        files = file_contents([own, *passed])
        return [((name,), pool([(text, 1.0) for text in files[name]])) for name in files]

    def recorded_bodies(self, operation: OperationProfile) -> list[Any]:
        """Different bodies of recorded requests that were answered 2xx."""
        return passed_bodies(operation, self._starts.exchanges, again=False)

    def _fields(self, operation: OperationProfile) -> tuple[Field, ...]:
        if operation.id not in self._passing:
            self._passing[operation.id] = passing_fields(operation, self._starts.exchanges)
        return self._passing[operation.id]

    def _novel(self, operation: OperationProfile) -> frozenset[tuple[str, ...]]:
        reused = self._reused.get(operation.id, frozenset())
        maker = made_by(operation, self._profile)
        if maker is not None:
            # Where a name that is taken is refused, so it is when things are renamed.
            named = self._novel(maker) if knows_conflicts(maker) else frozenset()
            closed = {f.place.tokens for f in operation.fields if f.enumeration or f.redacted}
            return named - reused - closed
        if operation.operation.method != "POST":
            return frozenset()
        bodies = passed_bodies(operation, self._starts.exchanges)
        return novel_places(operation, bodies, reused=reused)

    def renewal(self, operation_id: str) -> Renewal:
        """What gives requests that are made of one request of OPERATION_ID new names."""
        start = self._starts.of(operation_id)
        if start is None or not start.recorded:
            return Renewal(draws=(), shape=None, seed=self._seed)
        places = self._novel(start.operation)
        bound = {b.place.tokens: None for b in start.final.bindings if b.place.part == "body"}
        return renewal(start.operation, places, bound, self._seed + self._stream)

    def _query(self, start: Start) -> tuple[tuple[Member, ...], Pairs]:
        bound = {b.place.name for b in start.final.bindings if b.place.part == "query"}
        # What is referred to has to be there: other values belong to other states.
        bound |= {name for name, _ in start.final.request.query if says_reference(name)}
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
            lambda f: f.place.name in present - bound and (varies(f) or f.redacted),
        )
        made = {name for name, *_ in members}
        kept = tuple((name, without_tokens(value)) for name, value in recorded if name not in made)
        return tuple((name, draw, 1.0, c) for name, draw, _, c in members), kept

    def _members(
        self, start: Start, part: str, wanted: Callable[[Field], bool]
    ) -> tuple[Member, ...]:
        operation = start.operation
        reused = self._reused.get(operation.id, frozenset())
        members: list[Member] = []
        fields = [f for f in self._fields(operation) if f.place.part == part]
        seen = {f.place.name: f for f in fields if wanted(f)}
        have = {f.place.name for f in fields}
        demanded = [
            place.partition(":")[2] for place in operation.required if place.startswith(part)
        ]
        for name in [*seen, *(n for n in demanded if n not in have)]:
            place = f"{part}:{name}"
            conformance = compiled(operation.parameter_schemas.get(place, ""))
            field = seen.get(name)
            draw = parameter_draw(field, conformance, reused=(part, name) in reused)
            if draw is None:
                continue
            always = field is None or place in operation.required
            presence = 1.0 if always or field is None else field.presence
            members.append((name, draw, presence, conformance))
        return tuple(members)


def _encoding(request: Request) -> Callable[[Any], bytes]:
    if request.media_type == MULTIPART:
        return partial(write_multipart, like=request, new_names=True)
    return write_form if request.media_type == FORM else _encode


def naming(start: Start) -> Draw | None:
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


def varies(field: Field) -> bool:
    """Whether production rarely sent the same value there twice."""
    return field.seen > 1 and field.distinct >= VARYING_SHARE * field.seen


def without_tokens(text: str) -> str:
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
    queries = drawn_pairs(recipe.query, recipe.query_kept, rng, rows)
    headers = drawn_pairs(recipe.headers, recipe.headers_kept, rng, rows)
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
    # Of one there is nothing to draw, and numpy would not either: the stream stays the same.
    picked = (
        [known[0]] * rows
        if len(known) == 1
        else [known[i] for i in rng.integers(len(known), size=rows).tolist()]
    )
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
    """Cases that differ in nothing but their body."""
    final = recipe.start.final
    path, role = recipe.start.paths[0]
    method, operation_id = final.request.method, final.operation_id
    query, headers = recipe.query_kept, recipe.headers_kept
    origin, bindings, intent = recipe.origin, final.bindings, _REALISTIC
    for body in bodies:
        if body is None:
            continue
        key = hash(body)
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
