"""One HTTP/1.1 connection: bytes out, one parsed answer in (RFC 9112)."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from premortem.domain.run import Fault
from premortem.domain.traffic import Pairs, Response, first
from premortem.send.coding import NotDecodable, TooLarge, decoded
from premortem.send.transport import Done

HEAD_BYTES_MAX = 256 * 1024
"""Status line and headers of one answer."""
INTERIM_MAX = 32
"""1xx answers before the final one."""
FRAMING_FACTOR_MAX = 8
"""Bytes on the wire per byte of body: one-byte chunks need six."""
HEADS_MAX = 256
"""Heads of answers that are remembered with what they mean."""
_NAMES: dict[bytes, str] = {}
_NAMES_MAX = 4096


Heads = dict[bytes, tuple[int, Pairs, int]]
"""Status line and headers as they came -> status, headers, length of the body that follows."""


class Owner(Protocol):
    """What a connection tells the one that keeps it."""

    def ended(self, connection: Connection, outcome: Response | Fault, keep: bool, /) -> None:
        """The request under way has ended; KEEP: the connection can carry another one.

        The owner empties `connection.done`, and forgets a connection that it does not keep.
        """

    def lost(self, connection: Connection) -> None:
        """It is closed."""


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time.

    What belongs to the request under way lies open for the owner: a call less per request.
    """

    __slots__ = (
        "_body_bytes_max",
        "_chunks",
        "_excess",
        "_fault",
        "_headers",
        "_heads",
        "_in_body",
        "_interim",
        "_keep",
        "_over",
        "_owner",
        "_parser",
        "_received",
        "_size",
        "_status",
        "_transport",
        "_write",
        "answers",
        "began",
        "closed",
        "data",
        "deadline",
        "done",
        "head",
        "idempotent",
        "idle_since",
        "limit_s",
        "silent",
    )

    def __init__(self, owner: Owner, *, heads: Heads, body_bytes_max: int) -> None:
        """HEADS: those of its owner's connections, at most `HEADS_MAX`."""
        self._owner = owner
        self._heads = heads
        self._body_bytes_max = body_bytes_max
        self._transport: asyncio.Transport | None = None
        self._write: Callable[[bytes], None] = _nowhere
        self._parser = HttpResponseParser(self)
        self.done: Done | None = None
        """Of the request under way; None: there is none."""
        self.data = b""
        self.head = False
        """The request is a HEAD: its answer has no body."""
        self.idempotent = False
        self.limit_s = 0.0
        self.began = 0.0
        """Ticks (`time.perf_counter`), as the two below."""
        self.deadline = 0.0
        """The owner's sweep calls `expire` after it."""
        self.idle_since = 0.0
        self.answers = 0
        """Answers it has carried."""
        self.silent = True
        """Nothing of an answer to the present request has come."""
        self.closed = False
        self._forget()

    def _forget(self) -> None:
        """Forget the answer before."""
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._received = 0
        self._interim = 0
        self._in_body = False
        self._over = False
        self._keep = False
        self._excess = False
        self._fault: Fault | None = None

    # The owner's side.

    def exchange(
        self,
        data: bytes,
        done: Done,
        head: bool,
        idempotent: bool,
        began: float,
        limit_s: float,
        deadline: float,
        /,
    ) -> None:
        """Write DATA; the owner's `ended` gives the answer, or why none came. It never raises.

        BEGAN and DEADLINE are ticks, LIMIT_S how long the caller waits in all.
        """
        self.data = data
        self.done = done
        self.head = head
        self.idempotent = idempotent
        self.began = began
        self.deadline = deadline
        self.limit_s = limit_s
        self.silent = True
        if self.closed:
            self._end(Fault(kind="reset", detail="it closed at once", sent=False), keep=False)
        else:
            self._write(data)

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
        detail = f"{what} within {self.limit_s:g} s"
        self._end(Fault(kind="timeout", detail=detail, sent=True), keep=False)

    def give_up(self) -> None:
        """End the present request: the sender closes."""
        self._end(Fault(kind="reset", detail="the sender was closed", sent=True), keep=False)

    def abort(self) -> None:
        """Close at once; nobody hears of a request under way."""
        self.done = None
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # The loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = transport  # type: ignore[assignment]
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self.done is None:
            self.abort()  # nobody asked: the next answer could not be told from this one
            return
        whole = False
        if self.silent:
            self.silent = False
            if not self.head:
                split = data.find(b"\r\n\r\n") + 4
                known = self._heads.get(data[:split])
                if known is not None:
                    status, headers, length = known
                    body = data[split:]
                    if len(body) == length:
                        outcome = Response(status=status, headers=headers, body=body)
                        self._owner.ended(self, outcome, not self.closed)
                        return
                whole = split > 3
            self._forget()
        self._parse(data, whole=whole)

    def eof_received(self) -> None:  # noqa: D102
        self.closed = True  # the transport closes itself, a moment later

    def connection_lost(self, error: Exception | None) -> None:  # noqa: D102
        self.closed = True
        if self.done is not None:
            if error is None and self._ends_with_connection():
                self._keep = False
                self._finish()
            else:
                why = "before any answer" if self.silent else "within the answer"
                detail = f"the connection closed {why}" + (f": {error}" if error else "")
                self._end(Fault(kind="reset", detail=detail, sent=True), keep=False)
        self._owner.lost(self)

    # The parser's side.

    def on_message_begin(self) -> None:  # noqa: D102
        if self._over:
            self._excess = True

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        if self._in_body or self._over:
            return  # trailers
        text = _NAMES.get(name)
        if text is None:
            text = name.decode("latin-1").lower()
            if len(_NAMES) < _NAMES_MAX:
                _NAMES[name] = text
        self._headers.append((text, value.decode("latin-1")))

    def on_headers_complete(self) -> None:  # noqa: D102
        if self._over:
            return
        self._status = self._parser.get_status_code()
        if self._status < 100:  # the parser takes any three digits
            detail = f"not HTTP: the status is {self._status:03}"
            self._fault = Fault(kind="garbage", detail=detail, sent=True)
        if self._status < 200:
            return
        self._in_body = True
        if self.head:
            self._message_over()

    def on_body(self, body: bytes) -> None:  # noqa: D102
        if self._over:
            self._excess = True
            return
        self._size += len(body)
        if self._size > self._body_bytes_max:
            self._fault = self._too_large()
            return
        self._chunks.append(body)

    def on_message_complete(self) -> None:  # noqa: D102
        if self._over:
            return
        if self._status < 200:
            self._interim += 1
            self._headers.clear()
            if self._interim > INTERIM_MAX:
                detail = f"more than {INTERIM_MAX} interim answers"
                self._fault = Fault(kind="garbage", detail=detail, sent=True)
            return
        self._message_over()

    def _parse(self, data: bytes, *, whole: bool) -> None:
        """The next bytes of an answer; WHOLE: they are its first and hold all of its head."""
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._fault = Fault(kind="garbage", detail="it switched protocols", sent=True)
        except HttpParserError as error:
            if not self._over:
                shown = f"not HTTP: {error}"
                self._fault = self._fault or Fault(kind="garbage", detail=shown, sent=True)
            self._excess = True
        if self._fault is None and not self._over:
            self._guard()
        if self._fault is not None:
            self._end(self._fault, keep=False)
        elif self._over:
            if whole and self._keep and not self._excess:
                self._remember(data)
            self._finish()

    # Ends.

    def _message_over(self) -> None:
        self._over = True
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
        if len(self._heads) >= HEADS_MAX:
            self._heads.clear()
        self._heads[head] = (self._status, tuple(self._headers), length)

    def _finish(self) -> None:
        keep = self._keep and not self._excess
        if self.head:
            self._parser = HttpResponseParser(self)  # it would wait for a body
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        headers: Pairs = tuple(self._headers)
        coding = first(headers, "content-encoding") if body else None
        if coding is not None:
            try:
                body = decoded(body, coding, self._body_bytes_max)
            except TooLarge:
                return self._end(self._too_large(), keep=keep)
            except NotDecodable as error:
                detail = f"not {coding}: {error}"
                return self._end(Fault(kind="garbage", detail=detail, sent=True), keep=keep)
        return self._end(Response(status=self._status, headers=headers, body=body), keep=keep)

    def _end(self, outcome: Response | Fault, *, keep: bool) -> None:
        keep = keep and not self.closed
        if not keep:
            self.closed = True
            if self._transport is not None:
                self._transport.abort()
        self._owner.ended(self, outcome, keep)


def _nowhere(data: bytes) -> None:
    """Stands for a transport until there is one."""
