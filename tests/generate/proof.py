"""Proves of a case that it breaks exactly what it says, with nothing of the generator's own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from email.parser import BytesParser
from urllib.parse import unquote

import jsonschema_rs

from premortem.domain.bodies import FORM, read_body, readings
from premortem.domain.conform import typed_form
from premortem.domain.places import Place, parse_place
from premortem.domain.run import Case
from premortem.domain.shape import read_shape
from premortem.domain.traffic import OperationProfile, Request

Fault = tuple[str, tuple[str, ...]]
"""(keyword, pointer); of `required`, the missing member's pointer."""


def fault(error: jsonschema_rs.ValidationError) -> Fault:
    at = tuple(str(token) for token in error.instance_path)
    if error.kind.name == "required":
        if error.schema_path[-1] == "dependentRequired":
            return "dependentRequired", at
        return "required", (*at, error.kind.property)
    return error.kind.name, at


def breaks_only(errors: Iterable[jsonschema_rs.ValidationError], wanted: Fault) -> bool:
    """Whether ERRORS are WANTED and nothing else; where alternatives all fail, whether one of them
    fails for WANTED and nothing else."""
    listed = list(errors)
    found = {fault(error) for error in listed}
    if len(found) != 1:
        return False
    if found == {wanted}:
        return True
    ((keyword, at),) = found
    if keyword not in ("anyOf", "oneOf") or wanted[1][: len(at)] != at:
        return False
    return any(breaks_only(way, wanted) for error in listed for way in error.kind.context)


def texts_break_only(
    validator: jsonschema_rs.Draft202012Validator, texts: list[str], keyword: str
) -> bool:
    """Whether no reading of a parameter's TEXTS is valid, and one breaks KEYWORD only."""
    ways = [value for text in texts for value in readings(text)] if len(texts) == 1 else []
    ways.append([readings(text)[0] for text in texts])
    ways.append(list(texts))
    ways += [json.loads(t) for t in texts[:1] if t[:1] in ("[", "{")]
    errors = [list(validator.iter_errors(way)) for way in ways]
    if not all(errors):
        return False
    return any(
        {fault(e)[0] for e in way} == {keyword}
        or any(
            breaks_only(way, (keyword, fault(e)[1]))
            for outer in way
            for inner in getattr(outer.kind, "context", ())
            for e in inner
        )
        for way in errors
    )


def form_of(request: Request) -> dict[str, object]:
    """A multipart form as Python's own parser of MIME messages sees it."""
    head = f"Content-Type: {request.header('content-type')}\r\n\r\n".encode()
    form: dict[str, list[str]] = {}
    for part in BytesParser().parsebytes(head + request.body).get_payload():
        name = str(part.get_param("name", header="content-disposition"))
        text = part.get_payload(decode=True).decode("latin-1")
        form.setdefault(name, []).append(text)
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in form.items()}


def texts_at(case: Case, place: Place, template: str) -> list[str]:
    request = case.request
    if place.part == "query":
        return [value for name, value in request.query if name == place.name]
    if place.part == "header":
        return [value for name, value in request.headers if name == place.name]
    if place.part == "cookie":
        cookies = (v.partition("=") for n, v in request.headers if n == "cookie")
        return [value for name, _, value in cookies if name == place.name]
    index = template.strip("/").split("/").index(f"{{{place.name}}}")
    return [unquote(request.path.strip("/").split("/")[index])]


class Prover:
    """Judges the cases of one operation."""

    def __init__(self, operation: OperationProfile) -> None:
        self.operation = operation
        self.body = self._compiled(operation.request_schema)
        self.parameters = {
            place: self._compiled(document)
            for place, document in operation.parameter_schemas.items()
        }

    @staticmethod
    def _compiled(document: str) -> jsonschema_rs.Draft202012Validator | None:
        if not document:
            return None
        return jsonschema_rs.Draft202012Validator(json.loads(document), validate_formats=True)

    def complaint(self, case: Case) -> str:
        """Why CASE is not what it says; empty: it is."""
        if case.intent.kind == "realistic":
            return self._invalid(case)
        place, keyword = case.intent.place, case.intent.breaks.rsplit(" ", 1)[-1]
        keyword = "type" if keyword == "null" else keyword
        if place is None:
            return ""
        if place.part == "body":
            return self._wrong_body(case, place, keyword)
        texts = texts_at(case, place, self.operation.operation.template)
        if keyword == "required":
            return "" if not texts and str(place) in self.operation.required else "not required"
        validator = self.parameters[str(place)]
        if not texts or not texts_break_only(validator, texts, keyword):
            return f"{texts} does not break {keyword} alone"
        return self._bodys_fault(case)

    def _value(self, case: Case) -> object:
        parts = case.request.media_type == "multipart/form-data"
        value = form_of(case.request) if parts else read_body(case.request)
        shape = read_shape(self.operation.request_schema)
        flat = parts or case.request.media_type == FORM
        if flat and isinstance(value, dict) and shape is not None:
            return typed_form(value, shape)
        return value

    def _wrong_body(self, case: Case, place: Place, keyword: str) -> str:
        if not case.request.body:
            return "" if (keyword, place.name) == ("required", "") else "no body"
        errors = list(self.body.iter_errors(self._value(case)))
        if breaks_only(errors, (keyword, place.tokens)):
            return ""
        return f"says {case.intent.breaks}, breaks {[fault(e) for e in errors]}"

    def _bodys_fault(self, case: Case) -> str:
        if self.body is None or not case.request.body:
            return ""
        try:
            value = self._value(case)
        except ValueError as error:
            return str(error)
        return "" if self.body.is_valid(value) else "the body is broken, too"

    def _invalid(self, case: Case) -> str:
        for place, validator in self.parameters.items():
            at = parse_place(place)
            if at.part == "path" or validator is None:
                continue
            texts = texts_at(case, at, self.operation.operation.template)
            ways = [r for text in texts for r in readings(text)] if len(texts) == 1 else []
            ways += [[readings(text)[0] for text in texts], texts] if texts else []
            ways += [json.loads(text) for text in texts[:1] if text[:1] in ("{", "[")]
            if texts and not any(validator.is_valid(way) for way in ways):
                return f"{place} {texts} is not valid"
        return self._bodys_fault(case)
