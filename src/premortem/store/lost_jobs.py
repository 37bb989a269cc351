"""Jobs whose worker is gone: what is in doubt is settled in the transaction that frees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from premortem.domain.jobs import Count, Job, JobState
from premortem.domain.leases import Refusal, Resumption, bury, is_last, lose, resumption
from premortem.domain.live import LiveRun, LostLease
from premortem.domain.ranges import Ranges, size, to_mask
from premortem.domain.run import Case, Fault, Result, Sent
from premortem.store.database import Database
from premortem.store.job_table import Changed, JobTable
from premortem.store.queue_rows import job_state
from premortem.store.tables import jobs

LOST_AT_ONCE_MAX = 32
"""Jobs settled in one transaction."""
RESULTS_MAX = 200
"""Unknown cases of one job that are stored in full; all are counted."""
FAULT = Fault(kind="reset", detail="its worker was lost before the answer was known", sent=True)

Step = Callable[[JobState, Resumption], JobState | Refusal]


class LostJobs:
    """Frees, or gives up, jobs that nobody works on."""

    def __init__(self, database: Database, table: JobTable) -> None:
        self._database = database
        self._table = table

    def lose(
        self, run: int, live: LiveRun, *, where: ColumnElement[bool], lost_at_s: float, why: str
    ) -> list[LostLease]:
        """Taken jobs WHERE holds go back to the queue, or are dead after too many attempts."""
        attempts_max = live.plan.scale.attempts_max

        def step(state: JobState, found: Resumption) -> JobState | Refusal:
            return lose(state, found, attempts_max=attempts_max, reason=why)

        def again(state: JobState) -> bool:
            return not is_last(state, attempts_max=attempts_max)

        taken = (jobs.c.run == run) & (jobs.c.status == "taken") & where
        return self._all(run, live, taken, lost_at_s=lost_at_s, why=why, step=step, again=again)

    def bury(
        self, run: int, live: LiveRun, *, where: ColumnElement[bool], lost_at_s: float, why: str
    ) -> list[LostLease]:
        """Jobs WHERE holds, taken or not, are dead."""

        def step(state: JobState, found: Resumption) -> JobState | Refusal:
            return bury(state, found, reason=why)

        unended = (jobs.c.run == run) & jobs.c.status.in_(("untaken", "taken")) & where
        return self._all(
            run, live, unended, lost_at_s=lost_at_s, why=why, step=step, again=lambda _state: False
        )

    def _all(
        self,
        run: int,
        live: LiveRun,
        where: ColumnElement[bool],
        *,
        lost_at_s: float,
        why: str,
        step: Step,
        again: Callable[[JobState], bool],
    ) -> list[LostLease]:
        lost: list[LostLease] = []
        after = -1
        query = select(jobs.c.id).where(where).order_by(jobs.c.id).limit(LOST_AT_ONCE_MAX)
        while True:
            with self._database.reading() as connection:
                numbers = list(connection.execute(query.where(jobs.c.id > after)).scalars())
            if not numbers:
                return lost
            after = numbers[-1]
            with self._table.changing(with_results=True) as connection:
                there = where & jobs.c.id.in_(numbers)
                locked = select(jobs).where(there).order_by(jobs.c.id).with_for_update()
                rows = connection.execute(locked).all()
                lost += self._part(
                    connection,
                    live,
                    run,
                    rows,
                    lost_at_s=lost_at_s,
                    why=why,
                    step=step,
                    again=again,
                )

    def _part(
        self,
        connection: Connection,
        live: LiveRun,
        run: int,
        rows: Iterable[Row[Any]],
        *,
        lost_at_s: float,
        why: str,
        step: Step,
        again: Callable[[JobState], bool],
    ) -> list[LostLease]:
        states = {row.id: job_state(row, run_id=live.id) for row in rows}
        taken = [number for number, state in states.items() if state.status == "taken"]
        payloads = self._table.payloads(connection, taken)
        changed: list[Changed] = []
        lost: list[LostLease] = []
        for number, state in states.items():
            found = Resumption(again=state.count - size(state.ended))
            counts: list[Count] = []
            results: list[Result] = []
            if number in payloads:
                job = self._table.opened(number, payloads[number])
                resend = live.plan.resend_unsafe and again(state)
                found = resumption(job, state, lost_at_s=lost_at_s, resend_unsafe=resend)
                counts, results = _unknown(job, live, found.unknown, lost_at_s=lost_at_s)
            following = step(state, found)
            if isinstance(following, Refusal):
                continue
            changed.append(Changed(id=number, state=following))
            lost.append(
                LostLease(
                    job_id=state.job_id,
                    worker_id=state.worker_id,
                    why=why,
                    unknown=size(found.unknown),
                    again=found.again,
                    dead=following.status == "dead",
                    counts=tuple(counts),
                    results=tuple(results),
                )
            )
        self._table.save(connection, changed)
        self._table.record(
            connection,
            run,
            live.id,
            counts=[count for item in lost for count in item.counts],
            results=[result for item in lost for result in item.results],
        )
        return lost


def _unknown(
    job: Job, live: LiveRun, ranges: Ranges, *, lost_at_s: float
) -> tuple[list[Count], list[Result]]:
    """What is stored of the cases RANGES of a job: one count each, and some in full."""
    counts: list[Count] = []
    results: list[Result] = []
    mask = to_mask(ranges, job.first, job.count)
    slots = job.due_s
    index = 0
    for sequence in job.sequences:
        for position, case in enumerate(sequence.cases):
            if mask[index]:
                due_s = slots[index] if slots else max(job.start_s, min(lost_at_s, job.end_s))
                counts.append(_count(case, second=int(due_s)))
                if len(results) < RESULTS_MAX:
                    at = live.started_at + due_s
                    sent = Sent(request=case.request, fault=FAULT, intended_at=at)
                    results.append(
                        Result(case=case, sequence_id=sequence.id, position=position, sent=sent)
                    )
            index += 1
    return counts, results


def _count(case: Case, *, second: int) -> Count:
    return Count(
        second,
        case.operation_id,
        case.origin.source,
        case.setup,
        case.recorded_status,
        0,
        "unknown",
        FAULT.kind,
        1,
    )
