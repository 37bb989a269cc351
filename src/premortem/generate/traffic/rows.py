"""A request as a row: what stands at which place, arrays as lists of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from premortem.domain.bodies import FORM, is_json, readings
from premortem.domain.places import body_place
from premortem.domain.shape import Shape
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Request
from premortem.generate.filler import NOTHING
from premortem.generate.payload import read_value

COLUMNS_MAX = 96
"""Places of one request or item, the first ones."""
DEPTH_MAX = 6
ITEMS_MAX = 20
ROLE, BEFORE, TOLD = "role", "before", "told:"
"""Columns of what is given: who sends it, after what, and (followed by `operation id|place`)
whether an earlier answer said something."""

Row = dict[str, Any]
"""Column -> scalar, or a list of rows."""


def row_of(request: Request, shape: Shape | None) -> Row:
    """REQUEST's query and body; of a body that is no JSON and no form the query alone."""
    row: Row = {}
    for name, value in request.query:
        key = f"query:{name}"
        if key in row:  # given twice: one value that is a list
            row[key] = [*row[key], value] if isinstance(row[key], list) else [row[key], value]
        else:
            row[key] = readings(value)[0]
    for key, value in row.items():
        if isinstance(value, list):
            row[key] = "\n".join(map(str, value))
    if readable(request):
        row.update(flat(read_value(request, shape), "body:"))
    return row


def readable(request: Request) -> bool:
    """Whether REQUEST has a body whose values can be written anew; others are kept as they are."""
    if not request.body or not (request.media_type == FORM or is_json(request.media_type)):
        return False
    try:
        return read_value(request, None) is not NOTHING
    except ValueError:
        return False


def flat(value: Any, at: str, depth: int = 0) -> Row:
    """VALUE's scalars and arrays by their place."""
    found: Row = {}
    for key, inner in _flat(value, at, depth):
        if len(found) >= COLUMNS_MAX:
            break
        found[key] = inner
    return found


def _flat(value: Any, at: str, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and depth < DEPTH_MAX:
        if not value:
            yield at, {}
        for name, inner in value.items():
            yield from _flat(inner, at + body_place(str(name)).name, depth + 1)
    elif isinstance(value, list):
        yield at, [flat(item, "", depth + 1) for item in value[:ITEMS_MAX]]
    else:
        yield at, value


def built(row: Mapping[str, Any], at: str) -> Any:
    """What `flat` took apart; NOTHING for an empty row."""
    whole: Any = NOTHING
    for key, value in row.items():
        inner = [built(item, "") for item in value] if isinstance(value, list) else value
        tokens = body_place_tokens(key[len(at) :])
        if not tokens:
            return inner
        if whole is NOTHING:
            whole = {}
        target = whole
        for token in tokens[:-1]:
            following = target.get(token)
            if not isinstance(following, dict):
                following = target[token] = {}
            target = following
        target[tokens[-1]] = inner
    return whole


def body_place_tokens(pointer: str) -> tuple[str, ...]:
    """The unescaped tokens of a JSON pointer (RFC 6901)."""
    if not pointer:
        return ()
    parts = pointer[1:].split("/")
    if "~" not in pointer:
        return tuple(parts)
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def redacted(value: Any) -> bool:
    """Whether VALUE is no value but what stands for one."""
    return isinstance(value, str) and holds_token(value)
