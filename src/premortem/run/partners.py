"""Whom the sending works with: who judges answers, and who decides what it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response
from premortem.run.course import Work


class Judge(Protocol):
    """What judges answers; `checks.Checker` is one."""

    @property
    def quick(self) -> Callable[[Case, Response, float], bool]:
        """Whether `check` certainly has nothing to say of an answer that took so many
        milliseconds. It may be given another case of the kind (see `Parcel.like`)."""

    def check(self, case: Case, sent: Sent, before: Before = ()) -> tuple[Verdict, ...]:
        """What failed."""


class Owner(Protocol):
    """Whom the sending tells what it cannot decide itself."""

    def full(self, work: Work) -> None:
        """A batch of WORK is due."""

    def finished(self, work: Work) -> None:
        """All cases of WORK have ended."""

    def idle(self) -> None:
        """There is nothing to send, at no time."""

    def rested(self, status: int, pause_s: float) -> None:
        """An answer with STATUS asked for PAUSE_S more of rest."""

    def hopeless(self, why: str) -> None:
        """Going on makes no sense: the target is gone, or wants to rest for too long."""

    def broken(self, error: BaseException) -> None:
        """A bug: something that must not raise did."""
