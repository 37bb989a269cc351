"""What a check is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from premortem.checks.learned import Learned
from premortem.checks.shapes import Shapes
from premortem.config import CheckConfig
from premortem.domain.invariant import Invariant
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Answer, OperationProfile, Response

Severity = Literal["high", "medium", "low"]


class Known(Struct, frozen=True, kw_only=True):
    """What a check may know about the operation of a case."""

    operation: OperationProfile | None
    """None: the profile does not know it."""
    shapes: Shapes
    """Compiled answers of the whole profile."""
    answers: Mapping[int, Answer]
    """Status -> what is known of the answers with it."""
    learned: Mapping[int, Learned] = {}
    """Status -> what was learned of the answers with it and may be held against a service."""
    documented: bool = False
    """There is a specification, whether it knows this operation or not."""
    invariants: tuple[Invariant, ...] = ()
    """Declared of any answer to it."""
    edition_header: str = ""
    """Request header that tells the edition; empty: none does."""
    config: CheckConfig = CheckConfig()

    def recorded(self, *statuses: int) -> int:
        """Answers of production with one of STATUSES."""
        return sum(self.answers[s].count for s in statuses if s in self.answers)

    def declares(self, status: int) -> bool:
        """Whether the specification declares STATUS by its number, its class or `default`."""
        declared = self.operation.declared if self.operation is not None else ()
        return status in declared or -(status // 100) in declared or 0 in declared

    def answer(self, status: int) -> Answer | None:
        """What is known of answers with STATUS: by number, else its class, else `default`."""
        answers = self.answers
        return answers.get(status) or answers.get(-(status // 100)) or answers.get(0)


Judge = Callable[[Case, Sent, Known, Before], Iterable[Verdict]]
"""What failed of a case; a verdict is always about that case, never about one before it."""


class Check(Struct, frozen=True, kw_only=True):
    """A rule about what came of a case; `judge` yields a verdict for each failure.

    A further check is a function and its Check in the tuple that a Checker is given.
    """

    name: str
    description: str
    severity: Severity
    """The usual one; a verdict may say otherwise."""
    judge: Judge
    results_max: int = 0
    """Results of one operation that one process hears of at most; 0: all. For what an overloaded
    service would show in every answer."""


METHOD = "method "
"""`breaks` of a case whose method is none that the specification declares for its path."""
VERSION = "version "
"""Begins `breaks` of a case that is sent under the address of another version."""


def is_foreign(case: Case) -> bool:
    """Whether CASE's method or address is not its operation's: what is declared there says nothing
    of it."""
    return case.intent.breaks.startswith((METHOD, VERSION))


def earlier(case: Case, before: Before) -> Sent | None:
    """What came of the case that CASE's expectation is about; None when that is not known."""
    against = case.intent.against
    return before[against] if 0 <= against < len(before) else None


def succeeded(response: Response | None) -> bool:
    """Whether RESPONSE says that the request was carried out."""
    return response is not None and 200 <= response.status < 300
