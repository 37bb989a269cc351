"""GraphQL over HTTP: which operation a request is when all go to one path.

Two requests are one operation when they ask the same root fields for the same set of fields with
the same arguments, whatever their values, names, order and white space. (GraphQL October 2021;
GraphQL over HTTP, working draft 2025, 5)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from premortem.domain.traffic import Request, first

QUERY_CHARS_MAX = 100_000
"""A longer document is not looked into."""
QUERIES_REMEMBERED_MAX = 4_096
DEPTH_MAX = 40
FIELDS_MAX = 5_000
NAMES_SHOWN_MAX = 3
"""Root fields that stand in an operation's name."""

_STARTS = ("{", "query", "mutation", "subscription", "fragment", "#", '"""')


class _Envelope(Struct):
    query: str = ""
    operationName: str | None = None  # noqa: N815 - the wire's name


_envelope = msgspec.json.Decoder(_Envelope)


def query_of(request: Request) -> tuple[str, str]:
    """The GraphQL document in REQUEST and the operation that it names; empty: none.

    POST with a JSON body or `application/graphql`, or GET with `query`.
    """
    text, name = "", ""
    if request.method == "GET":
        text = first(request.query, "query") or ""
        name = first(request.query, "operationName") or ""
    elif request.method == "POST" and request.media_type == "application/graphql":
        text = request.body[:QUERY_CHARS_MAX].decode("utf-8", "replace")
    elif request.method == "POST" and b'"query"' in request.body:
        try:
            envelope = _envelope.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "", ""
        text, name = envelope.query, envelope.operationName or ""
    if len(text) > QUERY_CHARS_MAX or not text.lstrip().startswith(_STARTS):
        return "", ""
    return text, name


def variant_of(request: Request) -> str:
    """What tells REQUEST from others on its path: `mutation createUser 1f0c9a`; empty: nothing.

    The digits name the set of fields and arguments. A document that cannot be parsed is none.
    """
    text, name = query_of(request)
    return variant_of_query(text, name) if text else ""


@lru_cache(maxsize=QUERIES_REMEMBERED_MAX)
def variant_of_query(text: str, name: str = "") -> str:
    """The same for a document and the name of its operation."""
    operation = parsed(text, name)
    if operation is None:
        return ""
    definition, fragments = operation
    fields = sorted(set(_fields(definition.selection_set, fragments, ())))
    roots = sorted({field.split("/")[1].partition("(")[0] for field in fields})
    shown = "+".join(roots[:NAMES_SHOWN_MAX]) + ("+" if len(roots) > NAMES_SHOWN_MAX else "")
    digest = sha256("\n".join(fields).encode()).hexdigest()[:6]
    return f"{definition.operation.value} {shown} {digest}"


def parsed(text: str, name: str = "") -> tuple[Any, Mapping[str, Any]] | None:
    """(the operation called NAME, or the only one; fragments by name) of a document; None: it
    holds no such thing. The first is graphql-core's OperationDefinitionNode."""
    from graphql import GraphQLError  # costs most of a second: only who meets GraphQL pays
    from graphql.language import FragmentDefinitionNode, OperationDefinitionNode, parse

    try:
        document = parse(text, no_location=True, max_tokens=FIELDS_MAX * 4)
    except (GraphQLError, RecursionError):
        return None
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }
    if name:
        operations = [d for d in operations if d.name is not None and d.name.value == name]
    return (operations[0], fragments) if len(operations) == 1 else None


def _fields(selections: Any, fragments: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """`/invoice(id)/lines/amount` of each selected field, fragments resolved."""
    left = FIELDS_MAX
    stack: list[tuple[Any, tuple[str, ...]]] = [(selections, path)]
    while stack and left:
        found, above = stack.pop()
        if found is None or len(above) >= DEPTH_MAX:
            continue
        for selection in found.selections:
            left -= 1
            if left <= 0:
                return
            if selection.kind == "field":
                name = selection.name.value
                if name == "__typename":
                    continue
                arguments = ",".join(sorted(a.name.value for a in selection.arguments or ()))
                here = (*above, f"{name}({arguments})" if arguments else name)
                yield "/" + "/".join(here)
                stack.append((selection.selection_set, here))
            elif selection.kind == "inline_fragment":
                stack.append((selection.selection_set, above))
            elif selection.name.value in fragments:
                # A fragment within itself is invalid; the depth bounds what one says all the same.
                stack.append((fragments[selection.name.value].selection_set, above))
