"""Heads of messages: read strictly, framed once, written anew (RFC 9110, RFC 9112).

What goes on to the other side is always built from what was understood here, never the bytes as
they came: two readers that see different messages in the same bytes are how requests are
smuggled. llhttp checks the header lines; how long the body is is decided here, and what leaves
any doubt is refused.
"""

from __future__ import annotations

import re
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, HttpResponseParser

HEAD_BYTES_MAX = 64 * 1024
"""Request or status line with all header lines."""
LINE_BYTES_MAX = 16 * 1024
HEADERS_MAX = 200
REMEMBERED_MAX = 1024
"""Header blocks whose meaning is kept: clients and servers repeat theirs."""
REMEMBERED_BYTES_MAX = 4096
"""Of one of them: 4 MiB in all."""
LENGTH_DIGITS_MAX = 15

NONE, LENGTH, CHUNKED, UNTIL_CLOSE = range(4)
"""How a body ends."""

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])"
)
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?")
_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)([^#]*)", re.IGNORECASE)
_HOST = re.compile(rb"[A-Za-z0-9.\-_~%\[\]:!$&'()*+,;=]*")
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade "
    b"proxy-authorization http2-settings".split()
)
"""RFC 9110, 7.6.1; credentials for proxies are for this one, which asks for none."""
_NEVER_NAMED = frozenset((b"host", b"content-length", b"content-type", b"authorization", b"cookie"))
"""`connection: authorization` would take a request's meaning away."""
TRAILERS_LEFT_OUT = _HOP_BY_HOP | _NEVER_NAMED | {b"set-cookie", b"content-encoding", b"expect"}
"""RFC 9110, 6.5.1: fields that frame, route or authenticate do not belong into trailers."""

FORWARDED = frozenset((b"via", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))
_REQUEST_REWRITTEN = FORWARDED | {b"host", b"content-length", b"expect"}
_RESPONSE_REWRITTEN = frozenset((b"content-length",))


class Refused(Exception):
    """A message that is not passed on; `status` is what the client is told."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class Fields:
    """The meaning of a block of header lines."""

    __slots__ = (
        "expects",
        "forwarded",
        "framing",
        "host",
        "keeps",
        "kept",
        "length",
        "lines",
        "named_close",
        "upgrade",
        "who",
    )

    def __init__(self, pairs: list[tuple[bytes, bytes]], rewritten: frozenset[bytes]) -> None:
        """REWRITTEN: fields that are made anew. Raises Refused for contradictory lengths."""
        if len(pairs) > HEADERS_MAX:
            raise Refused(431, f"more than {HEADERS_MAX} header fields")
        self.framing, self.length = NONE, 0
        self.host: bytes | None = None
        self.upgrade = b""
        self.expects = self.named_close = self.keeps = False
        self.who = b""
        """What tells clients apart: credentials or cookies."""
        lower = [(name.lower(), name, value) for name, value in pairs]
        named: set[bytes] = set()
        for name, _, value in lower:
            if name == b"connection":
                named.update(part.strip().lower() for part in value.split(b","))
        self.named_close, self.keeps = b"close" in named, b"keep-alive" in named
        left_out = _HOP_BY_HOP | (named - _NEVER_NAMED)
        for name, _, value in lower:
            self._notice(name, value.strip(), named)
        self.kept = [(low, name, value) for low, name, value in lower if low not in left_out]
        """(lower-case name, name, value) of what belongs to the message, not to the hop."""
        self.lines = b"".join(
            name + b": " + value + b"\r\n" for low, name, value in self.kept if low not in rewritten
        )
        self.forwarded = any(low in FORWARDED for low, _, _ in self.kept)
        """It came through another proxy."""

    def _notice(self, name: bytes, value: bytes, named: set[bytes]) -> None:
        if name == b"content-length":
            if self.framing != NONE or not value.isdigit() or len(value) > LENGTH_DIGITS_MAX:
                raise Refused(400, "its length is contradictory or no number")
            self.framing, self.length = LENGTH, int(value)
        elif name == b"transfer-encoding":
            # RFC 9112, 6.1: with a length beside it, or with a coding that is not known, nobody
            # can be sure where the message ends.
            if self.framing != NONE:
                raise Refused(400, "it has a length and a transfer coding")
            if value.lower() != b"chunked":
                raise Refused(501, "its transfer coding is not `chunked`")
            self.framing = CHUNKED
        elif name == b"host":
            if self.host is not None or not _HOST.fullmatch(value):
                raise Refused(400, "its `host` is given twice or is no host")
            self.host = value
        elif name == b"upgrade" and b"upgrade" in named:
            self.upgrade = value.lower()
        elif name == b"expect":
            self.expects = value.lower() == b"100-continue"
        elif name in (b"authorization", b"cookie") and not self.who:
            self.who = value

    def value(self, name: bytes) -> bytes:
        """What NAME (lower case) has, in all its lines; empty when it is not there."""
        return b", ".join(value for low, _, value in self.kept if low == name)


class RequestHead:
    """A request line and what its header block means."""

    __slots__ = (
        "block",
        "fields",
        "host",
        "is_head",
        "keep_alive",
        "method",
        "minor",
        "target",
        "upgrades",
    )

    def __init__(self, head: bytes) -> None:
        """HEAD ends with an empty line. Raises Refused."""
        line, _, block = head.partition(b"\r\n")
        found = _REQUEST_LINE.fullmatch(line)
        if found is None:
            if line.endswith((b"HTTP/2.0", b"HTTP/3.0")):
                raise Refused(505, "only HTTP/1.1 is understood")
            raise Refused(400, "its request line is none")
        self.method, target, minor = found.groups()
        self.minor = minor == b"1"
        self.block = block[:-2]
        self.fields = fields = _request_fields(block)
        self.host = fields.host
        if self.method == b"CONNECT":
            raise Refused(501, "it is no forward proxy: CONNECT is not understood")
        if target[0] != 47:  # not `/`
            target = self._other(target)
        self.target = target
        self.is_head = self.method == b"HEAD"
        # h2c and the like are answered without it (RFC 9110, 7.8).
        plain = self.method == b"GET" and fields.framing == NONE and self.minor
        self.upgrades = plain and fields.upgrade == b"websocket"
        if self.minor:
            self.keep_alive = not fields.named_close
            if self.host is None:
                raise Refused(400, "it has no `host`")
        else:
            self.keep_alive = fields.keeps and not fields.named_close
            if fields.framing == CHUNKED:
                raise Refused(400, "HTTP/1.0 knows no chunks")

    def _other(self, target: bytes) -> bytes:
        """A target in absolute form in origin form (RFC 9112, 3.2.2); `*` for OPTIONS."""
        if target == b"*" and self.method == b"OPTIONS":
            return target
        found = _ABSOLUTE.fullmatch(target)
        if found is None or not _HOST.fullmatch(found[1]):
            raise Refused(400, "its target is neither a path nor an address")
        self.host = found[1]
        return found[2] if found[2][:1] == b"/" else b"/" + found[2]


class ResponseHead:
    """A status line and what its header block means."""

    __slots__ = ("block", "fields", "keep_alive", "minor", "reason", "status")

    def __init__(self, head: bytes) -> None:
        """HEAD ends with an empty line. Raises Refused."""
        line, _, block = head.partition(b"\r\n")
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise Refused(502, "the service's status line is none")
        self.minor = found[1] == b"1"
        self.status = int(found[2])
        self.reason = found[3] or b""
        self.block = block[:-2]
        self.fields = fields = _response_fields(block)
        self.keep_alive = not fields.named_close if self.minor else fields.keeps

    def framing(self, *, is_head: bool) -> int:
        """How the body ends (RFC 9112, 6.3)."""
        if is_head or self.status in (204, 304) or self.status < 200:
            return NONE
        if self.fields.framing == NONE:
            return UNTIL_CLOSE
        return self.fields.framing


class _Lines:
    def __init__(self) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value.rstrip(b"\t ")))


_REQUEST_FIELDS: dict[bytes, Fields] = {}
_RESPONSE_FIELDS: dict[bytes, Fields] = {}
_REQUEST_LINE_ANY, _STATUS_LINE_ANY = b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"


def _request_fields(block: bytes) -> Fields:
    known = _REQUEST_FIELDS.get(block)
    if known is None:
        pairs = _parsed(block, HttpRequestParser, _REQUEST_LINE_ANY)
        known = Fields(pairs, _REQUEST_REWRITTEN)
        _remember(_REQUEST_FIELDS, block, known)
    return known


def _response_fields(block: bytes) -> Fields:
    known = _RESPONSE_FIELDS.get(block)
    if known is None:
        pairs = _parsed(block, HttpResponseParser, _STATUS_LINE_ANY)
        known = Fields(pairs, _RESPONSE_REWRITTEN)
        _remember(_RESPONSE_FIELDS, block, known)
    return known


def _remember(remembered: dict[bytes, Fields], block: bytes, fields: Fields) -> None:
    if len(block) <= REMEMBERED_BYTES_MAX:
        if len(remembered) >= REMEMBERED_MAX:
            remembered.clear()
        remembered[block] = fields


def _parsed(block: bytes, parser: Any, line: bytes) -> list[tuple[bytes, bytes]]:
    lines = _Lines()
    try:
        parser(lines).feed_data(line + block)
    except HttpParserUpgrade:
        pass
    except HttpParserError as error:
        status = 400 if parser is HttpRequestParser else 502
        raise Refused(status, f"its header lines are not HTTP: {error}") from None
    return lines.pairs


def trailers(block: bytes) -> bytes:
    """The lines of a chunked body's trailer section that may go on. Raises Refused."""
    if block == b"\r\n":
        return b""
    pairs = _parsed(block, HttpRequestParser, _REQUEST_LINE_ANY)
    return b"".join(
        name + b": " + value + b"\r\n"
        for name, value in pairs
        if name.lower() not in TRAILERS_LEFT_OUT
    )
