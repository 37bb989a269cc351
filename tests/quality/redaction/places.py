"""Where a value stands in an exchange, and everything an exchange says once it is decoded."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from premortem.domain.traffic import Exchange, first

Place = tuple[str, ...]
"""Steps from an exchange to one text: `("response.body", "json:/user/email")`. The first is
`SIDE.path`, `SIDE.query:NAME`, `SIDE.header:NAME` or `SIDE.body`; each further one decodes."""

DEPTH_MAX = 5
VIEWS_MAX = 20_000


def read(exchange: Exchange, place: Place) -> str | None:
    """The text at PLACE, or None where there is nothing of that shape."""
    try:
        text: str | None = _start(exchange, place[0])
        for step in place[1:]:
            if text is None:
                return None
            text = _step(text, step)
    except (ValueError, KeyError, IndexError, TypeError, StopIteration):
        return None
    return text


def _start(exchange: Exchange, step: str) -> str | None:
    side, _, what = step.partition(".")
    message = exchange.request if side == "request" else exchange.response
    kind, _, name = what.partition(":")
    if kind == "body":
        return message.body.decode("utf-8", "replace")
    if kind == "header":
        return first(message.headers, name)
    if kind == "path":
        return exchange.request.path
    return first(exchange.request.query, name)


def _json(text: str, pointer: str) -> str:
    value = json.loads(text)
    for key in pointer.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value if isinstance(value, str) else json.dumps(value)


def _step(text: str, step: str) -> str | None:  # noqa: C901 - one branch per way of writing
    kind, _, rest = step.partition(":")
    match kind:
        case "json":
            return _json(text, rest)
        case "form":
            return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))[rest]
        case "segment":
            return unquote(text.split("/")[1:][int(rest)])
        case "line":
            return text.split("\n")[int(rest)]
        case "csv":
            row, column = rest.split(":")
            return list(csv.DictReader(io.StringIO(text)))[int(row)][column]
        case "xml":
            found = re.search(rf"<(?:\w+:)?{rest}(?:\s[^>]*)?>([^<]*)<", text)
            return html.unescape(found[1]) if found else None
        case "base64":
            return _unbase64(text)
        case "unquote":
            return unquote(text)
        case "after":
            return text.split(rest, 1)[1]
        case "until":
            return text.split(rest, 1)[0]
        case "cookie":
            return next(
                v for k, _, v in (c.strip().partition("=") for c in text.split(";")) if k == rest
            )
        case "url":
            return dict(parse_qsl(urlsplit(text).query, keep_blank_values=True))[rest]
        case "has":
            return rest if stands(rest, text) else None
    raise AssertionError(f"unknown step {step!r}")


def _unbase64(text: str) -> str:
    plain = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()


def stands(text: str, inside: str) -> bool:
    """TEXT occurs in INSIDE; a short one only where it is not part of a longer word or number."""
    if len(text) >= 7:
        return text in inside
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])", inside) is not None


_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescape(text: str) -> str:
    # Surrogate pairs come out as two characters; joined again by the round trip.
    plain = _ESCAPE.sub(
        lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 5 else _NAMED.get(m[1], m[1]), text
    )
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def texts_of(exchange: Exchange, side: str = "") -> list[str]:
    """What stands in the exchange as it is, not decoded; SIDE restricts it to one message."""
    request, response = exchange.request, exchange.response
    found: list[str] = []
    if side != "response":
        found += [request.path, request.origin]
        found += [part for pair in request.query for part in pair]
        found += [part for pair in request.headers for part in pair]
        found.append(request.body.decode("utf-8", "replace"))
    if side != "request":
        found += [part for pair in response.headers for part in pair]
        found.append(response.body.decode("utf-8", "replace"))
    return found


def views(exchange: Exchange, side: str = "") -> set[str]:
    """All texts of the exchange with every decoding of each, up to DEPTH_MAX deep."""
    return decodings(texts_of(exchange, side))


def decodings(texts: Iterable[str]) -> set[str]:
    """TEXTS with every decoding of each, up to DEPTH_MAX deep."""
    seen: set[str] = set()
    level = set(texts)
    for _ in range(DEPTH_MAX):
        seen |= level
        level = {made for text in level for made in _decoded(text)} - seen
        if not level or len(seen) > VIEWS_MAX:
            break
    return seen | level


def _decoded(text: str) -> set[str]:
    made = set()
    if "%" in text or "+" in text:
        made |= {unquote(text), unquote_plus(text)}
    if "\\" in text:
        made.add(_unescape(text))
    if "&" in text:
        made.add(html.unescape(text))
    for match in _BASE64.finditer(text):
        try:
            plain = _unbase64(match[0])
        except ValueError:
            continue
        if plain and plain.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
            made.add(plain)
    # Base64 in lines of 76 (RFC 2045) reads as one text.
    if "\n" in text and re.fullmatch(r"[A-Za-z0-9+/=\r\n]{40,}", text):
        made.add(re.sub(r"\s", "", text))
    return made
