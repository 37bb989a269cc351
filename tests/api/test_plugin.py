"""`@premortem.cases` in somebody's test file: pytest is run on it."""

from __future__ import annotations

import os
import re
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


Done = subprocess.CompletedProcess[str]


def run_pytest(directory: Path, text: str, *options: str) -> Done:
    (directory / "test_generated.py").write_text(text)
    return pytest_on(directory, "test_generated.py", *options)


def pytest_on(directory: Path, *arguments: str) -> Done:
    """A process of its own takes seconds: where several tests look at one, a fixture has it."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
    return subprocess.run(
        [*command, *arguments],
        cwd=directory,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def passed(project) -> Done:
    """On the correct service; each test by name."""
    project.switch()
    return run_pytest(project.directory, CASES, "-vv")


@pytest.fixture(scope="module")
def failed(project, tmp_path_factory) -> tuple[Done, str]:
    """On a defective service; what was said, and the report."""
    project.switch("L04")
    report = tmp_path_factory.mktemp("report") / "junit.xml"
    done = run_pytest(project.directory, CASES, f"--junitxml={report}")
    project.switch()
    return done, report.read_text()


def test_every_case_is_a_test_and_passes_on_a_correct_service(passed):
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "4 passed" in passed.stdout


def test_a_finding_is_a_failure_with_a_curl_line(failed):
    done, report = failed
    assert done.returncode == 1
    assert "undeclared_status" in done.stdout
    assert "again: curl -sS -i" in done.stdout
    assert 'name="premortem_finding"' in report


def test_a_known_finding_is_no_failure(project, failed):
    first, _ = failed
    id_ = first.stdout.split('ignore=("')[1].split('"')[0]
    project.switch("L04")
    ignoring = CASES.replace('{"sample": 1}', f'{{"sample": 1}}, ignore=("{id_}",)')
    done = run_pytest(project.directory, ignoring)
    project.switch()
    assert done.returncode == 0, done.stdout


def test_the_same_seed_collects_the_same_tests(project, passed):
    collected = names(passed)
    assert len(collected) == 4
    assert collected == names(run_pytest(project.directory, CASES, "--collect-only"))
    another = run_pytest(project.directory, CASES, "--collect-only", "--premortem-seed", "9")
    assert len(names(another)) == 4
    assert collected != names(another)


def names(done: Done) -> list[str]:
    """The tests that DONE tells of, passed or only collected."""
    lines = (line for line in done.stdout.splitlines() if "::" in line)
    return [line.partition(" PASSED")[0] for line in lines]


MISTAKES = {
    "nameless": (
        CASES.replace("(case)", "()").replace("case.", "None."),
        "add it, or name another",
    ),
    "nowhere": (CASES.replace("/cancel", "/nowhere"), "names no operation of the profile"),
    "magic": (CASES.replace('"sample"', '"magic"'), "no source of cases is called 'magic'"),
    "nothing": (CASES.replace("count=4", "count=0"), "it must be between 1 and"),
}


@pytest.fixture(scope="module")
def mistaken(project) -> Done:
    """All mistakes at once, a file each."""
    for name, (text, _) in MISTAKES.items():
        (project.directory / f"test_{name}.py").write_text(text)
    return pytest_on(project.directory, *(f"test_{name}.py" for name in MISTAKES))


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_meant_is_said_when_tests_are_collected(mistaken, name):
    assert mistaken.returncode not in (0, 1)
    _, *parts = re.split(r"^_+ (?=ERROR collecting)", mistaken.stdout, flags=re.MULTILINE)
    own = [part for part in parts if part.startswith(f"ERROR collecting test_{name}.py")]
    assert [MISTAKES[name][1] in part for part in own] == [True], mistaken.stdout


def test_without_a_configuration_it_says_what_to_do(tmp_path):
    done = run_pytest(tmp_path, CASES)
    assert done.returncode != 0
    assert "premortem init" in done.stdout + done.stderr
