"""A job on its way: which case goes out next, and when it is due.

An open model (Schroeder, Wierman, Harchol-Balter 2006, Open versus closed, NSDI): each slot takes
the next case that may go out, cases of sequences that have begun first. Cases of one sequence go
one after the other, sequences side by side. When nothing may go out because every sequence waits
for an answer of its own, the slots that follow move back: a case cannot be due before the answer
it needs. In a closed model a case is due as soon as one of the job's connections is free.

Cases that go out together wait for the slot of the last of them, so that none is ahead of its own
and the rate stays. In a closed model they go out when one connection is free, on more than the
job has if they must.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, Protocol

import numpy as np

from premortem.domain.packing import Parcel
from premortem.domain.run import Before, Case, Fault, Sent, Sequence
from premortem.domain.traffic import Request, Response
from premortem.run.counting import Counting
from premortem.run.kinds import Kind, kinds_of
from premortem.run.plan_clock import PlanClock
from premortem.send.users import Visit

SAMPLE_PER_JOB = 100
"""Results of a job that are kept in full, spread evenly over it; a controller keeps fewer."""
WHOLE_PER_JOB = 300
"""Cases of replayed sequences of which a job keeps all in full: what an answer is depends on what
came before it."""
FENCE = 0.1
"""This share of a lease before its end nothing is sent any more: the message that granted it took
its time."""


REMEMBERED_BYTES_MAX = 4 * 1024 * 1024
"""Bodies of one sequence's answers that a check may look at; what goes beyond is not kept."""


class Course:
    """A sequence on its way."""

    __slots__ = (
        "answers",
        "cases",
        "first",
        "gone",
        "memory",
        "needed",
        "position",
        "sequence",
        "visit",
        "whole",
    )

    def __init__(self, sequence: Sequence, first: int, gone: frozenset[int] = frozenset()) -> None:
        self.sequence = sequence
        self.cases = sequence.cases
        self.first = first
        """Number of its first case in the run."""
        self.gone = gone
        """Numbers of cases that ended under an earlier lease: their answers are lost."""
        self.visit: Visit | None = None
        """Whose session and cookies it goes out with, once it has begun."""
        self.whole = False
        """What comes of it is kept in full."""
        self.position = 0
        self.answers: list[Response | None] = []
        # Only answers that a later case takes values from are kept.
        self.needed = {b.step for case in sequence.cases if case.bindings for b in case.bindings}
        self.memory: Memory | None = None
        """What came of its cases, where a check asks for it."""
        if sequence.remembers:
            self.memory = Memory(len(self.cases))
            self.answers = [None] * len(self.cases)
        if gone:
            self._pass_over()

    @property
    def more(self) -> bool:
        """A case of it has not ended."""
        return self.position < len(self.cases)

    def passed(self, answer: Response | None) -> bool:
        """Its present case has ended; whether another one follows."""
        self.answers.append(answer if self.position in self.needed else None)
        self.position += 1
        if self.gone:
            self._pass_over()
        return self.position < len(self.cases)

    def _pass_over(self) -> None:
        while self.more and self.first + self.position in self.gone:
            if self.memory is None:
                self.answers.append(None)
            self.position += 1

    # Of a sequence that remembers, whose cases may go out together.

    def beside(self) -> int:
        """How many more cases go out with the next one."""
        if self.memory is None or not self.more:
            return 0
        return _beside(self.cases, self.position, lambda i: self.first + i in self.gone)

    def out(self, memory: Memory) -> bool:
        """Its next case goes out; whether another one goes out at the same moment."""
        memory.queued = self.beside() > 0
        memory.under_way += 1
        self.position += 1
        if self.gone:
            self._pass_over()
        return memory.queued

    def landed(self, index: int, flight: Ticket, answer: Response) -> int:
        """The ANSWER to its case with INDEX, for those that follow; the status."""
        self.answers[index] = answer if index in self.needed else None
        if self.visit is not None:
            self.visit.take(flight.case, flight.request, answer)
        return answer.status


def _beside(cases: tuple[Case, ...], start: int, gone: Callable[[int], bool]) -> int:
    together = cases[start].together
    if not together:
        return 0
    end = start
    while end < len(cases) and cases[end].together == together:
        end += 1
    return sum(not gone(index) for index in range(start + 1, end))


