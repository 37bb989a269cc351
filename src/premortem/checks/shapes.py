"""Schemas of answers, compiled once each."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec
from msgspec import Struct

from premortem.domain.shape import Shape, type_of
from premortem.domain.traffic import Document

ERRORS_MAX = 50
"""Broken keywords looked at in one answer."""


class Broken(Struct, frozen=True, kw_only=True):
    """A keyword of a schema that a value does not satisfy."""

    place: str
    """JSON pointer; `*` for every array index and for every key of a map."""
    keyword: str
    found: str
    """JSON type of the offending value."""
    wanted: str
    """What the keyword asks for; no values of the answer."""
    message: str
    """In the validator's words; may hold values of the answer."""

    @property
    def signature(self) -> str:
        """The same for the same defect, whatever the operation and the values."""
        return " ".join(p for p in (self.place or "/", self.keyword, self.wanted, self.found) if p)


class Compiled:
    """One schema (JSON Schema 2020-12, formats included)."""

    def __init__(self, document: Document) -> None:
        """Raises ValueError when DOCUMENT is no usable schema."""
        try:
            schema = msgspec.json.decode(document)
            validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        except (msgspec.DecodeError, jsonschema_rs.ValidationError) as error:
            raise ValueError(f"no usable schema: {error}") from None
        except jsonschema_rs.ReferencingError as error:
            raise ValueError(f"a reference leads nowhere: {error}") from None
        self._validator = validator
        self._shape = Shape(schema, schema)
        self.is_valid = validator.is_valid

    def broken(self, value: Any) -> list[Broken]:
        """What VALUE breaks, each place and keyword once."""
        found: dict[str, Broken] = {}
        for count, error in enumerate(self._validator.iter_errors(value)):
            if count >= ERRORS_MAX:
                break
            broken = self._broken(error)
            found.setdefault(broken.signature, broken)
        return list(found.values())

    def _broken(self, error: jsonschema_rs.ValidationError) -> Broken:
        keyword = error.kind.name
        return Broken(
            place=self._place(error.instance_path),
            keyword=keyword,
            found="" if keyword == "required" else type_of(error.instance),
            wanted=_wanted(error.kind),
            message=error.message,
        )

    def _place(self, tokens: list[str | int]) -> str:
        """The pointer of TOKENS without what is data: array indices and keys of maps."""
        shape: Shape | None = self._shape
        out = ""
        for token in tokens:
            key = str(token)
            data = isinstance(token, int) or (shape is not None and key not in shape.names)
            out += "/*" if data else "/" + key.replace("~", "~0").replace("/", "~1")
            if shape is not None:
                shape = shape.items if isinstance(token, int) else shape.member(key)
        return out


def _wanted(kind: Any) -> str:
    match kind.name:
        case "type":
            return "/".join(sorted(kind.types))
        case "required":
            return str(kind.property)
        case "format":
            return str(kind.format)
        case "additionalProperties" | "unevaluatedProperties":
            names = sorted(map(str, kind.unexpected))
            return ",".join(names[:3]) if all(name.isidentifier() for name in names) else ""
        case _:
            return ""


class Shapes:
    """Compiled schemas by their text; operations often share one."""

    def __init__(self) -> None:
        self._compiled: dict[Document, Compiled | None] = {}
        self.unusable: dict[str, str] = {}
        """Answer (operation id and status) whose schema cannot be compiled -> why."""

    def compiled(self, document: Document, *, name: str) -> Compiled | None:
        """DOCUMENT compiled; None when it is unusable: then nothing is judged by it."""
        if document not in self._compiled:
            try:
                self._compiled[document] = Compiled(document)
            except ValueError as error:
                self._compiled[document] = None
                self.unusable[name] = str(error)
        return self._compiled[document]
