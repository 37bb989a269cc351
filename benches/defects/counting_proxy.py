"""A proxy that counts: each side's requests are counted here, and held to their number here.

Bytes go through untouched, whatever a fuzzer makes of them. Of each request its first bytes, the
answer's status and the part of the service's log that was written meanwhile are kept, so that an
error in the log can be told the request that caused it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httptools
from msgspec import Struct

HEAD_BYTES_KEPT = 4000
BODY_BYTES_KEPT = 1500
CHUNK_BYTES = 65536
SEEN_MAX = 200_000
"""Requests remembered; counting goes on beyond that."""
REFUSAL = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


class Seen(Struct):
    """A request that went through."""

    number: int
    log_from: int
    """Bytes of the service's log when it came."""
    log_to: int = -1
    """And when the next one on its connection came, or that ended; -1: not yet."""
    head: bytes = b""
    body: bytes = b""
    status: int = 0
    """0: no answer."""

    @property
    def line(self) -> str:
        """Method and target."""
        words = self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        return " ".join(words[:2])


class CountingProxy:
    """Listens on a port of the loopback and forwards to TARGET_PORT, LIMIT requests at most.

    LIMIT 0: no limit. The request after the last is not forwarded: its connection is closed, and
    so is the door. What matches REFUSED (`METHOD /path`) is counted and answered 403 here.
    """

    def __init__(
        self, target_port: int, *, limit: int, refused: re.Pattern[str], log: Path
    ) -> None:
        self._target_port, self._limit, self._refused = target_port, limit, refused
        self._log = log
        self.count = 0
        self.turned_away = 0
        """Requests beyond the limit."""
        self.seen: list[Seen] = []
        self.statuses: Counter[int] = Counter()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> CountingProxy:
        self._thread.start()
        self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK_BYTES)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def log_bytes(self) -> int:
        """How much the service has written."""
        return self._log.stat().st_size if self._log.exists() else 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passage = _Passage(self)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        back = asyncio.ensure_future(_pump(up_reader, writer, passage.answered))
        try:
            await self._forward(reader, writer, up_writer, passage)
            up_writer.close()
            await asyncio.wait([back], timeout=1)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            passage.settle()
            back.cancel()
            for end in (up_writer, writer):
                end.close()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_writer: asyncio.StreamWriter,
        passage: _Passage,
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            passage.sent(data)
            if self._limit and self.count > self._limit:
                self.turned_away += 1
                self.count = self._limit
                passage.forget()
                return
            if passage.begins and self._refused.fullmatch(passage.line):
                passage.answered(REFUSAL)
                writer.write(REFUSAL)
                await writer.drain()
                return
            up_writer.write(data)
            await up_writer.drain()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, see: Callable[[bytes], None]
) -> None:
    try:
        while data := await reader.read(CHUNK_BYTES):
            see(data)
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


class _Passage:
    """One connection: tells its requests apart and notes each."""

    def __init__(self, proxy: CountingProxy) -> None:
        self._proxy = proxy
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._current: Seen | None = None
        self._whole = True
        """The request before is at its end."""
        self.begins = False
        """The bytes last sent begin a request."""
        self._begun = 0

    @property
    def line(self) -> str:
        return self._current.line if self._current else ""

    def sent(self, data: bytes) -> None:
        """DATA goes to the service."""
        self.begins = self._whole or (self._current is not None and self._current.status >= 200)
        if self.begins:
            self._begin(data)
        elif self._current is not None and len(self._current.body) < BODY_BYTES_KEPT:
            self._current.body += data[:BODY_BYTES_KEPT]
        if self._parser is None:
            return
        self._begun = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # No HTTP that we know: the next bytes after an answer are the next request.
            self._parser = None
        # Sent back to back, without waiting: each counts.
        self._proxy.count += max(0, self._begun - 1)

    def on_message_begin(self) -> None:
        """httptools: a request's first byte was seen."""
        self._begun += 1

    def _begin(self, data: bytes) -> None:
        self.settle()
        proxy = self._proxy
        proxy.count += 1
        head, _, body = data.partition(b"\r\n\r\n")
        self._whole = False
        self._current = Seen(
            number=proxy.count,
            log_from=proxy.log_bytes(),
            head=head[:HEAD_BYTES_KEPT],
            body=body[:BODY_BYTES_KEPT],
        )
        if len(proxy.seen) < SEEN_MAX:
            proxy.seen.append(self._current)

    def on_message_complete(self) -> None:
        """httptools: the request's last byte was seen."""
        self._whole = True

    def answered(self, data: bytes) -> None:
        """DATA comes from the service."""
        if self._current is not None and self._current.status < 200:
            found = _STATUS.match(data)
            if found:
                self._current.status = int(found[1])
                self._proxy.statuses[self._current.status] += 1

    def forget(self) -> None:
        """What was begun did not go through."""
        if self._proxy.seen and self._proxy.seen[-1] is self._current:
            self._proxy.seen.pop()

    def settle(self) -> None:
        """What the log holds now was written for the request before."""
        if self._current is not None and self._current.log_to < 0:
            self._current.log_to = self._proxy.log_bytes()