class Memory:
    """What came of the cases of one sequence, and which of them are under way together."""

    __slots__ = ("_bytes", "_landed", "_sents", "queued", "under_way")

    def __init__(self, cases: int) -> None:
        self._sents: list[Sent | None] = [None] * cases
        self._bytes = 0
        self.under_way = 0
        """Cases that went out at once, as far as none is known to have ended."""
        self.queued = False
        """More of these go out at the same moment."""
        self._landed: list[Landed] = []
        """Those that have ended, while others that went out with them have not."""

    def waits(self, flight: object) -> bool:
        """FLIGHT's case has ended; others that went out with it have not."""
        return any(landed[0] is flight for landed in self._landed)

    def land(self, landed: Landed, index: int, sent: Sent) -> list[Landed]:
        """The case with INDEX has ended, SENT came of it; all that went out with it, in order, once
        the last of them has ended."""
        self._bytes += len(sent.response.body) if sent.response is not None else 0
        if self._bytes <= REMEMBERED_BYTES_MAX:
            self._sents[index] = sent
        self._landed.append(landed)
        self.under_way -= 1
        if self.under_way:
            return []
        all_, self._landed = self._landed, []
        return sorted(all_, key=lambda one: one[0].number)

    def before(self, index: int) -> Before:
        """What the case with INDEX may be judged by: all others that have ended."""
        sents = self._sents
        end = max((i + 1 for i, sent in enumerate(sents) if sent and i != index), default=0)
        return tuple(None if i == index else sents[i] for i in range(max(end, index)))


def _begun_whole(parcel: Parcel) -> list[Sequence | None]:
    """The sequences of PARCEL; None stands for one of a single case, which is made when needed."""
    if not parcel.lengths:
        return [None] * len(parcel)
    return [
        parcel.sequence(index) if length != 1 else None
        for index, length in enumerate(parcel.lengths)
    ]


class Ticket(Protocol):
    """What `Work.take` fills in; `Flight` is one, and says what the fields mean."""

    work: Work | None
    case: Case
    number: int
    kind: Kind | None
    index: int
    course: Course | None
    sequence: Sequence
    due: float
    second: int
    request: Request


Landed = tuple[Any, Response | Fault, float, float]
"""A flight, its outcome, when it went out and when its answer was whole."""


