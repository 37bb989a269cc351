"""A run that goes on, as its controllers share it: what they ask of the store and are told."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from msgspec import Struct

from premortem.domain.jobs import Count, Job
from premortem.domain.packing import unpack_job
from premortem.domain.run import Plan, Result

RunStatus = Literal["running", "stopping", "ended"]
SliceStatus = Literal["unclaimed", "claimed", "cut"]


class LiveRun(Struct, frozen=True, kw_only=True):
    """A run, from its first slice until its summary is stored."""

    id: str
    plan: Plan
    profile_version: str
    planned: int
    planned_dynamic: int = 0
    started_at: float
    """Seconds since the epoch at which the plan's clock showed 0."""
    status: RunStatus = "running"
    stop_reason: str = ""
    """Who or which rule asked it to stop, and why; empty: nobody."""
    speed: float = 1.0
    """Plan seconds per second, since `paced_at`."""
    elapsed_s: float = 0.0
    """What the plan's clock showed at `paced_at`."""
    paced_at: float = 0.0
    """Seconds on the controllers' clock."""

    def plan_s(self, now: float) -> float:
        """What the plan's clock shows at NOW, by the pace that was stored last."""
        return self.elapsed_s + max(0.0, now - self.paced_at) * self.speed


class PlanSlice(Struct, frozen=True, kw_only=True):
    """Some seconds of a plan: what one controller makes cases for at a time."""

    number: int
    first: int
    """Number of its first case in the run."""
    count: int
    """Cases that are planned for it; no other slice has a number of theirs."""
    start_s: float
    """Plan seconds."""
    end_s: float


class SliceState(Struct, frozen=True, kw_only=True):
    """Where a slice is. A claim is a lease: another controller may take it over afterwards."""

    slice: PlanSlice
    status: SliceStatus = "unclaimed"
    controller_id: str = ""
    lease_until: float = 0.0


class Granted(Struct, frozen=True, kw_only=True, dict=True):
    """A job under a lease."""

    job_id: str
    packed: bytes
    """See `pack_job`: a controller passes it on without looking into it, since decoding its cases
    takes longer than all else."""
    start_s: float
    """Plan second of its first slot."""
    count: int
    """Its cases."""
    worker_id: str
    epoch: int
    lease_until: float
    skip: tuple[tuple[int, int], ...] = ()
    """Ranges of case numbers that ended before."""

    @cached_property
    def job(self) -> Job:
        """The job itself."""
        return unpack_job(self.packed)


class Word(Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    job_id: str
    epoch: int
    sequence_number: int
    accepted: bool
    """False: the worker is to give the job up."""
    fresh: bool = False
    """It had not been stored before: only then may it be added to a tally."""
    done: bool = False
    """All cases of the job have ended."""
    reason: str = ""
    """Why it is refused."""


class LostLease(Struct, frozen=True, kw_only=True):
    """A job whose worker was lost, and what was stored about it."""

    job_id: str
    worker_id: str
    why: str
    unknown: int
    """Cases that may have reached the target and must not be sent twice: ended now."""
    again: int
    """Cases that another worker sends; of a dead job: that are left."""
    dead: bool = False
    counts: tuple[Count, ...] = ()
    """Of the unknown ones."""
    results: tuple[Result, ...] = ()
    """Of the unknown ones, as far as they are stored in full."""


class QueueStats(Struct, frozen=True, kw_only=True):
    """How much lies in a run's queue."""

    untaken: int = 0
    taken: int = 0
    done: int = 0
    dead: int = 0
    earliest_s: float | None = None
    """Plan second of the first slot of all untaken jobs; None: there is none."""
    payload_bytes: int = 0
    """Of jobs that are neither done nor dead, as they lie in the store."""
    ended: int = 0
    """Cases that have ended."""
    cut: int = 0
    """Cases of all jobs."""
    slices_left: int = 0
    """Slices that are not cut yet."""


class Controller(Struct, frozen=True, kw_only=True):
    """One that works on a run."""

    id: str
    seen_at: float
    """Its last heartbeat, on the controllers' clock."""
    standing: bytes = b""
    """What it told the others with it."""
