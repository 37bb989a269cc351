"""A bank that the ledger pays out through, and that lets something happen while it is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Bank:
    """What is posted to `url` is answered once what was asked for meanwhile is done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._meanwhile: list[Callable[[], object]] = []

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Let ACT happen while the next payout waits for its answer."""
        self._meanwhile.append(act)

    def asked(self) -> None:
        if self._meanwhile:
            self._meanwhile.pop()()


@contextmanager
def opened() -> Iterator[Bank]:
    """A bank on a port of its own, until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        bank = Bank(f"http://127.0.0.1:{server.server_port}/payouts")
        server.RequestHandlerClass.bank = bank  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield bank
        server.shutdown()


class _Answers(BaseHTTPRequestHandler):
    bank: Bank

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.bank.asked()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Says nothing."""
