"""What a run says while it goes on. Terminal, reports, files and store only consume these."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from premortem.domain.jobs import Count
from premortem.domain.run import Result, RunSummary


class RunStarted(Struct, frozen=True, kw_only=True, tag=True):
    """The plan's clock shows 0 now."""

    run_id: str
    started_at: float
    planned: int
    planned_dynamic: int
    rate_per_second: float
    """The highest of the plan; at most the target's `rate_per_second_max`."""
    shortfall: str = ""
    """What of the plan cannot be met, in words."""
    resumed: int = 0
    """Cases that had ended before, in a run that is gone on with."""


class Tick(Struct, frozen=True, kw_only=True, tag=True):
    """Once a second: how far it is, over all workers and controllers."""

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
    planned_per_second: float
    """What the plan asks for at this moment, as it is steered."""
    sent_per_second: float
    latency_ms: Mapping[str, float]
    """`p50`, `p90`, `p99`, `p99.9`, `max` of the last seconds' answers, from the intended time."""
    lag_ms_p99: float
    """Send times behind the intended ones."""
    backlog: int
    """Cases that are due and have not gone out."""
    statuses: Mapping[str, int]
    """Status class (`2xx`) -> count so far."""
    faults: Mapping[str, int]
    """Kind of fault -> count so far."""
    workers: int
    controllers: int
    jobs: Mapping[str, int]
    """`untaken`, `taken`, `done`, `dead`."""
    failed: int
    """Results with a verdict so far."""
    speed: float = 1.0
    target: Mapping[str, float] = {}
    """The target's own metrics, as far as they are watched."""
    worker_cpu_s: float = 0.0
    """User and system time of all workers so far."""
    worker_rss_bytes: int = 0
    """Of the largest."""


class Gathered(Struct, frozen=True, kw_only=True, tag=True):
    """Stored: what came of cases. Full results of those that failed, are novel or sampled."""

    results: tuple[Result, ...]
    counts: tuple[Count, ...] = ()


class Paused(Struct, frozen=True, kw_only=True, tag=True):
    """The target asked for a rest (`Retry-After`); a worker sends nothing for so long."""

    status: int
    pause_s: float
    paused_s: float
    """In the whole run so far, this one included."""
    pauses: int
    worker_id: str = ""


class WorkerChanged(Struct, frozen=True, kw_only=True, tag=True):
    """A worker came, left or was lost."""

    worker_id: str
    change: str
    """`started`, `left`, `lost`."""
    why: str = ""
    workers: int
    """How many there are now."""


class Recovered(Struct, frozen=True, kw_only=True, tag=True):
    """A job whose worker was lost: what became of its cases."""

    job_id: str
    why: str
    unknown: int
    """Cases that may have reached the target and must not be sent twice."""
    again: int
    """Cases that another worker sends."""
    dead: bool = False


class Steered(Struct, frozen=True, kw_only=True, tag=True):
    """The rate was changed to hold a metric."""

    rate_per_second: float
    metric: str
    value: float | None
    """None: it could not be read."""
    aim: float


class Tried(Struct, frozen=True, kw_only=True, tag=True):
    """A trial of a search for the limit ended."""

    rate_per_second: float
    held: bool
    evidence: str
    """The thresholds with their values."""


class Stopping(Struct, frozen=True, kw_only=True, tag=True):
    """Nothing more is sent from now on."""

    rule: str
    """The rule as the plan has it, or who asked."""
    evidence: str
    """What was seen."""


class RunEnded(Struct, frozen=True, kw_only=True, tag=True):
    """The last event."""

    summary: RunSummary


Event = (
    RunStarted
    | Tick
    | Gathered
    | Paused
    | WorkerChanged
    | Recovered
    | Steered
    | Tried
    | Stopping
    | RunEnded
)
