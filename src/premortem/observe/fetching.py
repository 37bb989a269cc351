"""One GET for metrics: bounded in time and size, no redirects, no proxies of the environment."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from msgspec import Struct

from premortem.observe.tracking import Unseen

CHUNK_BYTES = 64 * 1024
SAID_CHARS_MAX = 200
"""Of an answer that is an error, in our message."""
ACCEPT = (
    "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.8,"
    "application/json;q=0.8"
)


class Wanted(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    url: str
    bearer: str = ""
    ca: str = ""
    timeout_s: float
    """For all of it."""
    bytes_max: int


Fetch = Callable[[Wanted], bytes]
"""The body of a 200; raises Unseen for anything else."""


def fetch(wanted: Wanted) -> bytes:
    """Ask a server; see Fetch."""
    ends = time.monotonic() + wanted.timeout_s
    try:
        connection = _connection(wanted)
        try:
            return _asked(connection, wanted, ends)
        finally:
            connection.close()
    except TimeoutError:
        raise Unseen(f"no answer within {wanted.timeout_s:g} s") from None
    except (OSError, HTTPException, ValueError) as error:
        raise Unseen(f"{type(error).__name__}: {error}"[:SAID_CHARS_MAX]) from None


def _connection(wanted: Wanted) -> HTTPConnection:
    parts = urlsplit(wanted.url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return HTTPSConnection(host, parts.port, timeout=wanted.timeout_s, context=_tls(wanted.ca))
    return HTTPConnection(host, parts.port, timeout=wanted.timeout_s)


@lru_cache(maxsize=16)
def _tls(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cafile=ca)
    return context


def _asked(connection: HTTPConnection, wanted: Wanted, ends: float) -> bytes:
    parts = urlsplit(wanted.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"accept": ACCEPT, "user-agent": "premortem"}
    if wanted.bearer:
        headers["authorization"] = f"Bearer {wanted.bearer}"
    connection.request("GET", path, headers=headers)
    sock = connection.sock
    _leave(sock, ends)
    answer = connection.getresponse()
    body = bytearray()
    while not answer.isclosed():
        _leave(sock, ends)
        part = answer.read1(CHUNK_BYTES)
        if not part:
            break
        body += part
        if len(body) > wanted.bytes_max:
            raise Unseen(f"the answer is larger than response_bytes_max = {wanted.bytes_max}")
    if answer.status != 200:
        said = bytes(body[:SAID_CHARS_MAX]).decode(errors="replace").strip()
        where = answer.getheader("location")
        if where:
            said = f"to {where}; redirects are not followed: name that address if it is right"
        raise Unseen(f"it answers {answer.status} {said}".rstrip())
    if answer.length:
        raise Unseen("the connection closed before the answer was whole")
    return bytes(body)


def _leave(sock: object, ends: float) -> None:
    """What is left of the time is the limit of the next read."""
    left_s = ends - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    settimeout = getattr(sock, "settimeout", None)
    if settimeout is not None:
        settimeout(left_s)
