"""Messages as text that a person reads: bounded, and harmless to whatever shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from premortem.domain.bodies import is_json
from premortem.domain.traffic import Pairs, Request, Response

BODY_CHARS_MAX = 4_000
HEADERS_MAX = 30
VALUE_CHARS_MAX = 200
PRETTY_BYTES_MAX = 64 * 1024
"""JSON up to this size is laid out; of longer texts only the start is shown anyway."""

_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """TEXT with control characters, surrogates and direction marks shown as escapes.

    Captured text must not steer a terminal, break XML, or turn what is read around.
    """
    return _BIDI.sub(_escape, _CONTROL.sub(_escape, text.replace("\r\n", "\n")))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def shorten(text: str, chars_max: int) -> str:
    """TEXT, printable and in one line, cut with dots."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"


def body_text(message: Request | Response, *, chars_max: int = BODY_CHARS_MAX) -> str:
    """The body of MESSAGE: JSON laid out, text as it is, binary content by its size."""
    body = message.body
    if not body:
        return ""
    if is_json(message.media_type) and len(body) <= PRETTY_BYTES_MAX:
        # What claims to be JSON and is not is shown as it is.
        with suppress(msgspec.DecodeError, RecursionError):
            body = msgspec.json.format(body, indent=2)
    start = body[: chars_max * 4]
    if b"\0" in start or _is_binary(start):
        return f"({len(message.body):,} bytes of {message.media_type or 'binary content'})"
    text = printable(start.decode("utf-8", "replace"))
    if len(text) <= chars_max and len(start) == len(body):
        return text
    return f"{text[:chars_max]}\n… ({len(message.body):,} bytes in all)"


def _is_binary(data: bytes) -> bool:
    text = data.decode("utf-8", "replace")
    return text.count("\ufffd") > max(4, len(text) // 20)


def header_lines(headers: Pairs) -> Iterator[str]:
    """`name: value`, at most HEADERS_MAX; secrets are named, not shown."""
    for name, value in headers[:HEADERS_MAX]:
        shown = "(not shown)" if name.lower() in _SECRET else shorten(value, VALUE_CHARS_MAX)
        yield f"{printable(name)}: {shown}"
    if len(headers) > HEADERS_MAX:
        yield f"… and {len(headers) - HEADERS_MAX} more headers"


def target_of(request: Request, *, chars_max: int = 500) -> str:
    """`/invoices?limit=0`, cut."""
    query = "&".join(f"{name}={value}" for name, value in request.query)
    return shorten(f"{request.path}?{query}" if query else request.path, chars_max)


def request_text(request: Request) -> str:
    """The request as one reads it: line, headers, body."""
    lines = [f"{request.method} {target_of(request)}", *header_lines(request.headers)]
    body = body_text(request)
    return "\n".join([*lines, "", body] if body else lines)


def response_text(response: Response) -> str:
    """The response as one reads it: status, headers, body."""
    lines = [str(response.status), *header_lines(response.headers)]
    body = body_text(response)
    return "\n".join([*lines, "", body] if body else lines)
