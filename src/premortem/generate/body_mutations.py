"""Mutations of bodies: one value changed, checked against the declared schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.bodies import FORM, at, is_json
from premortem.domain.conform import compiled, typed_form
from premortem.domain.places import Place, body_place
from premortem.domain.run import Case, Intent
from premortem.domain.traffic import Field, OperationProfile, Request
from premortem.generate.breaks import read_schema
from premortem.generate.head_mutations import Mutation
from premortem.generate.operators import ACCEPTED_MIN, Broken, breaks_of
from premortem.generate.part_mutations import part_mutations
from premortem.generate.parts import MULTIPART
from premortem.generate.payload import FORMS, recorded_value, write_value

TARGETS_MAX = 400
"""Places of one operation's bodies that are mutated."""
READ_MAX = 256
"""Bodies kept read."""


class Body(Struct, frozen=True, kw_only=True):
    """A base case's body, read once."""

    value: Any
    media_type: str
    form: bool
    valid: bool


def body_mutations(operation: OperationProfile, bases: list[Case]) -> Iterator[Mutation]:
    """Every value that one of BASES has, broken in every way; and the body as a whole."""
    declared = operation.request_source == "spec"
    media_type = bases[0].request.media_type
    if is_json(media_type) and bases[0].request.body:
        yield _malformed(certain=declared)
        yield _wrong_type(declared=declared)
    elif media_type == MULTIPART and bases[0].request.body:
        yield from part_mutations(bases)
        yield _wrong_type(declared=declared)
    elif media_type != FORM:
        return
    breaker = _Breaker(operation)
    targets: dict[tuple[str, ...], None] = {}
    for base in bases:
        body = breaker.body(base)
        if body is not None:
            targets.update(dict.fromkeys(_targets(body.value)))
    for tokens in list(targets)[:TARGETS_MAX]:
        yield from breaker.mutations(tokens, bases)


class _Breaker:
    """Breaks values of one operation's bodies and makes sure that nothing else breaks."""

    def __init__(self, operation: OperationProfile) -> None:
        self._operation = operation
        self._conformance = compiled(operation.request_schema)
        self._schema = read_schema(operation.request_schema)
        self._declared = operation.request_source == "spec" and self._conformance is not None
        self._fields = {f.place.tokens: f for f in operation.fields if f.place.part == "body"}
        self._read: dict[bytes, Body | None] = {}

    def body(self, base: Case) -> Body | None:
        """BASE's body as a value; None when it holds none."""
        raw = base.request.body
        if raw not in self._read:
            if len(self._read) >= READ_MAX:
                self._read.clear()
            self._read[raw] = self._parse(base)
        return self._read[raw]

    def _parse(self, base: Case) -> Body | None:
        value = self._value(base.request)
        if value is None:
            return None
        valid = self._conformance is None or self._conformance.is_valid(value)
        kind = base.request.media_type
        return Body(value=value, media_type=kind, form=kind in FORMS, valid=valid)

    def _value(self, request: Request) -> Any:
        try:
            value = recorded_value(request)
        except ValueError:
            return None
        if isinstance(value, dict) and self._conformance and request.media_type in FORMS:
            return typed_form(value, self._conformance.shape)
        return value

    def mutations(self, tokens: tuple[str, ...], bases: list[Case]) -> Iterator[Mutation]:
        """Everything that can be done to the value at TOKENS, which one of BASES has."""
        shape = self._conformance.shape if self._conformance is not None else None
        here = shape.at(tokens) if shape is not None else None
        above = shape.at(tokens[:-1]) if shape is not None and tokens else None
        generic = tuple("*" if token.isdigit() else token for token in tokens)
        field = self._fields.get(tokens) or self._fields.get(generic)
        original = self._first(tokens, bases)
        declared = above is not None and bool(tokens) and tokens[-1] in above.required
        for broken in breaks_of(here, field, required=declared, original=original):
            if tokens or not broken.absent:
                yield self._mutation(tokens, broken, field)

    def _first(self, tokens: tuple[str, ...], bases: list[Case]) -> Any:
        for base in bases:
            body = self.body(base)
            if body is None:
                continue
            try:
                value = at(body.value, tokens)
            except (LookupError, TypeError):
                continue
            if value is not None:
                return value
        return None

    def _mutation(self, tokens: tuple[str, ...], broken: Broken, field: Field | None) -> Mutation:
        place = body_place(*tokens)
        certain = self._declared and bool(broken.keyword)
        intent = Intent(
            kind="adversarial",
            breaks=f"{place} {broken.name}",
            place=place,
            expects="refusal" if certain or _evident(broken, field) else "answer",
            certain=certain,
        )

        def mutate(base: Case) -> Case | None:
            body = self.body(base)
            if body is None or not body.valid:
                return None
            changed = _changed(body.value, tokens, broken)
            if changed is NOTHING or (body.form and not _flat(changed)):
                return None
            # JSON is sent as it is here; a form is looked at as its texts will be read.
            told = intent if body.form else self._named(intent, changed, tokens, broken)
            if told is None:
                return None
            written = write_value(changed, body.media_type, base.request)
            if written is None:
                return None
            request = replace(base.request, body=written)
            if body.form and self._declared:
                told = self._named(intent, self._value(request), tokens, broken)
                if told is None:
                    return None
            kept = tuple(b for b in base.bindings if not _inside(b.place, tokens))
            return replace(base, request=request, bindings=kept, intent=told)

        return mutate

    def _named(
        self, intent: Intent, value: Any, tokens: tuple[str, ...], broken: Broken
    ) -> Intent | None:
        """INTENT, if the declared schema minds of VALUE exactly what BROKEN means to break; where
        no alternative fits any more, it says so."""
        if not self._declared or self._schema is None:
            return intent
        if not broken.keyword:
            return intent if self._schema.is_valid(value) else None
        found = self._schema.breaks(value)
        if len(found) != 1:
            return None
        (one,) = found
        if one.keyword in ("anyOf", "oneOf") and tokens[: len(one.at)] == one.at:
            place = body_place(*one.at)
            return replace(intent, breaks=f"{place} {one.keyword}", place=place)
        where = (tokens, tokens[:-1]) if broken.absent or broken.extra else (tokens,)
        return intent if one.keyword == broken.keyword and one.at in where else None


