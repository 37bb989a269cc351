"""A small HTTP server for the run itself: exporters send metrics in, people ask and stop.

It listens on loopback, or asks everybody for a token. Web pages are not let in: they could reach
loopback from a browser.
"""

from __future__ import annotations

import hmac
import json
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, socket
from socketserver import ThreadingMixIn
from typing import Any

from msgspec import Struct

from premortem.errors import ConfigError

CONNECTIONS_MAX = 32
"""At once; more are closed unheard."""
IDLE_S_MAX = 10.0
"""A connection that is silent for so long is closed."""
BODY_BYTES_MAX = 64 * 1024


class Asked(Struct, frozen=True, kw_only=True):
    """A request."""

    method: str
    path: str
    """Without its query."""
    content_type: str
    """In lower case, without parameters; empty: none was given."""
    body: bytes
    """Decoded where it came compressed."""


class Answer(Struct, frozen=True, kw_only=True):
    """What is said to it."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


def refusal(status: int, why: str) -> Answer:
    """An error as JSON: `{"error": WHY}`."""
    return Answer(status=status, body=json.dumps({"error": why}).encode())


class Door:
    """Open from the start until `close`."""

    def __init__(
        self,
        address: str,
        answer: Callable[[Asked], Answer],
        *,
        what: str,
        token: str = "",
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        """ADDRESS: `127.0.0.1:9100`, `[::1]:0`; port 0 takes a free one. ANSWER is called on a
        thread of the connection. WHAT: the option or key that ADDRESS stands in. TOKEN: what
        `Authorization: Bearer` has to carry.

        Raises ConfigError for an address that is none, is taken, or that others than this machine
        reach while there is no TOKEN.
        """
        host, port = _address(address, what)
        if not token and not _loopback(host):
            raise ConfigError(
                f"{what} {address}: other machines reach that address, and nobody has to show a "
                f"token; listen on 127.0.0.1, or name a token"
            )

        class Handler(_Handler):
            door_answer = staticmethod(answer)
            door_token = token
            door_bytes_max = body_bytes_max

        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            why = error.strerror or str(error)
            raise ConfigError(
                f"{what} {address}: cannot listen there ({why}); name another port, or 0 for a "
                f"free one"
            ) from None
        name = f"[{host}]" if ":" in host else host
        self.address = f"{name}:{self._server.server_address[1]}"
        """With the port that was taken."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="door", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is its owner's matter."""

    def server_bind(self) -> None:
        """As HTTPServer does it, but without asking the name service for this machine's name."""
        assert isinstance(self.socket, socket)  # noqa: S101 - set by the base class
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()[:2]
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S_MAX
    server_version = "premortem"
    sys_version = ""
    door_answer: Callable[[Asked], Answer]
    door_token = ""
    door_bytes_max = BODY_BYTES_MAX

    def _serve(self) -> None:
        said = self._stranger() or self._asked()
        if isinstance(said, Asked):
            said = type(self).door_answer(said)
        elif said.status != 404:
            self.close_connection = True  # its body was not read
        self.send_response(said.status)
        self.send_header("content-type", said.content_type)
        self.send_header("content-length", str(len(said.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(said.body)

    do_GET = do_POST = _serve  # noqa: N815 - as the base class calls them

    def _stranger(self) -> Answer | None:
        """Why whoever asks is not answered; None: it is."""
        if self.headers.get("origin"):
            return refusal(403, "web pages are not answered")
        token = type(self).door_token
        if token:
            given = self.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                return refusal(401, "the token is missing or wrong: send Authorization: Bearer")
            return None
        host = self.headers.get("host", "").rpartition(":")[0] or self.headers.get("host", "")
        if not _loopback(host.strip("[]")):
            return refusal(403, f"{host!r} is not a name of this machine's own")
        return None

    def _asked(self) -> Asked | Answer:
        body = b""
        if self.command == "POST":
            length = self.headers.get("content-length", "")
            if not length.isascii() or not length.isdigit():
                return refusal(411, "a POST needs a Content-Length")
            if int(length) > type(self).door_bytes_max:
                return refusal(413, f"more than {type(self).door_bytes_max} bytes")
            body = self.rfile.read(int(length))
            coding = self.headers.get("content-encoding", "identity").lower()
            if coding == "gzip":
                unpacked = _gunzip(body, type(self).door_bytes_max)
                if unpacked is None:
                    return refusal(400, "the body is not gzip, or too large")
                body = unpacked
            elif coding != "identity":
                return refusal(415, f"content coding {coding[:40]} is not known; use gzip")
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        path = self.path.partition("?")[0]
        return Asked(method=self.command, path=path, content_type=kind, body=body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Standard error belongs to the run."""


def _gunzip(body: bytes, bytes_max: int) -> bytes | None:
    unpack = zlib.decompressobj(31)
    try:
        found = unpack.decompress(body, bytes_max)
    except zlib.error:
        return None
    return found if unpack.eof else None


def _address(text: str, what: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ConfigError(f"{what} {text!r} is no address; write it like 127.0.0.1:9100")
    return host.strip("[]"), int(port)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
