"""The clients' side: requests read one after the other, each passed on as it comes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from premortem.capture.proxy.head import (
    CHUNKED,
    HEAD_BYTES_MAX,
    LENGTH,
    LINE_BYTES_MAX,
    NONE,
    Refused,
    RequestHead,
)
from premortem.capture.proxy.passage import Passage, perf

if TYPE_CHECKING:
    from premortem.capture.proxy.server import Proxy

AHEAD_BYTES_MAX = 64 * 1024
"""What a client may send before its turn: pipelined requests, a body before the connection to
the service stands. Then it is read no further."""
LINGER_BYTES_MAX = 16 * 1024 * 1024
"""What is read and thrown away after an answer that came before its request ended, so that the
client gets to read the answer (RFC 9112, 9.6)."""
_END = b"\r\n\r\n"
_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    414: "URI Too Long",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


class ClientSide(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self.address = ""
        self._forwarded = b""
        self.passage: Passage | None = None
        self._buffer = bytearray()
        self._scanned = 0
        self.since = perf()
        """When the present state began: idle, or reading a head."""
        self.close_after = False
        self.lingering = False
        self._discarded = 0
        self._half_closed = False
        self._reading = True
        self.paused = False
        """It cannot take more for now."""
        self.tunnel: Passage | None = None

    @property
    def reading_head(self) -> bool:
        """A part of a head has come."""
        return self.passage is None and bool(self._buffer)

    # The loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = transport  # type: ignore[assignment]
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._forwarded = b"x-forwarded-proto: http\r\nvia: 1.1 premortem\r\nx-forwarded-for: "
        self._forwarded += self.address.encode() + b"\r\nx-forwarded-host: "
        if not self._proxy.joined(self):
            self.refuse(503, "too many connections")

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self.tunnel is not None:
            if self.tunnel.service is not None:
                self.tunnel.moved_at = perf()
                self.tunnel.service.write(data)
            return
        if self.lingering:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES_MAX:
                self.close()
            return
        passage = self.passage
        try:
            if passage is None:
                self._begin(data)
            elif passage.request_body.done:
                self._ahead(data)
            else:
                passage.moved_at = perf()
                if rest := passage.take(data):
                    self._ahead(rest)
                if passage.service is None and passage.waiting_bytes > AHEAD_BYTES_MAX:
                    self.pause()
        except Refused as error:
            self._refused(error)

    def eof_received(self) -> bool:  # noqa: D102
        if self.tunnel is not None:
            self._half_closed = True
            service = self.tunnel.service
            if service is None or service.ended:
                return False
            service.end_input()
            return True
        passage = self.passage
        if passage is None or self.lingering or not passage.request_body.done:
            return False
        # It may still read: some clients close their half once they have asked.
        self._half_closed = True
        return True

    def pause_writing(self) -> None:  # noqa: D102
        self.paused = True
        passage = self.passage or self.tunnel
        if passage is not None and passage.service is not None:
            passage.service.pause()

    def resume_writing(self) -> None:  # noqa: D102
        self.paused = False
        passage = self.passage or self.tunnel
        if passage is not None and passage.service is not None:
            passage.moved_at = perf()
            passage.service.resume()

    def connection_lost(self, _error: Exception | None) -> None:  # noqa: D102
        self._proxy.left(self)
        passage = self.passage or self.tunnel
        self.passage = self.tunnel = None
        self._transport = None
        if passage is not None:
            self._proxy.abandoned(passage)

    # Requests.

    def _begin(self, data: bytes) -> None:
        """DATA is, or goes on with, a request's head."""
        buffer = self._buffer
        if buffer or data[:1] in (b"\r", b"\n"):
            if not buffer:
                self.since = perf()
            buffer += data
            # RFC 9112, 2.2: empty lines before a request are passed over.
            while buffer[:2] == b"\r\n":
                del buffer[:2]
            end = buffer.find(_END, max(0, self._scanned - 3))
            if end < 0:
                self._scanned = len(buffer)
                self._limit(buffer)
                return
            data = bytes(buffer)
            buffer.clear()
            self._scanned = 0
        else:
            end = data.find(_END)
            if end < 0:
                self.since = perf()
                buffer += data
                self._scanned = len(data)
                self._limit(buffer)
                return
        self._request(data, end + 4)

    def _limit(self, head: bytes | bytearray) -> None:
        if len(head) > LINE_BYTES_MAX and head.find(b"\r\n", 0, LINE_BYTES_MAX) < 0:
            raise Refused(414, f"its request line has more than {LINE_BYTES_MAX} bytes")
        if len(head) > HEAD_BYTES_MAX:
            raise Refused(431, f"its head has more than {HEAD_BYTES_MAX} bytes")

    def _request(self, data: bytes, end: int) -> None:
        began = perf()
        if end > LINE_BYTES_MAX:
            self._limit(data[:end])
        head = RequestHead(data[:end])
        if head.fields.framing == NONE:
            rest = data[end:]
            body = b""
        else:
            rest, body = b"", data[end:]
        passage = self.passage = self._proxy.begin(self, head, self._onward(head), began=began)
        service = self._proxy.connection()
        if service is not None:
            service.carry(passage)
        after = passage.take(body)
        if service is None:
            self._proxy.connect(passage)
        else:
            passage.added_s += perf() - began
        if rest or after:
            self._ahead(rest or after)

    def _onward(self, head: RequestHead) -> bytes:
        """The head as it goes to the service."""
        fields, proxy = head.fields, self._proxy
        host = head.host or b""
        if fields.forwarded:
            lines = self._appended(head, host)
        else:
            lines = fields.lines + self._forwarded + host + b"\r\n"
        if fields.framing == LENGTH:
            lines += b"content-length: %d\r\n" % fields.length
        elif fields.framing == CHUNKED:
            lines += b"transfer-encoding: chunked\r\n"
        if fields.expects and head.minor and fields.framing != NONE:
            lines += b"expect: 100-continue\r\n"
        if head.upgrades:
            lines += b"connection: upgrade\r\nupgrade: websocket\r\n"
        target = head.target if head.target == b"*" else proxy.prefix + head.target
        to = (host or proxy.host) if proxy.keep_host else proxy.host
        return b"%b %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (head.method, target, to, lines)

    def _appended(self, head: RequestHead, host: bytes) -> bytes:
        """The header lines with what other proxies before this one said kept."""
        fields = head.fields
        client = self.address.encode()
        chain = fields.value(b"x-forwarded-for")
        via = fields.value(b"via")
        appended = (
            (b"x-forwarded-for", chain + b", " + client if chain else client),
            (b"x-forwarded-proto", fields.value(b"x-forwarded-proto") or b"http"),
            (b"x-forwarded-host", fields.value(b"x-forwarded-host") or host),
            (b"via", via + b", 1.1 premortem" if via else b"1.1 premortem"),
        )
        return fields.lines + b"".join(b"%b: %b\r\n" % line for line in appended)

    def _ahead(self, data: bytes) -> None:
        """DATA belongs to the requests after the present one."""
        self._buffer += data
        if len(self._buffer) > AHEAD_BYTES_MAX:
            self.pause()

    # Answers.

    def write(self, data: bytes) -> None:
        """DATA to the client."""
        if self._transport is not None:
            self._transport.write(data)

    def may_stay(self) -> bool:
        """The connection can carry another request after the present one."""
        passage = self.passage
        keep = passage is not None and passage.head.keep_alive
        return keep and not self._said_all() and not self._proxy.draining

    def _said_all(self) -> bool:
        """The client closed its half, and all that it sent before is under way."""
        return self._half_closed and not self._buffer

    def answered(self, passage: Passage) -> None:
        """The answer to PASSAGE went out whole."""
        self._proxy.passed(passage)
        self.passage = None
        if not passage.request_body.done:
            self._linger()
        elif self.close_after or self._said_all() or self._proxy.draining:
            if self._buffer:
                self._linger()
            elif self._transport is not None:
                self._transport.close()
        else:
            self._next()

    def _next(self) -> None:
        """To the request that was sent ahead, if one was."""
        self.since = perf()
        if self._buffer:
            self._scanned = 0
            # Not at once: many small answers would call each other without end. Until then it
            # stays where it is: what comes in between goes behind it.
            asyncio.get_running_loop().call_soon(self._again)
        else:
            self.resume()

    def _again(self) -> None:
        if self._transport is not None and self.passage is None:
            self.resume()
            data = bytes(self._buffer)
            self._buffer.clear()
            self.data_received(data)
            passage = self.passage
            cut = passage is None or not passage.request_body.done
            if self._half_closed and cut and not self.lingering:
                self.close()

    def failed(self, passage: Passage, why: str, *, status: int = 502) -> None:
        """The service gave no whole answer to PASSAGE."""
        if self.passage is not passage:
            return
        if passage.service is not None:
            passage.service.close()
        self._proxy.lost_answer(passage)
        self.passage = None
        if passage.response is not None:
            self.close()  # only a connection that breaks says that the answer is not whole
            return
        whole = passage.request_body.done
        keep = whole and passage.head.keep_alive and not self._said_all()
        keep = keep and not self._proxy.draining
        self._say(status, f"the service {self._proxy.origin}: {why}", keep=keep, passage=passage)
        if keep:
            self._next()
        else:
            self._linger()

    def slow_request(self, passage: Passage, why: str) -> None:
        """The rest of the request of PASSAGE does not come."""
        self.passage = None
        self._proxy.abandoned(passage)
        self.refuse(408, why)

    def _refused(self, error: Refused) -> None:
        passage, self.passage = self.passage, None
        if passage is not None:
            self._proxy.abandoned(passage)
            if passage.response is not None:
                self._proxy.counts.refused += 1
                self.close()
                return
        self.refuse(error.status, error.why)

    def refuse(self, status: int, why: str) -> None:
        """Answer with STATUS and WHY, and close: what comes after cannot be told apart."""
        self._proxy.counts.refused += 1
        self._say(status, why, keep=False, passage=None)
        self._linger()

    def _say(self, status: int, why: str, *, keep: bool, passage: Passage | None) -> None:
        body = f"premortem proxy: {why}\n".encode()
        close = b"" if keep else b"connection: close\r\n"
        head = b"HTTP/1.1 %d %b\r\ncontent-type: text/plain; charset=utf-8\r\n" % (
            status,
            _REASONS.get(status, "Error").encode(),
        )
        shown = b"" if passage is not None and passage.head.is_head else body
        self.write(head + b"content-length: %d\r\n%b\r\n" % (len(body), close) + shown)

    def _linger(self) -> None:
        """Say nothing more, and read on for a moment, so that the answer is not lost."""
        self.lingering = True
        self.since = perf()
        self._buffer.clear()
        if self._transport is None:
            return
        if self._half_closed:
            self._transport.close()
            return
        self.resume()
        with suppress(OSError, RuntimeError):
            self._transport.write_eof()

    # Flow.

    def pause(self) -> None:
        """Read no more for now."""
        if self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on, unless the service cannot take it."""
        passage = self.passage or self.tunnel
        service = passage.service if passage is not None else None
        if service is not None and service.paused:
            return
        if not self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def to_tunnel(self, passage: Passage) -> None:
        """From now on bytes pass both ways as they are."""
        self.passage, self.tunnel = None, passage
        self._proxy.upgraded(passage)
        if self._buffer and passage.service is not None:
            passage.service.write(bytes(self._buffer))
            self._buffer.clear()
        self.resume()

    def end_output(self) -> None:
        """The service's side of a tunnel has nothing more to say."""
        if self._half_closed and self._transport is not None:
            self._transport.close()
            return
        with suppress(OSError, RuntimeError):
            if self._transport is not None:
                self._transport.write_eof()

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
