"""One request of an operation by itself: no setup, on things that the target showed in this run.

Setups make a case sure of its state and cost several requests. Where the target has shown things
that are there, and where an operation was never answered at all, one request says more.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from premortem.domain.bodies import text_of
from premortem.domain.conform import Conformance, compiled
from premortem.domain.places import Place, body_place, parse_place
from premortem.domain.run import SAFE_METHODS, Case, Intent, Origin
from premortem.domain.template import encode_segment, split_template
from premortem.domain.traffic import OperationProfile, Pairs, Profile, Request
from premortem.generate.breaks import read_schema
from premortem.generate.corpus import Live
from premortem.generate.filler import NOTHING, Filler
from premortem.generate.kept import recorded_at
from premortem.generate.parts import content_type_for
from premortem.generate.payload import media_type_for, write_value

OPERATOR = "by itself"
BODILESS = 0.15
"""Chance that a body that should be there is left out."""
LATE = 0.7
"""Chance for the latest of live values: what is there now."""
ODD_SEGMENTS = ("1", "0", "x", "00000000-0000-0000-0000-000000000000")
"""Where nothing at all is known of a parameter."""
ODD_SEGMENT = 0.15
"""Chance for one of those though something is known."""
_BODYLESS_METHODS = SAFE_METHODS | {"DELETE"}


class Bare:
    """Makes such requests of PROFILE's operations with values of LIVE."""

    def __init__(self, profile: Profile, seed: int, *, live: Live) -> None:
        self._live = live
        self._origin = Origin(
            source="schema", seed=seed, profile_version=profile.version, operator=OPERATOR
        )
        self._conformances: dict[str, Conformance | None] = {}

    def case(self, operation: OperationProfile, role: str, rng: np.random.Generator) -> Case | None:
        """A request of OPERATION by ROLE; None where its path or body cannot be made."""
        path = self._path(operation, rng)
        if path is None:
            return None
        headers: list[tuple[str, str]] = [("accept", "application/json")]
        headers += self._parameters(operation, "header", rng)
        body = self._body(operation, rng)
        if body is None:
            return None
        if body:
            headers.append(("content-type", content_type_for(media_type_for(operation))))
        return Case(
            request=Request(
                method=operation.operation.method,
                origin="",
                path=path,
                query=self._parameters(operation, "query", rng),
                headers=tuple(headers),
                body=body,
            ),
            operation_id=operation.id,
            origin=self._origin,
            intent=Intent(kind="adversarial", breaks=OPERATOR, expects="answer"),
            role=role,
        )

    def _path(self, operation: OperationProfile, rng: np.random.Generator) -> str | None:
        template = operation.operation.template
        segments = [*split_template(template)]
        for index, segment in enumerate(segments):
            if "{" not in segment:
                continue
            if not (segment.startswith("{") and segment.endswith("}")):
                return None
            place = Place(part="path", name=segment.strip("{}"))
            live = list(self._live.of_segment(template, index))
            values = live or self._seen(operation, place) or list(ODD_SEGMENTS)
            if rng.random() < ODD_SEGMENT:
                values = list(ODD_SEGMENTS)
            segments[index] = encode_segment(text_of(_late(values, rng)))
        return "/" + "/".join(segments)

    def _parameters(
        self, operation: OperationProfile, part: str, rng: np.random.Generator
    ) -> Pairs:
        """What the specification requires in the query or the headers."""
        pairs: list[tuple[str, str]] = []
        for named in operation.required:
            place = parse_place(named)
            if place.part != part:
                continue
            values = [*self._live.of(place.name), *self._seen(operation, place)]
            valid = self._conformance(operation.parameter_schemas.get(named, ""))
            if valid is not None:
                values = [v for v in values if valid.is_valid(v) or valid.reads_valid([text_of(v)])]
            schema = read_schema(operation.parameter_schemas.get(named, ""))
            if not values and schema is not None:
                made = Filler(schema.root, lambda _: ()).value(schema.shape, ())
                values = [] if made is NOTHING else [made]
            text = text_of(_late(values or ["1"], rng))
            if part == "query" or text.isascii():
                pairs.append((place.name, text))
        return tuple(pairs)

    def _body(self, operation: OperationProfile, rng: np.random.Generator) -> bytes | None:
        """Empty: none is wanted, or it is left out; None: none can be made."""
        schema = read_schema(operation.request_schema)
        if schema is None:
            return b""
        needed = str(body_place()) in operation.required
        bodyless = operation.operation.method in _BODYLESS_METHODS and not needed
        if rng.random() < (0.5 if bodyless else BODILESS):
            return b""
        recorded = recorded_at(operation, {})

        def known(at: tuple[str, ...]) -> list[Any]:
            name = next((name for name in reversed(at) if name != "*"), "")
            live = list(self._live.of(name)) if name.lower() not in ("name", "type") else []
            found = live[::-1][:4] + list(recorded(at))
            return [found[i] for i in rng.permutation(len(found))[:6].tolist()]

        value = Filler(schema.root, known).value(schema.shape, ())
        if value is NOTHING:
            return None
        return write_value(value, media_type_for(operation) or "application/json")

    def _conformance(self, document: str) -> Conformance | None:
        if document not in self._conformances:
            self._conformances[document] = compiled(document)
        return self._conformances[document]

    def _seen(self, operation: OperationProfile, place: Place) -> list[Any]:
        for field in operation.fields:
            if field.place == place and not field.redacted:
                return [msgspec.json.decode(text) for text, _ in field.values]
        return []


def empties(operation: OperationProfile) -> bool:
    """Whether OPERATION may take away a whole collection, with all that other cases rely on."""
    last = split_template(operation.operation.template)[-1:]
    return operation.operation.method == "DELETE" and not any("{" in segment for segment in last)


def _late(values: list[Any], rng: np.random.Generator) -> Any:
    if rng.random() < LATE:
        return values[-1 - int(rng.integers(min(3, len(values))))]
    return values[int(rng.integers(len(values)))]
