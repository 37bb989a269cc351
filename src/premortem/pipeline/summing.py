"""What is said of a run at its end, from what is stored of it."""

from __future__ import annotations

from premortem.domain.condition import judge_thresholds, observed_of, parse_condition
from premortem.domain.limit import Knee
from premortem.domain.run import RunSummary, Threshold
from premortem.pipeline.assembling import Conducted
from premortem.run.board import Board, percentiles
from premortem.run.controller import Controller
from premortem.store import Store


def summary_of(
    run: Conducted, controller: Controller, store: Store, *, version: str, knee: Knee | None
) -> RunSummary:
    """The run as a whole, from what is stored of it."""
    board = Board()
    counts = store.queue.counts(
        run.run_id,
        by=("operation_id", "source", "setup", "recorded", "status", "outcome", "fault"),
    )
    board.add(counts, now_s=0.0)
    whole, plan = board.whole, run.plan
    duration_s = controller.run_s
    observed = observed_of(counts, duration_s=duration_s, lag=controller.board.lag)
    judged = judge_thresholds([parse_condition(text) for text in plan.thresholds], observed)
    planned = controller.jobs.cut if run.steered or plan.connections else run.schedule.total
    matched, replayed = whole.recorded_class
    outcomes = whole.outcomes
    return RunSummary(
        id=run.run_id,
        plan=plan,
        profile_version=version,
        started_at=controller.started_at,
        duration_s=duration_s,
        planned=planned,
        planned_dynamic=round(planned * plan.dynamic_share),
        answered=outcomes["answered"],
        faulted=outcomes["faulted"],
        unknown=outcomes["unknown"],
        left=planned - whole.ended,
        setup=whole.setup,
        stopped=controller.stopped,
        statuses=dict(sorted(whole.statuses.items())),
        by_operation=whole.operations(),
        by_source=dict(sorted(whole.by_source.items())),
        faults=dict(sorted(whole.faults.items())),
        recorded_class_matched=matched,
        recorded_class_total=replayed,
        latency_ms=percentiles(whole.all_latency()),
        lag_ms_p99=controller.board.lag.percentile_ms(99),
        judged=tuple(Threshold(text=j.text, value=j.value, held=j.held) for j in judged)
        if plan.load.shape != "find_limit"
        else (),
        knee=knee,
        dead={state.job_id: state.reason for state in controller.dead},
        workers=controller.workers_max,
        worker_cpu_s=controller.crew.cpu_s,
    )
