"""Scenarios of both branches of an override, against a ledger that is lite for good and one that is
enterprise: PREMORTEM_EDITION says which, and scenarios of the other are skipped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem.agent.adapters.session import elsewhere
from tests.ledger.conftest import start
from tests.services import PASSWORDS
from tests.shared import ROOT

FEATURE = """
Feature: Locking an invoice is in the audit log of enterprise

  Background:
    Given the actor "cfo" has role "CFO"
    And "cfo" sends "POST" to "/invoices" with:
      \"\"\"
      {"customer": "Ann", "amount": 10, "currency": "EUR", "due_date": "2026-07-01"}
      \"\"\"
    And the response field "/id" is saved as "id"
    And "cfo" sends "POST" to "/invoices/${id}/approve"

  @edition:enterprise
  Scenario: Enterprise edition emits invoice.locked
    When "cfo" sends "POST" to "/invoices/${id}/lock"
    Then the response status is 200
    And the event "invoice.locked" is recorded 1 times

  @edition:lite
  Scenario: Lite edition does not emit invoice.locked
    When "cfo" sends "POST" to "/invoices/${id}/lock"
    Then the response status is 403

  Scenario: Whatever the edition
    When "cfo" sends "GET" to "/invoices/${id}"
    Then the response status is 200
"""
EVENTS = """
[events."*"]
read = "GET /audit?action=${value}"
role = "CFO"
list = "/items"
"""


@pytest.fixture(scope="module", params=["lite", "enterprise"])
def edition(request, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Its name, and a folder with the feature for a ledger that is of it."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "features" / "steps").mkdir(parents=True)
    (folder / "features" / "locks.feature").write_text(FEATURE)
    (folder / "features" / "steps" / "premortem_steps.py").write_text(
        "from premortem.agent.adapters.behave import *\n"
    )
    (folder / "features" / "environment.py").write_text(
        "from premortem.agent.adapters.behave import before_scenario\n"
    )
    (folder / "conftest.py").write_text("from premortem.agent.adapters.pytest_bdd import *\n")
    (folder / "test_features.py").write_text(
        'from pytest_bdd import scenarios\n\nscenarios("features")\n'
    )
    (folder / "premortem.bindings.toml").write_text(EVENTS)
    written = (ROOT / "examples" / "ledger" / "premortem.toml").read_text()
    for base in start(LEDGER_TEST_HOOKS="1", LEDGER_EDITION=request.param, **PASSWORDS):
        (folder / "premortem.toml").write_text(written.replace("http://127.0.0.1:8700", base))
        yield request.param, folder


def run(folder: Path, edition: str, *command: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **PASSWORDS, "PREMORTEM_EDITION": edition},
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


def test_behave_runs_the_branch_of_the_edition_and_skips_the_other(edition):
    name, folder = edition
    code, said = run(folder, name.upper(), "behave", "--no-color")
    assert code == 0, said
    assert re.search(r"2 scenarios passed, 0 failed, 1 skipped", said), said


def test_pytest_bdd_runs_the_branch_of_the_edition_and_skips_the_other(edition):
    name, folder = edition
    code, said = run(folder, name, "pytest", "-q", "-p", "no:cacheprovider")
    assert code == 0, said
    assert "2 passed, 1 skipped" in said


def test_where_nobody_names_the_edition_the_other_branch_fails(edition):
    _, folder = edition
    code, said = run(folder, "", "behave", "--no-color")
    assert code == 1, said
    assert "2 scenarios passed, 1 failed, 0 skipped" in said


@pytest.mark.parametrize(
    ("here", "tags", "left_out"),
    [
        ("", ["edition:lite"], False),
        ("lite", [], False),
        ("lite", ["auth"], False),
        ("lite", ["edition:lite"], False),
        ("Lite", ["edition:lite", "auth"], False),
        ("lite", ["edition:pro", "edition:lite"], False),
        ("lite", ["edition:enterprise"], True),
    ],
)
def test_a_scenario_is_left_out_where_it_is_for_another_edition(
    here, tags, left_out, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    said = elsewhere(tags, {"PREMORTEM_EDITION": here})
    assert bool(said) is left_out
    assert not left_out or said == "it is for the edition enterprise, and this is lite"