def _evident(broken: Broken, field: Field | None) -> bool:
    """Whether the traffic itself says that a service should refuse this."""
    if field is None or field.seen < ACCEPTED_MIN:
        return False
    return broken.name == "type" or (broken.name == "required" and field.presence >= 1)


def _inside(place: Place, tokens: tuple[str, ...]) -> bool:
    return place.part == "body" and place.tokens[: len(tokens)] == tokens


def _flat(value: Any) -> bool:
    """Whether VALUE can be sent as a form at all, and says what it means there."""
    return isinstance(value, dict) and not any(
        item is None or isinstance(item, dict) for item in value.values()
    )


NOTHING: Any = object()


def _changed(value: Any, tokens: tuple[str, ...], broken: Broken) -> Any:
    """A copy of VALUE with BROKEN done at TOKENS; NOTHING when there is no such place."""
    if not tokens:
        if broken.extra:
            return {**value, broken.extra: "x"} if isinstance(value, dict) else NOTHING
        return NOTHING if broken.absent or broken.value == value else broken.value
    key, rest = tokens[0], tokens[1:]
    if isinstance(value, dict) and key in value:
        if broken.absent and not rest:
            return {name: item for name, item in value.items() if name != key}
        inner = _changed(value[key], rest, broken)
        return NOTHING if inner is NOTHING else {**value, key: inner}
    if isinstance(value, list) and key.isdigit() and int(key) < len(value):
        if broken.absent and not rest:
            return NOTHING
        inner = _changed(value[int(key)], rest, broken)
        index = int(key)
        return NOTHING if inner is NOTHING else [*value[:index], inner, *value[index + 1 :]]
    return NOTHING


def _targets(value: Any) -> Iterator[tuple[str, ...]]:
    """Pointers of everything in VALUE; of arrays only the first item."""
    stack: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while stack:
        tokens, item = stack.pop()
        yield tokens
        if isinstance(item, dict):
            stack += [((*tokens, str(key)), inner) for key, inner in reversed(item.items())]
        elif isinstance(item, list) and item:
            stack.append(((*tokens, "0"), item[0]))


def _malformed(*, certain: bool) -> Mutation:
    intent = Intent(
        kind="adversarial",
        breaks="body malformed",
        place=body_place(),
        expects="refusal",
        certain=certain,
    )

    def mutate(base: Case) -> Case | None:
        if len(base.request.body) < 2:
            return None
        request = replace(base.request, body=base.request.body[:-1])
        kept = tuple(b for b in base.bindings if b.place.part != "body")
        return replace(base, request=request, bindings=kept, intent=intent)

    return mutate


def _wrong_type(*, declared: bool) -> Mutation:
    intent = Intent(
        kind="adversarial",
        breaks="content-type unknown",
        place=Place(part="header", name="content-type"),
        expects="refusal" if declared else "answer",
    )

    def mutate(base: Case) -> Case | None:
        headers = tuple(
            (name, "application/x-unknown" if name == "content-type" else value)
            for name, value in base.request.headers
        )
        kept = tuple(b for b in base.bindings if b.place.part != "body")
        request = replace(base.request, headers=headers)
        return replace(base, request=request, bindings=kept, intent=intent)

    return mutate
