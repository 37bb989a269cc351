"""What production sent and got through with, apart from what it was refused with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import general, leaves
from premortem.domain.places import Place
from premortem.domain.tokens import MARK, holds_token
from premortem.domain.traffic import Exchange, Field, OperationProfile, Request
from premortem.generate.payload import recorded_value

REFUSED = 400
QUOTES = 2
_encode = msgspec.json.Encoder().encode


def passed_bodies(
    operation: OperationProfile, exchanges: Mapping[str, Exchange], *, again: bool = True
) -> list[Any]:
    """Bodies of recorded requests of OPERATION that were answered 2xx; AGAIN: equal ones, too."""
    found: list[Any] = []
    for exchange_id in operation.exemplars:
        exchange = exchanges.get(exchange_id)
        if exchange is None or not 200 <= exchange.response.status < 300:
            continue
        try:
            value = recorded_value(exchange.request)
        except ValueError:
            continue
        if value is not None and (again or value not in found):
            found.append(value)
    return found


def passing_fields(
    operation: OperationProfile, exchanges: Mapping[str, Exchange]
) -> tuple[Field, ...]:
    """OPERATION's fields without the values that only refused requests had, as far as its
    exemplars show; places that a redacted address stood at are of the format `email`."""
    known = [e for i in operation.exemplars if (e := exchanges.get(i)) is not None]
    known = [exchange for exchange in known if exchange.response.status > 0]
    if not any(e.response.status >= REFUSED or _marked(e.request) for e in known):
        return operation.fields
    passed: dict[Place, set[str]] = {}
    refused: dict[Place, set[str]] = {}
    addresses: set[Place] = set()
    for exchange in known:
        seen = refused if exchange.response.status >= REFUSED else passed
        for place, text in _texts(exchange):
            seen.setdefault(place, set()).add(text)
            if "@" in text and holds_token(text):
                addresses.add(place)
    if not passed or not (refused or addresses):
        return operation.fields
    return tuple(
        _passing(
            field,
            passed.get(field.place, set()),
            refused.get(field.place, set()),
            address=field.place in addresses,
        )
        for field in operation.fields
    )


def _marked(request: Request) -> bool:
    """Whether REQUEST may hold a redaction token: a glance, where most hold none."""
    pairs = (*request.headers, *request.query)
    return MARK.encode() in request.body or any(MARK in value for _, value in pairs)


def _passing(field: Field, passed: set[str], refused: set[str], *, address: bool) -> Field:
    if address and field.redacted and not field.format:
        return replace(field, format="email")
    wrong = refused - passed
    values = tuple(pair for pair in field.values if pair[0] not in wrong)
    if values == field.values or not (values or field.redacted):
        return field
    lengths = [len(text) - QUOTES for text in passed if text.startswith('"')]
    return replace(field, values=values, length_min=min(lengths, default=field.length_min))


def _texts(exchange: Exchange) -> Iterator[tuple[Place, str]]:
    """(place as fields name it, JSON text) of what body, query and headers of EXCHANGE's request
    hold."""
    for name, value in exchange.request.headers:
        yield Place(part="header", name=name), _encode(value).decode()
    for name, value in exchange.request.query:
        place = Place(part="query", name=name)
        yield place, _encode(value).decode()
        yield place, value
    try:
        found = list(leaves(recorded_value(exchange.request)))
    except ValueError:
        return
    for place, value in found:
        yield general(place), _encode(value).decode()
