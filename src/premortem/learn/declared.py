"""What a specification declares, merged into what traffic showed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from premortem.domain.places import body_place
from premortem.domain.traffic import Answer, Document, OperationProfile
from premortem.learn.answer_heads import DEFAULT_STATUS
from premortem.learn.openapi import Spec, SpecOperation


def merge_spec(operations: Iterable[OperationProfile], spec: Spec) -> tuple[OperationProfile, ...]:
    """OPERATIONS with SPEC's declarations, and the declared ones that had no traffic."""
    declared = {o.operation.id: o for o in spec.operations}
    merged: list[OperationProfile] = []
    for operation in operations:
        found = declared.pop(operation.id, None)
        merged.append(operation if found is None else _merge(operation, found))
    merged += [
        _merge(OperationProfile(operation=found.operation, count=0), found)
        for found in declared.values()
    ]
    return tuple(merged)


def _merge(operation: OperationProfile, found: SpecOperation) -> OperationProfile:
    schema = _request_schema(operation, found)
    required = [str(p.place) for p in found.parameters if p.required]
    if found.request_required:
        required.append(str(body_place()))
    media_types = dict(operation.media_types) or dict.fromkeys(found.request_schemas, 0)
    return replace(
        operation,
        summary=found.summary,
        declared=tuple(sorted(found.answers)),
        in_spec=True,
        media_types=media_types,
        request_schema=schema or operation.request_schema,
        request_source="spec" if schema else "learned",
        parameter_schemas={str(p.place): p.schema for p in found.parameters if p.schema},
        required=tuple(required),
        secured=operation.secured if found.secured is None else found.secured,
        allowed_roles=found.roles,
        allowed_editions=found.editions,
        description=found.description,
        meanings=found.meanings,
        answers=tuple(_answers(operation, found)),
    )


def _request_schema(operation: OperationProfile, found: SpecOperation) -> Document:
    """The declared body of the media type that is used, else JSON, else the first."""
    schemas = found.request_schemas
    for media_type in operation.media_types:
        if media_type in schemas:
            return schemas[media_type]
    json = (schema for name, schema in schemas.items() if name.endswith(("/json", "+json")))
    return next(json, next(iter(schemas.values()), ""))


def _answers(operation: OperationProfile, found: SpecOperation) -> Iterator[Answer]:
    """Seen answers with the declared shapes; then what is declared and was not seen, count 0."""
    seen = {answer.status for answer in operation.answers}
    for answer in operation.answers:
        schema = declared_schema(found, answer.status)
        answer = _with_head(answer, found, answer.status)
        yield replace(answer, schema=schema, source="spec") if schema else answer
    for status, schema in sorted(found.answers.items()):
        if status not in seen:
            made = Answer(status=status, count=0, schema=schema, source="spec")
            yield _with_head(made, found, status)


def declared_schema(found: SpecOperation, status: int) -> Document:
    """What is declared for STATUS: by its number, else its class (-4), else `default` (0)."""
    key = _key(found, status)
    return "" if key is None else found.answers[key]


def _key(found: SpecOperation, status: int) -> int | None:
    keys = (status, -(status // 100), DEFAULT_STATUS)
    return next((key for key in keys if key in found.answers), None)


def _with_head(answer: Answer, found: SpecOperation, status: int) -> Answer:
    key = status if status in found.answers else _key(found, status)
    head = None if key is None else found.heads.get(key)
    if head is None:
        return answer
    return replace(answer, declared_types=head.media_types, headers=head.headers)
