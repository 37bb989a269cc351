"""A run whose surroundings fail: every planned request still ends once, and none twice."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem.domain.load import Scale
from premortem.domain.run import Plan
from premortem.run import Stopping, Tick
from tests.conducting.rig import adds_up, events, finished, opened
from tests.conducting.target import target
from tests.contract.server import Server, started

TWO = Scale(workers_min=2, workers_max=2, rate_per_worker_max=80.0, job_s=1.0)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with started(durable=True) as running:
        yield running


def test_a_restarted_postgresql_is_waited_for(server: Server, tmp_path: Path) -> None:
    restarted: list[bool] = []

    def restart(event: object) -> None:
        if isinstance(event, Tick) and event.answered > 150 and not restarted:
            restarted.append(True)
            server.stop()
            server.start()

    with target() as service, opened(tmp_path, url=server.database()) as store:
        plan = Plan(dynamic="0%", rate_per_second=100.0, duration_s=6.0, scale=TWO)
        summary = finished(events(plan, service.base, store), restart)
        seen = service.seen()
    assert restarted
    assert summary.left == 0
    adds_up(summary, seen)


def test_a_stop_is_obeyed_while_the_store_is_away(server: Server, tmp_path: Path) -> None:
    stop = threading.Event()
    away: list[bool] = []

    def ask(event: object) -> None:
        if isinstance(event, Tick) and event.answered > 100 and not away:
            away.append(True)
            server.stop()
            stop.set()
        if isinstance(event, Stopping):
            server.start()

    with target() as service, opened(tmp_path, url=server.database()) as store:
        plan = Plan(dynamic="0%", rate_per_second=100.0, duration_s=60.0)
        summary = finished(events(plan, service.base, store, stop=stop), ask)
        seen = service.seen()
    assert away
    assert summary.stopped == "stopped by the user"
    assert summary.left > 0
    adds_up(summary, seen)


def test_connections_cut_by_the_target_are_faults_and_nothing_is_repeated(tmp_path: Path) -> None:
    with target() as service, opened(tmp_path) as store:
        service.behave(cut=1)
        plan = Plan(dynamic="0%", rate_per_second=100.0, duration_s=3.0)
        summary = finished(events(plan, service.base, store))
        seen = service.seen()
    assert summary.left == 0
    assert summary.unknown > 0
    assert summary.faults["reset"] > 0
    adds_up(summary, seen)


def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    jumps = itertools.cycle([0.0, 3600.0, -3600.0])
    with target() as service, opened(tmp_path) as store:
        plan = Plan(dynamic="0%", rate_per_second=100.0, duration_s=3.0)
        given = events(plan, service.base, store, clock=lambda: time.time() + next(jumps))
        summary = finished(given)
        seen = service.seen()
    assert (summary.answered, summary.left) == (300, 0)
    assert summary.duration_s < 60
    adds_up(summary, seen)
