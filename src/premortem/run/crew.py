"""The workers of one controller: who there is, what they hold, how they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from premortem.domain.jobs import Vitals
from premortem.run.executor import Executor
from premortem.run.messages import Drain, Grant, Pace, Setup, ToWorker

HELLO_S_MAX = 60.0
"""A worker that has not said Hello after this counts as lost."""
DRAIN_S_MAX = 120.0
"""A worker that drains and has not left after this is ended."""


class Member:
    """One worker, as its controller sees it."""

    def __init__(self, worker_id: str, *, now: float) -> None:
        self.worker_id = worker_id
        self.state: Literal["starting", "working", "draining"] = "starting"
        self.since = now
        """When it came into its state."""
        self.room = 0
        """Jobs it asks for."""
        self.jobs: dict[str, int] = {}
        """Job id -> epoch of its lease."""
        self.vitals = Vitals()


class Crew:
    """Starts, sets up, drains and counts workers.

    SETUP: worker id -> its first message, made when it says Hello.
    """

    def __init__(
        self,
        executor: Executor,
        setup: Callable[[str], Setup],
        *,
        name: str,
        now: Callable[[], float],
    ) -> None:
        self._executor = executor
        self._setup = setup
        self._name = name
        self._now = now
        self._started = 0
        self.members: dict[str, Member] = {}
        self._greeted: set[str] = set()
        self._past_cpu_s = 0.0
        self._past_sent = 0

    @property
    def size(self) -> int:
        """Workers that take jobs, or will once they are up."""
        return sum(m.state in ("starting", "working") for m in self.members.values())

    @property
    def cpu_s(self) -> float:
        """User and system time of all workers there are and were."""
        return self._past_cpu_s + sum(m.vitals.cpu_s for m in self.members.values())

    @property
    def sent(self) -> int:
        """Cases begun by all workers there are and were."""
        return self._past_sent + sum(m.vitals.sent for m in self.members.values())

    @property
    def in_flight(self) -> int:
        """Cases under way."""
        return sum(m.vitals.in_flight for m in self.members.values())

    @property
    def backlog(self) -> int:
        """Cases that are due and have not gone out."""
        return sum(m.vitals.backlog for m in self.members.values())

    @property
    def rss_bytes(self) -> int:
        """Of the largest worker."""
        return max((m.vitals.rss_bytes for m in self.members.values()), default=0)

    def start(self) -> str:
        """One more worker; its id. Raises StartError."""
        self._started += 1
        worker_id = f"{self._name}-{self._started}"
        self._executor.start_worker(worker_id)
        self.members[worker_id] = Member(worker_id, now=self._now())
        return worker_id

    def greet(self, worker_id: str, pace: Pace) -> None:
        """It said Hello; PACE is what the plan's clock is at."""
        member = self.members[worker_id]
        if member.state == "starting":
            member.state, member.since = "working", self._now()
        setup = self._setup(worker_id)
        setup = msgspec.structs.replace(setup, elapsed_s=pace.elapsed_s, speed=pace.speed)
        self._executor.send(worker_id, setup)
        self._greeted.add(worker_id)
        if member.state == "draining":
            self._executor.send(worker_id, Drain())

    def drain_one(self) -> str:
        """Let the worker that holds the least work to its end and leave; empty: there is none."""
        working = [m for m in self.members.values() if m.state in ("starting", "working")]
        if not working:
            return ""
        member = min(working, key=lambda m: (m.state == "working", len(m.jobs)))
        self.drain(member.worker_id)
        return member.worker_id

    def drain(self, worker_id: str) -> None:
        """Let it finish what it holds and leave."""
        member = self.members[worker_id]
        if member.state in ("starting", "working"):
            member.state, member.since, member.room = "draining", self._now(), 0
            self._executor.send(worker_id, Drain())

    def grant(self, worker_id: str, grant: Grant) -> None:
        """Give it a job."""
        member = self.members[worker_id]
        member.room -= 1
        member.jobs[grant.job_id] = grant.epoch
        self._executor.send(worker_id, grant)

    def tell(self, message: ToWorker) -> None:
        """MESSAGE to all that have their setup; others get what holds then with it."""
        for worker_id in self._greeted:
            self._executor.send(worker_id, message)

    def remove(self, worker_id: str) -> Member | None:
        """It is no more; what it was."""
        member = self.members.pop(worker_id, None)
        self._greeted.discard(worker_id)
        if member is not None:
            self._past_cpu_s += member.vitals.cpu_s
            self._past_sent += member.vitals.sent
            self._executor.end_worker(worker_id)
        return member

    def hungry(self) -> Iterator[Member]:
        """Workers with room for a job, those with the fewest first; once for each room."""
        while found := [m for m in self.members.values() if m.state == "working" and m.room > 0]:
            yield min(found, key=lambda m: len(m.jobs))

    def overdue(self) -> list[tuple[str, str]]:
        """Workers that do not come up, or do not leave: id and why they count as lost."""
        now = self._now()
        found: list[tuple[str, str]] = []
        for member in self.members.values():
            waited_s = now - member.since
            if member.state == "starting" and waited_s > HELLO_S_MAX:
                found.append((member.worker_id, f"it did not come up within {HELLO_S_MAX:g} s"))
            elif member.state == "draining" and waited_s > DRAIN_S_MAX:
                found.append((member.worker_id, f"it did not finish within {DRAIN_S_MAX:g} s"))
        return found
