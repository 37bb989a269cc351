"""Executors under the contract's tests, and a controller that turns one by hand."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from premortem.domain.jobs import Job, ResultBatch
from premortem.domain.packing import pack_job
from premortem.run.controller import LEASE_S
from premortem.run.executor import Executor, Gone
from premortem.run.inside import InsideExecutor, ThreadPort
from premortem.run.local import LocalExecutor
from premortem.run.messages import Ask, Grant, Hello, Left, Renewed, Setup, Stop
from premortem.run.worker import Worker

_T = TypeVar("_T")
WAIT_S_MAX = 60.0
"""A test that waits longer than this has failed."""


class Kind(Protocol):
    """A kind of executors."""

    def executor(self) -> Executor:
        """A new one."""

    def kill(self, executor: Executor, hello: Hello) -> None:
        """End a worker as an accident would."""

    def lives(self, hello: Hello) -> bool:
        """There is still something of that worker."""


class Inside:
    """Threads: their accident is an exception that nobody expected."""

    def executor(self) -> Executor:
        return InsideExecutor(self._host)

    async def _host(self, port: ThreadPort, worker_id: str) -> None:
        await Worker(_Fragile(port), worker_id=worker_id).run()

    def kill(self, executor: Executor, hello: Hello) -> None:
        executor.send(hello.worker_id, Stop(why=_Fragile.BREAKS, grace_s=0.0))

    def lives(self, hello: Hello) -> bool:
        return any(t.name == f"premortem-{hello.worker_id}" for t in threading.enumerate())


class _Fragile:
    """A port that ends its thread when told to."""

    BREAKS = "an accident"

    def __init__(self, port: ThreadPort) -> None:
        self._port = port

    def send(self, message: Any) -> None:
        self._port.send(message)

    async def receive(self) -> Any:
        message = await self._port.receive()
        if isinstance(message, Stop) and message.why == self.BREAKS:
            raise SystemExit(message.why)
        return message


class Processes:
    """What processes of this machine have in common."""

    def kill(self, executor: Executor, hello: Hello) -> None:
        os.kill(hello.pid, signal.SIGKILL)

    def lives(self, hello: Hello) -> bool:
        try:
            os.kill(hello.pid, 0)
        except ProcessLookupError:
            return False
        return True


class Local(Processes):
    """Processes of ours."""

    def executor(self) -> Executor:
        return LocalExecutor()


class Ray(Processes):
    """Actors, in the cluster that the fixture has started."""

    def executor(self) -> Executor:
        from premortem.run.ray_executor import RayExecutor

        return RayExecutor(environment={"CONTRACT_TOKEN": "t-1"}, silent_s=LEASE_S)


class Turned:
    """Starts workers, grants jobs to whoever asks, answers batches; all that is heard is kept."""

    def __init__(self, kind: Kind, setup: Callable[[str], Setup], jobs: Iterable[Job] = ()) -> None:
        self.executor = kind.executor()
        self._setup = setup
        self._jobs = list(jobs)
        self.heard: list[tuple[str, Any]] = []
        self.gone: list[Gone] = []

    def __enter__(self) -> Turned:
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.close()

    def turn(self, until: Callable[[Turned], object]) -> None:
        """Go on until UNTIL says so; fails after WAIT_S_MAX."""
        ends = time.monotonic() + WAIT_S_MAX
        while not until(self):
            assert time.monotonic() < ends, self.heard[-5:]
            heard = self.executor.receive(0.05)
            if isinstance(heard, Gone):
                self.gone.append(heard)
            elif heard is not None:
                self.heard.append(heard)
                self._answer(*heard)

    def _answer(self, worker_id: str, message: Any) -> None:
        match message:
            case Hello():
                self.executor.send(worker_id, self._setup(worker_id))
            case Ask():
                for _ in range(min(message.jobs, len(self._jobs))):
                    job = self._jobs.pop(0)
                    grant = Grant(job_id=job.id, packed=pack_job(job), epoch=1, lease_s=LEASE_S)
                    self.executor.send(worker_id, grant)
            case ResultBatch():
                renewed = Renewed(
                    job_id=message.job_id,
                    epoch=message.epoch,
                    sequence_number=message.sequence_number,
                    lease_s=LEASE_S,
                )
                self.executor.send(worker_id, renewed)

    def of(self, wanted: type[_T]) -> list[_T]:
        """Messages of that type."""
        return [message for _, message in self.heard if isinstance(message, wanted)]

    def hello(self, worker_id: str) -> Hello | None:
        """What it said first."""
        return next((h for h in self.of(Hello) if h.worker_id == worker_id), None)

    def left(self, *worker_ids: str) -> bool:
        """They have said their last word."""
        return set(worker_ids) <= {message.worker_id for message in self.of(Left)}

    @property
    def finals(self) -> int:
        """Jobs that are done."""
        return sum(batch.final for batch in self.of(ResultBatch))

    @property
    def outcomes(self) -> Counter[str]:
        """Outcome -> cases."""
        found: Counter[str] = Counter()
        for batch in self.of(ResultBatch):
            for count in batch.counts:
                found[count.outcome] += count.count
        return found
