"""Targets that misbehave, on a loopback port of their own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Serve = Callable[[socket.socket], None]
"""What is done with one accepted connection."""


def hang(connection: socket.socket) -> None:
    """Read, and never answer."""
    while connection.recv(65536):
        pass


def babble(connection: socket.socket) -> None:
    """Answer with what is no HTTP."""
    connection.recv(65536)
    connection.sendall(b"\x00\x15SSH-2.0-\xff\xfe not http at all\r\n\r\n" * 20)


def hang_up(connection: socket.socket) -> None:
    """Close at once."""


def ready_then(serve: Serve) -> Serve:
    """Answer GET /health as a healthy service does; then SERVE."""

    def answer(connection: socket.socket) -> None:
        head = connection.recv(65536)
        if not head.startswith(b"GET /health "):
            serve(connection)
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    return answer


@contextmanager
def target(serve: Serve) -> Iterator[tuple[str, list[bytes]]]:
    """The base URL, and a list that gets one item for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []
    seen: list[bytes] = []

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            seen.append(b"")
            open_ones.append(connection)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_ones:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        thread.join(timeout=5)
