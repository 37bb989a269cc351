"""A service's own description of itself, of whatever kind, as a Spec."""

from __future__ import annotations

from pathlib import Path

from premortem.learn.graphql import PATH, SUFFIXES, load_graphql
from premortem.learn.openapi import Spec, load_openapi
from premortem.learn.references import read_bytes

INTROSPECTION = b'"__schema"'
LOOKED_AT_BYTES = 4_096
"""Of a document, to see whether it is the answer of an introspection."""


def load_spec(path: Path, *, graphql_at: str = PATH) -> Spec:
    """The specification in PATH: OpenAPI 3.0, 3.1 or Swagger 2.0 (JSON or YAML, gzip too), or a
    GraphQL schema (SDL, or an introspection's answer as JSON), which is served at GRAPHQL_AT.

    Raises InputError naming the file.
    """
    if path.suffix in SUFFIXES:
        return load_graphql(path, read_bytes(path).decode("utf-8", "replace"), at=graphql_at)
    data = read_bytes(path)
    if INTROSPECTION in data[:LOOKED_AT_BYTES]:
        return load_graphql(path, data.decode("utf-8", "replace"), at=graphql_at)
    return load_openapi(path)


def joined(*specs: Spec) -> Spec:
    """All operations of SPECS, of one declared twice the first."""
    operations = {o.operation.id: o for spec in reversed(specs) for o in reversed(spec.operations)}
    return Spec(
        title=", ".join(spec.title for spec in specs),
        operations=tuple(reversed(operations.values())),
    )
