"""The queue of jobs: what controllers ask of the store while a run goes on.

After StoreUnavailable or StoreLocked a caller may try again with the same arguments: what was
stored although the answer was lost is found, and not stored twice. `docs/queue.md` tells the whole.

Times named `now` and leases are seconds on the controllers' clock; those that end in `_s` of a
plan are plan seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal

from msgspec.structs import replace
from sqlalchemy import Connection, delete, func, select, true, update

from premortem.domain.jobs import Count, Job, JobState, JobStatus, ResultBatch
from premortem.domain.leases import Applied, Refusal, apply, hand_back, renew, take
from premortem.domain.live import (
    Controller,
    Granted,
    LiveRun,
    LostLease,
    PlanSlice,
    QueueStats,
    SliceState,
    Word,
)
from premortem.domain.ranges import overlapping
from premortem.errors import InputError
from premortem.store.cipher import Cipher
from premortem.store.counts import BY, summed_counts
from premortem.store.database import Database
from premortem.store.job_table import Changed, JobTable, ready
from premortem.store.live_runs import NO_LIMIT_S, LiveRuns
from premortem.store.lost_jobs import LostJobs
from premortem.store.queue_rows import NUMBER_MAX, job_state, row_id
from premortem.store.results import Results
from premortem.store.tables import job_payloads, jobs, live_runs, slices

JOBS_READY_MAX = 20_000
"""Untaken jobs of one run."""
PAYLOAD_BYTES_MAX = 1024**3
"""Of a run's jobs that have not ended, as they lie in the store."""
BATCHES_AT_ONCE_MAX = 1_000
"""Batches that are stored in one transaction."""

Cut = Literal["cut", "lost", "full"]
"""What became of a slice's jobs. `lost`: another controller has the slice by now. `full`: too much
lies ready and nothing was stored; try again when workers have taken some."""


