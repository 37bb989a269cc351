"""Clusters that a run joins or starts: a node that dies in mid-run, and what stays behind.

Apart from the other tests of Ray: a process uses one cluster at a time.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from pathlib import Path

import pytest

from premortem.domain.load import Scale
from premortem.domain.run import Plan
from premortem.errors import StartError
from premortem.run.controller import LEASE_S
from premortem.run.happenings import Recovered, Tick, WorkerChanged
from premortem.run.ray_executor import RayExecutor
from tests.conducting.rig import adds_up, events, finished, opened
from tests.conducting.target import target
from tests.quality.ray_nodes import nodes

pytestmark = [
    pytest.mark.quality,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed"
    ),
]

TWO = Scale(executor="ray", workers_min=2, workers_max=2, rate_per_worker_max=120.0, job_s=1.0)


def children(pid: int) -> set[int]:
    """The processes that PID has started."""
    command = ["ps", "-o", "pid=", "--ppid", str(pid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asked:
        found = {int(text) for text in asked.communicate()[0].split()}
    return found - {asked.pid}


@pytest.mark.parametrize("whole", [True, False], ids=["all of it", "its agent"])
def test_a_node_that_is_killed_in_mid_run_loses_nothing_and_repeats_nothing_unsafe(
    tmp_path: Path, whole: bool
) -> None:
    hosts: list[list[str]] = []
    recovered: list[Recovered] = []
    lost: list[str] = []

    def kill(event: object) -> None:
        if isinstance(event, Tick) and event.answered > 150 and not hosts:
            for raylet in cluster.raylets:
                pids = children(raylet)
                hosts.append([w for w, (_, pid) in executor.places.items() if pid in pids])
            doomed = cluster.raylets[0]
            for pid in (doomed, *(children(doomed) if whole else ())):
                os.kill(pid, signal.SIGKILL)
        if isinstance(event, Recovered):
            recovered.append(event)
        if isinstance(event, WorkerChanged) and event.change == "lost":
            lost.append(event.worker_id)

    with target() as service, nodes() as cluster, opened(tmp_path) as store:
        executor = RayExecutor(address=cluster.address, environment={}, silent_s=LEASE_S)
        plan = Plan(dynamic="0%", rate_per_second=200.0, duration_s=8.0, scale=TWO)
        summary = finished(events(plan, service.base, store, executor=executor), kill)
        seen = service.seen()
    assert [len(workers) for workers in hosts] == [1, 1], "spread over the nodes"
    if whole:  # without its agent a worker goes on as long as it is not ended
        assert lost == hosts[0]
        assert recovered
    assert summary.left == 0
    assert summary.unknown == sum(event.unknown for event in recovered)
    adds_up(summary, seen)


def test_a_cluster_of_our_own_ends_with_its_run(tmp_path: Path) -> None:
    plan = Plan(dynamic="0%", rate_per_second=100.0, duration_s=1.0, scale=TWO)
    with target() as service, opened(tmp_path) as store:
        before = children(os.getpid())
        finished(events(plan, service.base, store))
    assert children(os.getpid()) <= before


def test_a_cluster_that_is_not_there_is_named() -> None:
    executor = RayExecutor(address="127.0.0.1:9", environment={}, silent_s=LEASE_S)
    with pytest.raises(StartError, match=r"127\.0\.0\.1:9.*ray_address"):
        executor.start_worker("w1")
