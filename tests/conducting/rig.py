"""A run put together without learning: cases counted out by number, a real store, real workers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from premortem.config import Config, StoreConfig, TargetConfig
from premortem.domain.live import PlanSlice
from premortem.domain.run import Case, Origin, Plan, RunSummary, Sequence
from premortem.domain.schedule import schedule_of
from premortem.domain.traffic import Operation, OperationProfile, Profile, Request, Timing
from premortem.pipeline.assembling import conducted, resumed
from premortem.pipeline.conducting import Helping, conduct, executor_for
from premortem.run.executor import Executor
from premortem.run.governor import Sight
from premortem.run.happenings import Event, RunEnded
from premortem.store import Store, open_store

METHODS = ("POST", "GET")


def case(number: int) -> Case:
    """The case with that number; every second one is unsafe."""
    method = METHODS[number % 2]
    return Case(
        request=Request(method=method, origin="", path=f"/n/{number}"),
        operation_id=f"{method} /n/{{n}}",
        origin=Origin(source="replay"),
    )


class Numbered:
    """Cases one by one."""

    def __init__(self) -> None:
        self.profile = Profile(
            version="numbered",
            created_at=0,
            exchanges=0,
            sessions=0,
            origins=(),
            operations=tuple(
                OperationProfile(operation=Operation(method=m, template="/n/{n}"), count=1)
                for m in METHODS
            ),
            timing=Timing(first_at=0, last_at=1, rate_per_second=1, hours=(0,) * 24),
        )

    def cases(self, part: PlanSlice) -> tuple[Sequence, ...]:
        """Those of a slice."""
        numbers = range(part.first, part.first + part.count)
        return tuple(Sequence(cases=(case(number),)) for number in numbers)

    def waits(self) -> bool:
        return False

    def sequence(self, sequence_id: str) -> None:
        """Nobody looks at one again."""


class Racing(Numbered):
    """The same in rows of ROW, all but the first of which are sent at once."""

    ROW = 5

    def cases(self, part: PlanSlice) -> tuple[Sequence, ...]:
        """Those of a slice."""
        numbers = range(part.first, part.first + part.count)
        rows = (numbers[start : start + self.ROW] for start in range(0, len(numbers), self.ROW))
        return tuple(
            Sequence(
                cases=tuple(replace(case(n), together=int(at > 0)) for at, n in enumerate(row))
            )
            for row in rows
        )


def opened(directory: Path, *, url: str = "") -> Store:
    """The store of a test."""
    return open_store(StoreConfig(url=url), directory)


def config(base: str) -> Config:
    """For the target at BASE, which is disposable."""
    return Config(
        target=TargetConfig(base_url=base, disposable=True, rate_per_second_max=100_000.0)
    )


def events(
    plan: Plan,
    base: str,
    store: Store,
    *,
    executor: Executor | None = None,
    stop: threading.Event | None = None,
    resume: str = "",
    assistants: Helping | None = None,
    clock: Callable[[], float] = time.time,
    sight: Sight | None = None,
    supply: Numbered | None = None,
) -> Iterator[Event]:
    """PLAN run against BASE."""
    settings = config(base)
    run = conducted(plan, schedule_of(plan), config=settings, now=1_000_000.0)
    if resume:
        run = resumed(store.queue.run(resume), schedule_of(plan), config=settings)
    return conduct(
        run,
        supply or Numbered(),
        config=settings,
        store=store,
        executor=executor or executor_for(run, settings),
        stop=stop or threading.Event(),
        clean=lambda result: result,
        resume=bool(resume),
        assistants=assistants,
        clock=clock,
        sight=sight,
    )


def finished(given: Iterator[Event], then: Callable[[Event], object] = id) -> RunSummary:
    """The summary of a run whose events are taken one by one; THEN is called with each."""
    last: Event | None = None
    for event in given:
        then(event)
        last = event
    assert isinstance(last, RunEnded)
    return last.summary


def adds_up(summary: RunSummary, seen: Counter[str]) -> None:
    """Every planned case ended once, and no unsafe one was read twice."""
    assert summary.planned == summary.answered + summary.faulted + summary.unknown + summary.left
    twice = {name: count for name, count in seen.items() if count > 1 and name.startswith("POST")}
    assert not twice
    # What the target read and has no answer on our side is in doubt, and said so.
    unsafe = sum(count for name, count in seen.items() if name.startswith("POST"))
    answered = sum(
        count
        for name, classes in summary.by_operation.items()
        for kind, count in classes.items()
        if name.startswith("POST") and kind != "none"
    )
    assert 0 <= unsafe - answered <= summary.unknown
