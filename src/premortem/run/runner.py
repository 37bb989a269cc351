"""A plan's run as an iterator of events; the sending itself goes on in the line's thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from hashlib import sha256
from typing import Protocol

from premortem.domain.run import SAFE_METHODS, Plan, RunSummary, Sequence
from premortem.errors import UnsafeTarget
from premortem.run.events import Event, RunEnded, RunStarted
from premortem.run.outbox import Outbox
from premortem.run.pacing import HEARTBEAT_S, Check, Pacer
from premortem.send.line import Line

LOOK_S = 0.2
"""How often the consumer's side looks whether the run still lives."""


class Arrangement(Protocol):
    """What `plan.arrange` gives."""

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """In the order in which they start."""

    @property
    def planned(self) -> int:
        """Requests planned, those that nothing was there for included."""

    @property
    def planned_dynamic(self) -> int:
        """Of them, generated."""

    @property
    def shortfall(self) -> str:
        """What of the plan cannot be met, in words."""


def run_plan(
    arranged: Arrangement,
    plan: Plan,
    *,
    line: Line,
    checker: Check,
    stop: threading.Event,
    profile_version: str = "",
) -> Iterator[Event]:
    """Run PLAN: RunStarted, then Tick (each second), ResultBatch and Paused, last RunEnded.

    LINE should be opened with the plan's `in_flight_max` and `timeout_s`. The iterator has to be
    consumed: when it is not, sending waits. Set STOP, or interrupt, and nothing more is sent;
    what is under way is waited for (`STOP_GRACE_S`), and everything that was sent is kept.
    planned = answered + faulted + unknown + left, always.

    Raises UnsafeTarget before anything is sent when a case could change data on a target that is
    not disposable; on the first step ConfigError or TargetError when a role cannot sign in.
    What CHECKER raises is raised here, after the results so far.
    """
    refuse_unsafe(arranged.sequences, line)
    return _events(arranged, plan, line, checker, stop, profile_version)


def refuse_unsafe(sequences: tuple[Sequence, ...], line: Line) -> None:
    """Raise UnsafeTarget for the first unsafe method if the target is not disposable."""
    target = line.client.config.target
    if target.disposable:
        return
    for sequence in sequences:
        for case in sequence.cases:
            if case.request.method not in SAFE_METHODS:
                raise UnsafeTarget(
                    target=target.base_url,
                    method=case.request.method,
                    operation_id=case.operation_id,
                )


def _events(
    arranged: Arrangement,
    plan: Plan,
    line: Line,
    checker: Check,
    stop: threading.Event,
    profile_version: str,
) -> Iterator[Event]:
    roles = {case.role for sequence in arranged.sequences for case in sequence.cases}
    line.wait(line.client.sign_in(sorted(roles)))
    rate = min(plan.rate_per_second, line.client.config.target.rate_per_second_max)
    outbox = Outbox()
    pacer = Pacer(
        arranged.sequences,
        planned=arranged.planned,
        rate_per_second=rate,
        in_flight_max=plan.in_flight_max,
        client=line.client,
        checker=checker,
        outbox=outbox,
        stop=stop,
    )
    started_at = line.client.sender.now()
    run_id = sha256(f"{started_at:.6f} {plan}".encode()).hexdigest()[:12]
    yield RunStarted(
        run_id=run_id,
        started_at=started_at,
        planned=arranged.planned,
        planned_dynamic=arranged.planned_dynamic,
        rate_per_second=rate,
        shortfall=arranged.shortfall,
    )
    abandoned = threading.Event()
    work = asyncio.run_coroutine_threadsafe(_driven(pacer, outbox, abandoned), line.loop)
    try:
        yield from _taken(outbox, work, stop)
    finally:
        abandoned.set()
        stop.set() if not work.done() else None
        error = work.exception()
    if error is not None:
        raise error
    ended_at = line.client.sender.now()
    yield RunEnded(
        summary=_summary(
            pacer,
            arranged,
            plan,
            run_id=run_id,
            started_at=started_at,
            duration_s=ended_at - started_at,
            profile_version=profile_version,
        )
    )


async def _driven(pacer: Pacer, outbox: Outbox, abandoned: threading.Event) -> None:
    """The run, then what the consumer has not taken yet."""
    try:
        await pacer.run()
    finally:
        outbox.flush()
        while not outbox.empty and not abandoned.is_set():
            await asyncio.sleep(HEARTBEAT_S / 10)
            outbox.hand_over()


def _taken(outbox: Outbox, work: Future[None], stop: threading.Event) -> Iterator[Event]:
    """Events until the work is done. The first interrupt asks it to stop, the second breaks."""
    while True:
        try:
            event = outbox.take(LOOK_S)
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            stop.set()
            continue
        if event is not None:
            yield event
        elif work.done():
            return


def _summary(
    pacer: Pacer,
    arranged: Arrangement,
    plan: Plan,
    *,
    run_id: str,
    started_at: float,
    duration_s: float,
    profile_version: str,
) -> RunSummary:
    tally = pacer.tally
    latency_ms = tally.latency.summary()
    tally.lag.fold()
    outcomes = tally.outcomes
    matched, replayed = tally.recorded_class
    return RunSummary(
        id=run_id,
        plan=plan,
        profile_version=profile_version,
        started_at=started_at,
        duration_s=duration_s,
        planned=arranged.planned,
        planned_dynamic=arranged.planned_dynamic,
        answered=outcomes["answered"],
        faulted=outcomes["faulted"],
        unknown=outcomes["unknown"],
        left=arranged.planned - tally.ended,
        setup=tally.setup,
        stopped=pacer.stopped,
        statuses=dict(sorted(tally.statuses.items())),
        by_source=dict(sorted(tally.by_source.items())),
        by_operation=tally.operations(),
        faults=dict(sorted(tally.faults.items())),
        recorded_class_matched=matched,
        recorded_class_total=replayed,
        latency_ms=latency_ms,
        lag_ms_p99=tally.lag.percentile(99),
    )
