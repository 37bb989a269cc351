"""Real servers on loopback that send exactly the bytes they are told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

REQUEST_BYTES_MAX = 1 << 20


class Peer:
    """One accepted connection."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        self.number = number
        """Counted from 0 over the server's life."""
        self._buffer = b""

    def request(self) -> bytes:
        """The next whole request, head and body; empty when the client closed."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return b""
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(rest) < length:
            if not self._more():
                return b""
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[length:]
        return head + b"\r\n\r\n" + rest[:length]

    def _more(self) -> bool:
        try:
            data = self.connection.recv(65536)
        except OSError:
            return False
        self._buffer += data
        return bool(data)

    def send(self, *parts: bytes) -> None:
        """Each part in a segment of its own."""
        with contextlib.suppress(OSError):
            for part in parts:
                self.connection.sendall(part)

    def reset(self) -> None:
        """Close with RST."""
        option = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
        self.connection.close()


class Server:
    """What a test sees of a server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[bytes] = []
        """In order of arrival, as far as the handler used `answering`."""
        self.connections = 0
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port


@contextlib.contextmanager
def serving(handle: Callable[[Peer], None], *, tls: ssl.SSLContext | None = None):
    """A server that calls HANDLE with each connection, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    scheme = "https" if tls else "http"
    server = Server(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    open_connections: list[socket.socket] = []

    def one(connection: socket.socket, number: int) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
                open_connections.append(connection)
            handle(Peer(connection, number))
        except OSError:
            pass
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_connections.append(connection)
            number, server.connections = server.connections, server.connections + 1
            threading.Thread(target=one, args=(connection, number), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        thread.join(2)


@contextlib.contextmanager
def answering(reply: Callable[[bytes], bytes]) -> Iterator[Server]:
    """A keep-alive server: each request gets what REPLY makes of it; empty: the connection ends."""

    def handle(peer: Peer) -> None:
        while request := peer.request():
            with server.lock:
                server.requests.append(request)
            data = reply(request)
            if not data:
                return
            peer.send(data)

    with serving(handle) as server:
        yield server


def ok(body: bytes = b"{}", *, status: str = "200 OK", headers: str = "") -> bytes:
    """A plain answer with a length."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}"
    return head.encode() + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
