"""Workers as actors: the executors' contract, and whole runs."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem.domain.load import Scale
from premortem.domain.run import Plan
from premortem.run.controller import LEASE_S
from premortem.run.happenings import Recovered, Tick, WorkerChanged
from premortem.run.ray_cluster import RayCluster
from premortem.run.ray_executor import RayExecutor
from tests.conducting.rig import adds_up, events, finished, opened
from tests.conducting.target import target
from tests.contract.executor_contract import (
    test_a_death_is_noticed_and_the_others_work_on,
    test_a_drained_worker_finishes_what_it_holds_and_leaves,
    test_a_role_s_credentials_reach_the_worker,
    test_a_stopped_worker_reports_what_it_did_and_leaves,
    test_one_that_was_let_go_makes_room_for_another,
    test_the_end_leaves_nothing_behind,
    test_what_is_said_to_a_worker_that_is_coming_up_reaches_it,
    test_workers_work_off_all_jobs_and_each_is_heard_in_order,
)
from tests.contract.executors import Kind, Ray

__all__ = [
    "test_a_death_is_noticed_and_the_others_work_on",
    "test_a_drained_worker_finishes_what_it_holds_and_leaves",
    "test_a_role_s_credentials_reach_the_worker",
    "test_a_stopped_worker_reports_what_it_did_and_leaves",
    "test_one_that_was_let_go_makes_room_for_another",
    "test_the_end_leaves_nothing_behind",
    "test_what_is_said_to_a_worker_that_is_coming_up_reaches_it",
    "test_workers_work_off_all_jobs_and_each_is_heard_in_order",
]

pytestmark = [
    pytest.mark.quality,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed"
    ),
]

TWO = Scale(executor="ray", workers_min=2, workers_max=2, rate_per_worker_max=120.0, job_s=1.0)


@pytest.fixture(scope="module")
def kind() -> Iterator[Kind]:
    cluster = RayCluster("", cpus=2)
    cluster.join()
    try:
        yield Ray()
    finally:
        cluster.leave()


@pytest.mark.usefixtures("kind")
def test_a_plan_that_names_ray_runs_on_actors(tmp_path: Path) -> None:
    plan = Plan(dynamic="0%", rate_per_second=200.0, duration_s=3.0, scale=TWO)
    names: set[str] = set()

    def note(event: object) -> None:
        if isinstance(event, WorkerChanged):
            names.add(event.worker_id)

    with target() as service, opened(tmp_path) as store:
        summary = finished(events(plan, service.base, store), note)
        seen = service.seen()
    assert len(names) == 2
    assert summary.answered == 600
    assert set(seen.values()) == {1}
    assert summary.worker_cpu_s > 0


@pytest.mark.usefixtures("kind")
def test_a_killed_actor_loses_nothing_and_repeats_nothing_unsafe(tmp_path: Path) -> None:
    executor = RayExecutor(workers_max=2, environment={}, silent_s=LEASE_S)
    killed: list[int] = []
    recovered: list[Recovered] = []

    def kill(event: object) -> None:
        if isinstance(event, Tick) and event.answered > 150 and not killed:
            killed.append(min(executor.places.items())[1][1])
            os.kill(killed[0], signal.SIGKILL)
        if isinstance(event, Recovered):
            recovered.append(event)

    with target() as service, opened(tmp_path) as store:
        plan = Plan(dynamic="0%", rate_per_second=200.0, duration_s=4.0, scale=TWO)
        summary = finished(events(plan, service.base, store, executor=executor), kill)
        seen = service.seen()
    assert killed
    assert any("died" in event.why for event in recovered)
    assert summary.left == 0
    assert summary.unknown == sum(event.unknown for event in recovered)
    adds_up(summary, seen)