class Queue:
    """Runs in progress, their slices, jobs and counts.

    Every method is one transaction, unless it says otherwise. One that gets the id of no such run
    raises InputError.
    """

    def __init__(self, database: Database, cipher: Cipher, results: Results) -> None:
        self._database = database
        self._cipher = cipher
        self._runs = LiveRuns(database, cipher)
        self._table = JobTable(database, cipher, results)
        self._lost = LostJobs(database, self._table)

    # Runs

    def begin_run(self, run: LiveRun, slices: Iterable[PlanSlice] = ()) -> None:
        """Enter a run with the slices that its plan is made of. A second time nothing happens.

        Raises InputError when another plan has that id.
        """
        self._runs.begin(run, slices)

    def add_slices(self, run_id: str, slices: Iterable[PlanSlice]) -> None:
        """Enter further slices; those whose number is there stay as they are."""
        self._runs.add_slices(run_id, slices)

    def run(self, run_id: str) -> LiveRun:
        """The run as it is now."""
        return self._runs.run(run_id)

    def unended_runs(self) -> list[LiveRun]:
        """Runs that go on or were broken off, newest first."""
        return self._runs.unended()

    def request_stop(self, run_id: str, *, reason: str) -> LiveRun:
        """Ask all controllers to stop; the first reason stays. No slice or job is given any more.

        The run as it is then.
        """
        return self._runs.stop(run_id, reason=reason)

    def set_speed(self, run_id: str, speed: float, *, elapsed_s: float, now: float) -> LiveRun:
        """From NOW on the plan's clock, which shows ELAPSED_S, runs at SPEED."""
        return self._runs.pace(run_id, speed=speed, elapsed_s=elapsed_s, now=now)

    def end_run(self, run_id: str, *, lost_at_s: float = NO_LIMIT_S) -> list[LostLease]:
        """The run has ended for good: all jobs that have not are dead, no payload stays.

        What workers still held is in doubt up to plan second LOST_AT_S; without one all of it is.
        Several transactions; called again it goes on.
        """
        seq, live = self._runs.known(run_id)
        lost: list[LostLease] = []
        if self._runs.run(run_id).status != "ended":
            why = "the run ended before its turn"
            lost = self._lost.bury(seq, live, where=true(), lost_at_s=lost_at_s, why=why)
        low, high = row_id(seq, 0), row_id(seq, NUMBER_MAX)
        with self._database.sharing() as connection:
            theirs = job_payloads.c.id.between(low, high)
            connection.execute(delete(job_payloads).where(theirs))
            self._runs.changed(connection, run_id, status="ended")
        return lost

    # Controllers and slices

    def heartbeat(
        self,
        run_id: str,
        controller_id: str,
        *,
        now: float,
        lease_s: float,
        standing: bytes | None = None,
    ) -> LiveRun:
        """The controller lives, and keeps the slice that it holds for LEASE_S; the run now.

        STANDING: what it tells the other controllers; None: what it told before.
        """
        return self._runs.heartbeat(
            run_id, controller_id, now=now, lease_s=lease_s, standing=standing
        )

    def controllers(self, run_id: str) -> list[Controller]:
        """All of a run that gave a heartbeat and were not dropped, by id."""
        return self._runs.controllers(run_id)

    def drop_controller(self, run_id: str, controller_id: str) -> None:
        """It is known to be gone: its slice is free at once."""
        self._runs.drop_controller(run_id, controller_id)

    def claim_slice(
        self,
        run_id: str,
        controller_id: str,
        *,
        now: float,
        lease_s: float,
        due_before_s: float = NO_LIMIT_S,
    ) -> PlanSlice | None:
        """The next slice that begins before DUE_BEFORE_S, for this controller to cut.

        None: there is none, or the run is to stop. A controller holds one slice at a time: while
        it has not cut that one, it gets it again.
        """
        return self._runs.claim(
            run_id, controller_id, now=now, lease_s=lease_s, due_before_s=due_before_s
        )

    def slice_states(self, run_id: str) -> list[SliceState]:
        """All slices of a run, in order."""
        return self._runs.slice_states(run_id)

    def cut_slice(self, run_id: str, number: int, controller_id: str, jobs: Sequence[Job]) -> Cut:
        """Enter the JOBS of a slice and mark it as cut, if this controller still has it.

        Numbers of jobs and of their cases are unique in the run; cases are those of the slice.
        What of its cases is in no job is left. Raises ValueError for jobs that are not so.
        """
        seq, _ = self._runs.known(run_id)
        sealed = [(job, self._table.sealed(seq, job)) for job in jobs]
        query = select(slices).where(slices.c.id == row_id(seq, number))
        with self._database.sharing() as connection:
            row = connection.execute(query.with_for_update()).one()
            if row.controller != controller_id or row.status == "unclaimed":
                return "lost"
            if row.status == "cut":
                return "cut"
            _fit(jobs, run_id=run_id, slice_=number, first=row.first, count=row.cases)
            untaken, held_bytes = ready(connection, seq)
            more_bytes = sum(len(payload) for _, payload in sealed)
            over = untaken + len(jobs) > JOBS_READY_MAX
            # A slice that is too large by itself has to go in at some time.
            if untaken and (over or held_bytes + more_bytes > PAYLOAD_BYTES_MAX):
                return "full"
            self._table.insert(connection, seq, sealed)
            done = update(slices).where(slices.c.id == row.id)
            connection.execute(done.values(status="cut", lease_until=0.0))
        return "cut"

    # Jobs

    def take_job(
        self,
        run_id: str,
        worker_id: str,
        *,
        now: float,
        lease_s: float,
        due_before_s: float = NO_LIMIT_S,
    ) -> Granted | None:
        """The next job for a worker; see `take_jobs`."""
        granted = self.take_jobs(
            run_id, [worker_id], now=now, lease_s=lease_s, due_before_s=due_before_s
        )
        return granted[0] if granted else None

    def take_jobs(
        self,
        run_id: str,
        worker_ids: Sequence[str],
        *,
        now: float,
        lease_s: float,
        due_before_s: float = NO_LIMIT_S,
    ) -> list[Granted]:
        """A job for each of WORKER_IDS, one who wants two is named twice; fewer if there are fewer.

        Earliest first, of those that begin before DUE_BEFORE_S; none once the run is to stop.
        """
        seq, _ = self._runs.known(run_id)
        wanted = (
            select(jobs)
            .where(jobs.c.run == seq, jobs.c.status == "untaken", jobs.c.start_s < due_before_s)
            .order_by(jobs.c.start_s, jobs.c.id)
            .limit(len(worker_ids))
            .with_for_update(skip_locked=True)
        )
        taken: list[tuple[Changed, JobState, float]] = []
        with self._database.sharing() as connection:
            status = select(live_runs.c.status).where(live_runs.c.seq == seq)
            if not worker_ids or connection.execute(status).scalar_one() != "running":
                return []
            for row, worker_id in zip(connection.execute(wanted).all(), worker_ids, strict=False):
                state = job_state(row, run_id=run_id)
                following = take(state, worker_id=worker_id, now=now, lease_s=lease_s)
                if isinstance(following, JobState):
                    taken.append((Changed(id=row.id, state=following), following, row.start_s))
            payloads = self._table.payloads(connection, [item[0].id for item in taken])
            self._table.save(connection, [item[0] for item in taken])
        return [
            Granted(
                job_id=state.job_id,
                packed=self._table.plain(item.id, payloads[item.id]),
                start_s=start_s,
                count=state.count,
                worker_id=state.worker_id,
                epoch=state.epoch,
                lease_until=state.lease_until,
                skip=state.skipped,
            )
            for item, state, start_s in taken
        ]

    def apply_batches(
        self, batches: Sequence[ResultBatch], *, now: float, lease_s: float
    ) -> list[Word]:
        """Store BATCHES, at most BATCHES_AT_ONCE_MAX, and renew their leases; a word on each.

        All that are accepted are stored in one transaction, so many together cost little more
        than one. A batch that was stored before is accepted again, and not `fresh`.
        """
        if len(batches) > BATCHES_AT_ONCE_MAX:
            raise ValueError(f"{len(batches)} batches, at most {BATCHES_AT_ONCE_MAX} at once")
        if not batches:
            return []
        rows = {batch.job_id: self._row_of(batch.job_id) for batch in batches}
        with_results = any(batch.results for batch in batches)
        words: list[Word] = []
        fresh: dict[str, list[ResultBatch]] = {}
        with self._table.changing(with_results=with_results) as connection:
            held = self._table.locked(connection, [n for n in rows.values() if n is not None])
            states = {number: job_state(row, run_id="") for number, row in held.items()}
            changed: dict[int, JobState] = {}
            for batch in batches:
                number = rows[batch.job_id]
                if number is None or number not in states:
                    words.append(_word(batch, Refusal(reason="there is no such job")))
                    continue
                applied = apply(states[number], batch, now=now, lease_s=lease_s)
                words.append(_word(batch, applied))
                if isinstance(applied, Applied):
                    states[number] = changed[number] = applied.state
                    if applied.fresh:
                        fresh.setdefault(_run_of(batch.job_id), []).append(batch)
            self._table.save(connection, [Changed(id=n, state=s) for n, s in changed.items()])
            self._record(connection, fresh)
        return words

    def _record(self, connection: Connection, fresh: dict[str, list[ResultBatch]]) -> None:
        for run_id, batches in fresh.items():
            self._table.record(
                connection,
                self._runs.known(run_id)[0],
                run_id,
                counts=[count for batch in batches for count in batch.counts],
                results=[result for batch in batches for result in batch.results],
            )

    def renew(self, job_id: str, worker_id: str, epoch: int, *, now: float, lease_s: float) -> bool:
        """The lease lasts LEASE_S from NOW; False: it was lost."""

        def step(state: JobState) -> JobState | Refusal:
            return renew(state, worker_id=worker_id, epoch=epoch, now=now, lease_s=lease_s)

        return self._change(job_id, step)

    def hand_back(self, job_id: str, worker_id: str, epoch: int) -> bool:
        """The worker gives the job up and has reported all that it sent; False: it was lost.

        Also for a job that was taken and never given to a worker, since the answer was lost.
        """
        return self._change(
            job_id, lambda state: hand_back(state, worker_id=worker_id, epoch=epoch)
        )

    def _change(self, job_id: str, step: Callable[[JobState], JobState | Refusal]) -> bool:
        number = self._row_of(job_id)
        if number is None:
            return False
        with self._database.sharing() as connection:
            row = self._table.locked(connection, [number]).get(number)
            following = row and step(job_state(row, run_id=_run_of(job_id)))
            if not isinstance(following, JobState):
                return False
            self._table.save(connection, [Changed(id=number, state=following)])
        return True

    # Lost leases

    def expire(self, run_id: str, *, now: float, lost_at_s: float) -> list[LostLease]:
        """Free the jobs whose lease has run out at NOW, or give them up after too many attempts.

        What may have gone out until plan second LOST_AT_S, by the pace that workers know, is in
        doubt: give the one at which they surely stopped, by their own clocks. Several
        transactions, each of which settles what is in doubt of the jobs that it frees.
        """
        seq, live = self._runs.known(run_id)
        expired = jobs.c.lease_until < now
        why = "the lease ran out"
        return self._lost.lose(seq, live, where=expired, lost_at_s=lost_at_s, why=why)

    def release_worker(
        self, run_id: str, worker_id: str, *, lost_at_s: float, why: str
    ) -> list[LostLease]:
        """The worker is known to be dead: free its jobs at once, as `expire` does."""
        seq, live = self._runs.known(run_id)
        theirs = jobs.c.worker == worker_id
        return self._lost.lose(seq, live, where=theirs, lost_at_s=lost_at_s, why=why)

    def bury(self, job_id: str, *, lost_at_s: float, why: str) -> list[LostLease]:
        """Nobody is to work on the job any more; what has not ended is left, and WHY is shown."""
        number = self._row_of(job_id)
        if number is None:
            return []
        seq, live = self._runs.known(_run_of(job_id))
        this = jobs.c.id == number
        return self._lost.bury(seq, live, where=this, lost_at_s=lost_at_s, why=why)

    # Looking

    def job_states(
        self, run_id: str, statuses: Collection[JobStatus] = ("untaken", "taken", "done", "dead")
    ) -> list[JobState]:
        """The jobs of a run that are in one of STATUSES, in order; dead ones with their reason."""
        seq, _ = self._runs.known(run_id)
        query = select(jobs).where(jobs.c.run == seq, jobs.c.status.in_(list(statuses)))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(jobs.c.id)).all()
        return self._table.states(rows, run_id=run_id)

    def unended(self, run_id: str) -> list[JobState]:
        """Jobs that are neither done nor dead."""
        return self.job_states(run_id, ("untaken", "taken"))

    def stats(self, run_id: str) -> QueueStats:
        """How much lies in the queue."""
        seq, _ = self._runs.known(run_id)
        query = (
            select(
                jobs.c.status,
                func.count(),
                func.min(jobs.c.start_s),
                func.sum(jobs.c.payload_bytes),
                func.sum(jobs.c.ended_count),
                func.sum(jobs.c.cases),
            )
            .where(jobs.c.run == seq)
            .group_by(jobs.c.status)
        )
        with self._database.reading() as connection:
            rows = {row[0]: row for row in connection.execute(query)}
            slices_left = self._runs.slices_left(connection, seq)
        return QueueStats(
            **{status: row[1] for status, row in rows.items()},
            earliest_s=rows["untaken"][2] if "untaken" in rows else None,
            payload_bytes=sum(int(rows[s][3]) for s in ("untaken", "taken") if s in rows),
            ended=sum(int(row[4]) for row in rows.values()),
            cut=sum(int(row[5]) for row in rows.values()),
            slices_left=slices_left,
        )

    def counts(self, run_id: str, by: Sequence[str] = BY, *, latency: bool = True) -> list[Count]:
        """The counts of a run, summed over every field that BY does not name, in the order of BY.

        BY: fields of Count except `count` and `latency`. What it does not name is empty, 0 or
        False; `second` is -1. Reads all seconds of the run. Raises ValueError for no such field.
        """
        unknown = [name for name in by if name not in BY]
        if unknown:
            raise ValueError(f"counts cannot be asked by {', '.join(unknown)}; only by {BY}")
        seq, _ = self._runs.known(run_id)
        return summed_counts(self._database, self._cipher, seq, by=by, latency=latency)

    def _row_of(self, job_id: str) -> int | None:
        """The row that a job of that id has; None: there is no such run."""
        run_id, _, number = job_id.rpartition("/")
        if not number.isdecimal() or int(number) > NUMBER_MAX:
            return None
        try:
            return row_id(self._runs.known(run_id)[0], int(number))
        except InputError:
            return None


