"""A case under way, and what of its result is kept in full."""

from __future__ import annotations

from collections.abc import Callable

from premortem.domain.run import (
    IDEMPOTENT_METHODS,
    Before,
    Case,
    Fault,
    Result,
    Sent,
    Sequence,
    Verdict,
)
from premortem.domain.traffic import Pairs, Request, Response
from premortem.run.course import Course, Work
from premortem.run.kinds import Kind

NOVEL_KEPT = 3
"""Results kept in full of each operation x status x kind of intent x source."""
NOVEL_CELLS_MAX = 10_000

Ended = Callable[["Flight", Response | Fault, float, float], None]
"""What came of it, when it went out and when its answer was whole."""


class Flight:
    """Room for one case under way; used again and again."""

    __slots__ = (
        "again",
        "case",
        "course",
        "credentials",
        "done",
        "due",
        "index",
        "kind",
        "number",
        "request",
        "second",
        "sequence",
        "work",
    )

    def __init__(self) -> None:
        self.work: Work | None = None
        """None: it carries nothing, or nobody waits for its answer any more."""
        self.kind: Kind | None = None
        """Of a case that goes out as its job holds it; until it is `unfolded` nothing is made of
        the case itself. None: the fields below hold it."""
        self.index = 0
        """Of its case, in its job."""
        self.case: Case
        self.number = 0
        """Of its case, in the run."""
        self.course: Course | None = None
        """None: the case is all of its sequence."""
        self.sequence: Sequence
        self.request: Request
        """The case's, with live values in it."""
        self.credentials: Pairs = ()
        self.due = 0.0
        """Seconds on the sender's clock."""
        self.second = 0
        """Of the plan, when it was due."""
        self.again = False
        """It goes the slow way, and must not be sent anew."""
        self.done: Callable[[Response | Fault, float, float], None]
        """Made once: for the sender, which calls it with what came of the case."""

    def unfolded(self, work: Work) -> Case:
        """The case, of WORK, made by now."""
        if self.kind is not None:
            self.kind = None
            self.sequence = work.parcel.sequence_of(self.index)
            self.case = self.sequence.cases[0]
            self.request = self.case.request
        return self.case

    def sent(self, outcome: Response | Fault, began: float, ended: float) -> Sent:
        """OUTCOME, with when it went out and when it ended."""
        answered = isinstance(outcome, Response)
        return Sent(
            request=self.request,
            response=outcome if answered else None,  # type: ignore[arg-type]
            fault=None if answered else outcome,  # type: ignore[arg-type]
            intended_at=self.due,
            lag_ms=(began - self.due) * 1000,
            duration_ms=(ended - began) * 1000,
        )


class Keeping:
    """Counts what comes of cases and keeps some in full: failures, novel ones and a sample.

    CHECK: `Checker.check`.
    """

    def __init__(self, check: Callable[[Case, Sent, Before], tuple[Verdict, ...]]) -> None:
        self._check = check
        self._novel: dict[tuple[str, int, str, str], int] = {}

    def answered(
        self,
        flight: Flight,
        work: Work,
        answer: Response,
        began: float,
        ended: float,
        quick: bool,
        before: Before = (),
    ) -> None:
        """An answer that may have to be kept, counted already; QUICK: no check objects to it.

        BEFORE: what came of the other cases of its sequence, where that remembers.
        """
        sent = flight.sent(answer, began, ended)
        verdicts = () if quick else self._check(flight.case, sent, before)
        if verdicts or _sampled(flight, work) or self.is_novel(flight.case, answer.status):
            _keep(flight, work, sent, verdicts)

    def counted(
        self,
        flight: Flight,
        work: Work,
        answer: Response,
        began: float,
        ended: float,
        before: Before,
    ) -> None:
        """An answer in a sequence that remembers: counted, and judged by all checks."""
        latency_ms = (ended - flight.due) * 1000
        work.counting.answered(flight.case, flight.number, flight.second, answer.status, latency_ms)
        self.answered(flight, work, answer, began, ended, False, before)

    def faulted(
        self,
        flight: Flight,
        work: Work,
        fault: Fault,
        began: float,
        ended: float,
        before: Before = (),
    ) -> None:
        """A case without an answer, to be counted."""
        case = flight.case
        unknown = fault.sent and case.request.method not in IDEMPOTENT_METHODS
        outcome = "unknown" if unknown else "faulted"
        work.counting.faulted(case, flight.number, flight.second, outcome, fault.kind)
        sent = flight.sent(fault, began, ended)
        verdicts = self._check(case, sent, before)
        if verdicts or _sampled(flight, work) or self.is_novel(case, 0):
            _keep(flight, work, sent, verdicts)

    def is_novel(self, case: Case, status: int) -> bool:
        """Whether this worker has kept few like it so far; it counts as kept."""
        key = (case.operation_id, status, case.intent.kind, case.origin.source)
        seen = self._novel.get(key, 0)
        if seen >= NOVEL_KEPT or (not seen and len(self._novel) >= NOVEL_CELLS_MAX):
            return False
        self._novel[key] = seen + 1
        return True


def _sampled(flight: Flight, work: Work) -> bool:
    whole = flight.course is not None and flight.course.whole
    return whole or flight.number % work.sample_every == 0


def _keep(flight: Flight, work: Work, sent: Sent, verdicts: tuple[Verdict, ...]) -> None:
    course = flight.course
    work.counting.keep(
        Result(
            case=flight.case,
            sequence_id=flight.sequence.id,
            position=0 if course is None else flight.number - course.first,
            sent=sent,
            verdicts=verdicts,
        )
    )
