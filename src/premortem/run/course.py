"""A job on its way: which case goes out next, and when it is due.

An open model (Schroeder, Wierman, Harchol-Balter 2006, Open versus closed, NSDI): each slot takes
the next case that may go out, cases of sequences that have begun first. Cases of one sequence go
one after the other, sequences side by side. When nothing may go out because every sequence waits
for an answer of its own, the slots that follow move back: a case cannot be due before the answer
it needs. In a closed model a case is due as soon as one of the job's connections is free.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Protocol

import numpy as np

from premortem.domain.jobs import Job
from premortem.domain.run import Case, Sequence
from premortem.domain.traffic import Response
from premortem.run.counting import Counting
from premortem.run.plan_clock import PlanClock
from premortem.send.users import Visit

SAMPLE_PER_JOB = 100
"""Results of a job that are kept in full, spread evenly over it; a controller keeps fewer."""
FENCE = 0.1
"""This share of a lease before its end nothing is sent any more: the message that granted it took
its time."""


class Course:
    """A sequence on its way."""

    __slots__ = ("answers", "cases", "first", "gone", "needed", "position", "sequence", "visit")

    def __init__(self, sequence: Sequence, first: int, gone: frozenset[int] = frozenset()) -> None:
        self.sequence = sequence
        self.cases = sequence.cases
        self.first = first
        """Number of its first case in the run."""
        self.gone = gone
        """Numbers of cases that ended under an earlier lease: their answers are lost."""
        self.visit: Visit | None = None
        """Whose session and cookies it goes out with, once it has begun."""
        self.position = 0
        self.answers: list[Response | None] = []
        # Only answers that a later case takes values from are kept.
        self.needed = {b.step for case in sequence.cases if case.bindings for b in case.bindings}
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
            self.answers.append(None)
            self.position += 1


class Ticket(Protocol):
    """What `Work.take` fills in; `Flight` is one, and says what the fields mean."""

    work: Work | None
    case: Case
    number: int
    course: Course | None
    sequence: Sequence
    due: float
    second: int


class Work:
    """A job under a lease, its cases taken one by one."""

    __slots__ = (
        "_fresh",
        "_index",
        "_number",
        "_sequences",
        "_shift_s",
        "_slot",
        "_slots",
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
        "lease_s",
        "left",
        "ready",
        "resting",
        "said_at",
        "sample_every",
        "start_s",
        "unacknowledged",
    )

    def __init__(self, job: Job, *, epoch: int, skip: Iterable[tuple[int, int]] = ()) -> None:
        self.job_id, self.epoch = job.id, epoch
        self.lease_s, self.fence_at = 0.0, -inf
        self.start_s, self.end_s = job.start_s, job.end_s
        self.connections = job.connections
        self._sequences = job.sequences
        self._index, self._number = 0, job.first
        self.ready: deque[Course] = deque()
        """Begun, and their next case may go out."""
        self._fresh: deque[Course] = deque()
        """Not begun under this lease, of a job that had one before."""
        total = job.count
        self.left = total
        """Cases that have not ended."""
        gone = frozenset(number for low, high in skip for number in range(low, high + 1))
        if gone or not all(sequence.cases for sequence in job.sequences):
            self._resume(job, gone)
        self._slots: list[float] = np.frombuffer(job.slots, dtype="<f8").tolist()
        self._slot = total - self.left
        """The slots of cases that ended under an earlier lease are used up."""
        self._shift_s = 0.0
        self.due_at = inf
        """Seconds on the sender's clock at which its next case goes out; inf: none may."""
        self.in_flight = 0
        self.resting = 0
        self.held_back = False
        """It sends nothing at present: batches are not acknowledged, or its lease ran out."""
        self.dead = False
        """Another's by now."""
        self.counting = Counting()
        self.sample_every = max(1, -(-total // SAMPLE_PER_JOB))
        self.batches = 0
        """Sent so far."""
        self.unacknowledged: deque[tuple[int, float]] = deque()
        """Number, and when it was sent, of each batch that was not acknowledged."""
        self.said_at = 0.0
        """When the last batch was sent."""

    def _resume(self, job: Job, gone: frozenset[int]) -> None:
        """Begin each sequence with the first of its cases that has not ended."""
        self._sequences = ()
        number = job.first
        for sequence in job.sequences:
            course = Course(sequence, number, gone)
            if course.more:
                self._fresh.append(course)
            number += len(sequence.cases)
        self.left -= sum(job.first <= ended < number for ended in gone)

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
        else:
            self.due_at = clock.at(self.next_slot_s)

    def take(self, flight: Ticket, clock: PlanClock) -> Case:
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
            flight.case = case = course.cases[course.position]
            self.refresh(clock)
            return case
        flight.sequence = sequence = self._sequences[index]
        cases = sequence.cases
        flight.number = number = self._number
        flight.course = None if len(cases) == 1 else Course(sequence, number)
        flight.case = case = cases[0]
        self._number = number + len(cases)
        self._index = index = index + 1
        # What `refresh` does, in short: this is the way of almost all cases.
        if index < len(self._sequences) and not self.connections:
            self.due_at = clock.at(self._slots[slot] + self._shift_s)
        else:
            self.refresh(clock)
        return case

    def go_on(self, course: Course, clock: PlanClock, *, now: float) -> None:
        """The next case of COURSE may go out from NOW on."""
        starved = not self.more
        self.ready.append(course)
        if starved and not self.connections:
            behind_s = clock.shows(now) - self.next_slot_s
            if behind_s > 0:
                self._shift_s += behind_s
        if starved:
            self.refresh(clock)