def _run_of(job_id: str) -> str:
    return job_id.rpartition("/")[0]


def _word(batch: ResultBatch, applied: Applied | Refusal) -> Word:
    word = Word(
        job_id=batch.job_id,
        epoch=batch.epoch,
        sequence_number=batch.sequence_number,
        accepted=isinstance(applied, Applied),
    )
    if isinstance(applied, Refusal):
        return replace(word, reason=applied.reason)
    return replace(word, fresh=applied.fresh, done=applied.state.status == "done")


def _fit(given: Sequence[Job], *, run_id: str, slice_: int, first: int, count: int) -> None:
    """Raise ValueError unless jobs are of that slice and share no number."""
    ranges = [(job.first, job.first + job.count - 1) for job in given]
    for job, (low, high) in zip(given, ranges, strict=True):
        if job.run_id != run_id or job.slice != slice_ or job.id != f"{run_id}/{job.number}":
            raise ValueError(f"job {job.id} is not of slice {slice_} of run {run_id}")
        if not first <= low <= high < first + count:
            raise ValueError(f"job {job.id} has cases {low}-{high}, its slice {first}+{count}")
        if job.slots and len(job.slots) != 8 * job.count:
            raise ValueError(f"job {job.id} has {job.count} cases and {len(job.slots)} / 8 slots")
    if len({job.number for job in given}) < len(given) or overlapping(ranges) is not None:
        raise ValueError(f"jobs of slice {slice_} of run {run_id} share a number")
