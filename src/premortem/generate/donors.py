"""What an operation that nobody used borrows from those that somebody did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from numpy.random import Generator

from premortem.domain.bodies import leaves, read_body
from premortem.domain.conform import compiled
from premortem.domain.shape import Shape
from premortem.domain.template import split_path
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate.columns import pool
from premortem.generate.filler import NOTHING
from premortem.generate.fresh import Draw, like
from premortem.generate.walk import put

CREATED = 201
DEPTH_MAX = 3
"""Levels of a recorded body in which an object is looked for."""
OBJECTS_MAX = 64
"""Recorded objects that are borrowed for one member."""
READ_MAX = 2_000
"""Recorded requests that are looked through for one operation."""
NAME_LENGTH_MAX = 40

Pointer = tuple[str, ...]


class Maker(Struct, frozen=True, kw_only=True):
    """The PUT with which production made, under names of its own, what a POST makes, too."""

    operation: OperationProfile
    own_name: Pointer
    """Where the answer repeats the name in the path: that is where a POST says it."""
    names: tuple[str, ...]


def maker_of(
    operation: OperationProfile, profile: Profile, exchanges: Mapping[str, Exchange]
) -> Maker | None:
    """The recorded PUT to one level below OPERATION, a POST nobody used; None: there is none."""
    if operation.operation.method != "POST" or operation.count:
        return None
    below = operation.operation.template.rstrip("/") + "/{"
    for other in profile.operations:
        template = other.operation.template
        made = any(answer.status == CREATED and answer.count for answer in other.answers)
        if other.operation.method != "PUT" or not made or not template.startswith(below):
            continue
        if template.count("/") != below.count("/"):
            continue
        names = tuple(_named(other, exchanges))
        places = [{at for at, _ in found} for _, found in names]
        common = set.intersection(*places) if places else set()
        if common:
            return Maker(
                operation=other,
                own_name=min(common, key=lambda at: (len(at), at)),
                names=tuple(name for name, _ in names),
            )
    return None


def _named(
    operation: OperationProfile, exchanges: Mapping[str, Exchange]
) -> Iterator[tuple[str, list[tuple[Pointer, str]]]]:
    """(name in the path, where the answer to it has the same text) of what was made."""
    for exchange_id in operation.exemplars:
        exchange = exchanges.get(exchange_id)
        if exchange is None or exchange.response.status != CREATED:
            continue
        name = split_path(exchange.request.path)[-1]
        try:
            found = list(leaves(read_body(exchange.response)))
        except ValueError:
            continue
        yield name, [(place.tokens, name) for place, value in found if value == name]


def borrowed(
    operation: OperationProfile,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    maker: Maker | None,
) -> list[tuple[Pointer, Draw]]:
    """What to put into OPERATION's made-up bodies: whole objects that production sent as a member
    of the same name and that are valid here, and a new name where its maker says one."""
    conformance = compiled(operation.request_schema)
    if conformance is None:
        return []
    shape = conformance.shape
    found: list[tuple[Pointer, Draw]] = []
    for name in shape.names:
        member = shape.member(name)
        if member is None or "object" not in member.types or name not in shape.required:
            continue
        objects = list(_objects(name, member, operation, profile, exchanges))
        if objects:
            found.append(((name,), pool([(value, 1.0) for value in objects])))
    if maker is not None and shape.at(maker.own_name[:-1]) is not None:
        values = [name for name in maker.names if not holds_token(name)]
        found.append((maker.own_name, like(values, "", 1, NAME_LENGTH_MAX)))
    return found


def _objects(
    name: str,
    shape: Shape,
    operation: OperationProfile,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
) -> Iterator[dict[str, Any]]:
    """Different recorded objects under NAME that SHAPE allows."""
    root = msgspec.json.decode(operation.request_schema)
    shared = {"$defs": root["$defs"]} if "$defs" in root else {}
    document = {**shared, "anyOf": list(shape.branches)}
    conformance = compiled(msgspec.json.encode(document).decode())
    given: list[dict[str, Any]] = []
    read = 0
    for other in profile.operations:
        if other.id == operation.id:
            continue
        for exchange_id in other.exemplars:
            exchange = exchanges.get(exchange_id)
            if exchange is None or not 200 <= exchange.response.status < 300:
                continue
            read += 1
            if read > READ_MAX or len(given) >= OBJECTS_MAX:
                return
            try:
                body = read_body(exchange.request)
            except ValueError:
                continue
            for value in _under(name, body, 0):
                valid = conformance is not None and conformance.is_valid(value)
                if valid and value not in given and not _secret(value):
                    given.append(value)
                    yield value


def _under(name: str, value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if not isinstance(value, dict) or depth > DEPTH_MAX:
        return
    for key, item in value.items():
        if key == name and isinstance(item, dict) and item:
            yield item
        else:
            yield from _under(name, item, depth + 1)


def _secret(value: Any) -> bool:
    return any(isinstance(item, str) and holds_token(item) for _, item in leaves(value))


def overlaid(draw: Draw, puts: Sequence[tuple[Pointer, Draw]]) -> Draw:
    """DRAW's values with what PUTS draw at their pointers, where those have a place to stand."""
    if not puts:
        return draw

    def drawn(rng: Generator, rows: int) -> list[Any]:
        out = draw(rng, rows)
        for at, column in puts:
            for row, item in enumerate(column(rng, rows)):
                changed = put(out[row], [(at, item, True)])
                out[row] = out[row] if changed is NOTHING else changed
        return out

    return drawn
