"""What an OpenAPI document declares of answers beside their bodies' shapes: types and headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from premortem.domain.traffic import DeclaredHeader
from premortem.learn.dialect import SchemaWriter
from premortem.learn.references import Documents

DEFAULT_STATUS = 0
"""How `default` is written as a number; `4XX` is -4."""
HEADERS_MAX = 100
"""Of one answer."""


class Scope(NamedTuple):
    """What the parts of one document share."""

    documents: Documents
    writer: SchemaWriter
    root: Mapping[str, Any]
    legacy: bool
    """Swagger 2.0."""


class SpecAnswer(Struct, frozen=True, kw_only=True):
    """What is declared of an answer beside the shape of its body."""

    media_types: tuple[str, ...] = ()
    """Lower case, without parameters; `*/*` and `text/*` as they are."""
    headers: tuple[DeclaredHeader, ...] = ()


def read_heads(
    declared: Mapping[str, Any], file: Path, scope: Scope
) -> Iterator[tuple[int, SpecAnswer]]:
    """Status (`default` 0, `4XX` -4) and what the operation DECLARED in FILE says of it."""
    responses = declared.get("responses")
    for code, answer in (responses if isinstance(responses, dict) else {}).items():
        status = status_of(str(code))
        if status is None:
            continue
        answer, where = scope.documents.follow(answer, file)
        if isinstance(answer, dict):
            types = _types(answer, declared, scope)
            headers = tuple(_headers(answer, where, scope))
            yield status, SpecAnswer(media_types=types, headers=headers)


def status_of(code: str) -> int | None:
    """CODE as a number; None when it is no status."""
    if code == "default":
        return DEFAULT_STATUS
    if re.fullmatch("[1-5][xX]{2}", code):
        return -int(code[0])
    return int(code) if re.fullmatch("[1-5][0-9]{2}", code) else None


def _types(answer: dict[str, Any], declared: Mapping[str, Any], scope: Scope) -> tuple[str, ...]:
    if scope.legacy:
        # Without a schema there is no body to have a type (Swagger 2.0, Response Object).
        produced = declared.get("produces", scope.root.get("produces"))
        found = produced if isinstance(produced, list) and "schema" in answer else []
    else:
        content = answer.get("content")
        found = list(content) if isinstance(content, dict) else []
    return tuple(dict.fromkeys(str(name).split(";", 1)[0].strip().lower() for name in found))


def _headers(answer: dict[str, Any], file: Path, scope: Scope) -> Iterator[DeclaredHeader]:
    declared = answer.get("headers")
    for name, header in list((declared if isinstance(declared, dict) else {}).items())[
        :HEADERS_MAX
    ]:
        header, where = scope.documents.follow(header, file)
        lower = str(name).strip().lower()
        # `content-type` is what the media types say (OpenAPI 3.0.3, Response Object).
        if not isinstance(header, dict) or lower == "content-type":
            continue
        schema = header if scope.legacy else header.get("schema")
        yield DeclaredHeader(
            name=lower,
            required=header.get("required") is True,
            schema=scope.writer.document(schema, where, "answer") if schema else "",
        )
