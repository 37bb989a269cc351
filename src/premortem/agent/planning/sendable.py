"""Recorded requests as they can be sent again: what redaction made invalid is made valid.

What stands for a redacted value keeps its length, not always its form: an IBAN becomes one that
the service refuses. A text that was accepted, but is not what the declared schema allows, is one of
those, and a value that it allows comes in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import at, is_json, leaves, read_body
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, Profile
from premortem.generate.breaks import Schema, read_schema
from premortem.generate.filler import NOTHING, Filler

TEXTS_MAX = 500
"""Texts of one body that are looked at."""


class Sendable(Mapping[str, Exchange]):
    """EXCHANGES of PROFILE by id, with bodies that its schemas allow."""

    def __init__(self, exchanges: Mapping[str, Exchange], profile: Profile) -> None:
        self._exchanges = exchanges
        self._matcher = Matcher(o.operation for o in profile.operations)
        self._operations = {o.id: o for o in profile.operations}
        self._schemas: dict[str, Schema | None] = {}
        self._made: dict[str, Exchange] = {}

    def __getitem__(self, identity: str) -> Exchange:
        exchange = self._exchanges[identity]
        if not exchange.request.body:
            return exchange
        if identity not in self._made:
            self._made[identity] = self._allowed(exchange)
        return self._made[identity]

    def __iter__(self) -> Iterator[str]:
        return iter(self._exchanges)

    def __len__(self) -> int:
        return len(self._exchanges)

    def _allowed(self, exchange: Exchange) -> Exchange:
        request = exchange.request
        if exchange.response.status >= 300 or not is_json(request.media_type):
            return exchange
        found = self._matcher.match_request(request)
        schema = self._schema(found.operation.id) if found is not None else None
        try:
            value = read_body(request)
        except ValueError:
            return exchange
        if schema is None or schema.is_valid(value):
            return exchange
        made = _with_allowed(value, schema)
        if not schema.is_valid(made):
            return exchange
        return replace(exchange, request=replace(request, body=msgspec.json.encode(made)))

    def _schema(self, operation_id: str) -> Schema | None:
        """Of bodies as the specification has them; what was learned fits what was recorded."""
        if operation_id not in self._schemas:
            operation = self._operations[operation_id]
            declared = operation.request_source == "spec"
            self._schemas[operation_id] = (
                read_schema(operation.request_schema) if declared else None
            )
        return self._schemas[operation_id]


def _with_allowed(value: Any, schema: Schema) -> Any:
    """VALUE with what SCHEMA allows in place of texts that it does not."""
    copy = msgspec.json.decode(msgspec.json.encode(value))
    filler = Filler(schema.root, lambda _: ())
    texts = ((place.tokens, leaf) for place, leaf in leaves(value) if isinstance(leaf, str))
    for path, leaf in islice(texts, TEXTS_MAX):
        shape = schema.shape.at(path)
        if not path or shape is None or any(filler.fits(b, leaf) for b in shape.branches):
            continue
        made = filler.value(shape, path)
        parent = at(copy, path[:-1])
        if made is not NOTHING:
            parent[int(path[-1]) if isinstance(parent, list) else path[-1]] = made
    return copy
