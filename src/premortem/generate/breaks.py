"""Which constraints of a schema a value breaks, alternatives seen through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec
from msgspec import Struct

from premortem.domain.conform import parameter_readings
from premortem.domain.shape import Shape
from premortem.domain.traffic import Document

ERRORS_MAX = 8
"""Errors looked at of one value: with two it is no longer of interest."""

_ALTERNATIVES = ("anyOf", "oneOf")
_FIXED = ("const", "enum")


class Break(Struct, frozen=True, kw_only=True):
    """One constraint that a value does not satisfy."""

    keyword: str
    at: tuple[str, ...] = ()
    """Concrete pointer of the value that the keyword is about; of `required`, of the member that
    is missing."""


class Schema:
    """A compiled schema (JSON Schema 2020-12, formats count) that says what a value breaks."""

    def __init__(self, schema: Any) -> None:
        """Raises ValueError when SCHEMA cannot be used."""
        try:
            self._validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise ValueError(f"no usable schema: {error}") from None
        self.root = schema
        self.shape = Shape(schema, schema)
        self.is_valid = self._validator.is_valid

    def breaks(self, value: Any) -> frozenset[Break]:
        """Everything VALUE breaks; empty when it is valid.

        Where a value satisfies none of several alternatives, and all but one are of another kind
        (another type, another fixed member), what it breaks is what it breaks of that one.
        """
        return _breaks(islice(self._validator.iter_errors(value), ERRORS_MAX))

    def parameter_breaks(self, texts: Sequence[str]) -> frozenset[Break]:
        """What TEXTS, all values of one parameter, break in the reading that is nearest to what
        is wanted; empty when one reading is valid."""
        found: list[frozenset[Break]] = []
        ways = parameter_readings(texts, self.shape) or list(texts)
        for value in ways:
            broken = self.breaks(value)
            if not broken:
                return broken
            found.append(broken)
        whole = Break(keyword="type")
        near = [b for b in found if whole not in b]
        return min(near or found, key=len, default=frozenset({whole}))


def read_schema(document: Document) -> Schema | None:
    """DOCUMENT compiled; None when it is empty or unusable: then nothing is known."""
    if not document:
        return None
    try:
        return Schema(msgspec.json.decode(document))
    except (ValueError, msgspec.DecodeError):
        return None


def _breaks(errors: Iterable[jsonschema_rs.ValidationError]) -> frozenset[Break]:
    found = {_of(error): error for error in errors}
    if len(found) != 1:
        return frozenset(found)
    ((one, error),) = found.items()
    if one.keyword not in _ALTERNATIVES:
        return frozenset(found)
    ways = [_breaks(way) for way in getattr(error.kind, "context", ())]
    return frozenset({_nearest(ways, one.at, one.keyword)})


def _of(error: jsonschema_rs.ValidationError) -> Break:
    at = tuple(str(token) for token in error.instance_path)
    keyword = error.kind.name
    if keyword == "required":
        if error.schema_path and error.schema_path[-1] == "dependentRequired":
            return Break(keyword="dependentRequired", at=at)
        return Break(keyword="required", at=(*at, str(error.kind.as_dict()["property"])))
    return Break(keyword=keyword, at=at)


def _nearest(ways: Sequence[frozenset[Break]], at: tuple[str, ...], keyword: str) -> Break:
    """What is broken where every one of WAYS, the alternatives at AT, has something broken."""
    if ways and all(way == {Break(keyword="type", at=at)} for way in ways):
        return Break(keyword="type", at=at)
    own = [way for way in ways if not _of_another_kind(way, at)]
    if own and all(way == own[0] for way in own) and len(own[0]) == 1:
        return next(iter(own[0]))
    return Break(keyword=keyword, at=at)


def _of_another_kind(way: frozenset[Break], at: tuple[str, ...]) -> bool:
    """Whether the value was never meant as this alternative: wrong type, wrong discriminator."""
    return any(
        (one.keyword == "type" and one.at == at)
        or (one.keyword in _FIXED and one.at[:-1] == at and one.at != at)
        for one in way
    )
