"""One controller of a run: hands jobs to its workers, stores what they send, says what happens.

A single thread turns a loop: take messages, store batches in one transaction, answer them,
grant jobs, look after lost leases; the governor decides whether to stop, steer or scale. Only
cases are made on another thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Protocol

from premortem.domain.jobs import Count, JobState, ResultBatch
from premortem.domain.latency import Latency
from premortem.domain.live import Granted, LiveRun, LostLease, QueueStats, Word
from premortem.domain.run import Result
from premortem.errors import RunError, StoreLocked, StoreUnavailable
from premortem.run.board import Board
from premortem.run.crew import Crew
from premortem.run.executor import Executor, Gone
from premortem.run.happenings import Event, Gathered, Paused, Recovered, Stopping, WorkerChanged
from premortem.run.messages import (
    STOP_GRACE_S,
    Ask,
    Grant,
    Hello,
    Left,
    Pace,
    Refused,
    Renewed,
    Rested,
    Stop,
    ToController,
)
from premortem.run.plan_clock import PlanClock
from premortem.run.resting import PAUSED_S_MAX
from premortem.run.standing import Others, standing_of
from premortem.run.supplier import Supplier

LEASE_S = 5.0
"""A worker that is not heard of for so long has lost its jobs."""
TURN_S = 0.02
"""Longest wait for a message in one turn."""
MESSAGES_TURN_MAX = 500
"""Messages taken in one turn, so that what they bring is stored and answered in time."""
EXPIRE_S = 0.5
"""Between two looks for lost leases."""
STATE_S = 0.2
"""Between two looks at what other controllers and commands ask of the run."""
GRANT_AHEAD_S = 4.0
"""A job is given to a worker so long before it is due."""
STORE_WAIT_S_MAX = 120.0
"""A store that cannot be reached is waited for; then the run ends, and can be resumed."""
STORE_AWAY = (StoreUnavailable, StoreLocked)
"""It is worth asking again."""
STOP_S_MAX = 10.0
"""Workers that have not reported so long after a stop are ended."""


class JobQueue(Protocol):
    """What of the store's queue is needed to work it off. All raise StoreUnavailable."""

    def take(self, worker_id: str, *, now: float, due_before_s: float) -> Granted | None:
        """The earliest job that is due before a plan second, under a lease for a worker."""

    def apply(self, batches: list[ResultBatch], *, now: float) -> list[Word]:
        """Store all of BATCHES, or nothing; a word on each."""

    def lose(self, worker_id: str, *, lost_at_s: float, why: str) -> list[LostLease]:
        """WORKER_ID is no more since LOST_AT_S: what became of the jobs that it held."""

    def hand_back(self, job_id: str, worker_id: str, epoch: int) -> None:
        """A worker that leaves has reported all that it sent of a job."""

    def expire(self, *, now: float, lost_at_s: float) -> list[LostLease]:
        """What became of the jobs whose leases have run out."""

    def stats(self) -> QueueStats:
        """Of the whole run."""

    def state(self, standing: bytes | None) -> LiveRun:
        """The run, as all its controllers and commands see it; they see STANDING of this one."""

    def others(self) -> dict[str, tuple[bytes, bool]]:
        """Controller id -> what it told and whether it lives, of all others."""

    def pace(self, speed: float, *, elapsed_s: float, now: float) -> None:
        """The plan's clock, which shows ELAPSED_S, runs at SPEED from NOW on."""

    def stop(self, why: str) -> None:
        """Let all controllers stop."""

    def dead(self) -> list[JobState]:
        """Jobs that were given up, with their reasons."""


class Governing(Protocol):
    """Decides about the run as a whole."""

    @property
    def over(self) -> bool:
        """The run has reached its end, whatever of the plan is left."""

    def look(self, controller: Controller) -> Iterator[Event]:
        """Once a turn: what follows from how the run is."""


