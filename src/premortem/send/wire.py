"""One HTTP/1.1 connection: bytes out, one parsed answer in (RFC 9112)."""

from __future__ import annotations

import asyncio
import select
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from premortem.domain.run import Fault
from premortem.domain.traffic import Pairs, Response, first
from premortem.send.coding import NotDecodable, TooLarge, decoded

HEAD_BYTES_MAX = 256 * 1024
"""Status line and headers of one answer."""
INTERIM_MAX = 32
"""1xx answers before the final one."""
FRAMING_FACTOR_MAX = 8
"""Bytes on the wire per byte of body: one-byte chunks need six."""
HEADS_MAX = 256
"""Heads of answers that are remembered with what they mean."""
_HEADS: dict[bytes, tuple[int, Pairs, int]] = {}
_NAMES: dict[bytes, str] = {}
_NAMES_MAX = 4096


class Owner(Protocol):
    """What a connection tells the one that keeps it."""

    def free(self, connection: Connection) -> None:
        """It can carry another request."""

    def lost(self, connection: Connection) -> None:
        """It is closed."""


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self, owner: Owner, *, body_bytes_max: int) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._body_bytes_max = body_bytes_max
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._waiter: asyncio.Future[Response | Fault] | None = None
        self.deadline = 0.0
        """On the loop's clock; the owner's sweep calls `expire` after it."""
        self.answers = 0
        """Answers it has carried."""
        self.idle_since = 0.0
        self.silent = True
        """Nothing of an answer to the present request has come."""
        self.closed = False
        self._limit_s = 0.0
        self._is_head = False
        self._begin()

    def _begin(self) -> None:
        """Forget the answer before."""
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._received = 0
        self._interim = 0
        self._in_body = False
        self._done = False
        self._keep = False
        self._excess = False
        self._fault: Fault | None = None

    # The caller's side.

    def exchange(
        self, data: bytes, *, method_is_head: bool, deadline: float, limit_s: float
    ) -> asyncio.Future[Response | Fault]:
        """Write DATA; the future gives the answer, or why none came. It never raises.

        DEADLINE on the loop's clock, LIMIT_S how long that is in all.
        """
        self._is_head = method_is_head
        self.deadline, self._limit_s, self.silent = deadline, limit_s, True
        self._waiter = waiter = self._loop.create_future()
        if self._transport is None or self.closed:
            self._fail(Fault(kind="reset", detail="it closed at once", sent=False), keep=False)
        else:
            self._transport.write(data)
        return waiter

    @property
    def busy(self) -> bool:
        """A request is under way."""
        return self._waiter is not None

    def silent_peer(self) -> bool:
        """Whether nothing lies unread in the kernel: the peer's close would, and a request
        written now would be lost; one that is not idempotent could not be sent again."""
        socket = self._transport.get_extra_info("socket") if self._transport is not None else None
        if socket is None or not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    def expire(self) -> None:
        """Give up on the present request."""
        what = "no byte of an answer" if self.silent else "the answer did not end"
        detail = f"{what} within {self._limit_s:g} s"
        self._fail(Fault(kind="timeout", detail=detail, sent=True), keep=False)

    def abort(self) -> None:
        """Close at once; a request under way is given up without an answer."""
        if self._waiter is not None:
            self._waiter.cancel()
            self._waiter = None
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # The loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._waiter is None:
            self.abort()  # nobody asked: the next answer could not be told from this one
            return
        whole = False
        if self.silent:
            self.silent = False
            if not self._is_head:
                split = data.find(b"\r\n\r\n") + 4
                known = _HEADS.get(data[:split])
                if known is not None and len(data) - split == known[2]:
                    self._end(
                        Response(status=known[0], headers=known[1], body=data[split:]), keep=True
                    )
                    return
                whole = split > 3
            self._begin()
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._fault = Fault(kind="garbage", detail="it switched protocols", sent=True)
        except HttpParserError as error:
            if not self._done:
                shown = f"not HTTP: {error}"
                self._fault = self._fault or Fault(kind="garbage", detail=shown, sent=True)
            self._excess = True
        if self._fault is None and not self._done:
            self._guard()
        if self._fault is not None:
            self._fail(self._fault, keep=False)
        elif self._done:
            if whole and self._keep and not self._excess:
                self._remember(data)
            self._finish()

    def eof_received(self) -> None:  # noqa: D102
        self.closed = True  # the transport closes itself, a moment later

    def connection_lost(self, error: Exception | None) -> None:  # noqa: D102
        self.closed = True
        if self._waiter is not None:
            if error is None and self._ends_with_connection():
                self._keep = False
                self._finish()
            else:
                why = "before any answer" if self.silent else "within the answer"
                detail = f"the connection closed {why}" + (f": {error}" if error else "")
                self._fail(Fault(kind="reset", detail=detail, sent=True), keep=False)
        self._owner.lost(self)

    # The parser's side.

    def on_message_begin(self) -> None:  # noqa: D102
        if self._done:
            self._excess = True

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        if self._in_body or self._done:
            return  # trailers
        text = _NAMES.get(name)
        if text is None:
            text = name.decode("latin-1").lower()
            if len(_NAMES) < _NAMES_MAX:
                _NAMES[name] = text
        self._headers.append((text, value.decode("latin-1")))

    def on_headers_complete(self) -> None:  # noqa: D102
        if self._done:
            return
        self._status = self._parser.get_status_code()
        if self._status < 200:
            return
        self._in_body = True
        if self._is_head:
            self._complete()

    def on_body(self, body: bytes) -> None:  # noqa: D102
        if self._done:
            self._excess = True
            return
        self._size += len(body)
        if self._size > self._body_bytes_max:
            self._fault = self._too_large()
            return
        self._chunks.append(body)

    def on_message_complete(self) -> None:  # noqa: D102
        if self._done:
            return
        if self._status < 200:
            self._interim += 1
            self._headers.clear()
            if self._interim > INTERIM_MAX:
                detail = f"more than {INTERIM_MAX} interim answers"
                self._fault = Fault(kind="garbage", detail=detail, sent=True)
            return
        self._complete()

    # Ends.

    def _complete(self) -> None:
        self._done = True
        self._keep = self._parser.should_keep_alive()

    def _guard(self) -> None:
        if not self._in_body and self._received > HEAD_BYTES_MAX:
            detail = f"headers of more than {HEAD_BYTES_MAX} bytes"
            self._fault = Fault(kind="too_large", detail=detail, sent=True)
        elif self._received > FRAMING_FACTOR_MAX * self._body_bytes_max + HEAD_BYTES_MAX:
            self._fault = self._too_large()

    def _too_large(self) -> Fault:
        detail = f"a body of more than {self._body_bytes_max} bytes (response_bytes_max)"
        return Fault(kind="too_large", detail=detail, sent=True)

    def _ends_with_connection(self) -> bool:
        """RFC 9112, 6.3: without length and chunks the body lasts until the connection closes."""
        if not self._in_body:
            return False
        if first(tuple(self._headers), "content-length") is not None:
            return False
        coding = first(tuple(self._headers), "transfer-encoding") or ""
        return coding.rsplit(",", 1)[-1].strip().lower() != "chunked"

    def _remember(self, data: bytes) -> None:
        """Servers repeat their heads: the same bytes need not be parsed again."""
        head = data[: data.find(b"\r\n\r\n") + 4]
        length = len(data) - len(head)
        names = {name for name, _ in self._headers}
        plain = length == self._size and ("content-length" in names) and not self._interim
        if not plain or names & {"transfer-encoding", "content-encoding"}:
            return
        if len(_HEADS) >= HEADS_MAX:
            _HEADS.clear()
        _HEADS[head] = (self._status, tuple(self._headers), length)

    def _finish(self) -> None:
        keep = self._keep and not self._excess
        if self._is_head:
            self._parser = HttpResponseParser(self)  # it would wait for a body
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        headers: Pairs = tuple(self._headers)
        coding = first(headers, "content-encoding") if body else None
        if coding is not None:
            try:
                body = decoded(body, coding, self._body_bytes_max)
            except TooLarge:
                return self._fail(self._too_large(), keep=keep)
            except NotDecodable as error:
                detail = f"not {coding}: {error}"
                return self._fail(Fault(kind="garbage", detail=detail, sent=True), keep=keep)
        return self._end(Response(status=self._status, headers=headers, body=body), keep=keep)

    def _fail(self, fault: Fault, *, keep: bool) -> None:
        self._end(fault, keep=keep)

    def _end(self, outcome: Response | Fault, *, keep: bool) -> None:
        waiter, self._waiter = self._waiter, None
        self.answers += 1
        if keep and not self.closed:
            self._owner.free(self)
        else:
            self.closed = True
            if self._transport is not None:
                self._transport.abort()
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)
