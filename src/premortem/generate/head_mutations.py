"""Mutations of what stands before the body: credentials, path and query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from msgspec.structs import replace

from premortem.domain.bodies import readings, text_of
from premortem.domain.conform import Conformance, compiled
from premortem.domain.places import Place
from premortem.domain.run import Case, Intent
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import Field, OperationProfile
from premortem.generate import fresh
from premortem.generate.operators import breaks_of
from premortem.generate.replay import UNKNOWN

Mutation = Callable[[Case], Case | None]
"""Makes one mutant of a base case; None when that base has nothing to break there."""


def credential_mutations(operation: OperationProfile, base: Case) -> Iterator[Mutation]:
    """No credentials, bad ones, and those of roles that production always refused here."""
    if operation.secured and base.role:
        declared = operation.in_spec and bool({401, 403, -4} & set(operation.declared))
        seen = any("401" in statuses for statuses in operation.roles.values())
        for breaks, role in (("auth missing", ""), ("auth invalid", UNKNOWN)):
            yield _with_role(role, breaks, certain=declared or seen)
    for role, statuses in sorted(operation.roles.items()):
        passed = any(status < "4" for status in statuses)
        if role and role != UNKNOWN and "403" in statuses and not passed:
            yield _with_role(role, f"role {role}", certain=False)


def _with_role(role: str, breaks: str, *, certain: bool) -> Mutation:
    intent = Intent(kind="adversarial", breaks=breaks, expects="refusal", certain=certain)
    return lambda base: None if base.role == role else replace(base, role=role, intent=intent)


def path_mutations(operation: OperationProfile, base: Case) -> Iterator[Mutation]:
    """The identifier of a thing that does not exist, where the operation does not make it."""
    creates = operation.operation.method == "PUT" and any(
        status == 201 for status in (*operation.declared, *(a.status for a in operation.answers))
    )
    if creates:
        return
    for index, segment in enumerate(split_template(operation.operation.template)):
        if segment.startswith("{") and segment.endswith("}") and segment.count("{") == 1:
            yield _unknown_id(index, segment[1:-1], split_path(base.request.path)[index])


def _unknown_id(index: int, name: str, example: str) -> Mutation:
    rng = np.random.default_rng([index, len(example)])
    other = _unlike(example, rng)
    place = Place(part="path", name=name)
    intent = Intent(kind="adversarial", breaks=f"{place} unknown", place=place, expects="refusal")

    def mutate(base: Case) -> Case | None:
        segments = [*split_path(base.request.path)]
        if segments[index] == other:
            return None
        segments[index] = other
        path = "/" + "/".join(encode_segment(segment) for segment in segments)
        kept = tuple(
            b for b in base.bindings if not (b.place.part == "path" and b.place.name == str(index))
        )
        return replace(base, request=replace(base.request, path=path), bindings=kept, intent=intent)

    return mutate


def _unlike(example: str, rng: np.random.Generator) -> str:
    """A text with EXAMPLE's look that names nothing."""
    if example.isdigit():
        return "9" * max(6, min(len(example) + 2, 15))
    if not example or not example.isascii():
        return "does-not-exist"
    for _ in range(8):
        other = str(fresh.imitation([example])(rng, 1)[0])
        if other != example:
            return other
    return "does-not-exist"


def query_mutations(operation: OperationProfile) -> Iterator[Mutation]:
    """Every parameter at and beyond its limits, as another type, and left out if required."""
    fields = {f.place.name: f for f in operation.fields if f.place.part == "query"}
    declared = {
        place.partition(":")[2]: compiled(schema)
        for place, schema in operation.parameter_schemas.items()
        if place.startswith("query:")
    }
    for name in dict.fromkeys([*fields, *declared]):
        conformance, field = declared.get(name), fields.get(name)
        place = Place(part="query", name=name)
        required = str(place) in operation.required
        if required:
            yield _query_absent(place)
        for text, breaks in _query_texts(conformance, field):
            yield _query_changed(place, text, breaks, conformance)


def _query_texts(conformance: Conformance | None, field: Field | None) -> Iterator[tuple[str, str]]:
    """(text, name of what it breaks) for one parameter."""
    shape = conformance.shape if conformance is not None else None
    types = shape.types if shape is not None else frozenset(field.types if field else ())
    if types & {"integer", "number"}:
        yield from (("0", "zero"), ("-1", "negative"), ("999999999999999999999", "huge number"))
        yield from (("not-a-number", "type"), ("1.5", "fraction"), ("", "empty text"))
        original: Any = 1
    elif "boolean" in types and "string" not in types:
        yield "neither", "type"
        original = True
    else:
        original = "x"
    for broken in breaks_of(shape, field, required=False, original=original):
        if broken.absent or broken.value is None or isinstance(broken.value, list | dict):
            continue
        if "\u0000" not in str(broken.value):
            yield text_of(broken.value), broken.name


def _query_absent(place: Place) -> Mutation:
    intent = Intent(
        kind="adversarial",
        breaks=f"{place} required",
        place=place,
        expects="refusal",
        certain=True,
    )

    def mutate(base: Case) -> Case | None:
        query = tuple(pair for pair in base.request.query if pair[0] != place.name)
        if len(query) == len(base.request.query):
            return None
        return _requery(base, place, query, intent)

    return mutate


def _query_changed(
    place: Place, text: str, breaks: str, conformance: Conformance | None
) -> Mutation:
    invalid = conformance is not None and not conformance.reads_valid([text])
    if conformance is not None and invalid:
        breaks = _keyword(conformance, text) or breaks
    intent = Intent(
        kind="adversarial",
        breaks=f"{place} {breaks}",
        place=place,
        expects="refusal" if invalid else "answer",
        # An empty value may be read as an absent one (OpenAPI 3.1, `allowEmptyValue`).
        certain=invalid and text != "",
    )

    def mutate(base: Case) -> Case | None:
        query = tuple(pair for pair in base.request.query if pair[0] != place.name)
        return _requery(base, place, (*query, (place.name, text)), intent)

    return mutate


def _keyword(conformance: Conformance, text: str) -> str:
    """The keyword that the first reading of TEXT breaks: its type, unless that one fits."""
    keywords = [e[0] for reading in readings(text) for e in conformance.errors(reading)]
    return next((k for k in keywords if k not in ("type", "anyOf", "oneOf")), "type")


def _requery(base: Case, place: Place, query: tuple[tuple[str, str], ...], intent: Intent) -> Case:
    return replace(
        base,
        request=replace(base.request, query=query),
        bindings=tuple(b for b in base.bindings if b.place != place),
        intent=intent,
    )
