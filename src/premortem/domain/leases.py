"""The life of a job: what may become of a JobState, as pure functions that the store applies.

    untaken --take--> taken --apply--> taken ... --apply--> done
                      taken --lose---> untaken | dead | done
    untaken | taken --bury--> dead

A case ends once: by a batch under the present lease, or, when a lease is lost, as `unknown`
because nobody can tell whether the target has seen it (`resumption`).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from premortem.domain.jobs import Job, JobState, ResultBatch
from premortem.domain.ranges import Ranges, merged, of_mask, overlapping, size, to_mask
from premortem.domain.run import IDEMPOTENT_METHODS

RANGES_MAX = 10_000
"""Ranges of one batch."""


class Refusal(Struct, frozen=True, kw_only=True):
    """A transition that the state does not allow; nothing changes."""

    reason: str


class Applied(Struct, frozen=True, kw_only=True):
    """A batch that counts."""

    state: JobState
    fresh: bool
    """False: it had been stored before, so nothing changes."""


class Resumption(Struct, frozen=True, kw_only=True):
    """What becomes of a job's cases when its lease is lost."""

    unknown: Ranges = ()
    """They may have reached the target and must not be sent twice: ended now."""
    again: int = 0
    """Cases that remain; the next worker sends them. Some may have been sent before, too."""


def take(state: JobState, *, worker_id: str, now: float, lease_s: float) -> JobState | Refusal:
    """A lease for WORKER_ID; what ended before is not sent again."""
    if state.status != "untaken":
        return Refusal(reason=f"it is {state.status}")
    return replace(
        state,
        status="taken",
        worker_id=worker_id,
        epoch=state.epoch + 1,
        lease_until=now + lease_s,
        batches=0,
        skipped=state.ended,
    )


def renew(
    state: JobState, *, worker_id: str, epoch: int, now: float, lease_s: float
) -> JobState | Refusal:
    """The lease lasts LEASE_S from NOW."""
    refusal = _foreign(state, worker_id=worker_id, epoch=epoch)
    if refusal is None and state.status != "taken":
        refusal = Refusal(reason=f"the job is {state.status}")
    return refusal or _renewed(state, now=now, lease_s=lease_s)


def apply(state: JobState, batch: ResultBatch, *, now: float, lease_s: float) -> Applied | Refusal:
    """What BATCH says counts, once, and renews the lease; the job is done when all has ended.

    A lease that has run out counts as long as nobody has taken note of that: the job has no other
    worker yet. Refused are batches under another lease, out of turn, with numbers that are not
    the job's or have ended before, or whose counts do not add up to what ended.
    """
    refusal = _foreign(state, worker_id=batch.worker_id, epoch=batch.epoch)
    if refusal is not None:
        return refusal
    if 0 < batch.sequence_number <= state.batches:
        renewed = state if state.status == "done" else _renewed(state, now=now, lease_s=lease_s)
        return Applied(state=renewed, fresh=False)
    refusal = _unfit(state, batch)
    if refusal is not None:
        return refusal
    ended = merged(state.ended, batch.ended)
    done = size(ended) == state.count
    if batch.final and not done:
        left = state.count - size(ended)
        return Refusal(reason=f"it says final, and {left} cases have not ended")
    following = replace(state, ended=ended, batches=batch.sequence_number)
    if done:
        return Applied(state=replace(following, status="done"), fresh=True)
    return Applied(state=_renewed(following, now=now, lease_s=lease_s), fresh=True)


def is_expired(state: JobState, *, now: float) -> bool:
    """Its lease has run out."""
    return state.status == "taken" and state.lease_until < now


def is_last(state: JobState, *, attempts_max: int) -> bool:
    """Losing its present lease makes it dead."""
    return state.attempts + 1 >= attempts_max


def lose(
    state: JobState, resumption: Resumption, *, attempts_max: int, reason: str
) -> JobState | Refusal:
    """The lease has run out, or the worker is known to be dead (REASON says which).

    After ATTEMPTS_MAX lost leases the job is dead: it may be what kills its workers.
    """
    if state.status != "taken":
        return Refusal(reason=f"it is {state.status}")
    ended = merged(state.ended, resumption.unknown)
    attempts = state.attempts + 1
    last = is_last(state, attempts_max=attempts_max)
    following = replace(state, ended=ended, attempts=attempts, worker_id="", lease_until=0.0)
    if size(ended) == state.count:
        return replace(following, status="done")
    if last:
        leases = "its only lease" if attempts == 1 else f"{attempts} leases in a row"
        why = f"{leases} ended without its results; the last: {reason}"
        return replace(following, status="dead", reason=why)
    return replace(following, status="untaken")


