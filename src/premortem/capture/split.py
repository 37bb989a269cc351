"""Cuts the entries out of a JSON document as it comes in, without parsing it as a whole.

Two roads lead to an entry's end. The short one guesses that the next entry begins with the same
key as this one and decodes what lies between: no JSON object is the beginning of another, so
what decodes is right. The sure one counts braces outside strings with possessive regular
expressions; it looks at every byte once, also when more bytes arrive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Generic, Literal, TypeVar

import msgspec

Entry = TypeVar("Entry")

ENTRY_BYTES_MAX = 256 * 1024 * 1024
"""A larger entry is passed over without being held."""
HAR_KEYS = ("log", "entries")
HEAD_BYTES_MAX = 64 * 1024 * 1024
"""Where the entries must have begun: pages and custom fields may stand before them."""
HEAD_DEPTH_MAX = 1000
"""Brackets that stand open before them; an archive needs a handful."""

_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_TO_BRACE = re.compile(rb'(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_TO_BRACKET = re.compile(rb'(?:[^"\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_TO_MARK = re.compile(rb'[^"{}\[\]:,]*+')
GUESS_BYTES_MAX = 2 * 1024 * 1024
"""How far the short road looks for the next entry, and waits for it to come in."""

FIRST_KEY_BYTES_MAX = 128
"""Within which an entry's first key must end for the short road."""

_FIRST_KEY = re.compile(rb'\{\s*+"[^"\\]{1,64}+"')
_BETWEEN = re.compile(rb"[\s,]*+")
_SCALAR = re.compile(rb"[^,\]\s{\[\"]++")