class Work:
    """A job under a lease, its cases taken one by one."""

    __slots__ = (
        "_first",
        "_fresh",
        "_index",
        "_number",
        "_remembers",
        "_sequences",
        "_shift_s",
        "_slot",
        "_slots",
        "_whole_left",
        "amid",
        "batches",
        "connections",
        "counting",
        "dead",
        "due_at",
        "end_s",
        "epoch",
        "fence_at",
        "held_back",
        "in_flight",
        "job_id",
        "kinds",
        "lease_s",
        "left",
        "parcel",
        "ready",
        "resting",
        "said_at",
        "sample_every",
        "start_s",
        "unacknowledged",
    )

    def __init__(self, parcel: Parcel, *, epoch: int, skip: Iterable[tuple[int, int]] = ()) -> None:
        self.parcel, job = parcel, parcel.job
        self.kinds = kinds_of(parcel)
        """Of its cases, in the order of the parcel's."""
        self.job_id, self.epoch = job.id, epoch
        self.lease_s, self.fence_at = 0.0, -inf
        self.start_s, self.end_s = job.start_s, job.end_s
        self.connections = job.connections
        self._sequences = _begun_whole(parcel)
        self._first = job.first
        self._index, self._number = 0, job.first
        self.ready: deque[Course] = deque()
        """Begun, and their next case may go out."""
        self._fresh: deque[Course] = deque()
        """Not begun under this lease, of a job that had one before."""
        total = len(parcel)
        self.left = total
        """Cases that have not ended."""
        gone = frozenset(number for low, high in skip for number in range(low, high + 1))
        if gone or not all(parcel.lengths):
            self._resume(parcel, gone)
        self._slots: list[float] = np.frombuffer(job.slots, dtype="<f8").tolist()
        self._slot = total - self.left
        """The slots of cases that ended under an earlier lease are used up."""
        self._shift_s = 0.0
        self.due_at = inf
        """Seconds on the sender's clock at which its next case goes out; inf: none may."""
        self.in_flight = 0
        self.amid = False
        """Some of the cases that go out at one moment have gone out, and more have to."""
        self._remembers = any(s.remembers for s in self._sequences if s is not None)
        self.resting = 0
        self.held_back = False
        """It sends nothing at present: batches are not acknowledged, or its lease ran out."""
        self.dead = False
        """Another's by now."""
        self.counting = Counting()
        self._whole_left = WHOLE_PER_JOB
        self.sample_every = max(1, -(-total // SAMPLE_PER_JOB))
        self.batches = 0
        """Sent so far."""
        self.unacknowledged: deque[tuple[int, float]] = deque()
        """Number, and when it was sent, of each batch that was not acknowledged."""
        self.said_at = 0.0
        """When the last batch was sent."""

    def _resume(self, parcel: Parcel, gone: frozenset[int]) -> None:
        """Begin each sequence with the first of its cases that has not ended."""
        self._sequences = []
        number = self._first
        for sequence in parcel.sequences:
            course = Course(sequence, number, gone)
            if course.more:
                self._fresh.append(course)
            number += len(sequence.cases)
        self.left -= sum(self._first <= ended < number for ended in gone)

    def leased(self, lease_s: float, *, since: float) -> None:
        """The right to send lasts LEASE_S from SINCE on, on the sender's clock."""
        self.lease_s = lease_s
        self.fence_at = since + lease_s * (1 - FENCE)

    @property
    def more(self) -> bool:
        """A case may go out as soon as its slot comes."""
        return bool(self.ready) or self._index < len(self._sequences) or bool(self._fresh)

    @property
    def unsent(self) -> int:
        """Cases that have not gone out under this lease."""
        return self.left - self.in_flight

    @property
    def next_slot_s(self) -> float:
        """Plan second of its next slot; its end when there is none."""
        if self._slot < len(self._slots):
            return self._slots[self._slot] + self._shift_s
        return self.end_s

    def overdue(self, plan_s: float) -> int:
        """Cases that were due before PLAN_S and have not gone out."""
        if not self._slots:
            return 0
        due = bisect_right(self._slots, plan_s - self._shift_s)
        return max(0, min(due - self._slot, self.unsent))

    def refresh(self, clock: PlanClock) -> None:
        """Find `due_at` anew: something it hangs on has changed."""
        if self.held_back or self.dead or not self.more:
            self.due_at = inf
        elif self.connections:
            self.due_at = clock.at(0.0)
        elif self._remembers:
            last = min(self._slot + self._beside(), len(self._slots) - 1)
            self.due_at = clock.at(self._slots[last] + self._shift_s)
        else:
            self.due_at = clock.at(self.next_slot_s)

    def _beside(self) -> int:
        """How many cases go out with the one that is next."""
        begun = self.ready or self._fresh
        if begun:
            return begun[0].beside()
        sequence = self._sequences[self._index]
        return _beside(sequence.cases, 0, lambda _: False) if sequence is not None else 0

    def take(self, flight: Ticket, clock: PlanClock) -> None:
        """Put the case that goes out now into FLIGHT; only when `due_at` has come."""
        slot = self._slot
        flight.work = self
        if self.connections:
            flight.second = int(clock.shows(flight.due))
        else:
            flight.second = int(self._slots[slot] + self._shift_s)
        self._slot = slot = slot + 1
        self.in_flight += 1
        index = self._index
        if self.ready or self._fresh:
            course = self.ready.popleft() if self.ready else self._fresh.popleft()
            flight.course, flight.sequence = course, course.sequence
            flight.number = course.first + course.position
            flight.kind, flight.case = None, course.cases[course.position]
            if course.memory is not None:
                self._out(course, course.memory)
            self.refresh(clock)
            return
        sequence = self._sequences[index]
        flight.number = number = self._number
        if sequence is None:
            flight.index = at = number - self._first
            flight.kind = self.kinds[self.parcel.kind_of[at]]
            flight.course = None
            self._number = number + 1
        else:
            flight.sequence = sequence
            flight.course = begun = Course(sequence, number)
            if self._whole_left > 0 and sequence.replays:
                begun.whole = True
                self._whole_left -= len(sequence.cases)
            flight.kind, flight.case = None, sequence.cases[0]
            self._number = number + len(sequence.cases)
        self._index = index = index + 1
        # What `refresh` does, in short: this is the way of almost all cases.
        if index < len(self._sequences) and not self.connections and not self._remembers:
            self.due_at = clock.at(self._slots[slot] + self._shift_s)
        else:
            under_way = flight.course
            if under_way is not None and under_way.memory is not None:
                self._out(under_way, under_way.memory)
            self.refresh(clock)

    def _out(self, course: Course, memory: Memory) -> None:
        self.amid = course.out(memory)
        if self.amid:
            self.ready.appendleft(course)

    def go_on(self, course: Course, clock: PlanClock, *, now: float) -> None:
        """The next case of COURSE may go out from NOW on."""
        starved = not self.more
        self.ready.append(course)
        if starved and not self.connections:
            behind_s = clock.shows(now) - self.next_slot_s
            if behind_s > 0:
                self._shift_s += behind_s
        if starved or self._remembers:
            self.refresh(clock)
