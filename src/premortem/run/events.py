"""What a run says while it goes on. Terminal, reports and store only consume these."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from premortem.domain.run import Result, RunSummary


class RunStarted(Struct, frozen=True, kw_only=True, tag=True):
    """The first request goes out now."""

    run_id: str
    started_at: float
    planned: int
    planned_dynamic: int
    rate_per_second: float
    """The plan's, or the target's `rate_per_second_max` if that is less."""
    shortfall: str = ""
    """What of the plan cannot be met, in words."""


class Tick(Struct, frozen=True, kw_only=True, tag=True):
    """Once a second: how far it is."""

    elapsed_s: float
    planned: int
    sent: int
    """Cases begun so far."""
    answered: int
    faulted: int
    unknown: int
    in_flight: int
    rate_per_second: float
    """Cases ended per second since the tick before."""
    latency_ms_p50: float
    latency_ms_p99: float
    """Of the answers since the tick before, from the intended send time."""
    lag_ms_p99: float
    statuses: Mapping[str, int]
    """Status class (`2xx`) -> count so far."""


class ResultBatch(Struct, frozen=True, kw_only=True, tag=True):
    """Results to be stored, at most `BATCH_RESULTS_MAX`."""

    results: tuple[Result, ...]


class Paused(Struct, frozen=True, kw_only=True, tag=True):
    """The target asked for a rest (`Retry-After`); nothing is sent for so long."""

    status: int
    pause_s: float
    paused_s: float
    """In the whole run so far, this one included."""
    pauses: int


class RunEnded(Struct, frozen=True, kw_only=True, tag=True):
    """The last event."""

    summary: RunSummary


Event = RunStarted | Tick | ResultBatch | Paused | RunEnded

BATCH_RESULTS_MAX = 500
BATCH_BYTES_MAX = 8 * 1024 * 1024
"""Bodies of one batch; a batch ends with the result that goes beyond."""