_QUOTE, _OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = b'"{}[]'


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for text that is no JSON, no UTF-8, or nested without end."""


class BadDocument(Exception):
    """The document does not hold its entries where they should be; `str` says why."""


class Skipped(msgspec.Struct, frozen=True):
    """Stands for an entry that cannot be used."""

    reason: str


class Splitter(Generic[Entry]):
    """Bytes in by `feed`, and `finish` after the last; decoded entries out.

    `ended` tells once the list of entries is closed.
    """

    def __init__(
        self,
        decode: Callable[[bytes], Entry],
        *,
        keys: tuple[str, ...] = HAR_KEYS,
        entry_bytes_max: int = ENTRY_BYTES_MAX,
    ) -> None:
        """DECODE raises msgspec.DecodeError for what is no entry, and for no complete one.

        KEYS lead from the document to the list of its entries.
        """
        self._decode = decode
        self._entry_bytes_max = entry_bytes_max
        self._guess_bytes_max = min(GUESS_BYTES_MAX, entry_bytes_max)
        self._buffer = bytearray()
        self._position = 0
        """What was scanned; in state `between`, where the next value may begin."""
        self._state: Literal["head", "between", "value", "ended"] = "head"
        self._head = _Head(keys)
        self._depth = 0
        self._in_string = False
        self._to_mark = _TO_BRACE
        self._dropped = 0
        """Bytes of the present entry that were let go because it is too large."""
        self._dead_end = False
        """The short road did not lead to the entry that begins the buffer."""
        self._last = False
        """No more bytes will come."""

    @property
    def ended(self) -> bool:
        """The closing bracket of the entries was seen."""
        return self._state == "ended"

    @property
    def begun(self) -> bool:
        """The list of entries was found."""
        return self._state != "head"

    @property
    def fed(self) -> bool:
        """There were any bytes at all."""
        return self._state != "head" or bool(self._buffer)

    def feed(self, piece: bytes) -> Iterator[Entry | Skipped]:
        """The entries that PIECE completes. Raises BadDocument when they cannot be there."""
        self._buffer += piece
        return self._entries()

    def finish(self) -> Iterator[Entry | Skipped]:
        """The entries that were waiting for more bytes."""
        self._last = True
        return self._entries()

    def _entries(self) -> Iterator[Entry | Skipped]:
        if self._state == "head":
            self._position = self._head.find(self._buffer, self._position)
            if not self._head.found:
                return
            self._state = "between"
        while True:
            if self._state == "between":
                entry = self._guess()
                if entry is not None:
                    yield entry
                elif self._may_wait() or not self._start():
                    return
            elif self._state == "value":
                if not self._finish():
                    return
                yield self._take()
            else:
                self._forget(len(self._buffer))
                return

    def _guess(self) -> Entry | None:
        """The next entry by the short road, or None when it does not lead there."""
        buffer = self._buffer
        start = _BETWEEN.match(buffer, self._position).end()  # type: ignore[union-attr]
        key = _FIRST_KEY.match(buffer, start)
        self._position = start
        self._dead_end = key is None and len(buffer) - start > FIRST_KEY_BYTES_MAX
        if key is None:
            return None
        stop = buffer.find(key.group(), key.end(), start + self._guess_bytes_max)
        end = buffer.rfind(b"}", key.end(), stop) + 1 if stop > 0 else 0
        if not end:
            return None
        try:
            entry = self._decode(bytes(memoryview(buffer)[start:end]))
        except UNREADABLE:
            self._dead_end = True
            return None
        self._position = end
        return entry

    def _may_wait(self) -> bool:
        """More bytes may show the short road, and the buffer has room for them."""
        if self._last or self._dead_end:
            return False
        self._forget(self._position)
        return 0 < len(self._buffer) <= self._guess_bytes_max and self._buffer[0] != _CLOSE_LIST

    def _start(self) -> bool:
        """Whether the next value has begun; otherwise more bytes are needed or none follow."""
        self._forget(_BETWEEN.match(self._buffer, self._position).end())  # type: ignore[union-attr]
        if not self._buffer:
            return False
        mark = self._buffer[0]
        if mark == _CLOSE_LIST:
            self._state = "ended"
            return True
        if mark == _CLOSE:
            raise BadDocument("its list of entries is not closed properly")
        self._to_mark = _TO_BRACKET if mark == _OPEN_LIST else _TO_BRACE
        self._state, self._depth, self._in_string, self._dropped = "value", 0, False, 0
        return True

    def _finish(self) -> bool:
        """Whether the value that begins the buffer is complete; `_position` is then its end."""
        if not self._depth and self._buffer[0] not in b"{[":
            return self._finish_scalar()
        buffer, position, end = self._buffer, self._position, len(self._buffer)
        while position < end:
            if self._in_string:
                position = _STRING_REST.match(buffer, position).end()  # type: ignore[union-attr]
                if position >= end or buffer[position] != _QUOTE:
                    break  # the string goes on, or ends in half an escape
                self._in_string = False
                position += 1
                continue
            position = self._to_mark.match(buffer, position).end()  # type: ignore[union-attr]
            if position >= end:
                break
            mark = buffer[position]
            position += 1
            if mark == _QUOTE:
                self._in_string = True
            elif mark in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
                if not self._depth:
                    self._position = position
                    return True
        self._position = position
        if self._dropped + len(buffer) > self._entry_bytes_max:
            self._dropped += position
            self._forget(position)
        return False

    def _finish_scalar(self) -> bool:
        """The same for a value that is neither object nor list, which no entry should be."""
        if len(self._buffer) > self._entry_bytes_max:
            raise BadDocument("its entries hold a value that is no object and does not end")
        if self._buffer[0] == _QUOTE:
            end = _STRING_REST.match(self._buffer, max(1, self._position)).end()  # type: ignore[union-attr]
            whole = end < len(self._buffer) and self._buffer[end] == _QUOTE
            self._position = end + whole
            return whole
        found = _SCALAR.match(self._buffer)
        self._position = found.end() if found else 1
        return self._position < len(self._buffer)

    def _take(self) -> Entry | Skipped:
        """The entry that ends at `_position`, decoded."""
        size = self._dropped + self._position
        data = bytes(memoryview(self._buffer)[: self._position])
        self._state = "between"
        if size > self._entry_bytes_max:
            return Skipped(f"larger than {self._entry_bytes_max} bytes")
        if not data.startswith(b"{"):
            return Skipped("not a JSON object")
        try:
            return self._decode(data)
        except UNREADABLE as error:
            return Skipped(str(error))

    def _forget(self, count: int) -> None:
        del self._buffer[:count]
        self._position = 0


class _Head:
    """Finds `{"log": {... "entries": [` (its keys) and nothing of that name elsewhere."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.found = False
        self._told = " inside ".join(f'"{key}"' for key in reversed(keys))
        *parents, last = (key.encode() for key in keys)
        self._parents, self._last = [b"", *parents], last
        self._path: list[bytes] = []
        """Key under which each open object or list stands; empty inside lists."""
        self._text = b""
        """The last string, a key if a colon follows."""
        self._key = b""

    def find(self, buffer: bytearray, position: int) -> int:
        """Where the scan of BUFFER stands: behind the opening bracket once `found`."""
        if not position and not self._path:
            position = self._check_start(buffer)
        end = len(buffer)
        while position < end:
            at = _TO_MARK.match(buffer, position).end()  # type: ignore[union-attr]
            if at >= end:
                position = at
                break
            mark = buffer[at]
            if mark == _QUOTE:
                close = _STRING_REST.match(buffer, at + 1).end()  # type: ignore[union-attr]
                if close >= end or buffer[close] != _QUOTE:
                    position = at  # read it again when it is whole; its length is bounded below
                    break
                self._text = bytes(buffer[at + 1 : close])
                position = close + 1
                continue
            position = at + 1
            if self._mark(mark):
                self.found = True
                return position
        if end > HEAD_BYTES_MAX:
            raise BadDocument("no list of entries stands in its first 64 MiB")
        return position

    def _check_start(self, buffer: bytearray) -> int:
        start = 3 if buffer.startswith(b"\xef\xbb\xbf") else 0
        text = bytes(buffer[start : start + 64]).lstrip()
        if text and not text.startswith(b"{"):
            raise BadDocument("it does not begin like a JSON object")
        return start

    def _mark(self, mark: int) -> bool:
        """Take note of one structural character; whether it opens the entries."""
        if mark == ord(":"):
            self._key = self._text
        elif mark == ord(","):
            self._key = b""
        elif mark in b"{[":
            # Not by comparing slices: a file of brackets would take time by its length squared.
            inside = (
                len(self._path) == len(self._parents)
                and self._key == self._last
                and self._path == self._parents
            )
            if inside and mark == _OPEN_LIST:
                return True
            if inside:
                raise BadDocument(f'its "{self._last.decode()}" are not a list')
            if len(self._path) >= HEAD_DEPTH_MAX:
                raise BadDocument(
                    f"more than {HEAD_DEPTH_MAX} brackets stand open before its entries"
                )
            self._path.append(self._key)
            self._key = b""
        else:
            if self._path:
                self._path.pop()
            if not self._path:
                raise BadDocument(f"it holds no {self._told}")
        return False
