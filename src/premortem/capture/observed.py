"""What a proxy or a middleware saw of one exchange, and how it becomes one that may be stored."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec import Struct

from premortem.capture.compose import Intake
from premortem.capture.counts import CaptureCounts
from premortem.capture.recording import Entry, Sender
from premortem.config import Config
from premortem.domain.traffic import Exchange, Pairs

BLOCKS_REMEMBERED_MAX = 512
"""Header blocks whose parsed form is kept: clients and servers repeat theirs."""
OPERATIONS_COUNTED_MAX = 10_000
"""Forms of requests whose exchanges are counted within a minute; further ones share a count."""
MINUTE_S = 60.0

_VARYING = re.compile(r"[^/]*\d[^/]*|[^/]{24,}")


class Observed(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One exchange as it stood on the wire; it crosses a pipe, never a disk."""

    origin: str
    """`scheme://host[:port]` of the service."""
    method: str
    target: str
    """Path and query as they stood in the request line."""
    request_head: bytes
    """Header lines, each with its CR LF, without the request line."""
    request_body: bytes | None
    """Without transfer coding, in its content coding; None: larger than what is copied."""
    status: int
    response_head: bytes
    response_body: bytes | None
    started_at: float
    duration_ms: float
    client: str = ""
    """Where it came from."""


class Copies:
    """How much is copied for the recording of exchanges that are under way, over all of them."""

    def __init__(self, *, body_bytes_max: int, bytes_max: int) -> None:
        self.body_bytes_max, self.bytes_max = body_bytes_max, bytes_max
        self.held = 0


class Copy:
    """The copy of one body; given up, not cut, where it gets too large."""

    __slots__ = ("_all", "_pieces", "size")

    def __init__(self, copies: Copies) -> None:
        self._all = copies
        self._pieces: list[bytes] | None = []
        self.size = 0
        """Bytes copied."""

    def add(self, piece: bytes) -> None:
        """Copy PIECE, too."""
        if self._pieces is None:
            return
        size = len(piece)
        room = self._all
        if self.size + size > room.body_bytes_max or room.held + size > room.bytes_max:
            self.drop()
            self._pieces = None
            return
        self.size += size
        room.held += size
        self._pieces.append(piece)

    def drop(self) -> None:
        """Let go of it."""
        self._all.held -= self.size
        self.size = 0
        self._pieces = []

    @property
    def content(self) -> bytes | None:
        """All of the body; None where it was too large."""
        pieces = self._pieces
        if pieces is None:
            return None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Observer:
    """Filters, tags and redacts what was observed, in stream order; for one thread.

    Raises ConfigError for filters that cannot be.
    """

    def __init__(
        self,
        config: Config,
        redaction_key: bytes,
        *,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.counts = CaptureCounts()
        self._intake = Intake(config, redaction_key, counts=self.counts, environment=environment)
        self._operation_max = config.capture.operation_per_minute_max
        self._minute = 0.0
        self._seen: dict[str, int] = {}

    def take(self, observed: Observed) -> Exchange | None:
        """The exchange that may be stored; None when it is left out, and `counts` says why."""
        counts = self.counts
        index, counts.read = counts.read, counts.read + 1
        if self._operation_max and self._over(observed):
            counts.dropped["over operation_per_minute_max"] += 1
            return None
        counts.bodies_dropped += (observed.request_body is None) + (observed.response_body is None)
        return self._intake.take(index, _entry(observed))

    def _over(self, observed: Observed) -> bool:
        """It is one of its kind too many for this minute."""
        minute = observed.started_at // MINUTE_S
        if minute != self._minute:
            self._minute = minute
            self._seen.clear()
        path = _VARYING.sub("*", observed.target.partition("?")[0])
        form = f"{observed.method} {path} {observed.status // 100}"
        if form not in self._seen and len(self._seen) >= OPERATIONS_COUNTED_MAX:
            form = ""
        seen = self._seen[form] = self._seen.get(form, 0) + 1
        return seen > self._operation_max


def _entry(observed: Observed) -> Entry:
    return Entry(
        method=observed.method,
        target=observed.target,
        origin=observed.origin,
        headers=_pairs(observed.request_head),
        body=observed.request_body or b"",
        status=observed.status,
        answer_headers=_pairs(observed.response_head),
        answer_body=observed.response_body or b"",
        started_at=observed.started_at,
        duration_ms=observed.duration_ms,
        sender=Sender(address=observed.client),
    )


@lru_cache(maxsize=BLOCKS_REMEMBERED_MAX)
def _pairs(block: bytes) -> Pairs:
    """Names (lower case) and values of a BLOCK of header lines."""
    pairs = []
    for line in block.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            pairs.append((name.strip().lower(), value.strip()))
    return tuple(pairs)


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Observed).decode
