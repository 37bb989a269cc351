"""Sends sequences at a constant rate, on the sender's event loop.

An open model (Schroeder, Wierman, Harchol-Balter 2006, Open versus closed, NSDI): slot k is at
t0 + k / rate, and takes the next case that may go out. Cases of one sequence go one after the
other, sequences side by side. A case that goes out late, because `in_flight_max` are under way or
this process is too slow, is measured from its slot: a slow target cannot hide behind its own
slowness. When nothing may go out because every sequence waits for an answer of its own, the slots
that follow move back: a case cannot be due before the answer it needs.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime

from premortem.domain.run import Case, Fault, Result, Sent, Sequence, Verdict
from premortem.domain.traffic import Response
from premortem.run.events import Paused, Tick
from premortem.run.outbox import Outbox
from premortem.run.tally import Tally
from premortem.send.client import Client

STOP_GRACE_S = 0.8
"""After a stop, answers under way are waited for so long; what is missing then is given up."""
HEARTBEAT_S = 0.1
TICK_S = 1.0
RETRY_AFTER_S_MAX = 30.0
"""Of one pause, whatever the target asks for."""
PAUSED_S_MAX = 300.0
"""Of all pauses together; then the run stops."""
SILENT_MAX = 200
"""Cases without any answer in a row after which the target counts as gone and the run stops."""
COLLECT_AFTER = 20_000
"""New objects before the garbage collector looks at them during a run; Python's default is 700."""
ACCEPTED = 202
ACCEPTED_REST_S = 1.0
"""After an answer 202 its sequence rests: what it asked for is not done yet (RFC 9110, 15.3.3)."""
PAUSE_STATUSES = frozenset({429, 503})

Check = Callable[[Case, Sent], tuple[Verdict, ...]]


class _Course:
    """A sequence on its way."""

    __slots__ = ("answers", "cases", "needed", "position", "sequence_id")

    def __init__(self, sequence: Sequence) -> None:
        self.cases = sequence.cases
        self.sequence_id = sequence.id
        self.position = 0
        self.answers: list[Response | None] = []
        # Only answers that a later case takes values from are kept.
        self.needed = {b.step for case in sequence.cases if case.bindings for b in case.bindings}


