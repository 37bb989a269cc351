"""One request under way in libcurl: what it hears of the answer, and what its errors mean."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Literal

from premortem.domain.run import Fault
from premortem.domain.traffic import Pairs, Response, first
from premortem.send.coding import NotDecodable, TooLarge, decoded
from premortem.send.transport import Done
from premortem.send.wire import HEAD_BYTES_MAX, INTERIM_MAX

TEXT = 0
"""Of what libcurl tells: its own words, not the traffic's."""
REFUSED_START, REFUSED = b"HTTP/2 stream ", b"refused by server"
"""In libcurl's words, where it sends again what the server did not take."""


class Stream:
    """One request under way, then the next: its handle is made once."""

    def __init__(self, curl: Any, *, body_bytes_max: int) -> None:
        """CURL: the module pycurl."""
        self._curl = curl
        self._body_bytes_max = body_bytes_max
        self.done: Done | None = None
        self.handle = curl.Curl()
        self.handle.setopt(curl.WRITEFUNCTION, self.body)
        self.handle.setopt(curl.HEADERFUNCTION, self.head_line)
        self.handle.setopt(curl.PREREQFUNCTION, self.goes_out)
        self.handle.setopt(curl.DEBUGFUNCTION, self.said)

    def begin(self, done: Done, sends_max: int, limit_s: float) -> None:
        """Forget the request before."""
        self.done = done
        self.began = perf_counter()
        self.sends = 0
        """How often it went out."""
        self._sends_max = sends_max
        self._refused = False
        self.handle.setopt(self._curl.VERBOSE, int(sends_max == 1))
        self._limit_s = limit_s
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._head_ended = False
        self._head_size = 0
        self._interim = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._fault: Fault | None = None

    # libcurl's side.

    def goes_out(self, *_: object) -> int:
        """Called when the request is about to be written, also when libcurl does so again.

        It does when a kept connection turned out to be closed, which leaves open whether the
        request was taken; and when the server refused the stream, which says that it was not
        (RFC 9113, 8.7, and 6.8 for those beyond a GOAWAY).
        """
        if self.sends >= self._sends_max:
            if not self._refused:
                return int(self._curl.PREREQFUNC_ABORT)
            self._refused = False
        self.sends += 1
        self.began = perf_counter()
        return int(self._curl.PREREQFUNC_OK)

    def said(self, kind: int, text: bytes) -> None:
        """What libcurl tells of its doings: the only way to learn that a stream was refused."""
        if kind == TEXT and text.startswith(REFUSED_START) and REFUSED in text:
            self._refused = True

    def head_line(self, line: bytes) -> int:
        """A line of a head, of an interim answer's or a trailer's, too."""
        self._head_size += len(line)
        if self._head_size > HEAD_BYTES_MAX:
            return self._stop("too_large", f"headers of more than {HEAD_BYTES_MAX} bytes")
        if line.startswith(b"HTTP/"):
            if self._status:
                self._interim += 1
                if self._interim > INTERIM_MAX:
                    return self._stop("garbage", f"more than {INTERIM_MAX} interim answers")
            self._status = int(line.split(b" ", 2)[1])
            self._headers.clear()
            self._head_ended = False
        elif line in (b"\r\n", b"\n"):
            self._head_ended = True
        elif not self._head_ended:  # else a trailer
            name, _, value = line.decode("latin-1").partition(":")
            self._headers.append((name.lower(), value.strip(" \t\r\n")))
        return len(line)

    def body(self, data: bytes) -> int:
        """The next bytes of the body."""
        self._size += len(data)
        if self._size > self._body_bytes_max:
            return self._stop("too_large", self._too_large())
        self._chunks.append(data)
        return len(data)

    def _stop(self, kind: Literal["too_large", "garbage"], detail: str) -> int:
        self._fault = Fault(kind=kind, detail=detail, sent=True)
        return -1

    def _too_large(self) -> str:
        return f"a body of more than {self._body_bytes_max} bytes (response_bytes_max)"

    # Ends.

    def answer(self) -> Response | Fault:
        """The whole answer, its content coding undone."""
        body = b"".join(self._chunks)
        headers: Pairs = tuple(self._headers)
        coding = first(headers, "content-encoding") if body else None
        if coding is not None:
            try:
                body = decoded(body, coding, self._body_bytes_max)
            except TooLarge:
                return Fault(kind="too_large", detail=self._too_large(), sent=True)
            except NotDecodable as error:
                return Fault(kind="garbage", detail=f"not {coding}: {error}", sent=True)
        return Response(status=self._status, headers=headers, body=body)

    def fault(self, number: int, said: str) -> Fault:
        """What libcurl's error NUMBER means here."""
        if self._fault is not None:
            return self._fault
        curl, sent = self._curl, self.sends > 0
        if number == curl.E_OPERATION_TIMEDOUT:
            what = "no connection" if not sent else "no byte of an answer"
            what = "the answer did not end" if self._head_size else what
            return Fault(kind="timeout", detail=f"{what} within {self._limit_s:g} s", sent=sent)
        if number in (curl.E_PEER_FAILED_VERIFICATION, curl.E_SSL_CACERT):
            detail = (
                f"its certificate is not trusted: {said}; name its authority as `ca` under [target]"
            )
            return Fault(kind="tls", detail=detail, sent=False)
        if number in _tls_errors(curl):
            return Fault(kind="tls", detail=f"TLS failed: {said}", sent=False)
        if not sent:
            return Fault(kind="connect", detail=said, sent=False)
        if number in (curl.E_FTP_WEIRD_SERVER_REPLY, curl.E_UNSUPPORTED_PROTOCOL):
            return Fault(kind="garbage", detail=f"not HTTP/2: {said}", sent=True)
        if number == curl.E_HTTP2 and not self._head_size:
            return Fault(kind="garbage", detail=f"not HTTP/2: {said}", sent=True)
        why = "within the answer" if self._head_size else "before any answer"
        return Fault(kind="reset", detail=f"the connection closed {why}: {said}", sent=True)


def _tls_errors(curl: Any) -> tuple[int, ...]:
    return (
        curl.E_SSL_CONNECT_ERROR,
        curl.E_SSL_CERTPROBLEM,
        curl.E_SSL_CIPHER,
        curl.E_SSL_CACERT_BADFILE,
        curl.E_SSL_ISSUER_ERROR,
        curl.E_SSL_INVALIDCERTSTATUS,
    )