def hand_back(state: JobState, *, worker_id: str, epoch: int) -> JobState | Refusal:
    """A worker gives a job up and has reported all it sent: no attempt, nothing in doubt."""
    refusal = _foreign(state, worker_id=worker_id, epoch=epoch)
    if refusal is None and state.status != "taken":
        refusal = Refusal(reason=f"the job is {state.status}")
    return refusal or replace(state, status="untaken", worker_id="", lease_until=0.0)


def bury(state: JobState, resumption: Resumption, *, reason: str) -> JobState | Refusal:
    """Nobody works on it any more; what has not ended is left."""
    if state.status in ("done", "dead"):
        return Refusal(reason=f"it is {state.status}")
    ended = merged(state.ended, resumption.unknown)
    done = size(ended) == state.count
    return replace(
        state,
        status="done" if done else "dead",
        worker_id="",
        lease_until=0.0,
        ended=ended,
        reason="" if done else reason,
    )


def resumption(job: Job, state: JobState, *, lost_at_s: float, resend_unsafe: bool) -> Resumption:
    """Which cases of JOB nobody can tell of, when its lease was lost at plan second LOST_AT_S.

    In doubt is what has not ended and may have gone out by then (`earliest_s`). Of that, unsafe
    requests are `unknown` and idempotent ones (RFC 9110, 9.2.2) are sent again; with
    RESEND_UNSAFE all are, so a job that nobody goes on with must not be asked about with it.
    Nothing is in doubt of a job that no worker holds.
    """
    open_cases = ~to_mask(state.ended, job.first, job.count)
    if state.status != "taken" or resend_unsafe:
        return Resumption(again=int(open_cases.sum()))
    doubtful = open_cases & (earliest_s(job, state.skipped) <= lost_at_s)
    cases = (case for sequence in job.sequences for case in sequence.cases)
    unsafe = [case.request.method not in IDEMPOTENT_METHODS for case in cases]
    unknown = doubtful & np.array(unsafe, dtype=np.bool_)
    return Resumption(unknown=of_mask(unknown, job.first), again=int((open_cases & ~unknown).sum()))


def earliest_s(job: Job, skipped: Ranges) -> NDArray[np.float64]:
    """Plan second before which no worker can have sent each case, shape (count,).

    Holds for every worker that begins sequences in their order, sends a case of a sequence after
    the one before it, or at the slot of the last of those that go out with it, and uses one slot
    for each case that it does not skip: a case that follows
    n sequences begun and m cases of its own sequence goes out at slot n + m or later, whether
    slots belong to cases or go to whichever case is ready. In a closed model nothing says how far
    a worker came since its last batch, so any case may have gone out: minus infinity.
    """
    if not job.slots:
        return np.full(job.count, -np.inf)
    slots = np.frombuffer(job.slots, dtype="<f8")
    open_cases = ~to_mask(skipped, job.first, job.count)
    ranks = np.zeros(job.count, dtype=np.int64)
    begun = at = 0
    for sequence in job.sequences:
        there = open_cases[at : at + len(sequence.cases)]
        ranks[at : at + len(there)] = begun + np.cumsum(there) - there
        begun += bool(there.any())
        at += len(there)
    return slots[np.minimum(ranks, len(slots) - 1)]


def _renewed(state: JobState, *, now: float, lease_s: float) -> JobState:
    return replace(state, lease_until=now + lease_s)


def _foreign(state: JobState, *, worker_id: str, epoch: int) -> Refusal | None:
    if state.epoch != epoch or state.worker_id != worker_id:
        return Refusal(reason="the lease was lost")
    return None


def _unfit(state: JobState, batch: ResultBatch) -> Refusal | None:
    if state.status != "taken":
        return Refusal(reason=f"the job is {state.status}")
    if batch.sequence_number != state.batches + 1:
        return Refusal(reason=f"batch {batch.sequence_number} came and {state.batches + 1} is due")
    if len(batch.ended) > RANGES_MAX:
        return Refusal(reason=f"more than {RANGES_MAX} ranges")
    last = state.first + state.count - 1
    for low, high in batch.ended:
        if not state.first <= low <= high <= last:
            return Refusal(reason=f"cases {low}-{high} are not all of {state.first}-{last}")
    twice = overlapping(state.ended, batch.ended)
    if twice is not None:
        return Refusal(reason=f"case {twice} ended before")
    counted = sum(count.count for count in batch.counts)
    if counted != size(batch.ended) or any(count.count < 0 for count in batch.counts):
        return Refusal(reason=f"{counted} cases are counted and {size(batch.ended)} ended")
    return None
