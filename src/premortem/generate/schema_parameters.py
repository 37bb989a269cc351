"""Path, query, header and cookie parameters from their schemas: at every limit, and broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.bodies import text_of
from premortem.domain.conform import compiled
from premortem.domain.places import Place, parse_place
from premortem.domain.references import says_reference
from premortem.domain.run import Case, Intent
from premortem.domain.shape import types_of
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import Field, OperationProfile, Request
from premortem.generate.alteration import Alteration
from premortem.generate.breaks import Break, Schema, read_schema
from premortem.generate.columns import EXACT_MAX
from premortem.generate.faults import Change, at_limits, broken
from premortem.generate.filler import NOTHING, Filler
from premortem.generate.kept import contradicted
from premortem.generate.replay import CREDENTIAL_HEADERS
from premortem.generate.schema_bodies import ALWAYS_SEEN_MIN, FORMATS_NOTICED
from premortem.generate.walk import Spot, put, spots, without

PER_AIM_MAX = 3
_HEADER_TEXT = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
"""What any server takes in a header's value; RFC 9110, 5.5 allows a little more."""


class Parameter(Struct, frozen=True, kw_only=True):
    """One declared parameter."""

    place: Place
    schema: Schema
    field: Field | None
    required: bool
    reused: bool
    """Its values name things that are there."""
    used: bool
    """Production used the operation often enough to show what it sends here."""


def parameters_of(
    operation: OperationProfile, reused: frozenset[tuple[str, ...]]
) -> Iterator[Parameter]:
    """OPERATION's declared parameters whose schema can be used; credentials are left out."""
    fields = {str(f.place): f for f in operation.fields}
    for name, document in operation.parameter_schemas.items():
        place = parse_place(name)
        schema = read_schema(document)
        if schema is None or (place.part == "header" and place.name in CREDENTIAL_HEADERS):
            continue
        if contradicted(fields.get(name), compiled(document)):
            continue
        yield Parameter(
            place=place,
            schema=schema,
            field=fields.get(name),
            required=name in operation.required,
            reused=(place.part, place.name) in reused,
            used=operation.count >= ALWAYS_SEEN_MIN,
        )


def parameter_alterations(
    operation: OperationProfile,
    reused: frozenset[tuple[str, ...]],
    known: Mapping[str, Sequence[Any]],
) -> Iterator[Iterator[Alteration]]:
    """Everything that can be done to the declared parameters of OPERATION, one by one."""
    for parameter in parameters_of(operation, reused):
        place = parameter.place
        segment = _segment(operation, place) if place.part == "path" else -1
        if place.part != "path" or segment >= 0:
            yield _of_parameter(parameter, segment, known)


def _of_parameter(
    parameter: Parameter, segment: int, known: Mapping[str, Sequence[Any]]
) -> Iterator[Alteration]:
    if parameter.required and parameter.place.part in ("query", "header", "cookie"):
        missing = _intent(parameter, Break(keyword="required"), "required")
        yield Alteration(rank=0, alter=_setting(parameter, segment, None, missing, "required"))
    for texts, change, found in _tries(parameter, known):
        intent = _intent(parameter, found, change.operator) if found else Intent()
        alter = _setting(parameter, segment, texts, intent, change.operator)
        yield Alteration(rank=change.rank, alter=alter)


def _segment(operation: OperationProfile, place: Place) -> int:
    """The index of the segment that PLACE fills alone; -1: none."""
    segments = split_template(operation.operation.template)
    wanted = f"{{{place.name}}}"
    return segments.index(wanted) if wanted in segments else -1


def _tries(
    parameter: Parameter, known: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[list[str], Change, Break | None]]:
    """(texts, change, what it breaks) of one parameter."""
    values = known.get(parameter.place.name, ())
    filler = Filler(parameter.schema.root, lambda at: () if at else values)
    seen: dict[object, int] = {}
    done: set[tuple[object, ...]] = set()
    for spot in spots(parameter.schema.shape, NOTHING, filler):
        start = put(NOTHING, spot.lead)
        limits = at_limits(replace(spot, chosen=False), filler)
        for change in (*broken(spot, filler), *limits):
            value = without(start, change.at) if change.drop and change.at else NOTHING
            if not change.drop:
                value = put(start, [(change.at, change.value, True)])
            texts = _texts(value)
            if texts is None or not _sendable(parameter, texts):
                continue
            found = _effect(parameter, spot, change, texts)
            if found is None or (*texts, found) in done:
                continue
            done.add((*texts, found))
            key = (change.at, found or change.operator)
            seen[key] = seen.get(key, 0) + 1
            if seen[key] <= PER_AIM_MAX:
                yield texts, change, found if isinstance(found, Break) else None


