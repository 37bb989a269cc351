"""Cases that are sent at once in whole runs: every planned request still ends once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from premortem.domain.load import Load, Scale
from premortem.domain.run import Plan
from premortem.run.happenings import Recovered, Tick, WorkerChanged
from premortem.run.local import LocalExecutor
from tests.conducting.rig import Racing, adds_up, events, finished, opened
from tests.conducting.target import target

TWO = Scale(workers_min=2, workers_max=2, rate_per_worker_max=120.0, job_s=1.0)


def test_groups_are_sent_once_and_counted(tmp_path: Path) -> None:
    plan = Plan(dynamic="0%", rate_per_second=200.0, duration_s=3.0)
    with target() as service, opened(tmp_path) as store:
        summary = finished(events(plan, service.base, store, supply=Racing()))
        seen = service.seen()
    assert (summary.answered, summary.left) == (600, 0)
    assert set(seen.values()) == {1}
    assert len(seen) == 600


def test_groups_of_a_closed_model_are_sent_once_and_counted(tmp_path: Path) -> None:
    plan = Plan(dynamic="0%", rate_per_second=200.0, duration_s=2.0, connections=2, load=Load())
    with target() as service, opened(tmp_path) as store:
        summary = finished(events(plan, service.base, store, supply=Racing()))
        seen = service.seen()
    assert summary.answered + summary.left == summary.planned
    adds_up(summary, seen)


def test_a_worker_killed_amid_groups_loses_nothing_and_repeats_nothing_unsafe(
    tmp_path: Path,
) -> None:
    executor = LocalExecutor()
    started: list[str] = []
    killed: list[int] = []
    recovered: list[Recovered] = []

    def kill(event: object) -> None:
        if isinstance(event, WorkerChanged) and event.change == "started":
            started.append(event.worker_id)
        if isinstance(event, Tick) and event.answered > 150 and not killed:
            killed.append(executor.pid(started[0]))
            os.kill(killed[0], signal.SIGKILL)
        if isinstance(event, Recovered):
            recovered.append(event)

    with target() as service, opened(tmp_path) as store:
        service.behave(delay_s=0.05)
        plan = Plan(dynamic="0%", rate_per_second=200.0, duration_s=4.0, scale=TWO)
        given = events(plan, service.base, store, executor=executor, supply=Racing())
        summary = finished(given, kill)
        seen = service.seen()
    assert recovered
    assert summary.left == 0
    assert summary.unknown == sum(event.unknown for event in recovered)
    adds_up(summary, seen)


def test_connections_cut_amid_groups_are_faults_and_nothing_is_repeated(tmp_path: Path) -> None:
    with target() as service, opened(tmp_path) as store:
        service.behave(cut=1)
        plan = Plan(dynamic="0%", rate_per_second=100.0, duration_s=2.0)
        summary = finished(events(plan, service.base, store, supply=Racing()))
        seen = service.seen()
    assert summary.left == 0
    assert summary.unknown > 0
    adds_up(summary, seen)
