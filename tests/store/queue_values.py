"""Runs, slices, jobs and what workers say of them, for tests of the queue."""

from __future__ import annotations

from collections.abc import Sequence as Many

import numpy as np

from premortem.domain.jobs import Count, Job, ResultBatch
from premortem.domain.latency import Latency
from premortem.domain.live import Granted, LiveRun, PlanSlice
from premortem.domain.load import Scale
from premortem.domain.ranges import Ranges, size
from premortem.domain.run import Case, Origin, Plan, Result, Sequence
from premortem.domain.traffic import Request

RUN = "0123456789ab"


def a_live_run(run_id: str = RUN, *, planned: int = 100, attempts_max: int = 3, **more) -> LiveRun:
    plan = Plan(
        name="queue",
        scale=Scale(attempts_max=attempts_max),
        resend_unsafe=more.pop("resend_unsafe", False),
    )
    given = {"plan": plan, "profile_version": "123456789abc", "started_at": 1_700_000_000.0}
    return LiveRun(id=run_id, planned=planned, **(given | more))


def a_sent_case(number: int, *, method: str = "POST") -> Case:
    return Case(
        request=Request(
            method=method,
            origin="http://127.0.0.1:1",
            path=f"/invoices/{number}",
            body=b'{"number": %d}' % number,
        ),
        operation_id=f"{method} /invoices/{{id}}",
        origin=Origin(source="sample", seed=number),
    )


def a_job(
    number: int = 0,
    *,
    methods: str | Many[str] = "POST",
    count: int = 10,
    first: int | None = None,
    length: int = 1,
    slice_: int = 0,
    slots: Many[float] | None = None,
    connections: int = 0,
    run_id: str = RUN,
) -> Job:
    """COUNT cases in sequences of LENGTH; a slot every tenth of a second from second NUMBER on."""
    named = [methods] * count if isinstance(methods, str) else list(methods)
    first = number * count if first is None else first
    cases = [a_sent_case(first + k, method=method) for k, method in enumerate(named)]
    sequences = [Sequence(cases=tuple(cases[k : k + length])) for k in range(0, count, length)]
    due = [number + k / 10 for k in range(count)] if slots is None else list(slots)
    return Job(
        id=f"{run_id}/{number}",
        run_id=run_id,
        number=number,
        slice=slice_,
        start_s=due[0] if due else 0.0,
        end_s=due[-1] if due else 0.0,
        first=first,
        sequences=tuple(sequences),
        slots=b"" if connections else np.array(due, dtype="<f8").tobytes(),
        connections=connections,
    )


def a_slice(
    number: int = 0, *, first: int = 0, count: int = 100, start_s: float = 0.0
) -> PlanSlice:
    return PlanSlice(number=number, first=first, count=count, start_s=start_s, end_s=start_s + 10)


def a_count(count: int = 1, **more) -> Count:
    given = {
        "second": 0,
        "operation_id": "POST /invoices/{id}",
        "source": "sample",
        "setup": False,
        "recorded": 0,
        "status": 201,
        "outcome": "answered",
        "fault": "",
        "count": count,
    } | more
    given.setdefault("latency", Latency({1000: count}).packed() if given["status"] else b"")
    return Count(**given)


def a_batch(
    granted: Granted,
    number: int,
    *ended: tuple[int, int],
    results: Many[Result] = (),
    final: bool = False,
    counts: Many[Count] | None = None,
) -> ResultBatch:
    return ResultBatch(
        job_id=granted.job_id,
        worker_id=granted.worker_id,
        epoch=granted.epoch,
        sequence_number=number,
        ended=ended,
        counts=tuple(counts_of(ended) if counts is None else counts),
        results=tuple(results),
        final=final,
    )


def counts_of(ended: Ranges) -> list[Count]:
    return [a_count(size(ended))] if ended else []