def _texts(value: Any) -> list[str] | None:
    """How VALUE is sent (OpenAPI's style `form`, exploded); None where it is not so."""
    if value is NOTHING or value is None or isinstance(value, dict):
        return None
    if isinstance(value, list):
        if any(item is None or isinstance(item, list | dict) for item in value) or not value:
            return None
        return [text_of(item) for item in value]
    return [text_of(value)]


def _sendable(parameter: Parameter, texts: list[str]) -> bool:
    part = parameter.place.part
    if part == "path":
        # Slashes and dots are taken for structure by many servers, however they are encoded.
        return len(texts) == 1 and texts[0] not in ("", ".", "..") and "/" not in texts[0]
    if part in ("header", "cookie"):
        clean = all(_HEADER_TEXT.fullmatch(text) for text in texts)
        return clean and len(texts) == 1 and (part != "cookie" or not set(texts[0]) & set(' ;,"\\'))
    return "\0" not in "".join(texts)


def _effect(
    parameter: Parameter, spot: Spot, change: Change, texts: list[str]
) -> Break | bool | None:
    found = parameter.schema.parameter_breaks(texts)
    if not change.keyword:
        return False if not found and _realistic(parameter, spot, change) else None
    if len(found) != 1:
        return None
    (one,) = found
    alternatives = one.keyword in ("anyOf", "oneOf")
    return one if one.keyword == change.keyword or alternatives else None


def _realistic(parameter: Parameter, spot: Spot, change: Change) -> bool:
    """Whether the profile, too, would let the valid CHANGE pass: see `schema_bodies`."""
    if change.operator in ("absent", "present", "null"):
        return False
    closed = "enum" in spot.branch or "const" in spot.branch or "boolean" in types_of(spot.branch)
    if closed and parameter.place.part == "header" and not _sent(parameter, change.value):
        return False
    if closed:
        return not parameter.reused
    if parameter.place.part == "path" or parameter.reused:
        return False
    number = isinstance(change.value, int | float) and not isinstance(change.value, bool)
    if number and abs(change.value) > EXACT_MAX:
        return False
    if isinstance(change.value, str):
        # A text nobody ever sent says nothing about what is taken there: cursors, filters, sorts.
        field = parameter.field
        free = field is not None and not field.enumeration and not field.redacted
        dated = spot.branch.get("format") in ("date", "date-time")
        return (free or dated) and not says_reference(parameter.place.name)
    return not says_reference(parameter.place.name)


def _sent(parameter: Parameter, value: Any) -> bool:
    """Whether production got through with VALUE there, as far as it tells: headers say in what
    setting a request is made, and what is open there."""
    field = parameter.field
    if not parameter.used:
        return True
    if field is None or field.redacted:
        return False
    return text_of(value) in {text_of(msgspec.json.decode(known)) for known, _ in field.values}


def _intent(parameter: Parameter, found: Break, operator: str) -> Intent:
    noticed = found.keyword != "format" or operator.removeprefix("format ") in FORMATS_NOTICED
    return Intent(
        kind="adversarial",
        breaks=f"{parameter.place} {found.keyword}",
        place=parameter.place,
        expects="refusal",
        certain=noticed,
    )


def _setting(
    parameter: Parameter, segment: int, texts: list[str] | None, intent: Intent, operator: str
) -> Callable[[Case], Case | None]:
    """Makes a case with TEXTS as the parameter's values; None: without it."""
    place = parameter.place
    named = f"{operator} at {place}"
    if texts == [""] and intent.certain:
        # An empty value may be read as an absent one (OpenAPI 3.1, `allowEmptyValue`).
        intent = replace(intent, certain=False)

    def alter(base: Case) -> Case | None:
        request = _with(base.request, place, segment, texts)
        if request == base.request:
            return None
        bound = Place(part="path", name=str(segment)) if place.part == "path" else place
        return replace(
            base,
            request=request,
            bindings=tuple(b for b in base.bindings if b.place != bound),
            intent=intent,
            origin=replace(base.origin, operator=named),
        )

    return alter


def _with(request: Request, place: Place, segment: int, texts: list[str] | None) -> Request:
    if place.part == "path":
        segments = list(split_path(request.path))
        if segment >= len(segments) or texts is None:
            return request
        segments[segment] = texts[0]
        return replace(request, path="/" + "/".join(map(encode_segment, segments)))
    if place.part == "query":
        kept = tuple(pair for pair in request.query if pair[0] != place.name)
        return replace(request, query=(*kept, *((place.name, text) for text in texts or ())))
    if place.part == "header":
        kept = tuple(pair for pair in request.headers if pair[0] != place.name)
        return replace(request, headers=(*kept, *((place.name, text) for text in texts or ())))
    cookies = tuple(pair for pair in request.headers if pair[0] != "cookie")
    if texts is None:
        return replace(request, headers=cookies)
    return replace(request, headers=(*cookies, ("cookie", f"{place.name}={texts[0]}")))
