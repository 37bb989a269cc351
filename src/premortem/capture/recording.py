"""What the readers of all formats have in common: what they take, what they yield, how they fail.

A reader is a function `read_x(path, *, counts, progress, options)` that yields (index, Recording),
one at a time. It counts what it reads, skips what is malformed with its index, and raises
InputError for a file of another kind, or, after the whole entries, for one that is cut short.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct

from premortem.capture.counts import CaptureCounts
from premortem.capture.message import (
    REQUEST_LEFT_OUT,
    RESPONSE_LEFT_OUT,
    NotHttp,
    Url,
    end_to_end,
    http_date,
    parse_query,
    parse_target,
    unpacked,
)
from premortem.capture.split import BadDocument, Skipped, Splitter
from premortem.capture.stream import BrokenStream, pieces
from premortem.domain.traffic import Exchange, Pairs, Recorded, Request, Response
from premortem.errors import InputError

Progress = Callable[[int], None]
"""Called with the bytes of the file read so far."""


class ReadOptions(Struct, frozen=True, kw_only=True):
    """What a user may say about files that do not say it themselves."""

    log_format: str = ""
    """nginx's `log_format` or Apache's `LogFormat`, for access logs of another shape."""
    origin: str = ""
    """`https://api.example.com`: where requests went whose recording names no host."""
    environment: str = ""
    """Postman: an exported environment, a file. Insomnia: the name of a sub-environment."""


DEFAULTS = ReadOptions()


class Sender(Struct, frozen=True, kw_only=True):
    """Who sent a request, where the recording tells apart from the request itself."""

    user: str = ""
    """The name that the server knew it by."""
    address: str = ""


NOBODY = Sender()


class Recording(Protocol):
    """One recorded exchange: enough to filter it by, and the rest when it is asked for."""

    @property
    def recorded(self) -> Recorded:
        """How much is known of it."""

    @property
    def method(self) -> str:
        """As it stands there."""

    @property
    def status(self) -> int:
        """0: there is no answer."""

    @property
    def sender(self) -> Sender:
        """Who sent it."""

    def address(self) -> Url:
        """Where it went. Raises NotHttp when it is none that HTTP goes to, Unusable for none."""

    def media_type(self) -> str:
        """The answer's, as it stands there; empty when none is named."""

    def exchange(self, *, body_bytes_max: int, counts: CaptureCounts) -> Exchange:
        """All of it; larger bodies are left out and counted. Raises Unusable."""


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """A Recording in the words of HTTP, whatever file it comes from."""

    method: str
    """Empty: what stood in its place was no request."""
    target: str
    """From the path on (`/path?query`), or absolute."""
    origin: str = ""
    """Used where `target` names none; empty: not known."""
    headers: Pairs = ()
    """As recorded; hop-by-hop and pseudo fields may be among them."""
    body: bytes = b""
    """In its content coding, without transfer coding."""
    status: int = 0
    answer_headers: Pairs = ()
    answer_body: bytes = b""
    started_at: float
    duration_ms: float = 0.0
    recorded: Recorded = "all"
    sender: Sender = NOBODY

    def address(self) -> Url:
        """Where it went. Raises NotHttp, or Unusable."""
        if not self.method or self.method == "CONNECT" or self.target == "*":
            raise NotHttp
        return parse_target(self.origin, self.target)

    def media_type(self) -> str:
        """The answer's; empty when none is named."""
        for name, value in self.answer_headers:
            if name.lower() == "content-type":
                return value
        return ""

    def exchange(self, *, body_bytes_max: int, counts: CaptureCounts) -> Exchange:
        """The exchange with its bodies decoded. Raises Unusable."""
        url = self.address()
        headers, body = unpacked(
            end_to_end(self.headers, REQUEST_LEFT_OUT),
            self.body,
            body_bytes_max=body_bytes_max,
            counts=counts,
        )
        answer_headers, answer_body = unpacked(
            end_to_end(self.answer_headers, RESPONSE_LEFT_OUT),
            self.answer_body,
            body_bytes_max=body_bytes_max,
            counts=counts,
        )
        return Exchange(
            request=Request(
                method=self.method.upper(),
                origin=url.origin,
                path=url.path,
                query=parse_query(url.query),
                headers=headers,
                body=body,
            ),
            response=Response(status=self.status, headers=answer_headers, body=answer_body),
            started_at=self.started_at,
            duration_ms=self.duration_ms,
            recorded=self.recorded,
        )


