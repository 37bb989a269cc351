"""Bodies as they come: cut by length, by chunks (RFC 9112, 7.1), or by the connection's end."""

from __future__ import annotations

import re

from premortem.capture.proxy.head import (
    CHUNKED,
    LENGTH,
    NONE,
    UNTIL_CLOSE,
    Refused,
    trailers,
)

CHUNK_LINE_BYTES_MAX = 1024
"""A chunk's size with its extensions."""
TRAILER_BYTES_MAX = 16 * 1024
EXTENSION_BYTES_MAX = 64 * 1024
"""Of one body's chunk extensions, which nobody reads: a body of nothing else would never end."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?")


class Body:
    """Tells a message's body from what comes after it."""

    __slots__ = ("_buffer", "_extensions", "_left", "_state", "done", "framing", "trailer")

    def __init__(self, framing: int, length: int = 0) -> None:
        self.framing = framing
        self._left = length
        self._state = "size"
        self._buffer = b""
        self._extensions = 0
        self.trailer = b""
        """Trailer lines that may go on; after the end of a chunked body."""
        self.done = framing == NONE or (framing == LENGTH and length == 0)

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """(what of DATA is content, what comes after the body). Raises Refused."""
        if self.framing == LENGTH:
            left = self._left
            if len(data) < left:
                self._left = left - len(data)
                return data, b""
            self.done = True
            return (data, b"") if len(data) == left else (data[:left], data[left:])
        if self.framing == CHUNKED:
            return self._chunks(data)
        return (b"", data) if self.framing == NONE else (data, b"")

    def end(self) -> bool:
        """The connection ended: whether the body is whole."""
        if self.framing == UNTIL_CLOSE:
            self.done = True
        return self.done

    def _chunks(self, data: bytes) -> tuple[bytes, bytes]:
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        content: list[bytes] = []
        at, size = 0, len(data)
        while not self.done and at < size:
            if self._state == "data":
                piece = data[at : at + self._left]
                content.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = "end"
                continue
            step = self._end if self._state == "end" else self._line
            next_at = step(data, at)
            if next_at < 0:
                self._buffer = data[at:]
                at = size
            else:
                at = next_at
        return content[0] if len(content) == 1 else b"".join(content), data[at:]

    def _end(self, data: bytes, at: int) -> int:
        found = data[at : at + 2]
        if found == b"\r\n":
            self._state = "size"
            return at + 2
        if found != b"\r":
            raise Refused(400, "a chunk does not end where it should")
        return -1

    def _line(self, data: bytes, at: int) -> int:
        """After a chunk's size, or after the trailer section; -1: more has to come."""
        if self._state == "trailer":
            return self._trailer(data, at)
        end = data.find(b"\r\n", at, at + CHUNK_LINE_BYTES_MAX)
        if end < 0:
            if len(data) - at >= CHUNK_LINE_BYTES_MAX:
                raise Refused(400, "a chunk's size does not end")
            return -1
        found = _SIZE.fullmatch(data, at, end)
        if found is None:
            raise Refused(400, "a chunk's size is no number")
        self._extensions += len(found[2] or b"")
        if self._extensions > EXTENSION_BYTES_MAX:
            raise Refused(400, "more chunk extensions than anybody needs")
        self._left = int(found[1], 16)
        self._state = "data" if self._left else "trailer"
        return end + 2

    def _trailer(self, data: bytes, at: int) -> int:
        if data[at : at + 2] == b"\r\n":
            self.done = True
            return at + 2
        end = data.find(b"\r\n\r\n", at, at + TRAILER_BYTES_MAX)
        if end < 0:
            if len(data) - at >= TRAILER_BYTES_MAX:
                raise Refused(431, "its trailer section does not end")
            return -1
        self.trailer = trailers(data[at : end + 4])
        self.done = True
        return end + 4


def chunk(data: bytes) -> bytes:
    """DATA as one chunk; it is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailer: bytes = b"") -> bytes:
    """What ends a chunked body."""
    return b"0\r\n" + trailer + b"\r\n"
