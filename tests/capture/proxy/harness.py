"""A proxy on a loop of its own, and clients that send exactly the bytes they are told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from premortem.capture.proxy import Proxy, Recording, Waits
from premortem.capture.sampling import Sampler
from premortem.capture.spool import read_spool
from premortem.config import CaptureConfig, Config
from premortem.domain.traffic import Exchange
from premortem.send.line import new_loop
from premortem.send.origin import address

KEY = b"k" * 32
SECONDS_MAX = 20.0


class Running:
    """A proxy that listens."""

    def __init__(self, proxy: Proxy, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.proxy, self.port, self.loop = proxy, port, loop

    def client(self) -> Client:
        return Client(socket.create_connection(("127.0.0.1", self.port), SECONDS_MAX))

    def ask(self, data: bytes) -> bytes:
        """What comes back, to the connection's end, for DATA; a client that closes its half."""
        with self.client() as client:
            client.send(data)
            client.half_close()
            return client.rest()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.proxy.close(), self.loop).result(60)


class Client:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_error: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def half_close(self) -> None:
        self.connection.shutdown(socket.SHUT_WR)

    def until(self, mark: bytes) -> bytes:
        """What comes up to and with MARK."""
        while mark not in self._buffer:
            data = self.connection.recv(65536)
            if not data:
                raise EOFError(self._buffer)
            self._buffer += data
        found, _, self._buffer = self._buffer.partition(mark)
        return found + mark

    def rest(self) -> bytes:
        """What comes until the connection ends, in whatever way."""
        with contextlib.suppress(ConnectionError):
            while data := self.connection.recv(65536):
                self._buffer += data
        return self._buffer


def until(condition: Callable[[], bool]) -> None:
    """Returns once CONDITION holds."""
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextlib.contextmanager
def proxied(
    url: str,
    *,
    spool: Path | None = None,
    capture: CaptureConfig | None = None,
    waits: Waits | None = None,
    tls: ssl.SSLContext | None = None,
    connections_max: int = 100,
    queue_bytes_max: int = 1 << 20,
    keep_host: bool = False,
) -> Iterator[Running]:
    """A proxy before URL; with SPOOL it records."""
    loop = new_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def opened() -> tuple[Proxy, int]:
        recording = None
        config = Config(capture=capture or CaptureConfig(hosts=("*",)))
        if spool is not None:
            recording = Recording(
                config,
                key=KEY,
                directory=spool,
                sampler=Sampler(config.capture.sample),
                queue_bytes_max=queue_bytes_max,
            )
        proxy = Proxy(
            address(url, key="--upstream"),
            recording=recording,
            body_bytes_max=config.capture.body_bytes_max,
            waits=waits,
            tls=tls,
            connections_max=connections_max,
            keep_host=keep_host,
        )
        return proxy, await proxy.open("127.0.0.1", 0)

    proxy, port = asyncio.run_coroutine_threadsafe(opened(), loop).result(SECONDS_MAX)
    running = Running(proxy, port, loop)
    try:
        yield running
    finally:
        if not proxy.draining:
            running.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS_MAX)
        loop.close()


def recorded(spool: Path) -> list[Exchange]:
    """What the proxy recorded; after its end."""
    return list(read_spool(spool, key=KEY)) if spool.exists() else []
