"""What is wrong with a request, by the schemas of its operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from premortem.domain.bodies import FORM, general, is_json, read_body
from premortem.domain.conform import Conformance, compiled, typed_form
from premortem.domain.places import Place, body_place, parse_place
from premortem.domain.run import Case
from premortem.domain.traffic import Document, Profile

SCHEMAS_MAX = 2_000
"""Compiled ones that are held."""


class RequestFaults:
    """Tells them for the operations of one profile, as its specification or traffic has them."""

    def __init__(self, profile: Profile) -> None:
        self._operations = {operation.id: operation for operation in profile.operations}
        self._compiled: dict[Document, Conformance | None] = {}

    def of(self, case: Case) -> frozenset[str]:
        """The constraints that CASE's request breaks; the same fault always in the same words."""
        return frozenset(self._faults(case))

    def no_worse(self, case: Case, other: Case) -> bool:
        """Whether OTHER breaks nothing that CASE does not break."""
        return self.of(other) <= self.of(case)

    def _faults(self, case: Case) -> Iterator[str]:
        operation = self._operations.get(case.operation_id)
        if operation is None:
            return
        request = case.request
        texts: dict[str, list[str]] = {}
        for name, value in request.query:
            texts.setdefault(str(Place(part="query", name=name)), []).append(value)
        for name, value in request.headers:
            texts.setdefault(str(Place(part="header", name=name)), []).append(value)
        for place in operation.required:
            if parse_place(place).part in ("query", "header") and place not in texts:
                yield f"{place} required"
        for place, document in operation.parameter_schemas.items():
            schema = self._schema(document)
            if place in texts and schema is not None and not schema.reads_valid(texts[place]):
                yield f"{place} invalid"
        schema = self._schema(operation.request_schema)
        if schema is None or not (is_json(request.media_type) or request.media_type == FORM):
            return
        try:
            body = read_body(request)
        except ValueError:
            yield "body malformed"
            return
        if request.media_type == FORM and isinstance(body, dict):
            body = typed_form(body, schema.shape)
        seen: Counter[str] = Counter()
        for keyword, tokens in schema.errors(body):
            fault = f"{general(body_place(*tokens))} {keyword}"
            seen[fault] += 1
            # An object may lack several members: each is a fault of its own.
            yield f"{fault} {seen[fault]}" if keyword == "required" else fault

    def _schema(self, document: Document) -> Conformance | None:
        if document not in self._compiled:
            if len(self._compiled) >= SCHEMAS_MAX:
                self._compiled.clear()
            self._compiled[document] = compiled(document)
        return self._compiled[document]
