"""Findings from a defective service: made short, told apart, written to files, sent again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from premortem.domain.run import Finding, Plan
from premortem.pipeline.confirming import Minimising
from premortem.pipeline.exporting import export_findings
from premortem.pipeline.reporting import replay_findings, turn_finding
from premortem.pipeline.run import Reported, execute, prepare
from tests.pipeline.conftest import Project
from tests.services import PASSWORDS

DEFECTS = ("L01", "L04", "L07")
OPERATIONS = ("GET /invoices", "POST /invoices/{invoice_id}/cancel", "GET /reports/summary")


@pytest.fixture(scope="module")
def found(project: Project) -> tuple[Finding, ...]:
    project.switch(*DEFECTS)
    plan = Plan(
        rate_per_second=200,
        duration_s=10.0,
        requests_max=240,
        dynamic="80%",
        operations=OPERATIONS,
        seed=1,
    )
    with project.opened() as store:
        prepared = prepare(plan, config=project.config, store=store)
        *events, last = execute(
            prepared, config=project.config, store=store, stop=threading.Event()
        )
    assert isinstance(last, Reported)
    assert any(isinstance(event, Minimising) for event in events)
    return last.findings


def pytest_run(folder: Path, *names: str) -> set[str]:
    """Ids of the findings whose exported files in FOLDER fail."""
    command = [sys.executable, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE"]
    ran = subprocess.run(
        [*command, "--rootdir", str(folder), *(str(folder / name) for name in names)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **PASSWORDS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "error" not in ran.stdout.splitlines()[-1], ran.stdout
    return set(re.findall(r"^FAILED \S+_([0-9a-f]{8})(?: |$)", ran.stdout, re.MULTILINE))


def test_findings_are_short_and_said_to_be_defects(project, found):
    operations = {finding.operation_id for finding in found if finding.severity != "low"}
    assert operations == set(OPERATIONS)
    assert sum(len(f.sequence.cases) for f in found) / len(found) <= 3
    assert {f.kind for f in found if f.severity != "low"} == {"defect"}
    assert all(f.kind_reason for f in found)
    assert all(len(f.sequence.cases) <= f.found_with for f in found)
    with project.opened() as store:
        assert {store.finding(f.id).state for f in found} == {"open"}


def test_an_exported_file_fails_on_the_defective_service_and_passes_on_the_repaired_one(
    project, found, tmp_path
):
    with project.opened() as store:
        exported = export_findings(
            found, form="pytest", directory=tmp_path, config=project.config, store=store
        )
    assert not exported.left_out
    assert len(exported.files) == len(found)
    project.switch(*DEFECTS)
    assert pytest_run(tmp_path) == {finding.id for finding in found}
    project.switch()
    assert pytest_run(tmp_path) == set()
    text = "".join(Path(file).read_text() for file in exported.files)
    assert not [word for word in PASSWORDS.values() if word in text]


def test_a_replay_says_what_is_fixed_and_what_came_back(project, found):
    def states() -> list[str]:
        with project.opened() as store:
            again = replay_findings(found, config=project.config, store=store)
            for finding, times in zip(found, again, strict=True):
                shown = store.finding(finding.id)
                turn_finding(shown, failed=times > 0, store=store, now=1.0)
            return [store.finding(finding.id).state for finding in found]

    project.switch(*DEFECTS)
    assert set(states()) == {"open"}
    project.switch()
    assert set(states()) == {"fixed"}
    project.switch(*DEFECTS)
    assert set(states()) == {"back"}
    with project.opened() as store:
        turns = [turn.state for turn in store.finding(found[0].id).history]
    assert turns == ["fixed", "back"]
