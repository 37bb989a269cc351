"""Values of closed sets that one edition or tenant refuses and others take, by recorded traffic."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from premortem.domain.bodies import at, read_body
from premortem.domain.places import Place
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Request
from premortem.domain.variants import Difference, Dimension

VALUES_MAX = 12
"""Of a field: with more it is no closed set."""
REFUSED_MIN = 2
"""Refusals of a value in one edition, none of it let through, until that is a difference; one 403
will do: the same role was let do the same there with another value."""
PASSED_MIN = 2
"""Requests with the value that another edition let through."""
_REFUSALS = (400, 402, 403, 409, 422)


class _Key(Struct, frozen=True, order=True):
    operation_id: str
    place: Place
    json: str


def learn_variants(
    exchanges: Iterable[Exchange], profile: Profile, *, headers: Mapping[Dimension, str]
) -> tuple[Difference, ...]:
    """Values that production refused in one edition, tenant or locale and took in others.

    HEADERS: which header tells which; an exchange's own edition tag counts, too. A value is only
    compared where the same edition let the operation through with another one.
    """
    matcher = Matcher(operation.operation for operation in profile.operations)
    operations = {operation.id: operation for operation in profile.operations}
    counts: dict[Dimension, dict[_Key, dict[str, Counter[int]]]] = {}
    passing: set[tuple[str, str, str]] = set()
    seen: list[tuple[_Key, dict[Dimension, str], str, int]] = []
    for exchange in exchanges:
        match = matcher.match_request(exchange.request)
        settings = dict(_settings(exchange, headers))
        if match is None or not settings:
            continue
        operation, role = operations[match.operation.id], exchange.tags.role
        status = exchange.response.status
        if 200 <= status < 300:
            passing |= {(operation.id, name, role) for name in settings.values()}
        for place, value in _values(exchange.request, operation):
            seen.append((_Key(operation.id, place, value), settings, role, status))
    for key, settings, role, status in seen:
        for dimension, name in settings.items():
            # Who never passes is refused for who it is.
            if (key.operation_id, name, role) in passing:
                by_name = counts.setdefault(dimension, {}).setdefault(key, {})
                by_name.setdefault(name, Counter())[status] += 1
    return tuple(
        found
        for dimension, of_keys in counts.items()
        for key in sorted(of_keys)
        for found in _differing(dimension, key, of_keys)
    )


def _settings(
    exchange: Exchange, headers: Mapping[Dimension, str]
) -> Iterator[tuple[Dimension, str]]:
    for dimension, header in headers.items():
        value = exchange.request.header(header.lower()) or ""
        if dimension == "edition":
            value = exchange.tags.edition or value
        if value:
            yield dimension, value


def _values(request: Request, operation: OperationProfile) -> Iterator[tuple[Place, str]]:
    """The values of REQUEST in OPERATION's closed sets, as JSON."""
    closed = [f for f in operation.fields if 1 < len(f.values) <= VALUES_MAX and f.enumeration]
    if not closed:
        return
    try:
        body = read_body(request) if request.body else None
    except ValueError:
        body = None
    query = dict(request.query)
    for field in closed:
        if field.place.part == "query" and field.place.name in query:
            yield field.place, json.dumps(query[field.place.name])
        elif field.place.part == "body" and "*" not in field.place.tokens:
            found = _found(body, field.place)
            if isinstance(found, str | bool):
                yield field.place, json.dumps(found)


def _found(body: Any, place: Place) -> Any:
    try:
        return at(body, place.tokens)
    except (LookupError, TypeError):
        return None


def _differing(
    dimension: Dimension, key: _Key, counts: Mapping[_Key, Mapping[str, Counter[int]]]
) -> Iterator[Difference]:
    by_name = counts[key]
    for name, statuses in by_name.items():
        refused = {s: n for s, n in statuses.items() if s in _REFUSALS}
        if _passed(statuses) or (sum(refused.values()) < REFUSED_MIN and 403 not in refused):
            continue
        others = {n: c for n, c in by_name.items() if n != name and _passed(c) >= PASSED_MIN}
        if not others or not _takes_others(key, name, counts):
            continue
        status = max(refused, key=lambda s: refused[s])
        took = sum(others.values(), Counter[int]())
        success = max((s for s in took if 200 <= s < 300), key=lambda s: took[s])
        field = key.place.tokens[-1] if key.place.tokens else str(key.place)
        counted = f"{refused[status]} x {status} in {name}, {took[success]} x {success} elsewhere"
        yield Difference(
            dimension=dimension,
            value=name,
            others=tuple(others),
            operation_id=key.operation_id,
            kind="value",
            what=f"{field} {key.json} is refused",
            field=field,
            json=key.json,
            here=status,
            elsewhere=success,
            support=refused[status],
            because=counted,
        )


def _takes_others(key: _Key, name: str, counts: Mapping[_Key, Mapping[str, Counter[int]]]) -> bool:
    """Whether NAME lets the operation through with another value in the same place."""
    return any(
        _passed(by_name[name])
        for other, by_name in counts.items()
        if other.operation_id == key.operation_id
        and other.place == key.place
        and other.json != key.json
        and name in by_name
    )


def _passed(statuses: Mapping[int, int]) -> int:
    return sum(n for status, n in statuses.items() if 200 <= status < 300)
