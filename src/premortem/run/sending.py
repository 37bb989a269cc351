"""Cases out at their slots, answers in: the part of a worker where each microsecond counts.

One `Flight` for each case that may be under way at once, used again and again: no task, no
future and no closure is made for a case. What needs more than a write and a wait (a role that has
to sign in, a case that ends its session) goes the slow way, in a task.
"""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf
from time import monotonic

from premortem.domain.jobs import Job
from premortem.domain.packing import Parcel, pack_job
from premortem.domain.run import IDEMPOTENT_METHODS, Before, Case, Fault
from premortem.domain.traffic import Pairs, Response
from premortem.errors import TargetError
from premortem.run.course import Course, Work
from premortem.run.errands import Errands
from premortem.run.flight import NOVEL_KEPT, Flight, Keeping
from premortem.run.partners import Judge, Owner
from premortem.run.plan_clock import PlanClock
from premortem.run.resting import (
    ACCEPTED,
    ACCEPTED_REST_S,
    PAUSE_STATUSES,
    PAUSED_S_MAX,
    SILENT_KINDS,
    SILENT_MAX,
    Rests,
)
from premortem.send.auth import ends_session
from premortem.send.bind import bind
from premortem.send.client import Client
from premortem.send.head import Form, Unwritable
from premortem.send.timer import Alarm
from premortem.send.users import Visit

TURNS = 16
"""Cases of one job in a row while others are due as well: which is earliest need not be asked
each time."""
_NOTABLE = PAUSE_STATUSES | {401}


_NO_JOB = Job(id="", run_id="", number=0, slice=0, start_s=0.0, end_s=0.0, first=0, sequences=())
_NOTHING = Work(Parcel(pack_job(_NO_JOB)), epoch=0)
"""Has no case, and is never due."""