STAMPS_MAX = 4096
"""Times remembered with the number of their entries."""


class Stamps:
    """Tells entries of one time apart by a microsecond, in the order they stand in.

    Most formats tell the second only. Without this, equal requests of one second were one.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[float, int] = OrderedDict()

    def apart(self, at: float) -> float:
        """AT, seconds since the epoch, or a little later."""
        seen = self._seen.get(at, 0)
        self._seen[at] = seen + 1
        if len(self._seen) > STAMPS_MAX:
            self._seen.popitem(last=False)
        return at + seen * 1e-6


class Undated:
    """Gives times to the entries of a recording that tells none, or not always.

    The answer's `date`, or the last time there was, or else when the file was written.
    """

    def __init__(self, path: Path) -> None:
        self._at = float(int(path.stat().st_mtime))
        self._stamps = Stamps()

    def at(self, answer_headers: Pairs = (), recorded_at: float | None = None) -> float:
        """Seconds since the epoch."""
        date = next((v for k, v in answer_headers if k.lower() == "date"), "")
        self._at = recorded_at or http_date(date) or self._at
        return self._stamps.apart(self._at)


Item = TypeVar("Item")


def split_entries(
    path: Path,
    splitter: Splitter[Item],
    *,
    counts: CaptureCounts,
    progress: Progress | None,
    is_a: str,
    give: str,
) -> Iterator[tuple[int, Item]]:
    """The usable entries that SPLITTER cuts out of the file at PATH, with their indices.

    IS_A (`a HAR file`) and GIVE (what would be one) are for the message of an InputError.
    """
    index = -1
    try:
        for entry in _split(path, splitter, progress):
            index += 1
            counts.read += 1
            if isinstance(entry, Skipped):
                counts.skip(index, entry.reason)
            else:
                yield index, entry
        if splitter.ended:
            return
        reason = "it ends before its entries do"
    except (BadDocument, BrokenStream) as error:
        reason = str(error)
    if splitter.begun:
        raise damaged(path, reason, read=index + 1)
    raise not_a(path, is_a, reason if splitter.fed else "it is empty", give=give)


def _split(
    path: Path, splitter: Splitter[Item], progress: Progress | None
) -> Iterator[Item | Skipped]:
    try:
        for piece in pieces(path, progress=progress):
            yield from splitter.feed(piece)
            if splitter.ended:
                return
    except BrokenStream:
        yield from splitter.finish()
        raise
    yield from splitter.finish()


def damaged(path: Path, reason: str, *, read: int) -> InputError:
    """The error for a file that begins well: what stood before the fault is stored."""
    return InputError(
        f"{path} is damaged or cut short: {reason}; the {read} entries before that "
        f"were read. Import the whole file later: only what is missing is added"
    )


def not_a(path: Path, is_a: str, reason: str, *, give: str) -> InputError:
    """The error for a file of another kind."""
    return InputError(f"{path} is not {is_a} ({reason}); give {give}")


def whole(path: Path, *, bytes_max: int, progress: Progress | None) -> bytes:
    """The unpacked bytes of a file that is read in one go. Raises InputError above BYTES_MAX."""
    data = bytearray()
    try:
        for piece in pieces(path, progress=progress):
            data += piece
            if len(data) > bytes_max:
                raise InputError(
                    f"{path} is larger than the {bytes_max >> 20} MiB that a file of its kind "
                    f"may have; export it in parts"
                )
    except BrokenStream as error:
        raise damaged(path, str(error), read=0) from None
    return bytes(data)
