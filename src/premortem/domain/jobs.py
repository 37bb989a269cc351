"""Slices of a plan, the jobs they are cut into, and what workers say of them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from msgspec import Struct

from premortem.domain.run import Result, Sequence

JobStatus = Literal["untaken", "taken", "done", "dead"]
"""untaken -> taken (under a lease) -> done; back to untaken when the lease expires; dead after
too many attempts. done and dead are final."""


class Job(Struct, frozen=True, kw_only=True):
    """A part of a plan for one worker: some seconds of it, a share of its rate, cases of its mix.

    Its cases are numbered from `first` on, in the order of its sequences: `first + k` is the k-th
    case of all sequences laid end to end. Each number ends exactly once in the whole run.
    """

    id: str
    """`RUN_ID/NUMBER`."""
    run_id: str
    number: int
    slice: int
    """The slice of the plan that it was cut from."""
    start_s: float
    """Plan seconds (since the run's start) of its first slot."""
    end_s: float
    first: int
    sequences: tuple[Sequence, ...]
    slots: bytes = b""
    """Plan seconds at which cases go out, ascending, as little-endian doubles, one for each case;
    empty: a closed model, each connection sends its next case once the answer before is there."""
    connections: int = 0
    """Of a closed model: how many send at once."""

    @property
    def count(self) -> int:
        """Its cases."""
        return sum(len(sequence.cases) for sequence in self.sequences)

    @property
    def due_s(self) -> list[float]:
        """`slots` as numbers; empty: a closed model."""
        numbers: list[float] = np.frombuffer(self.slots, dtype="<f8").tolist()
        return numbers


class Lease(Struct, frozen=True, kw_only=True):
    """A worker's right to send a job's cases."""

    job_id: str
    worker_id: str
    epoch: int
    """Counts the leases of a job: what comes under an older one is refused."""
    expires_at: float
    """Seconds on the clock of the store's controllers."""


class Count(Struct, frozen=True, array_like=True):
    """Cases that ended alike within one second of the plan."""

    second: int
    """Of the run, by the intended send time."""
    operation_id: str
    source: str
    setup: bool
    recorded: int
    """Status of production, for replayed cases; 0: none."""
    status: int
    """0: no answer."""
    outcome: str
    """`answered`, `faulted`, `unknown`."""
    fault: str
    """Kind of fault; empty: none."""
    count: int
    latency: bytes = b""
    """`Latency.packed` of answers, from the intended send time."""


class Vitals(Struct, frozen=True, kw_only=True):
    """How a worker is."""

    cpu_s: float = 0.0
    """User and system time of its process so far."""
    rss_bytes: int = 0
    in_flight: int = 0
    backlog: int = 0
    """Cases that are due and have not gone out."""
    lag: bytes = b""
    """`Latency.packed` of send times behind the intended ones, since the batch before."""
    sent: int = 0
    """Cases begun so far, of all jobs."""


class ResultBatch(Struct, frozen=True, kw_only=True, tag=True):
    """What came of cases of one job since the batch before; it renews the lease, too.

    It is stored as a whole or not at all, and once: `sequence_number` counts a lease's batches.
    """

    job_id: str
    worker_id: str
    epoch: int
    sequence_number: int
    ended: tuple[tuple[int, int], ...] = ()
    """Ranges of case numbers, both ends included, that ended since the batch before."""
    counts: tuple[Count, ...] = ()
    results: tuple[Result, ...] = ()
    """In full: failures, novel ones and a capped sample."""
    final: bool = False
    """All of the job's cases have ended."""
    vitals: Vitals = Vitals()


class JobState(Struct, frozen=True, kw_only=True):
    """Where a job is. The transitions are in `leases`; the store applies them."""

    job_id: str
    first: int = 0
    """Number of its first case."""
    count: int = 0
    """Its cases."""
    status: JobStatus = "untaken"
    worker_id: str = ""
    epoch: int = 0
    attempts: int = 0
    """Leases that ended without the job being done."""
    lease_until: float = 0.0
    batches: int = 0
    """`sequence_number` of the last batch stored under the present lease."""
    ended: tuple[tuple[int, int], ...] = ()
    """Ranges of case numbers that have ended: the high-water mark."""
    skipped: tuple[tuple[int, int], ...] = ()
    """Those that had ended when the present lease, or the last one, began."""
    reason: str = ""
    """Why it is dead."""
