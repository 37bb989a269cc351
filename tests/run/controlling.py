"""A controller in memory, for tests of a worker: grants jobs, keeps what is said."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from premortem.config import Config, TargetConfig
from premortem.domain.jobs import Job, ResultBatch
from premortem.domain.latency import Latency
from premortem.domain.packing import pack_job
from premortem.domain.run import Case, Plan, Result, Sequence
from premortem.run.messages import (
    Ask,
    Drain,
    Grant,
    Left,
    Renewed,
    Setup,
    encode,
    to_controller,
    to_worker,
)
from premortem.run.worker import Worker
from premortem.send.line import new_loop
from tests.checks.judging import profile
from tests.send.cases import case, get

LEASE_S = 10.0
Said = Callable[["Controller", Any], None]


def singles(count: int, **changes: Any) -> list[Sequence]:
    return [Sequence(cases=(case(get(f"/{n}"), **changes),)) for n in range(count)]


def job(
    sequences: Iterable[Sequence],
    *,
    rate: float = 1000.0,
    start_s: float = 0.0,
    number: int = 0,
    first: int = 0,
    connections: int = 0,
) -> Job:
    """A job of SEQUENCES, at RATE from START_S on."""
    sequences = tuple(sequences)
    count = sum(len(sequence.cases) for sequence in sequences)
    slots = start_s + np.arange(0 if connections else count) / rate
    return Job(
        id=f"r/{number}",
        run_id="r",
        number=number,
        slice=0,
        start_s=start_s,
        end_s=start_s + count / rate,
        first=first,
        sequences=sequences,
        slots=slots.astype("<f8").tobytes(),
        connections=connections,
    )


def jobs_of(sequences: list[Sequence], *, size: int, rate: float = 1000.0) -> list[Job]:
    """SEQUENCES of one case each, SIZE to a job, one job after the other."""
    return [
        job(
            sequences[first : first + size],
            rate=rate,
            start_s=first / rate,
            number=first // size,
            first=first,
        )
        for first in range(0, len(sequences), size)
    ]


def setup_of(
    url: str, *, config: Config | None = None, elapsed_s: float = 0.0, **plan: Any
) -> Setup:
    target = TargetConfig(base_url=url, disposable=True)
    return Setup(
        worker_id="w1",
        run_id="r",
        config=config or Config(target=target),
        profile=profile(),
        plan=Plan(**({"in_flight_max": 16, "timeout_s": 2.0} | plan)),
        redaction_key=b"",
        elapsed_s=elapsed_s,
    )


class Controller:
    """A worker's port; everything goes through bytes, as over a pipe.

    ACKNOWLEDGES: batches are answered. SAID: called with each message of the worker, and may
    `tell` it something.
    """

    def __init__(
        self,
        setup: Setup,
        jobs: Iterable[Job],
        *,
        skip: tuple[tuple[int, int], ...] = (),
        acknowledges: bool = True,
        lease_s: float = LEASE_S,
        said: Said | None = None,
    ) -> None:
        self._messages: asyncio.Queue[bytes] = asyncio.Queue()
        self._jobs = deque(jobs)
        self._open: set[str] = set()
        self._skip = skip
        self._acknowledges = acknowledges
        self._lease_s = lease_s
        self._said = said
        self.heard: list[Any] = []
        self.tell(setup)

    def tell(self, message: Any) -> None:
        self._messages.put_nowait(encode(message))

    async def receive(self) -> Any:
        return to_worker(await self._messages.get())

    def send(self, message: Any) -> None:
        message = to_controller(encode(message))
        self.heard.append(message)
        if isinstance(message, Ask):
            for _ in range(message.jobs):
                self.grant()
        elif isinstance(message, ResultBatch):
            if self._acknowledges:
                self.acknowledge(message)
            if message.final:
                self._open.discard(message.job_id)
                if not self._jobs and not self._open:
                    self.tell(Drain())
        if self._said is not None:
            self._said(self, message)

    def grant(self, *, epoch: int = 1) -> None:
        if self._jobs:
            granted = self._jobs.popleft()
            self._open.add(granted.id)
            self.tell(
                Grant(
                    job_id=granted.id,
                    packed=pack_job(granted),
                    epoch=epoch,
                    lease_s=self._lease_s,
                    skip=self._skip,
                )
            )

    def acknowledge(self, batch: ResultBatch) -> None:
        self.tell(
            Renewed(
                job_id=batch.job_id,
                epoch=batch.epoch,
                sequence_number=batch.sequence_number,
                lease_s=self._lease_s,
            )
        )

    # What it was told, in sums.

    @property
    def left(self) -> Left:
        found = self.heard[-1]
        assert isinstance(found, Left)
        return found

    @property
    def batches(self) -> list[ResultBatch]:
        return [message for message in self.heard if isinstance(message, ResultBatch)]

    @property
    def results(self) -> list[Result]:
        return [result for batch in self.batches for result in batch.results]

    @property
    def outcomes(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for batch in self.batches:
            for count in batch.counts:
                found[count.outcome] += count.count
        return found

    @property
    def ended(self) -> list[int]:
        """Numbers of cases that ended, ascending."""
        return sorted(
            number
            for batch in self.batches
            for low, high in batch.ended
            for number in range(low, high + 1)
        )

    @property
    def latency(self) -> Latency:
        total = Latency()
        for batch in self.batches:
            for count in batch.counts:
                total.add(Latency.unpacked(count.latency))
        return total

    @property
    def lag(self) -> Latency:
        total = Latency()
        for batch in self.batches:
            total.add(Latency.unpacked(batch.vitals.lag))
        return total

    def adds_up(self) -> Counter[str]:
        """The outcomes, once each case that ended is counted, and was told, once."""
        ended = self.ended
        assert len(ended) == len(set(ended)) == self.outcomes.total()
        for batch in self.batches:
            told = sum(high - low + 1 for low, high in batch.ended)
            assert told == sum(count.count for count in batch.counts)
            numbers = [b.sequence_number for b in self.batches if b.job_id == batch.job_id]
            assert numbers == list(range(1, len(numbers) + 1))
        return self.outcomes


def work(
    controller_of: Callable[[], Controller], *, limit_s: float = 20.0, **more: Any
) -> Controller:
    """A worker from its start to its end with what CONTROLLER_OF makes on the worker's loop."""

    async def run() -> Controller:
        controller = controller_of()
        worker = Worker(controller, worker_id="w1", **({"environment": {}} | more))
        await asyncio.wait_for(worker.run(), limit_s)
        return controller

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run())


def told_by(controller: Controller) -> dict[str, Result]:
    """Path -> result, of those told in full."""
    return {result.case.request.path: result for result in controller.results}


__all__ = [
    "Case",
    "Controller",
    "job",
    "jobs_of",
    "setup_of",
    "singles",
    "told_by",
    "work",
]
