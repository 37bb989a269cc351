"""A run from its first slice to its summary, and what may befall it on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from premortem.domain.load import Hold, Load, Scale, StopRule
from premortem.domain.run import Plan
from premortem.run.happenings import Recovered, RunStarted, Stopping, Tick, WorkerChanged
from premortem.run.local import LocalExecutor
from tests.conducting.helping import Helpers
from tests.conducting.rig import adds_up, events, finished, opened
from tests.conducting.target import target

PLAN = Plan(dynamic="0%", rate_per_second=200.0, duration_s=3.0)
TWO = Scale(workers_min=2, workers_max=2, rate_per_worker_max=120.0, job_s=1.0)


def test_every_planned_request_is_sent_once_and_counted(tmp_path: Path) -> None:
    with target() as service, opened(tmp_path) as store:
        summary = finished(events(PLAN, service.base, store))
        seen = service.seen()
    assert (summary.planned, summary.answered) == (600, 600)
    assert set(seen.values()) == {1}
    assert len(seen) == 600
    assert summary.statuses == {"2xx": 600}
    assert summary.by_operation == {"GET /n/{n}": {"2xx": 300}, "POST /n/{n}": {"2xx": 300}}


def test_processes_share_the_work(tmp_path: Path) -> None:
    names: set[str] = set()

    def note(event: object) -> None:
        if isinstance(event, WorkerChanged):
            names.add(event.worker_id)

    with target() as service, opened(tmp_path) as store:
        plan = Plan(dynamic="0%", rate_per_second=200.0, duration_s=3.0, scale=TWO)
        summary = finished(events(plan, service.base, store), note)
        seen = service.seen()
    assert len(names) == 2
    assert summary.answered == 600
    assert set(seen.values()) == {1}
    assert summary.worker_cpu_s > 0


def test_a_killed_worker_loses_nothing_and_repeats_nothing_unsafe(tmp_path: Path) -> None:
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
        plan = Plan(dynamic="0%", rate_per_second=200.0, duration_s=4.0, scale=TWO)
        summary = finished(events(plan, service.base, store, executor=executor), kill)
        seen = service.seen()
    assert killed
    assert recovered
    assert all("SIGKILL" in event.why for event in recovered)
    assert summary.left == 0
    assert summary.unknown == sum(event.unknown for event in recovered)
    adds_up(summary, seen)


def test_a_stop_ends_sending_and_what_is_left_is_counted(tmp_path: Path) -> None:
    stop = threading.Event()

    def ask(event: object) -> None:
        if isinstance(event, Tick) and event.answered > 100:
            stop.set()

    with target() as service, opened(tmp_path) as store:
        summary = finished(events(PLAN, service.base, store, stop=stop), ask)
        seen = service.seen()
    assert summary.stopped == "stopped by the user"
    assert summary.left > 0
    adds_up(summary, seen)
    assert sum(seen.values()) == summary.planned - summary.left


def test_a_rule_stops_the_run_and_shows_its_evidence(tmp_path: Path) -> None:
    said: list[Stopping] = []

    def note(event: object) -> None:
        if isinstance(event, Stopping):
            said.append(event)
        if isinstance(event, Tick) and event.answered > 100:
            service.behave(status=503)

    with target() as service, opened(tmp_path) as store:
        plan = Plan(
            dynamic="0%",
            rate_per_second=200.0,
            duration_s=10.0,
            stop=(StopRule(when="error_ratio > 0.2", window_s=2.0),),
        )
        summary = finished(events(plan, service.base, store), note)
        seen = service.seen()
    assert [event.rule for event in said] == ["error_ratio > 0.2"]
    assert "503" in said[0].evidence
    assert summary.stopped.startswith("error_ratio > 0.2: error_ratio was")
    assert summary.left > 0
    adds_up(summary, seen)


def test_a_closed_model_keeps_so_many_connections_busy(tmp_path: Path) -> None:
    with target() as service, opened(tmp_path) as store:
        service.behave(delay_s=0.05)
        plan = Plan(
            dynamic="0%", rate_per_second=1000.0, duration_s=30.0, connections=8, requests_max=400
        )
        summary = finished(events(plan, service.base, store))
        seen = service.seen()
    assert summary.answered == 400
    adds_up(summary, seen)


def test_a_run_whose_controller_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.conducting.test_conduct import PLAN;"
        "from tests.conducting.rig import events, opened\n"
        "with opened(Path(sys.argv[1])) as store:\n"
        "    for event in events(PLAN, sys.argv[2], store):\n"
        "        print(type(event).__name__, getattr(event, 'answered', ''), flush=True)\n"
    )
    with target() as service:
        command = [sys.executable, "-c", script, str(tmp_path), service.base]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            name, _, answered = line.strip().partition(" ")
            if name == "Tick" and int(answered) > 150:
                break
        process.kill()
        process.wait()
        with opened(tmp_path) as store:
            (live,) = store.queue.unended_runs()
            summary = finished(events(PLAN, service.base, store, resume=live.id))
            assert not store.queue.unended_runs()
        seen = service.seen()
    assert summary.planned == 600
    assert summary.left == 0
    assert summary.answered > 300
    adds_up(summary, seen)


def test_a_search_finds_the_rate_that_breaks_a_threshold(tmp_path: Path) -> None:
    with target() as service, opened(tmp_path) as store:
        service.behave(delay_s=0.04)
        plan = Plan(
            dynamic="0%",
            duration_s=25.0,
            in_flight_max=2,  # 50 a second at 40 ms each is all that goes through
            load=Load(
                shape="find_limit",
                from_per_second=10,
                to_per_second=160,
                trial_s=1.2,
                settle_s=0.3,
                precision=0.3,
            ),
            # The median: of a dozen answers at 10 a second one may be late on a busy machine.
            thresholds=("p50_ms < 120",),
        )
        summary = finished(events(plan, service.base, store))
    assert summary.knee is not None
    assert summary.knee.rate_high is not None
    assert 20 <= summary.knee.rate_low < summary.knee.rate_high <= 80


@pytest.mark.parametrize("metric", ["p90_ms"])
def test_a_held_metric_steers_the_rate(tmp_path: Path, metric: str) -> None:
    speeds: list[float] = []

    def note(event: object) -> None:
        if isinstance(event, Tick):
            speeds.append(event.speed)

    with target() as service, opened(tmp_path) as store:
        plan = Plan(
            dynamic="0%",
            rate_per_second=400.0,
            duration_s=4.0,
            hold=Hold(metric=metric, value=500.0, from_per_second=20.0, every_s=0.5),
        )
        summary = finished(events(plan, service.base, store), note)
        seen = service.seen()
    assert speeds[-1] > speeds[0]  # far below what it may take: faster and faster
    adds_up(summary, seen)


def test_a_second_controller_shares_the_plan(tmp_path: Path) -> None:
    seen_controllers: set[int] = set()

    def note(event: object) -> None:
        if isinstance(event, Tick):
            seen_controllers.add(event.controllers)

    with target() as service, opened(tmp_path) as store:
        scale = Scale(workers_min=2, workers_max=2, controllers_max=2, job_s=0.5)
        plan = Plan(dynamic="0%", rate_per_second=100.0, duration_s=12.0, scale=scale)
        assistants = Helpers(service.base, tmp_path)
        given = events(plan, service.base, store, assistants=assistants)
        summary = finished(given, note)
        seen = service.seen()
    assert seen_controllers == {1, 2}
    assert summary.answered == summary.planned == 1200
    assert set(seen.values()) == {1}


def test_a_killed_controller_leaves_its_work_to_the_other(tmp_path: Path) -> None:
    killed: list[int] = []

    with target() as service, opened(tmp_path) as store:
        scale = Scale(workers_min=2, workers_max=2, controllers_max=2, job_s=0.5)
        plan = Plan(dynamic="0%", rate_per_second=100.0, duration_s=12.0, scale=scale)
        assistants = Helpers(service.base, tmp_path)

        def kill(event: object) -> None:
            if isinstance(event, Tick) and event.controllers == 2 and not killed:
                killed.extend(assistants.pids)
                os.kill(killed[0], signal.SIGKILL)

        given = events(plan, service.base, store, assistants=assistants)
        summary = finished(given, kill)
        seen = service.seen()
    assert killed
    assert summary.left == 0
    adds_up(summary, seen)


def test_a_stop_reaches_all_controllers(tmp_path: Path) -> None:
    stop = threading.Event()
    run_ids: list[str] = []

    def ask(event: object) -> None:
        if isinstance(event, RunStarted):
            run_ids.append(event.run_id)
        if isinstance(event, Tick) and event.controllers == 2:
            stop.set()

    with target() as service, opened(tmp_path) as store:
        scale = Scale(workers_min=2, workers_max=2, controllers_max=2, job_s=0.5)
        plan = Plan(dynamic="0%", rate_per_second=50.0, duration_s=60.0, scale=scale)
        assistants = Helpers(service.base, tmp_path)
        summary = finished(events(plan, service.base, store, stop=stop, assistants=assistants), ask)
        seen = service.seen()
        assert store.queue.run(run_ids[0]).stop_reason == "stopped by the user"
    assert summary.left > 0
    adds_up(summary, seen)