class Controller:
    """See the module. NOW: seconds since the epoch that never jump."""

    def __init__(
        self,
        queue: JobQueue,
        supplier: Supplier,
        executor: Executor,
        crew: Crew,
        governor: Governing,
        *,
        board: Board,
        now: Callable[[], float],
        stop: threading.Event,
        assists: bool = False,
        leads: bool = False,
    ) -> None:
        """ASSISTS: another controller leads, and is told how this one stands. LEADS: there are
        others, and their sums are taken in."""
        self._queue = queue
        self._supplier = supplier
        self._executor = executor
        self._governor = governor
        self._stop_asked = stop
        self.now = now
        self.crew = crew
        self.board = board
        self.assists = assists
        self.others = Others(board) if leads else None
        self.clock = PlanClock(elapsed_s=0.0, speed=0.0, at=now())
        self.speed = 0.0
        """Plan seconds a second."""
        self.started_at = now()
        self.began = False
        """The plan's clock runs."""
        self.workers_max = 0
        """The most workers that there were at once."""
        self.stopped = ""
        """Why it ended early; empty: it did not."""
        self.jobs = QueueStats()
        """As last looked at."""
        self._batches: list[ResultBatch] = []
        self._stopping_at = 0.0
        self._expire_at = self._state_at = 0.0
        self._unreachable_since = 0.0
        self._paused_s = 0.0
        self._pauses = 0
        self._parting: deque[tuple[str, str]] = deque()
        """Workers that are no more, and why; empty: they left as they should."""
        self._broken = ""

    @property
    def elapsed_s(self) -> float:
        """What the plan's clock shows."""
        return self.clock.shows(self.now())

    @property
    def run_s(self) -> float:
        """Seconds since the run began."""
        return self.now() - self.started_at

    @property
    def stopping(self) -> bool:
        """Nothing more is sent."""
        return self._stopping_at > 0

    @property
    def stop_asked(self) -> bool:
        """The user wants it to end."""
        return self._stop_asked.is_set()

    @property
    def dead(self) -> list[JobState]:
        """Jobs that were given up, with their reasons."""
        return self._queue.dead()

    @property
    def behind_s(self) -> float:
        """Plan seconds that are due and whose cases are still being made."""
        return self._supplier.behind_s

    def manned(self, workers: int) -> bool:
        """So many workers have said Hello."""
        return sum(m.state == "working" for m in self.crew.members.values()) >= workers

    def prepare(self) -> Iterator[Event]:
        """One turn before the run begins: workers come up."""
        yield from self._listen()
        yield from self._part()

    def begin(self, *, elapsed_s: float = 0.0, speed: float = 1.0) -> None:
        """Start the plan's clock."""
        self.started_at = self.now()
        self.began = True
        self._queue.pace(speed, elapsed_s=elapsed_s, now=self.now())
        self._set_pace(elapsed_s, speed)
        self.jobs = self._queue.stats()

    def join(self) -> None:
        """Take up the plan's clock of a run that another controller leads."""
        live = self._queue.state(None)
        self.started_at, self.began = live.started_at, True
        self._set_pace(live.plan_s(self.now()), live.speed)
        self.jobs = self._queue.stats()

    @property
    def workers(self) -> int:
        """Of all controllers."""
        return self.crew.size + (self.others.workers if self.others else 0)

    def run(self) -> Iterator[Event]:
        """Work until the plan is done or stopped; `begin` comes first.

        Raises what the supplier raised, RunError when a worker broke, and StoreUnavailable when
        the store stays away for STORE_WAIT_S_MAX.
        """
        while not self._over():
            yield from self._listen()
            if self._supplier.error is not None:
                raise self._supplier.error
            if self._stop_asked.is_set():
                yield from self.stop("stopped by the user", "")
            # The governor looks even when the store is away: what it stops is sent by workers.
            for step in (self._tend, self._govern):
                try:
                    yield from step()
                except STORE_AWAY:
                    self._unreachable_since = self._unreachable_since or self.now()
                    if self.now() - self._unreachable_since > STORE_WAIT_S_MAX:
                        raise

    def _tend(self) -> Iterator[Event]:
        yield from self._store()
        yield from self._part()
        yield from self._recover()
        yield from self._obey()
        self._grant()
        self._unreachable_since = 0.0

    def _govern(self) -> Iterator[Event]:
        yield from self._governor.look(self)
        if self._governor.over and not self.stopping:
            self._halt("")

    def _over(self) -> bool:
        if self._batches:
            return False
        if self.stopping:
            return not self.crew.members or self.now() - self._stopping_at > STOP_S_MAX
        if not self._supplier.finished.is_set() or self._supplier.error is not None:
            return False
        jobs = self.jobs
        return not (jobs.slices_left or jobs.untaken or jobs.taken)

    # Messages.

    def _listen(self) -> Iterator[Event]:
        wait_s = TURN_S
        for _ in range(MESSAGES_TURN_MAX):
            heard = self._executor.receive(wait_s)
            wait_s = 0.0
            if heard is None:
                break
            if isinstance(heard, Gone):
                self._parting.append((heard.worker_id, heard.why))
            else:
                yield from self._hear(*heard)
        self._parting += self.crew.overdue()

    def _hear(self, worker_id: str, message: ToController) -> Iterator[Event]:
        member = self.crew.members.get(worker_id)
        if member is None:
            return  # it was given up
        if isinstance(message, ResultBatch):
            self._batches.append(message)
            member.vitals = message.vitals
            if message.vitals.lag:
                self.board.add_lag(Latency.unpacked(message.vitals.lag), now_s=self.run_s)
        elif isinstance(message, Ask):
            member.room = message.jobs if member.state == "working" else 0
        elif isinstance(message, Hello):
            self.crew.greet(worker_id, Pace(elapsed_s=self.elapsed_s, speed=self.speed))
            yield WorkerChanged(worker_id=worker_id, change="started", workers=self.crew.size)
        elif isinstance(message, Rested):
            yield from self._rested(message)
        elif isinstance(message, Left):
            self._parting.append((worker_id, message.error))
            if message.error:
                self._broken = self._broken or f"worker {worker_id} broke: {message.error}"
            if message.stop:
                yield from self.stop(message.stop, "")

    def _rested(self, message: Rested) -> Iterator[Event]:
        self._pauses += 1
        self._paused_s += message.pause_s / max(1, self.crew.size)
        yield Paused(
            status=message.status,
            pause_s=message.pause_s,
            paused_s=self._paused_s,
            pauses=self._pauses,
            worker_id=message.worker_id,
        )
        if self._paused_s > PAUSED_S_MAX:
            rule = f"the target asked for more than {PAUSED_S_MAX:g} s of rest (Retry-After)"
            yield from self.stop(rule, "")

    # The store.

    def _store(self) -> Iterator[Event]:
        if not self._batches:
            return
        words = self._queue.apply(self._batches, now=self.now())
        batches, self._batches = self._batches, []
        counts: list[Count] = []
        results: list[Result] = []
        for batch, word in zip(batches, words, strict=True):
            self._answer(batch, word)
            if word.fresh:
                counts += batch.counts
                results += batch.results
        yield from self._gathered(counts, results)
        self.jobs = self._queue.stats()

    def _answer(self, batch: ResultBatch, word: Word) -> None:
        member = self.crew.members.get(batch.worker_id)
        over = word.done or not word.accepted
        if member is not None and over and member.jobs.get(batch.job_id) == batch.epoch:
            del member.jobs[batch.job_id]
        if not word.accepted:
            refused = Refused(job_id=batch.job_id, epoch=batch.epoch)
            self._executor.send(batch.worker_id, refused)
            return
        renewed = Renewed(
            job_id=batch.job_id,
            epoch=batch.epoch,
            sequence_number=batch.sequence_number,
            lease_s=LEASE_S,
        )
        self._executor.send(batch.worker_id, renewed)

    def _gathered(self, counts: Iterable[Count], results: Iterable[Result]) -> Iterator[Event]:
        event = Gathered(results=tuple(results), counts=tuple(counts))
        self.board.add(event.counts, now_s=self.run_s)
        self.board.failed += sum(bool(result.verdicts) for result in event.results)
        if event.counts or event.results:
            yield event

    def _recover(self) -> Iterator[Event]:
        """Leases that ran out without a word: of controllers and workers that are no more."""
        if self.now() >= self._expire_at:
            self._expire_at = self.now() + EXPIRE_S
            lost = self._queue.expire(now=self.now(), lost_at_s=self.elapsed_s)
            yield from self.settle(lost)
            self.jobs = self._queue.stats()

    def settle(self, lost: Iterable[LostLease]) -> Iterator[Event]:
        """Count in what became of jobs whose leases were lost."""
        for lease in lost:
            yield from self._gathered(lease.counts, lease.results)
            yield from self.told([lease])

    def told(self, lost: Iterable[LostLease]) -> Iterator[Event]:
        """What became of jobs whose leases were lost, in events alone."""
        for lease in lost:
            yield Recovered(
                job_id=lease.job_id,
                why=lease.why,
                unknown=lease.unknown,
                again=0 if lease.dead else lease.again,
                dead=lease.dead,
            )

    def _part(self) -> Iterator[Event]:
        """Workers that are no more: what they sent is stored by now, their jobs go to others."""
        while self._parting:
            worker_id, why = self._parting[0]
            member = self.crew.members.get(worker_id)
            if member is not None:
                if why:
                    lost = self._queue.lose(worker_id, lost_at_s=self.elapsed_s, why=why)
                    yield from self.settle(lost)
                else:
                    for job_id, epoch in member.jobs.items():
                        self._queue.hand_back(job_id, worker_id, epoch)
                self.crew.remove(worker_id)
                change = "lost" if why else "left"
                yield WorkerChanged(
                    worker_id=worker_id, change=change, why=why, workers=self.crew.size
                )
                self.jobs = self._queue.stats()
            self._parting.popleft()
        if self._broken:
            raise RunError(
                f"{self._broken}; what came before it is stored. "
                f"This is a defect of a check or of ours: please report it"
            )

    def _obey(self) -> Iterator[Event]:
        """What others ask of the run: to stop, or another pace."""
        if self.now() < self._state_at:
            return
        self._state_at = self.now() + STATE_S
        standing = standing_of(self.board, self.crew) if self.assists else None
        state = self._queue.state(standing)
        self.hear_others()
        if state.status != "running":
            yield from self.stop(state.stop_reason or "stopped by a command", "")
        elif state.speed != self.speed:
            self._set_pace(state.plan_s(self.now()), state.speed)

    def hear_others(self) -> None:
        """Take in how other controllers stand."""
        if self.others is not None:
            self.others.take(self._queue.others(), now_s=self.run_s)

    def last_word(self) -> None:
        """Tell the one that leads how this controller stands at its end."""
        self._queue.state(standing_of(self.board, self.crew))

    # Workers.

    def _grant(self) -> None:
        if self.stopping:
            return
        for member in self.crew.hungry():
            due_before_s = self.elapsed_s + GRANT_AHEAD_S * max(self.speed, 0.001)
            granted = self._queue.take(member.worker_id, now=self.now(), due_before_s=due_before_s)
            if granted is None:
                return
            grant = Grant(
                job_id=granted.job_id,
                packed=granted.packed,
                epoch=granted.epoch,
                lease_s=LEASE_S,
                skip=granted.skip,
            )
            self.crew.grant(member.worker_id, grant)

    def size(self, workers: int) -> None:
        """So many workers from now on: new ones start, others finish what they hold."""
        if self.stopping:
            return
        while self.crew.size < workers:
            self.crew.start()
        self.workers_max = max(self.workers_max, self.workers)
        while self.crew.size > workers and self.crew.drain_one():
            pass

    def pace(self, speed: float) -> None:
        """The plan's clock runs at SPEED from now on, in all controllers."""
        if speed != self.speed:
            elapsed_s = self.elapsed_s
            self._queue.pace(speed, elapsed_s=elapsed_s, now=self.now())
            self._set_pace(elapsed_s, speed)

    def _set_pace(self, elapsed_s: float, speed: float) -> None:
        self.clock.pace(elapsed_s=elapsed_s, speed=speed, at=self.now())
        self.speed = speed
        self.crew.tell(Pace(elapsed_s=elapsed_s, speed=speed))

    def stop(self, rule: str, evidence: str) -> Iterator[Event]:
        """Send nothing more; the first call counts."""
        if self.stopping:
            return
        self._halt(f"{rule}: {evidence}" if evidence else rule)
        yield Stopping(rule=rule, evidence=evidence)

    def _halt(self, stopped: str) -> None:
        self._stopping_at = self.now()
        self.stopped = stopped
        why = stopped or "the run is over"
        self.crew.tell(Stop(why=why, grace_s=STOP_GRACE_S))
        self._supplier.stop()
        if self.others is not None:
            with suppress(*STORE_AWAY):  # they end with this one in any case
                self._queue.stop(why)
