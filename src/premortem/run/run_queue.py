"""The store's queue as one controller of one run uses it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from premortem.domain.jobs import Job, JobState, ResultBatch
from premortem.domain.live import Granted, LiveRun, LostLease, PlanSlice, QueueStats, Word
from premortem.domain.run import Result
from premortem.run.supplier import CLAIM_LEASE_S
from premortem.store.queue import Queue

SILENT_S = 3.0
"""A controller that has not told anything for so long counts as gone."""
PASSING_STORED_MAX = 2_000
"""Results without a verdict that one controller keeps in full; the rest is counted."""


class RunQueue:
    """What `Controller` and `Supplier` need, for the run RUN_ID.

    CLEAN: a result as it may be stored, without secrets. PLAN_S: what the plan's clock shows at a
    moment, as workers know it.
    """

    def __init__(
        self,
        queue: Queue,
        run_id: str,
        controller_id: str,
        *,
        lease_s: float,
        now: Callable[[], float],
        clean: Callable[[Result], Result],
        passing_max: int = PASSING_STORED_MAX,
    ) -> None:
        self._queue = queue
        self._run_id = run_id
        self._controller_id = controller_id
        self._lease_s = lease_s
        self._now = now
        self._clean = clean
        self._passing = 0
        self._passing_max = passing_max

    # Working off.

    def take(self, worker_id: str, *, now: float, due_before_s: float) -> Granted | None:
        """See `Queue.take_job`."""
        return self._queue.take_job(
            self._run_id, worker_id, now=now, lease_s=self._lease_s, due_before_s=due_before_s
        )

    def apply(self, batches: list[ResultBatch], *, now: float) -> list[Word]:
        """See `Queue.apply_batches`; results are stored without secrets, passing ones few."""
        passing = self._passing
        stored = [self._storable(batch) for batch in batches]
        try:
            return self._queue.apply_batches(stored, now=now, lease_s=self._lease_s)
        except BaseException:
            self._passing = passing
            raise

    def _storable(self, batch: ResultBatch) -> ResultBatch:
        if not batch.results:
            return batch
        kept: list[Result] = []
        for result in batch.results:
            if not result.verdicts:
                if self._passing >= self._passing_max:
                    continue
                self._passing += 1
            kept.append(self._clean(result))
        return msgspec.structs.replace(batch, results=tuple(kept))

    def lose(self, worker_id: str, *, lost_at_s: float, why: str) -> list[LostLease]:
        """See `Queue.release_worker`."""
        return self._queue.release_worker(self._run_id, worker_id, lost_at_s=lost_at_s, why=why)

    def hand_back(self, job_id: str, worker_id: str, epoch: int) -> None:
        """See `Queue.hand_back`."""
        self._queue.hand_back(job_id, worker_id, epoch)

    def expire(self, *, now: float, lost_at_s: float) -> list[LostLease]:
        """See `Queue.expire`."""
        return self._queue.expire(self._run_id, now=now, lost_at_s=lost_at_s)

    def stats(self) -> QueueStats:
        """See `Queue.stats`."""
        return self._queue.stats(self._run_id)

    def state(self, standing: bytes | None) -> LiveRun:
        """The run as it is now; it also says that this controller lives, and how it stands."""
        return self._queue.heartbeat(
            self._run_id,
            self._controller_id,
            now=self._now(),
            lease_s=CLAIM_LEASE_S,
            standing=standing,
        )

    def others(self) -> dict[str, tuple[bytes, bool]]:
        """Controller id -> what it told and whether it lives, of others that told something."""
        since = self._now() - SILENT_S
        return {
            controller.id: (controller.standing, controller.seen_at >= since)
            for controller in self._queue.controllers(self._run_id)
            if controller.id != self._controller_id and controller.standing
        }

    def pace(self, speed: float, *, elapsed_s: float, now: float) -> None:
        """See `Queue.set_speed`."""
        self._queue.set_speed(self._run_id, speed, elapsed_s=elapsed_s, now=now)

    def stop(self, why: str) -> None:
        """See `Queue.request_stop`."""
        self._queue.request_stop(self._run_id, reason=why)

    def dead(self) -> list[JobState]:
        """Jobs that were given up, with their reasons."""
        return self._queue.job_states(self._run_id, ["dead"])

    # Filling.

    def claim(self, *, due_before_s: float) -> PlanSlice | None:
        """See `Queue.claim_slice`."""
        return self._queue.claim_slice(
            self._run_id,
            self._controller_id,
            now=self._now(),
            lease_s=CLAIM_LEASE_S,
            due_before_s=due_before_s,
        )

    def put(self, part: PlanSlice, jobs: list[Job]) -> str:
        """See `Queue.cut_slice`."""
        return self._queue.cut_slice(self._run_id, part.number, self._controller_id, jobs)

    def all_cut(self) -> bool:
        """Nothing of the plan waits to be cut."""
        return not self._queue.stats(self._run_id).slices_left
