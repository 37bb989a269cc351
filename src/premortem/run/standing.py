"""What controllers of one run tell each other through the store: sums, never single cases."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from premortem.domain.jobs import Count
from premortem.domain.latency import Latency
from premortem.run.board import Board, Kind
from premortem.run.crew import Crew

STANDING_BYTES_MAX = 4 * 1024 * 1024
"""Of one controller, sealed in the store; sums of some 100 operations have 100 KB."""


class Standing(Struct, frozen=True, kw_only=True):
    """Everything that one controller has stored and knows of its workers, since it began."""

    counts: tuple[Count, ...] = ()
    """`second` is -1."""
    lag: bytes = b""
    """`Latency.packed`."""
    failed: int = 0
    workers: int = 0
    sent: int = 0
    in_flight: int = 0
    backlog: int = 0
    cpu_s: float = 0.0
    rss_bytes: int = 0


_decoder = msgspec.msgpack.Decoder(Standing)


def standing_of(board: Board, crew: Crew) -> bytes:
    """As bytes: what BOARD has counted and how CREW is."""
    standing = Standing(
        counts=tuple(board.whole.counts()),
        lag=board.lag.packed(),
        failed=board.failed,
        workers=crew.size,
        sent=crew.sent,
        in_flight=crew.in_flight,
        backlog=crew.backlog,
        cpu_s=crew.cpu_s,
        rss_bytes=crew.rss_bytes,
    )
    return msgspec.msgpack.encode(standing)


class Others:
    """The other controllers of a run; what is new of them is added to a board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._kinds: dict[tuple[str, Kind], int] = {}
        self._latency: dict[tuple[str, str], Latency] = {}
        self._lag: dict[str, Latency] = {}
        self._failed: dict[str, int] = {}
        self._last: dict[str, Standing] = {}
        self._alive: dict[str, bool] = {}

    def take(self, told: Mapping[str, tuple[bytes, bool]], *, now_s: float) -> None:
        """TOLD: controller id -> its standing, none is empty, and whether it lives."""
        for controller_id, (data, alive) in told.items():
            standing = _decoder.decode(data)
            self._last[controller_id] = standing
            if not alive:  # what it counted stays, its workers are gone
                self._last[controller_id] = msgspec.structs.replace(
                    standing, workers=0, in_flight=0, backlog=0
                )
            self._alive[controller_id] = alive
            self._board.add(self._news(controller_id, standing), now_s=now_s)
            self._board.failed += standing.failed - self._failed.get(controller_id, 0)
            self._failed[controller_id] = standing.failed
            lag = Latency.unpacked(standing.lag)
            self._board.add_lag(lag.since(self._lag.get(controller_id)), now_s=now_s)
            self._lag[controller_id] = lag

    def _news(self, controller_id: str, standing: Standing) -> list[Count]:
        news: list[Count] = []
        for count in standing.counts:
            kind: Kind = (
                count.operation_id,
                count.source,
                count.setup,
                count.recorded,
                count.status,
                count.outcome,
                count.fault,
            )
            more = count.count - self._kinds.get((controller_id, kind), 0)
            self._kinds[controller_id, kind] = count.count
            packed = b""
            if count.latency:
                key = (controller_id, count.operation_id)
                latency = Latency.unpacked(count.latency)
                packed = latency.since(self._latency.get(key)).packed()
                self._latency[key] = latency
            if more or packed:
                news.append(Count(-1, *kind, more, packed))
        return news

    @property
    def workers(self) -> int:
        """Of all of them."""
        return sum(standing.workers for standing in self._last.values())

    @property
    def sent(self) -> int:
        """Cases begun by all of them."""
        return sum(standing.sent for standing in self._last.values())

    @property
    def in_flight(self) -> int:
        """Cases under way."""
        return sum(standing.in_flight for standing in self._last.values())

    @property
    def backlog(self) -> int:
        """Cases that are due and have not gone out."""
        return sum(standing.backlog for standing in self._last.values())

    @property
    def cpu_s(self) -> float:
        """User and system time of all their workers."""
        return sum(standing.cpu_s for standing in self._last.values())

    @property
    def rss_bytes(self) -> int:
        """Of their largest worker."""
        return max((standing.rss_bytes for standing in self._last.values()), default=0)

    @property
    def controllers(self) -> int:
        """How many live."""
        return sum(self._alive.values())
