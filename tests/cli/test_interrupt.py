"""Ctrl-C: whatever goes on stops soon, and what was done is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.console import premortem
from tests.cli.targets import hang, target
from tests.shared import ROOT

INTERRUPTED = 130
STOP_S_MAX = 4.0
"""A second for the answers under way, and room for a machine that does other things, too."""
PLAN = "rate_per_second = 100\nduration_s = 60\n"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals work differently there")


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "premortem", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it ended without saying {text!r}")


def interrupt(
    process: subprocess.Popen[str], how: signal.Signals = signal.SIGINT
) -> tuple[str, str]:
    """What is still printed after Ctrl-C, or HOW, which has to end PROCESS soon."""
    process.send_signal(how)
    before = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - before < STOP_S_MAX
    assert process.returncode == INTERRUPTED, err
    assert "Traceback" not in err
    return out, err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_run_stops_soon_keeps_every_result_and_says_so(project, how):
    (project.folder / "plan.toml").write_text(PLAN)
    with started("run", "plan.toml") as process:
        wait_for(process, "sending 6,000 requests")
        time.sleep(0.7)
        out, err = interrupt(process, how)
    assert "stopping: what was sent is kept" in err
    assert "stopped early: stopped by the user" in err
    assert "not sent" in out
    summary = premortem("report", "--json").json["summary"]
    ended = [summary[name] for name in ("answered", "faulted", "unknown")]
    assert sum(ended) + summary["left"] == summary["planned"] == 6000
    assert summary["answered"] > 20
    assert summary["left"] > 5000
    assert premortem("doctor", "--json").code == 0


def test_waiting_for_a_target_can_be_broken_off(project):
    project.configure("ready_timeout_s = 1.0", "ready_timeout_s = 60.0")
    (project.folder / "plan.toml").write_text(PLAN)
    with target(hang) as (base, seen):
        project.configure(project.base, base)
        with started("run", "plan.toml") as process:
            while not seen:
                time.sleep(0.05)
            out, err = interrupt(process)
    assert out == ""
    assert err == "premortem: stopped\n"
    assert project.counts() == (400, 38)


def test_reproduction_can_be_broken_off_and_the_run_is_kept(project, small_plan, defects):
    defects("L03", "L04", "L07")
    # The first reset is quick, the second one would take half a minute.
    slow = "test -e reset.mark && exec sleep 30; touch reset.mark"
    project.configure('request = "POST /_test/reset"', f'command = "{slow}"')
    with started("run", str(small_plan)) as process:
        wait_for(process, "reproducing 1/")
        time.sleep(0.3)
        out, err = interrupt(process)
    assert "no finding" in out
    assert "more failed, and were not sent again: stopped by the user" in err
    summary = premortem("report", "--json").json["summary"]
    assert summary["answered"] == summary["planned"] == 150


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_leaves_is_no_failure(project, form):
    with started("traffic", *form) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=30) == 0
    assert said == ""
