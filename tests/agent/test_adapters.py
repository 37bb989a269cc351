"""The same feature under behave and pytest-bdd: all pass and fail alike, for one reason."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from behave.model import Text

from premortem.agent.adapters.session import step_of
from tests.agent.till import environment, till

FEATURE = '''
@auth @edition:pro
Feature: Refunds

  Background:
    Given the actor "ann" has role "the cashier"

  @regression @trace_id:abc-1
  Scenario: A sale is refunded once
    Given a sale of "12.50" was made
    When "ann" refunds the sale 3 times at once
    Then exactly 1 responses have status 201
    And the event "SaleRefunded" is recorded 1 times

  Scenario: A refund changes nothing, it is said
    Given a sale of "12.50" was made
    When "ann" sends "POST" to "/sales/${sale_id}/refund"
    Then nothing changed in the table "sales"

  Scenario: A phrase that nobody accepted
    Given the till is opened
    When "ann" sends "GET" to "/sales/1"
    Then the response status is 404

  Scenario: Nobody said who it is
    When "bob" sends "GET" to "/sales/1"
    Then the response status is 404

  Scenario Outline: Sales over <amount> in <edition>
    Given the edition is "<edition>"
    When "ann" sends "POST" to "/sales" with:
      """
      {"amount": <amount>, "currency": "USD"}
      """
    Then the response status is <status>
    And the table "sales" has <rows> rows where:
      | currency | amount   |
      | USD      | <amount> |

    Examples:
      | amount | edition | status | rows |
      | 5      | pro     | 201    | 1    |
      | 5      | lite    | 403    | 0    |
      | -1     | pro     | 422    | 1    |

  Rule: A till keeps its books
    Background:
      Given the table "sales" contains:
        | id | amount | currency | state | made                |
        | 7  | 10.50  | EUR      | open  | 2026-01-01T00:00:00 |

    @security_test @handler:Refund
    Scenario: What stands in the books is refunded
      When 'ann' sends 'POST' to '/sales/7/refund'
      Then the response matches:
        """
        {"id": 7}
        """
      And the "sale" "7" should be in state "refunded"
'''
EXPECTED = [
    ("A sale is refunded once", "passed"),
    ("A refund changes nothing, it is said", "failed: the table sales has changed"),
    ("A phrase that nobody accepted", "undefined: nobody accepted this phrase"),
    ("Nobody said who it is", 'broken: nobody said who "bob" is'),
    ("Sales over 5 in pro", "passed"),
    ("Sales over 5 in lite", "passed"),
    ("Sales over -1 in pro", "failed: the table sales has 0 such rows, not 1"),
    ("What stands in the books is refunded", "passed"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("till")
    (folder / "features" / "steps").mkdir(parents=True)
    (folder / "features" / "refunds.feature").write_text(FEATURE)
    (folder / "features" / "steps" / "premortem_steps.py").write_text(
        "from premortem.agent.adapters.behave import *\n"
    )
    (folder / "conftest.py").write_text("from premortem.agent.adapters.pytest_bdd import *\n")
    (folder / "test_features.py").write_text(
        'from pytest_bdd import scenarios\n\nscenarios("features")\n'
    )
    with till(folder):
        yield folder


def run(folder, *arguments):
    made = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, **environment()},
        capture_output=True,
        text=True,
        timeout=100,
    )
    return made.returncode, made.stdout + made.stderr


def under_behave(folder):
    code, said = run(folder, "behave", "--no-capture", "-f", "json", "-o", "behave.json")
    assert code == 1, said
    [feature] = json.loads((folder / "behave.json").read_text())
    found = []
    scenarios = [
        element
        for child in feature["elements"]
        for element in child.get("elements", [child])
        if element.get("type") == "scenario"
    ]
    for scenario in scenarios:
        steps = [s for s in scenario["steps"] if s.get("result", {}).get("status") != "passed"]
        message = steps[0]["result"].get("error_message", "") if steps else ""
        text = "\n".join(message) if isinstance(message, list) else message
        found.append((scenario["name"].partition(" -- ")[0], reason(text)))
    return found


def under_pytest(folder):
    code, said = run(
        folder,
        *("pytest", "-q", "--strict-markers", "--junitxml=pytest.xml", "-p", "no:cacheprovider"),
    )
    assert code == 1, said
    tests = ElementTree.parse(folder / "pytest.xml").iter("testcase")
    return [reason("".join(f.get("message", "") for f in t.iter("failure"))) for t in tests]


def reason(message):
    found = re.search(r"(failed|broken|undefined): [^(\n]+", message)
    return found[0].strip() if found else (message and "?" + message) or "passed"


def test_behave_and_pytest_bdd_agree_on_every_scenario(folder):
    behave = under_behave(folder)
    assert [name for name, _ in behave] == [name for name, _ in EXPECTED]
    for (name, came), (_, expected) in zip(behave, EXPECTED, strict=True):
        assert came.startswith(expected), name
    assert sorted(under_pytest(folder)) == sorted(came for _, came in behave)


def test_a_docstring_becomes_a_plain_text():
    # The JSON decoder takes no kind of str but str.
    step = step_of("then", "the response matches:", Text('{"id": 7}'), [[Text("id")]])
    assert [type(step.docstring), type(step.table[0][0])] == [str, str]


def test_tags_with_a_colon_select_under_strict_markers(folder):
    asked = "auth and edition(value='pro') and trace_id(value='abc-1') and not handler"
    _, said = run(
        folder,
        *("pytest", "-q", "--strict-markers", "--collect-only", "-m", asked),
        *("-p", "no:cacheprovider"),
    )
    assert "1/8 tests collected" in said, said


def test_without_a_configuration_steps_of_others_run_as_ever(tmp_path):
    steps = tmp_path / "features" / "steps"
    steps.mkdir(parents=True)
    (tmp_path / "features" / "own.feature").write_text(
        "Feature: Own\n  Scenario: One\n    Given a step of mine\n"
    )
    (steps / "premortem_steps.py").write_text("from premortem.agent.adapters.behave import *\n")
    (steps / "own.py").write_text(
        "from behave import given\n\n@given('a step of mine')\ndef mine(context):\n    pass\n"
    )
    (tmp_path / "features" / "environment.py").write_text(
        "from premortem.agent.adapters.behave import before_scenario\n"
    )
    code, said = run(tmp_path, "behave")
    assert code == 0, said
