"""HTTP/1 messages as they went over the wire (RFC 9112), whole or cut off at a recorder's limit."""

from __future__ import annotations

import re

from httptools import HttpParserError, HttpRequestParser, HttpResponseParser
from msgspec import Struct

from premortem.capture.message import Unusable
from premortem.domain.traffic import Pairs

HEADERS_MAX = 1000
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP/\d\.\d\r?\n")


class WireMessage(Struct, frozen=True, kw_only=True):
    """A request (method, target) or a response (status)."""

    method: str = ""
    target: str = ""
    status: int = 0
    headers: Pairs
    body: bytes
    """Without transfer coding, in its content coding."""


class _Collector:
    """What httptools calls while it parses."""

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []

    def on_message_begin(self) -> None:
        """Another message begins: what came before was `100 Continue`."""
        self.headers, self.body = [], []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        if len(self.headers) < HEADERS_MAX:
            self.headers.append((name.decode("latin-1"), _text(value)))

    def on_body(self, piece: bytes) -> None:
        """Some of the body, without its chunks' frames."""
        self.body.append(piece)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def parse_request(data: bytes) -> WireMessage:
    """The request in DATA. Raises Unusable."""
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise Unusable("it does not begin with a request line")
    found = _Collector()
    _feed(HttpRequestParser(found), data)
    return WireMessage(
        method=line[1].decode(),
        target=_text(line[2]),
        headers=tuple(found.headers),
        body=b"".join(found.body),
    )


def parse_response(data: bytes) -> WireMessage:
    """The response in DATA. Raises Unusable."""
    if not data.startswith(b"HTTP/"):
        raise Unusable("it does not begin with a status line")
    found = _Collector()
    parser = HttpResponseParser(found)
    _feed(parser, data)
    return WireMessage(
        status=parser.get_status_code(), headers=tuple(found.headers), body=b"".join(found.body)
    )


def _feed(parser: HttpRequestParser | HttpResponseParser, data: bytes) -> None:
    try:
        parser.feed_data(data)
    except HttpParserError as error:
        raise Unusable(f"not HTTP/1: {error}") from None
