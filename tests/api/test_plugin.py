"""`@premortem.cases` in somebody's test file: pytest is run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
import premortem

@premortem.cases("POST /invoices/{invoice_id}/cancel", count=4, sources={"sample": 1})
def test_cancel(case):
    assert case.realistic
    assert case.send().status < 500
"""


def run_pytest(directory: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_generated.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
    return subprocess.run(
        [*command, "test_generated.py", *options],
        cwd=directory,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_every_case_is_a_test_and_passes_on_a_correct_service(project):
    project.switch()
    done = run_pytest(project.directory, CASES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_a_finding_is_a_failure_with_a_curl_line(project, tmp_path):
    project.switch("L04")
    report = tmp_path / "junit.xml"
    done = run_pytest(project.directory, CASES, f"--junitxml={report}")
    project.switch()
    assert done.returncode == 1
    assert "undeclared_status" in done.stdout
    assert "again: curl -sS -i" in done.stdout
    assert 'name="premortem_finding"' in report.read_text()


def test_a_known_finding_is_no_failure(project):
    project.switch("L04")
    first = run_pytest(project.directory, CASES)
    id_ = first.stdout.split('ignore=("')[1].split('"')[0]
    ignoring = CASES.replace('{"sample": 1}', f'{{"sample": 1}}, ignore=("{id_}",)')
    done = run_pytest(project.directory, ignoring)
    project.switch()
    assert done.returncode == 0, done.stdout


def test_the_same_seed_collects_the_same_tests(project):
    one, other = (run_pytest(project.directory, CASES, "--collect-only") for _ in range(2))
    collected = [line for line in one.stdout.splitlines() if "::" in line]
    assert len(collected) == 4
    assert collected == [line for line in other.stdout.splitlines() if "::" in line]
    another = run_pytest(project.directory, CASES, "--collect-only", "--premortem-seed", "9")
    assert collected != [line for line in another.stdout.splitlines() if "::" in line]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CASES.replace("(case)", "()").replace("case.", "None."), "add it, or name another"),
        (CASES.replace("/cancel", "/nowhere"), "names no operation of the profile"),
        (CASES.replace('"sample"', '"magic"'), "no source of cases is called 'magic'"),
        (CASES.replace("count=4", "count=0"), "it must be between 1 and"),
    ],
)
def test_what_cannot_be_meant_is_said_when_tests_are_collected(project, text, said):
    done = run_pytest(project.directory, text)
    assert done.returncode not in (0, 1)
    assert said in done.stdout + done.stderr


def test_without_a_configuration_it_says_what_to_do(tmp_path):
    done = run_pytest(tmp_path, CASES)
    assert done.returncode != 0
    assert "premortem init" in done.stdout + done.stderr