class Sending:
    """Sends the cases of all jobs that a worker holds. Lives on the sender's loop."""

    def __init__(
        self, client: Client, judge: Judge, clock: PlanClock, *, in_flight_max: int, owner: Owner
    ) -> None:
        self._client = client
        self._sender = client.sender
        self._now = client.sender.now
        self._restores = bool(client.credentials.tokens)
        self._quick = judge.quick
        self._keeping = Keeping(judge.check)
        self._clock = clock
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop)
        self._wakes_at = inf
        self._spare = [Flight() for _ in range(in_flight_max)]
        for flight in self._spare:
            flight.done = partial(self.ended, flight)
        self._flights = tuple(self._spare)
        self._works: list[Work] = []
        self._current, self._turns = _NOTHING, 0
        self._pumping = False
        self._stopped = False
        self._silent = 0
        self._rests = Rests()
        users = client.users
        self._alone = [users.visit(user) for user in range(users.per_role)]
        self._visits = 0
        self._errands = Errands(client, ended=self.ended, broke=self.broke)
        self.lags_ms: list[float] = []
        """Send times behind the intended ones; emptied by whoever reports them."""
        self.begun = 0
        """Cases begun."""

    @property
    def in_flight(self) -> int:
        """Cases under way."""
        return len(self._flights) - len(self._spare)

    def add(self, work: Work) -> None:
        """Send WORK's cases, too."""
        self._works.append(work)
        self._turns = 0
        for kind in work.kinds:
            kind.form = self._form(kind.like)
        work.refresh(self._clock)
        self.pump()

    def _form(self, like: Case) -> Form | None:
        """What writes cases like this one, where nothing has to be put in or looked at."""
        if like.role or like.token is not None or self._restores:
            return None
        try:
            return self._sender.form(like.request)
        except (Unwritable, TargetError):
            return None  # each of them says so

    def changed(self) -> None:
        """The clock, or what holds works back, has changed."""
        self._works = [work for work in self._works if work.left and not work.dead]
        self._turns = 0
        for work in self._works:
            work.refresh(self._clock)
        self.pump()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True
        self._alarm.cancel()

    def give_up(self) -> None:
        """What is under way is not waited for any longer."""
        now = self._now()
        for flight in self._flights:
            work = flight.work
            if work is not None:
                fault = Fault(kind="timeout", detail="the run stopped before its answer", sent=True)
                self.ended(flight, fault, flight.due, now)
                flight.work = None
        self._errands.cancel()

    def close(self) -> None:
        """Let go of everything."""
        self.stop()
        self._alarm.close()
        self._errands.cancel()

    # Out.

    def pump(self) -> None:
        """Begin every case that is due, and wake up for the next one."""
        self._pump(self._now())

    def _pump(self, now: float) -> None:
        if self._pumping or self._stopped:
            return
        self._pumping = True
        try:
            spare, begin = self._spare, self._begin
            while spare:
                work = self._current
                if not self._turns or work.due_at > now:
                    work = self._earliest()
                self._turns -= 1
                due = work.due_at
                if due > now:
                    self._turns = 0
                    now = self._now()
                    if due > now:
                        self._wait(due, now)
                        return
                if work.connections:
                    if self.in_flight >= work.connections and not work.amid:
                        return
                    due = now
                if now >= work.fence_at:
                    work.held_back = True
                    work.refresh(self._clock)
                    self._turns = 0
                else:
                    begin(work, due)
        except Exception as error:  # within a callback it would be lost
            self.broke(error)
        finally:
            self._pumping = False

    def _earliest(self) -> Work:
        """The work whose slot comes first; in a closed model the first that has cases left.

        With none there is one that has nothing to send.
        """
        found = _NOTHING
        for work in self._works:
            if work.due_at < found.due_at:
                found = work
        self._current, self._turns = found, TURNS
        return found

    def _forget(self, work: Work) -> None:
        self._works.remove(work)
        self._turns = 0

    def _wait(self, due: float, now: float) -> None:
        """Pump again at DUE; inf: there is nothing to send, at no time."""
        if due == inf:
            self._owner.idle()
        elif due < self._wakes_at:
            self._wakes_at = due
            self._alarm.at(monotonic() + due - now, self._wake)

    def _wake(self) -> None:
        self._wakes_at = inf
        self.pump()

    def _begin(self, work: Work, due: float) -> None:
        flight = self._spare.pop()
        flight.due = due
        work.take(flight, self._clock)
        self.begun += 1
        kind = flight.kind
        if kind is not None and kind.form is not None:
            parcel, index = work.parcel, flight.index
            if index not in parcel.bindings:
                query = parcel.queries.get(index, ())
                try:
                    data = kind.form.written(parcel.paths[index], query, parcel.bodies[index])
                except Unwritable as error:
                    self._unwritable(flight, error)
                    return
                self._sender.begin(data, flight.done, head=kind.head, idempotent=kind.idempotent)
                return
        self._prepare(flight, flight.unfolded(work))

    def _prepare(self, flight: Flight, case: Case) -> None:
        """Begin FLIGHT's CASE with what it needs of others."""
        course = flight.course
        request = case.request
        if case.bindings:
            bound = bind(case, course.answers if course is not None else ())
            if isinstance(bound, Fault):
                flight.request = request
                self._unsent(flight, bound)
                return
            request = bound
        flight.request = request
        credentials: Pairs = ()
        try:
            if self._restores:
                request = self._client.credentials.restore(request)
            if case.role or course is not None:
                visit = self._visit(flight)
                # Others go on with the user's session while this one is ended.
                apart = case.token is not None or (case.role and ends_session(request))
                held = None if apart else visit.held(case, request)
                if held is None:
                    self._errands.whole(flight, visit)
                    return
                flight.credentials = credentials = held
            data = self._sender.prepare(request, credentials)
        except Unwritable as error:
            self._unwritable(flight, error)
            return
        except TargetError as error:
            self._unsent(flight, Fault(kind="unbound", detail=str(error), sent=False))
            return
        method = request.method
        self._sender.begin(
            data, flight.done, head=method == "HEAD", idempotent=method in IDEMPOTENT_METHODS
        )

    def _visit(self, flight: Flight) -> Visit:
        """Whose session and cookies FLIGHT's sequence goes out with."""
        course = flight.course
        if course is None:
            # A case alone leaves no cookies to anybody: all of one user's share a visit.
            return self._alone[flight.number % len(self._alone)]
        if course.visit is None:
            self._visits += 1
            course.visit = self._client.users.visit(self._visits)
        return course.visit

    def _unwritable(self, flight: Flight, error: Unwritable) -> None:
        detail = f"it cannot be written: {error}"
        self._unsent(flight, Fault(kind="garbage", detail=detail, sent=False))

    def _unsent(self, flight: Flight, fault: Fault) -> None:
        now = self._now()
        self.ended(flight, fault, now, now)

    # In.

    def ended(self, flight: Flight, outcome: Response | Fault, began: float, ended: float) -> None:
        """FLIGHT's case has its outcome: it went out at BEGAN, on the sender's clock."""
        try:
            kind, work = flight.kind, flight.work
            if kind is None or work is None or work.dead or outcome.__class__ is not Response:
                self._took(flight, outcome, began, ended)
                return
            status = outcome.status
            if status in _NOTABLE:
                self._took(flight, outcome, began, ended)
                return
            # What `_took` does, in short: this is the way of almost all answers.
            self._silent = 0
            due, number = flight.due, flight.number
            self.lags_ms.append((began - due) * 1000)
            alike = work.counting.alike(kind, number, flight.second, status, (ended - due) * 1000)
            quick = self._quick(kind.like, outcome, (ended - began) * 1000)
            if not quick or alike <= NOVEL_KEPT or not number % work.sample_every:
                self._kept(flight, work, outcome, began, ended, quick)
            flight.work = None
            spare = self._spare
            spare.append(flight)
            work.in_flight -= 1
            work.left = left = work.left - 1
            if not left:
                self._forget(work)
                self._owner.finished(work)
            if len(spare) == 1 or work.connections:
                self._pump(ended)
        except Exception as error:  # within a callback it would be lost
            self.broke(error)

    def _kept(
        self, flight: Flight, work: Work, answer: Response, began: float, ended: float, quick: bool
    ) -> None:
        """An answer, counted already, that may have to be kept in full."""
        flight.unfolded(work)
        self._keeping.answered(flight, work, answer, began, ended, quick)
        if work.counting.full:
            self._owner.full(work)

    def _took(self, flight: Flight, outcome: Response | Fault, began: float, ended: float) -> None:
        work = flight.work
        if work is None:
            return  # nobody waits for it any more
        course, due = flight.course, flight.due
        if course is not None and course.memory is not None:
            self._remembered(flight, course, outcome, began, ended)
            return
        if isinstance(outcome, Response):
            self._silent = 0
            status = outcome.status
            if status in _NOTABLE and self._noted(flight, outcome):
                return
            self.lags_ms.append((began - due) * 1000)
            if not work.dead:
                case, number = flight.unfolded(work), flight.number
                alike = work.counting.answered(
                    case, number, flight.second, status, (ended - due) * 1000
                )
                quick = self._quick(case, outcome, (ended - began) * 1000)
                if not quick or alike <= NOVEL_KEPT or not number % work.sample_every:
                    self._kept(flight, work, outcome, began, ended, quick)
        else:
            self._faulted(flight, work, outcome, began, ended)
        spare = self._spare
        was_full = not spare
        flight.work = None
        spare.append(flight)
        work.in_flight -= 1
        work.left -= 1
        last = not work.left  # what goes out next may end at once, and be the last itself
        if course is not None:
            self._advance(flight, work, course, outcome)
        if last and not work.dead:
            self._forget(work)
            self._owner.finished(work)
        if was_full or work.connections:
            self._pump(ended)

    def _remembered(
        self, flight: Flight, course: Course, outcome: Response | Fault, began: float, ended: float
    ) -> None:
        """A case of a sequence that remembers: judged once all have ended that went out with it."""
        work, memory = flight.work, course.memory
        if work is None or memory is None or memory.waits(flight):
            return
        if isinstance(outcome, Response):
            self._silent = 0
            if outcome.status in _NOTABLE and self._noted(flight, outcome):
                return
        sent = flight.sent(outcome, began, ended)
        landed = memory.land((flight, outcome, began, ended), flight.number - course.first, sent)
        was_full = not self._spare
        accepted = False
        for each, came, at, until in landed:
            index = each.number - course.first
            if isinstance(came, Fault):
                self._faulted(each, work, came, at, until, memory.before(index))
            else:
                self.lags_ms.append((at - each.due) * 1000)
                if not work.dead:
                    self._keeping.counted(each, work, came, at, until, memory.before(index))
                accepted = course.landed(index, each, came) == ACCEPTED or accepted
            each.work = None
            self._spare.append(each)
        work.in_flight -= len(landed)
        work.left -= len(landed)
        if landed:
            self._settled(work, course, rests=accepted, went_on=memory.queued)
            if was_full or work.connections:
                self._pump(ended)

    def _settled(self, work: Work, course: Course, *, rests: bool, went_on: bool) -> None:
        if work.dead:
            return
        last = not work.left
        if work.counting.full:
            self._owner.full(work)
        if course.more and not went_on:
            self._go_on(work, course, rests=rests)
        if last:
            self._forget(work)
            self._owner.finished(work)

    def _faulted(
        self,
        flight: Flight,
        work: Work,
        fault: Fault,
        began: float,
        ended: float,
        before: Before = (),
    ) -> None:
        if fault.sent:
            self.lags_ms.append((began - flight.due) * 1000)
        if not work.dead:
            flight.unfolded(work)
            self._keeping.faulted(flight, work, fault, began, ended, before)
            if work.counting.full:
                self._owner.full(work)
        if fault.kind in SILENT_KINDS and not self._stopped:
            self._silent += 1
            if self._silent == SILENT_MAX:
                self._owner.hopeless(
                    f"the target gave no answer {SILENT_MAX} times in a row: {fault.detail}"
                )

    def _advance(
        self, flight: Flight, work: Work, course: Course, outcome: Response | Fault
    ) -> None:
        answer = outcome if isinstance(outcome, Response) else None
        if not course.passed(answer) or work.dead:
            return
        if answer is not None and course.visit is not None:
            course.visit.take(flight.case, flight.request, answer)
        self._go_on(work, course, rests=answer is not None and answer.status == ACCEPTED)

    def _woken(self, work: Work, course: Course) -> None:
        work.resting -= 1
        if not work.dead and not self._stopped:
            self._go_on(work, course)
            self.pump()

    def _go_on(self, work: Work, course: Course, *, rests: bool = False) -> None:
        if rests:
            work.resting += 1
            self._loop.call_later(ACCEPTED_REST_S, self._woken, work, course)
            return
        starved = work.due_at == inf
        work.go_on(course, self._clock, now=self._now())
        if starved and work.due_at < inf:
            self.pump()

    # What an answer asks for.

    def _noted(self, flight: Flight, answer: Response) -> bool:
        """What ANSWER asks for; whether its case is sent again."""
        if answer.status != 401:
            self._rest(answer)
            return False
        assert flight.work is not None  # noqa: S101 - its answer is waited for
        case = flight.unfolded(flight.work)
        if flight.again or not case.role or case.recorded_status == 401 or self._stopped:
            return False
        visit = self._visit(flight)
        if not visit.renew(case, flight.credentials, now=self._now()):
            return False
        self._errands.anew(flight, visit)
        return True

    def _rest(self, answer: Response) -> None:
        now = self._now()
        pause_s = self._rests.asked(answer.header("retry-after") or "", now=now)
        if not pause_s:
            return
        slots = [work.next_slot_s for work in self._works if work.more and not work.connections]
        next_s = min(slots, default=self._clock.shows(now))
        self._clock.rest(next_s, until=self._rests.until)
        self._owner.rested(answer.status, pause_s)
        for work in self._works:
            work.refresh(self._clock)
        self._turns = 0
        if self._rests.too_long:
            self._owner.hopeless(
                f"the target asked for more than {PAUSED_S_MAX:g} s of rest (Retry-After)"
            )

    def broke(self, error: BaseException) -> None:
        """ERROR was raised where nothing may be: send nothing more and say so."""
        self.stop()
        self._owner.broken(error)
