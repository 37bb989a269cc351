"""One exchange on its way through: the request out, the answer back, and the copy of both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from premortem.capture.observed import Copies, Copy, Observed
from premortem.capture.proxy.chunks import Body, chunk, last_chunk
from premortem.capture.proxy.head import (
    CHUNKED,
    LENGTH,
    NONE,
    UNTIL_CLOSE,
    RequestHead,
    ResponseHead,
)

if TYPE_CHECKING:
    from premortem.capture.proxy.client import ClientSide
    from premortem.capture.proxy.service import ServiceSide

AGAIN_BYTES_MAX = 64 * 1024
"""A request is only kept, to be sent a second time, while it is as short as this."""
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))
"""RFC 9110, 9.2.2."""
INTERIM_MAX = 32
"""1xx answers before the final one."""


class Passage:
    """What is known of an exchange that is under way."""

    __slots__ = (
        "added_s",
        "again",
        "began",
        "client",
        "first_write",
        "forward",
        "head",
        "interim",
        "moved_at",
        "request_body",
        "request_copy",
        "response",
        "response_body",
        "response_copy",
        "service",
        "started_at",
        "to_client_chunked",
        "waiting",
        "waiting_bytes",
    )

    def __init__(
        self,
        client: ClientSide,
        head: RequestHead,
        forward: bytes,
        *,
        began: float,
        started_at: float,
        copies: Copies | None,
    ) -> None:
        """FORWARD: the head as it goes on. COPIES: None when nothing is recorded of it."""
        self.client, self.head, self.forward = client, head, forward
        self.began, self.started_at = began, started_at
        self.moved_at = began
        self.added_s = 0.0
        fields = head.fields
        self.request_body = Body(fields.framing, fields.length)
        self.request_copy = Copy(copies) if copies is not None else None
        self.response_copy = Copy(copies) if copies is not None else None
        self.response: ResponseHead | None = None
        self.response_body: Body | None = None
        self.service: ServiceSide | None = None
        self.to_client_chunked = False
        self.interim = 0
        self.first_write = True
        self.waiting: list[bytes] = []
        """Parts of the request that came before there was a connection to send them on."""
        self.waiting_bytes = 0
        self.again: bytes | None = b""
        """All that was sent, while it may be sent a second time."""

    @property
    def recorded(self) -> bool:
        """A copy is made."""
        return self.request_copy is not None

    # The request.

    def take(self, data: bytes) -> bytes:
        """Pass DATA of the request's body on; what comes after the body. Raises Refused."""
        body = self.request_body
        content, rest = body.feed(data)
        if content and self.request_copy is not None:
            self.request_copy.add(content)
        out = content
        if body.framing == CHUNKED:
            out = chunk(content) if content else b""
            if body.done:
                out += last_chunk(body.trailer)
        if out or self.first_write:
            self.send(out)
        return rest

    def send(self, data: bytes) -> None:
        """Write DATA to the service, the head before it, or keep it until there is a connection."""
        if self.first_write:
            data = self.forward + data
            self.first_write = False
        if self.again is not None:
            whole = len(self.again) + len(data) <= AGAIN_BYTES_MAX
            self.again = self.again + data if whole else None
        if self.service is None:
            self.waiting.append(data)
            self.waiting_bytes += len(data)
        else:
            self.service.write(data)

    def may_go_again(self) -> bool:
        """It may be sent a second time after a kept connection turned out to be closed."""
        whole = self.request_body.done and self.again is not None
        return whole and self.head.method in IDEMPOTENT

    # The answer.

    def open_answer(self, response: ResponseHead, *, keep: bool) -> bytes:
        """The head for the client. KEEP: its connection stays open afterwards, if it can."""
        head = self.head
        framing = response.framing(is_head=head.is_head)
        self.response = response
        self.response_body = Body(framing, response.fields.length)
        self.to_client_chunked = framing in (CHUNKED, UNTIL_CLOSE) and head.minor
        close = framing in (CHUNKED, UNTIL_CLOSE) and not head.minor
        lines = response.fields.lines
        told = response.fields.framing == LENGTH and response.status not in (204,)
        if told:
            lines += b"content-length: %d\r\n" % response.fields.length
        elif self.to_client_chunked:
            lines += b"transfer-encoding: chunked\r\n"
        if close or not keep:
            self.client.close_after = True
            lines += b"connection: close\r\n"
        elif not head.minor:
            lines += b"connection: keep-alive\r\n"
        return b"HTTP/1.1 %d %b\r\n%b\r\n" % (response.status, response.reason, lines)

    def answer(self, data: bytes) -> tuple[bytes, bytes]:
        """(what of DATA goes to the client, what comes after the answer). Raises Refused."""
        body = self.response_body
        assert body is not None  # noqa: S101 - opened by the head
        if body.framing == NONE:
            return b"", data
        content, rest = body.feed(data)
        if content and self.response_copy is not None:
            self.response_copy.add(content)
        if not self.to_client_chunked:
            return content, rest
        out = chunk(content) if content else b""
        if body.done:
            out += last_chunk(body.trailer)
        return out, rest

    def observed(self, *, origin: str, ended: float) -> Observed:
        """What the recording gets."""
        response, head = self.response, self.head
        request_copy, response_copy = self.request_copy, self.response_copy
        assert response is not None  # noqa: S101 - called at the answer's end
        assert request_copy is not None  # noqa: S101
        assert response_copy is not None  # noqa: S101
        return Observed(
            origin=origin,
            method=head.method.decode("ascii"),
            target=head.target.decode("latin-1"),
            request_head=head.block,
            request_body=request_copy.content,
            status=response.status,
            response_head=response.block,
            response_body=response_copy.content,
            started_at=self.started_at,
            duration_ms=(ended - self.began) * 1000,
            client=self.client.address,
        )

    def drop_copies(self) -> None:
        """Let go of what was copied."""
        if self.request_copy is not None:
            self.request_copy.drop()
        if self.response_copy is not None:
            self.response_copy.drop()


perf = time.perf_counter