class Pacer:
    """One run. `run` is awaited on the client's loop; results go to OUTBOX."""

    def __init__(
        self,
        sequences: Iterable[Sequence],
        *,
        planned: int,
        rate_per_second: float,
        in_flight_max: int,
        client: Client,
        checker: Check,
        outbox: Outbox,
        stop: threading.Event,
    ) -> None:
        self._fresh = iter(sequences)
        self._planned = planned
        self._slot_s = 1 / rate_per_second
        self._in_flight_max = in_flight_max
        self._client = client
        self._now = client.sender.now
        self._checker = checker
        self._outbox = outbox
        self._stop = stop
        self._ready: deque[_Course] = deque()
        self._resting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._starved = False
        self._exhausted = False
        self._silent = 0
        self._pauses = 0
        self._paused_s = 0.0
        self._paused_until = 0.0
        self._stopping_since = 0.0
        self._error: BaseException | None = None
        self._ticked_ended = 0
        self.begun = 0
        """Cases begun."""
        self.tally = Tally()
        self.stopped = ""
        """Why it ended early; empty: it did not."""

    async def run(self) -> None:
        """Send everything, or until stopped. Raises what a check raised: that is a bug."""
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        self._started_at = self._ticked_at = self._next_at = self._now()
        beat = asyncio.create_task(self._heart())
        try:
            with _few_collections():
                self._pump()
                await self._finished
        finally:
            beat.cancel()
            if self._timer is not None:
                self._timer.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tick()
        if self._error is not None:
            raise self._error

    # Sending.

    def _pump(self) -> None:
        """Begin every case that is due, then set the timer for the next slot."""
        while len(self._tasks) < self._in_flight_max:
            due = self._due()
            if due is None:
                break
            task = self._loop.create_task(self._work(*due))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        nothing_left = self._exhausted and not self._ready and not self._resting
        if not self._tasks and (self._stopping_since or nothing_left):
            self._finish()

    def _due(self) -> tuple[_Course, float] | None:
        """The case that goes out now, and when it should have; None when there is none.

        Whatever holds it back, an answer, the timer or the heart asks again.
        """
        if self._stopping_since or self._outbox.full:
            return None
        early_s = self._next_at - self._now()
        if early_s > 0:
            self._wake_in(early_s)
            return None
        course = self._next_course()
        if course is None:
            self._starved = True
            return None
        intended_at = self._next_at
        self._next_at += self._slot_s
        self.begun += 1
        return course, intended_at

    def _next_course(self) -> _Course | None:
        if self._ready:
            return self._ready.popleft()
        for sequence in self._fresh:
            if sequence.cases:
                return _Course(sequence)
        self._exhausted = True
        return None

    def _wake_in(self, wait_s: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(wait_s, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._pump()

    async def _work(self, course: _Course, intended_at: float) -> None:
        """One case, and in the place that it leaves the next one, as long as one is due."""
        while True:
            case = course.cases[course.position]
            try:
                sent = await self._client.send_case(case, course.answers, intended_at)
            except asyncio.CancelledError:
                fault = Fault(kind="timeout", detail="the run stopped before its answer", sent=True)
                sent = Sent(request=case.request, fault=fault, intended_at=intended_at)
            self._record(course, case, sent)
            if len(self._tasks) < self._in_flight_max:
                return  # there is room for more than one: the pump sees to that
            due = self._due()
            if due is None:
                return
            course, intended_at = due

    def _record(self, course: _Course, case: Case, sent: Sent) -> None:
        verdicts = self._checker(case, sent)
        result = Result(
            case=case,
            sequence_id=course.sequence_id,
            position=course.position,
            sent=sent,
            verdicts=verdicts,
        )
        self.tally.add(result)
        self._outbox.add(result)
        self._listen(sent)
        course.answers.append(sent.response if course.position in course.needed else None)
        course.position += 1
        if course.position < len(course.cases):
            if sent.response is not None and sent.response.status == ACCEPTED:
                self._resting += 1
                self._loop.call_later(ACCEPTED_REST_S, self._rested, course)
            else:
                self._go_on(course)

    def _go_on(self, course: _Course) -> None:
        self._ready.append(course)
        if self._starved:
            self._next_at = max(self._next_at, self._now())
            self._starved = False

    def _rested(self, course: _Course) -> None:
        self._resting -= 1
        if not self._finished.done():
            self._go_on(course)
            self._pump()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._error = self._error or task.exception()
            self._finish()
            return
        self._pump()

    def _finish(self) -> None:
        if not self._finished.done():
            self._finished.set_result(None)

    # Listening.

    def _listen(self, sent: Sent) -> None:
        """What the answer says about going on."""
        response, fault = sent.response, sent.fault
        if response is not None:
            self._silent = 0
            if response.status in PAUSE_STATUSES:
                self._rest(response)
        elif fault is not None and fault.kind in ("connect", "timeout", "reset", "tls"):
            self._silent += 1
            if self._silent >= SILENT_MAX:
                self._halt(f"the target gave no answer {SILENT_MAX} times in a row: {fault.detail}")

    def _rest(self, response: Response) -> None:
        now = self._now()
        asked_s = retry_after_s(response.header("retry-after") or "", now=now)
        until = now + min(asked_s, RETRY_AFTER_S_MAX)
        longer_s = until - max(self._paused_until, now)
        if asked_s <= 0 or longer_s <= HEARTBEAT_S:
            return  # none asked for, or within the present one
        self._paused_until = until
        self._next_at = max(self._next_at, until)
        self._pauses += 1
        self._paused_s += longer_s
        self._outbox.say(
            Paused(
                status=response.status,
                pause_s=longer_s,
                paused_s=self._paused_s,
                pauses=self._pauses,
            )
        )
        if self._paused_s > PAUSED_S_MAX:
            self._halt(f"the target asked for more than {PAUSED_S_MAX:g} s of rest (Retry-After)")

    def _halt(self, why: str) -> None:
        if not self._stopping_since:
            self.stopped = why
            self._stopping_since = self._now()

    async def _heart(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            now = self._now()
            if self._stop.is_set():
                self._halt("stopped by the user")
            if self._stopping_since and now - self._stopping_since > STOP_GRACE_S:
                for task in self._tasks:
                    task.cancel()
            if now - self._ticked_at >= TICK_S:
                self._tick()
            self._outbox.hand_over()
            self._pump()

    def _tick(self) -> None:
        now, ended = self._now(), self.tally.ended
        passed_s = max(now - self._ticked_at, 1e-6)
        p50, p99 = self.tally.latency.fold()
        _, lag_p99 = self.tally.lag.fold()
        outcomes = self.tally.outcomes
        self._outbox.say(
            Tick(
                elapsed_s=now - self._started_at,
                planned=self._planned,
                sent=self.begun,
                answered=outcomes["answered"],
                faulted=outcomes["faulted"],
                unknown=outcomes["unknown"],
                in_flight=len(self._tasks),
                rate_per_second=(ended - self._ticked_ended) / passed_s,
                latency_ms_p50=p50,
                latency_ms_p99=p99,
                lag_ms_p99=lag_p99,
                statuses=dict(self.tally.statuses),
            )
        )
        self._ticked_at, self._ticked_ended = now, ended


@contextmanager
def _few_collections() -> Iterator[None]:
    """The garbage collector kept from looking at what lives as long as the run.

    The cases are many, and results live for a moment: without this a third of the CPU is spent
    on looking through them.
    """
    threshold = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *threshold[1:])
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()


def retry_after_s(value: str, *, now: float) -> float:
    """Seconds that a `Retry-After` of VALUE asks for at NOW (RFC 9110, 10.2.3); 0: none."""
    value = value.strip()
    if value.isdecimal() and len(value) <= 9:
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, at.timestamp() - now)
