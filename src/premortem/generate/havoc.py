"""Requests changed without regard to what they mean: odd values, members and headers anywhere.

What the havoc stage of a grey-box fuzzer does to bytes (Zalewski, AFL, technical details), done to
the parts of a request instead, so that what comes out is still read by whoever parses it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from premortem.domain.bodies import is_json
from premortem.domain.run import Case
from premortem.domain.traffic import OperationProfile, Request
from premortem.generate.operators import EXTREMES, FRACTIONS, TROUBLE
from premortem.generate.replay import CREDENTIAL_HEADERS
from premortem.generate.walk import put, without

SPOTS_MAX = 200
"""Places of one body that are chosen from."""
ITEMS_MAX = 8
"""Items of one array."""
LONG = 300
_decode = msgspec.json.Decoder().decode

Pointer = tuple[str, ...]
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, "", "x", "0", "null", [], {}, [None], [[]], {"": ""}),
    *({"x": None}, [{}], "x" * LONG, "\ud7ff", "%s%d%n", "%00", "a/b", "*", "-"),
    *(text for _, text in TROUBLE),
    *(number for _, number in EXTREMES),
    *(number for _, number in FRACTIONS if abs(number) < 1e300),
)
"""Values that some reader somewhere takes for something else."""
ODD_TEXTS = tuple(value for value in ODD if isinstance(value, str) and value)
HEADER_TEXTS = (
    *("*", "*x", '"', '""', '"x', "x", "0", "-1", '"0"', '"-1"', '"1"', 'W/"1"', "1.5", ","),
    *(", ,", ";", "=", "%00", "%s", "null", "true", "{}", "[]", '{"a":1}', "x" * LONG, "\u00e9"),
    *("99999999999999999999", "Thu, 01 Jan 1970 00:00:00 GMT", "bytes=0-0", "*/*", "en;q=x"),
)
"""Field values (RFC 9110, 5.5) that parsers of conditions, dates and lists trip over."""
HEADERS = (
    *("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "accept"),
    *("accept-language", "accept-encoding", "range", "prefer", "content-type", "origin"),
    *("x-requested-with", "x-forwarded-for", "x-http-method-override", "expect-ct"),
)
"""Headers that services look at without saying so."""


def odd_value(base: Case, rng: np.random.Generator) -> tuple[Case, Pointer] | None:
    """Something in the body, whatever it is, becomes an odd value."""
    body = json_of(base.request)
    found = spots(body)
    if not found:
        return None
    at = found[int(rng.integers(len(found)))]
    value = ODD[int(rng.integers(len(ODD)))]
    changed = put(body, [(at, value, True)]) if at else value
    return with_body(base, changed, at)


def odd_member(base: Case, rng: np.random.Generator) -> tuple[Case, Pointer] | None:
    """A member of the body that nobody asked for, or that is not there any more."""
    body = json_of(base.request)
    objects = [at for at in spots(body) if isinstance(value_at(body, at), dict)]
    if not objects:
        return None
    at = objects[int(rng.integers(len(objects)))]
    names = list(value_at(body, at))
    if names and rng.random() < 0.5:
        name = names[int(rng.integers(len(names)))]
        return with_body(base, without(body, (*at, name)), (*at, name))
    texts = ("", "__proto__", "$where", "a.b", "é", "x" * LONG, *ODD_TEXTS, *names)
    name = texts[int(rng.integers(len(texts)))]
    value = ODD[int(rng.integers(len(ODD)))]
    return with_body(base, put(body, [((*at, name), value, True)]), (*at, name))


def odd_header(
    base: Case, operation: OperationProfile, rng: np.random.Generator
) -> tuple[Case, str] | None:
    """A header that is known here, or that services look at, says something odd."""
    learned = [f.place.name for f in operation.fields if f.place.part == "header"]
    declared = [
        place.partition(":")[2].lower()
        for place in operation.parameter_schemas
        if place.startswith("header:")
    ]
    names = [n for n in (*learned, *declared, *HEADERS) if n not in CREDENTIAL_HEADERS]
    name = names[int(rng.integers(len(names)))]
    text = HEADER_TEXTS[int(rng.integers(len(HEADER_TEXTS)))]
    rest = tuple(pair for pair in base.request.headers if pair[0] != name)
    kept = tuple(
        b for b in base.bindings if not (b.place.part == "header" and b.place.name == name)
    )
    request = replace(base.request, headers=(*rest, (name, text)))
    if request == base.request:
        return None
    return replace(base, request=request, bindings=kept), name


def with_body(base: Case, body: Any, at: Pointer) -> tuple[Case, Pointer] | None:
    """BASE with BODY, changed AT; None where it cannot be written."""
    try:
        written = msgspec.json.encode(body)
    except (TypeError, ValueError):
        return None
    if written == base.request.body:
        return None
    kept = tuple(
        b for b in base.bindings if b.place.part != "body" or b.place.tokens[: len(at)] != at
    )
    return replace(base, request=replace(base.request, body=written), bindings=kept), at


def json_of(request: Request) -> Any:
    """The JSON body of REQUEST; None when it has none that can be read."""
    if not request.body or not is_json(request.media_type):
        return None
    try:
        return _decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def spots(body: Any) -> list[Pointer]:
    """Pointers of everything in BODY, itself included, first ones first."""
    found: list[Pointer] = []
    stack: list[tuple[Pointer, Any]] = [((), body)] if body is not None else []
    while stack and len(found) < SPOTS_MAX:
        at, value = stack.pop()
        found.append(at)
        if isinstance(value, dict):
            stack += [((*at, str(key)), item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            stack += [((*at, str(i)), value[i]) for i in range(min(len(value), ITEMS_MAX))][::-1]
    return found


def value_at(body: Any, at: Pointer) -> Any:
    """What stands in BODY at a pointer of `spots`."""
    for token in at:
        body = body[int(token)] if isinstance(body, list) else body[token]
    return body
