"""A worker: takes jobs from controllers by message, sends their cases, reports in batches.

It runs on an asyncio loop and never opens the store. What it holds is bounded: jobs by what it
asks for, results by batches that are not acknowledged.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any, Protocol

from premortem.checks import open_checker
from premortem.domain.jobs import ResultBatch, Vitals
from premortem.domain.packing import Parcel
from premortem.domain.run import Sequence
from premortem.errors import PremortemError, TargetError
from premortem.run.counting import BATCH_S, packed
from premortem.run.course import Work
from premortem.run.messages import (
    STOP_GRACE_S,
    Ask,
    Drain,
    Grant,
    Hello,
    Left,
    Pace,
    Refused,
    Renewed,
    Rested,
    Setup,
    Stop,
    ToController,
    ToWorker,
)
from premortem.run.partners import Judge
from premortem.run.plan_clock import PlanClock
from premortem.run.safety import refuse_unsafe
from premortem.run.sending import Sending
from premortem.run.vitals import cpu_s, rss_bytes
from premortem.send.auth import Credentials
from premortem.send.client import Client
from premortem.send.opening import new_sender
from premortem.send.transport import Transport

HEARTBEAT_S = 0.05
"""How often batches, leases and jobs are looked after."""
RENEWALS = 3
"""Batches within the time of a lease, if only to renew it."""
UNACKNOWLEDGED_MAX = 8
"""Batches of a job on their way; then they wait, and grow, until the controller answers."""
JOBS_HELD_MAX = 64
AHEAD_S = 0.5
"""A worker wants work for this long at least beyond what is due."""
BEHIND_S_MAX = 1.0
"""Who is later than this with what it holds takes nothing further: others may have room."""
LEFT_MIN = 2
"""Unless it has fewer cases left than this for each that may be under way: it would stand idle."""
COLLECT_AFTER = 250_000
"""New objects before the garbage collector looks at them during a run; Python's default is 700."""


class WorkerPort(Protocol):
    """A worker's way to its controllers."""

    def send(self, message: ToController) -> None:
        """MESSAGE on its way; never blocks for long."""

    async def receive(self) -> ToWorker:
        """The next message; a `Stop` when no controller is there any more."""


OpenSender = Callable[[Setup, Callable[[], float] | None], Transport]
OpenJudge = Callable[[Setup], Judge]


def sender_of(setup: Setup, now: Callable[[], float] | None) -> Transport:
    """The sender that SETUP asks for. Raises ConfigError."""
    return new_sender(
        setup.config.target,
        connections_max=connections_of(setup),
        timeout_s=setup.plan.timeout_s,
        directory=Path(setup.config.directory),
        now=now,
    )


def judge_of(setup: Setup) -> Judge:
    """The checks that SETUP's plan leaves on. Raises ConfigError."""
    return open_checker(setup.profile, setup.config, off=setup.plan.checks_off)


def connections_of(setup: Setup) -> int:
    """Cases that may be under way at once in one worker."""
    return max(setup.plan.connections, setup.plan.in_flight_max)


