"""Whether values satisfy a schema, and which keywords they break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import jsonschema_rs
import msgspec

from premortem.domain.bodies import readings
from premortem.domain.shape import Shape
from premortem.domain.traffic import Document

ERRORS_MAX = 20
"""Broken keywords reported of one value."""
READINGS_MAX = 64
"""Ways to read the texts of one parameter."""


class Conformance:
    """A compiled schema (JSON Schema 2020-12; formats count)."""

    def __init__(self, document: Document) -> None:
        """Raises ValueError when DOCUMENT is no usable schema."""
        schema = msgspec.json.decode(document)
        self.shape = Shape(schema, schema)
        try:
            self._validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise ValueError(f"no usable schema: {error}") from None
        self.is_valid = self._validator.is_valid

    def errors(self, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """(keyword, concrete pointer tokens) of what VALUE breaks; empty when it is valid."""
        found: list[tuple[str, tuple[str, ...]]] = []
        for error in self._validator.iter_errors(value):
            keyword = str(error.schema_path[-1]) if error.schema_path else "false schema"
            found.append((keyword, tuple(str(token) for token in error.instance_path)))
            if len(found) >= ERRORS_MAX:
                break
        return tuple(found)

    def reads_valid(self, texts: Sequence[str]) -> bool:
        """Whether TEXTS, all values of one parameter, can be read as something valid."""
        return any(self.is_valid(value) for value in parameter_readings(texts, self.shape))


def compiled(document: Document) -> Conformance | None:
    """DOCUMENT compiled; None when it is empty or unusable: then nothing is known."""
    if not document:
        return None
    try:
        return Conformance(document)
    except ValueError:
        return None


def parameter_readings(texts: Sequence[str], shape: Shape) -> list[Any]:
    """What the texts of one parameter may mean under SHAPE (OpenAPI styles form and simple)."""
    found: list[Any] = []
    if len(texts) == 1:
        found += readings(texts[0])
        if texts[0][:1] in ("{", "["):
            found += _decoded(texts[0])
    if "array" in shape.types:
        lists = [list(texts)]
        if len(texts) == 1 and "," in texts[0]:
            lists.append(texts[0].split(","))
        for items in lists:
            ways = product(*(readings(item) for item in items))
            found += [list(way) for way, _ in zip(ways, range(READINGS_MAX), strict=False)]
    return found


def _decoded(text: str) -> list[Any]:
    """What TEXT means as JSON, if it is any (OpenAPI 3.1, a parameter's `content`)."""
    try:
        return [msgspec.json.decode(text)]
    except msgspec.DecodeError:
        return []


def typed_form(form: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """FORM with each text read as SHAPE's property wants it, or left as text."""
    return {name: _typed(value, shape.member(name)) for name, value in form.items()}


def _typed(value: Any, shape: Shape | None) -> Any:
    if shape is None:
        return value
    types = shape.types
    if isinstance(value, list):
        return [_typed(item, shape.items) for item in value]
    if not isinstance(value, str):
        return value
    for reading in readings(value):
        if _type_fits(reading, types):
            return reading
    if "array" in types:
        return [_typed(value, shape.items)]
    return value


def _type_fits(value: Any, types: frozenset[str]) -> bool:
    if isinstance(value, str):
        return "string" in types
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, int):
        return bool(types & {"integer", "number"})
    if isinstance(value, float):
        return "number" in types
    return "null" in types
