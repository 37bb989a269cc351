"""The service's side: kept connections, one exchange on each at a time."""

from __future__ import annotations

import asyncio
import select
from contextlib import suppress
from typing import TYPE_CHECKING

from premortem.capture.proxy.head import HEAD_BYTES_MAX, Refused, ResponseHead
from premortem.capture.proxy.passage import INTERIM_MAX, Passage, perf

if TYPE_CHECKING:
    from premortem.capture.proxy.server import Proxy

RESPONSE_HEAD_BYTES_MAX = 4 * HEAD_BYTES_MAX
IDLE_MAX = 64
"""Connections kept for later."""
IDLE_TRUST_S = 0.01
"""One idle for longer is asked whether it is still open before it is used again."""
IDLE_S_MAX = 1.0
"""One idle for longer is not used again: servers close theirs after 2 to 5 s, and a request that
crosses the closing has an unknown outcome."""


class ServiceSide(asyncio.Protocol):
    """One connection to the service."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self.passage: Passage | None = None
        self._head = bytearray()
        self.idle_since = 0.0
        self.uses = 0
        self.heard = False
        """Something of an answer to the present request has come."""
        self.tunnel = False
        self.closed = False
        self.ended = False
        """It closed its half of a tunnel."""
        self.paused = False
        """It cannot take more for now."""

    # What the proxy calls.

    def carry(self, passage: Passage) -> None:
        """Send what PASSAGE holds so far; from now on it writes here."""
        self.passage, passage.service = passage, self
        self.heard = False
        self.uses += 1
        waiting, passage.waiting = passage.waiting, []
        passage.waiting_bytes = 0
        if waiting:
            self.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))
        passage.client.resume()

    def write(self, data: bytes) -> None:
        """DATA to the service."""
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    def usable(self, now: float) -> bool:
        """It may carry another request."""
        idle_s = now - self.idle_since
        if self.closed or idle_s > IDLE_S_MAX:
            return False
        return idle_s < IDLE_TRUST_S or self._silent()

    def _silent(self) -> bool:
        """Nothing lies unread in the kernel: the service's close would."""
        socket = self._transport.get_extra_info("socket") if self._transport is not None else None
        if socket is None or not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close at once; nobody waits for it any more."""
        self.passage = None
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Read no more: the client is slow."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def end_input(self) -> None:
        """The client of a tunnel has nothing more to say."""
        if self._transport is not None and self._transport.can_write_eof():
            with suppress(OSError, RuntimeError):
                self._transport.write_eof()

    # The loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = transport  # type: ignore[assignment]

    def pause_writing(self) -> None:  # noqa: D102
        self.paused = True
        if self.passage is not None:
            self.passage.client.pause()

    def resume_writing(self) -> None:  # noqa: D102
        self.paused = False
        if self.passage is not None:
            self.passage.client.resume()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        passage = self.passage
        if passage is None:
            self.close()  # nobody asked: the next answer could not be told from this one
            return
        came = perf()
        passage.moved_at = came
        if self.tunnel:
            passage.client.write(data)
            return
        self.heard = True
        try:
            self._answer(passage, data, came)
        except Refused as error:
            passage.client.failed(passage, f"its answer is not HTTP: {error.why}")

    def _answer(self, passage: Passage, data: bytes, came: float) -> None:
        out = b""
        if passage.response is None:
            out, data = self._heads(passage, data)
            if passage.response is None or self.tunnel:
                if out:
                    passage.client.write(out + data)
                return
        content, rest = passage.answer(data)
        if out or content:
            passage.client.write(out + content)
        if out:
            passage.added_s += perf() - came
        body = passage.response_body
        if body is not None and body.done:
            self._finish(passage, kept=not rest)

    def _heads(self, passage: Passage, data: bytes) -> tuple[bytes, bytes]:
        """(heads for the client, what of DATA comes after them); the final one may be to come."""
        out = b""
        if self._head:
            data = bytes(self._head) + data
            self._head.clear()
        while passage.response is None and not self.tunnel:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4 or end > RESPONSE_HEAD_BYTES_MAX:
                if len(data) > RESPONSE_HEAD_BYTES_MAX:
                    raise Refused(502, f"its head has more than {RESPONSE_HEAD_BYTES_MAX} bytes")
                self._head += data
                return out, b""
            head, data = ResponseHead(data[:end]), data[end:]
            if head.status >= 200:
                out += passage.open_answer(head, keep=passage.client.may_stay())
            else:
                out += self._interim(passage, head)
        return out, data

    def _interim(self, passage: Passage, head: ResponseHead) -> bytes:
        """A 1xx answer as it goes on; 101 makes a tunnel of the two connections."""
        passage.interim += 1
        if passage.interim > INTERIM_MAX:
            raise Refused(502, f"more than {INTERIM_MAX} interim answers")
        line = b"HTTP/1.1 %d %b\r\n%b" % (head.status, head.reason, head.fields.lines)
        if head.status == 101:
            if not passage.head.upgrades:
                raise Refused(502, "it switched protocols unasked")
            self.tunnel = True
            passage.client.to_tunnel(passage)
            return line + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
        return line + b"\r\n" if passage.head.minor else b""

    def _finish(self, passage: Passage, *, kept: bool) -> None:
        response = passage.response
        whole = passage.request_body.done
        keep = kept and whole and response is not None and response.keep_alive
        self.passage = None
        if keep and not self.closed:
            self.idle_since = perf()
            self._proxy.free(self)
        else:
            self.close()
        passage.client.answered(passage)

    def eof_received(self) -> bool:  # noqa: D102
        if self.tunnel and self.passage is not None:
            self.ended = True
            self.passage.client.end_output()
            return self._transport is not None and self._transport.can_write_eof()
        return False

    def connection_lost(self, error: Exception | None) -> None:  # noqa: D102
        self.closed = True
        self._proxy.lost(self)
        passage, self.passage = self.passage, None
        if passage is None:
            return
        if self.tunnel:
            passage.client.close()
            return
        body = passage.response_body
        if error is None and body is not None and body.end():
            if passage.to_client_chunked:
                passage.client.write(b"0\r\n\r\n")
            passage.client.answered(passage)
            return
        if not self.heard and self.uses > 1 and passage.may_go_again():
            self._proxy.again(passage)
            return
        when = "within its answer" if self.heard else "before it answered"
        passage.client.failed(passage, f"it closed the connection {when}")