class Worker:
    """One worker, from `Hello` to `Left`; `run` is awaited on the loop that it sends on.

    NOW: seconds since the epoch, read once; from then on no jump of the clock is seen.
    ENVIRONMENT: for the credentials of roles. OPEN_SENDER, OPEN_JUDGE: called with what the
    controller says, once.
    """

    def __init__(
        self,
        port: WorkerPort,
        *,
        worker_id: str,
        open_sender: OpenSender = sender_of,
        open_judge: OpenJudge = judge_of,
        now: Callable[[], float] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._port = port
        self._worker_id = worker_id
        self._open_sender = open_sender
        self._open_judge = open_judge
        self._wall_clock = now
        self._environment = environment
        self._works: dict[str, Work] = {}
        self._asked = 0
        self._draining = self._stopping = False
        self._give_up_at = inf
        self._hopeless = self._error = ""
        self._signed = {""}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until told to leave, or until going on makes no sense; ends with `Left`.

        What a check or anything else of ours raises is a bug, not an answer of the target: it is
        said in `Left`, with the place where it was raised, and not raised here.
        """
        hello = Hello(worker_id=self._worker_id, host=socket.gethostname(), pid=os.getpid())
        self._port.send(hello)
        try:
            setup = await self._port.receive()
            if isinstance(setup, Setup):
                with few_collections():
                    await self._serve(setup)
        except Exception as error:  # the controller has to hear of it
            self._error = self._error or told(error)
        self._port.send(Left(worker_id=self._worker_id, error=self._error, stop=self._hopeless))

    async def _serve(self, setup: Setup) -> None:
        self._loop = asyncio.get_running_loop()
        self._left: asyncio.Future[None] = self._loop.create_future()
        self._setup, self._worker_id = setup, setup.worker_id
        async with self._open_sender(setup, self._wall_clock) as sender:
            self._sender, self._now = sender, sender.now
            self._clock = PlanClock(elapsed_s=setup.elapsed_s, speed=setup.speed, at=self._now())
            credentials = Credentials(
                setup.config.roles,
                redaction_key=setup.redaction_key,
                environment=self._environment,
            )
            self._client = Client(
                setup.config, sender, credentials, users_per_role=setup.plan.users_per_role
            )
            self._sending = Sending(
                self._client,
                self._open_judge(setup),
                self._clock,
                in_flight_max=connections_of(setup),
                owner=self,
            )
            self._in_task(self._listen())
            self._beat()
            self.idle()
            try:
                await self._left
            finally:
                self._heart.cancel()
                self._say_the_rest()
                self._sending.close()
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    # From controllers.

    async def _listen(self) -> None:
        while True:
            self._hear(await self._port.receive())

    def _hear(self, message: ToWorker) -> None:
        match message:
            case Grant():
                self._granted(message)
            case Renewed():
                self._renewed(message)
            case Refused():
                work = self._works.get(message.job_id)
                if work is not None and work.epoch == message.epoch:
                    self._drop(work)
            case Pace():
                self._clock.pace(elapsed_s=message.elapsed_s, speed=message.speed, at=self._now())
                self._sending.changed()
            case Stop():
                self._stop(message.grace_s)
            case Drain():
                self._draining = True
                self._leave_if_done()
            case Setup():
                pass  # it has one

    def _granted(self, grant: Grant) -> None:
        self._asked = max(0, self._asked - 1)
        if self._stopping:
            return  # its lease runs out, and its cases are counted as not sent
        before = self._works.get(grant.job_id)
        if before is not None:
            self._drop(before)
        now = self._now()
        work = Work(Parcel(grant.packed), epoch=grant.epoch, skip=grant.skip)
        if self._setup.plan.keep_all or self._setup.plan.goals.coverage:
            work.sample_every = 1
        work.leased(grant.lease_s, since=now)
        work.said_at = now
        likes = [kind.like for kind in work.kinds]
        alike = Sequence(cases=tuple(likes))
        refuse_unsafe([alike], self._setup.config.target)  # the last door
        self._works[work.job_id] = work
        for role in {like.role for like in likes} - self._signed:
            self._signed.add(role)
            self._in_task(self._sign_in(role))
        if work.left:
            self._sending.add(work)
        else:
            self.finished(work)
        self.idle()

    async def _sign_in(self, role: str) -> None:
        """Ahead of the first case that needs it."""
        with suppress(TargetError):  # each case that needs it says so
            await self._client.sign_in([role])

    def _renewed(self, renewed: Renewed) -> None:
        work = self._works.get(renewed.job_id)
        if work is None or work.epoch != renewed.epoch:
            return
        waiting = work.unacknowledged
        while waiting and waiting[0][0] <= renewed.sequence_number:
            number, sent_at = waiting.popleft()
            if number == renewed.sequence_number:
                # The store renewed it after this was sent: so it ends there no earlier.
                work.leased(renewed.lease_s, since=sent_at)
        if work.held_back and len(waiting) < UNACKNOWLEDGED_MAX and work.fence_at > self._now():
            work.held_back = False
            if work.counting.full:
                self._report(work)
            self._sending.changed()

    def _drop(self, work: Work) -> None:
        """Nothing of WORK counts any more."""
        work.dead = True
        self._works.pop(work.job_id, None)
        self._sending.changed()
        self._leave_if_done()

    # From the sending.

    def full(self, work: Work) -> None:
        """A batch of WORK is due, or it has to wait."""
        if len(work.unacknowledged) < UNACKNOWLEDGED_MAX:
            self._report(work)
        else:
            work.held_back = True
            work.refresh(self._clock)

    def finished(self, work: Work) -> None:
        """All cases of WORK have ended."""
        self._works.pop(work.job_id, None)
        self._report(work, final=True)
        self._leave_if_done()

    def idle(self) -> None:
        """Ask for as many jobs as there is room for, if that is news."""
        wanted = self._wanted()
        if wanted != self._asked:
            self._asked = wanted
            self._port.send(Ask(worker_id=self._worker_id, jobs=wanted))

    def rested(self, status: int, pause_s: float) -> None:
        """The target asked for PAUSE_S more of rest."""
        self._port.send(Rested(worker_id=self._worker_id, status=status, pause_s=pause_s))

    def hopeless(self, why: str) -> None:
        """Going on makes no sense, here or elsewhere."""
        if not self._stopping:
            self._hopeless = why
            self._stop(STOP_GRACE_S)

    def broken(self, error: BaseException) -> None:
        """A bug: say so, and leave."""
        self._error = self._error or told(error)
        self._leave()

    # In between.

    def _wanted(self) -> int:
        if self._draining or self._stopping:
            return 0
        works = [work for work in self._works.values() if work.more]
        if len(works) >= JOBS_HELD_MAX:
            return 0
        if any(work.connections for work in works):
            return max(0, 2 - len(works))
        shown_s = self._clock.shows(self._now())
        if any(work.start_s > shown_s for work in works):
            return int(max(work.end_s for work in works) < shown_s + AHEAD_S)
        behind_s = shown_s - min((work.next_slot_s for work in works), default=shown_s)
        unsent = sum(work.unsent for work in works)
        room = unsent <= LEFT_MIN * connections_of(self._setup)
        return int(behind_s < BEHIND_S_MAX or room)

    def _beat(self) -> None:
        """Batches, leases and jobs looked after."""
        try:
            now = self._now()
            for work in tuple(self._works.values()):
                if len(work.unacknowledged) < UNACKNOWLEDGED_MAX:
                    quiet_s = now - work.said_at
                    waits = not work.counting.empty and quiet_s >= BATCH_S
                    if waits or quiet_s >= work.lease_s / RENEWALS:
                        self._report(work)
                if now >= work.fence_at and not work.held_back:
                    work.held_back = True
                    work.refresh(self._clock)
            if self._stopping and (not self._sending.in_flight or now >= self._give_up_at):
                self._leave()
            self.idle()
            self._sending.pump()
        except Exception as error:  # within a callback it would be lost
            self.broken(error)
        self._heart = self._loop.call_later(HEARTBEAT_S, self._beat)

    def _report(self, work: Work, *, final: bool = False) -> None:
        ranges, counts, results = work.counting.taken()
        work.batches += 1
        work.said_at = now = self._now()
        work.unacknowledged.append((work.batches, now))
        self._port.send(
            ResultBatch(
                job_id=work.job_id,
                worker_id=self._worker_id,
                epoch=work.epoch,
                sequence_number=work.batches,
                ended=ranges,
                counts=counts,
                results=results,
                final=final,
                vitals=self._vitals(now),
            )
        )

    def _vitals(self, now: float) -> Vitals:
        shown_s, lags_ms = self._clock.shows(now), self._sending.lags_ms
        self._sending.lags_ms = []
        overdue = sum(work.overdue(shown_s) for work in self._works.values())
        return Vitals(
            cpu_s=cpu_s(),
            rss_bytes=rss_bytes(),
            in_flight=self._sending.in_flight,
            backlog=overdue + self._sender.waiting,
            lag=packed(lags_ms),
            sent=self._sending.begun,
        )

    # The end.

    def _stop(self, grace_s: float) -> None:
        self._stopping = True
        self._sending.stop()
        self._give_up_at = min(self._give_up_at, self._now() + grace_s)
        self._loop.call_later(grace_s, self._leave)
        if not self._sending.in_flight:
            self._leave()

    def _leave_if_done(self) -> None:
        if self._draining and not self._works:
            self._leave()

    def _leave(self) -> None:
        if not self._left.done():
            self._left.set_result(None)

    def _say_the_rest(self) -> None:
        """A last batch of each job; what is still under way has ended without an answer."""
        self._stopping = True
        self._sending.stop()
        if not self._error:
            self._sending.give_up()
        for work in tuple(self._works.values()):
            if not work.counting.empty:
                self._report(work)

    def _in_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken(error)


def told(error: BaseException) -> str:
    """ERROR in one line; of a bug with the place where it was raised."""
    if isinstance(error, PremortemError):
        return str(error)
    text = "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    return f"{text} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else text


_quiet: list[tuple[int, int, int]] = []
"""The collector's settings before each worker of this process that is at work."""


@contextmanager
def few_collections() -> Iterator[None]:
    """The garbage collector kept from looking at what lives as long as the run.

    The cases are many, and results live for a moment: without this a third of the CPU is spent
    on looking through them. Workers on threads of one process share it.
    """
    threshold = gc.get_threshold()
    _quiet.append(threshold)
    if len(_quiet) == 1:
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER, *threshold[1:])
    try:
        yield
    finally:
        before = _quiet[0]
        _quiet.pop()
        if not _quiet:
            gc.set_threshold(*before)
            gc.unfreeze()
