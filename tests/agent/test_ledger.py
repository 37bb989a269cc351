"""The three questions, on the correct sample service and on the defective one."""

import os
import subprocess
import sys

import pytest

from premortem.agent.ask import exchanges_needed, judge, propose
from premortem.agent.emit.feature import write_feature
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.connection import client_factory
from tests.services import PASSWORDS

QUESTIONS = {
    "What if a refund is issued twice?": "L08",
    "What if a Guest approves an invoice?": "L06",
    "What if the amount is zero?": "L05",
}
TITLES = ["Refund is issued twice", "Guest approves an invoice", "Invoice with amount zero"]


def ask(books, prompt):
    needed = {i: books.exchanges[i] for i in exchanges_needed(books.profile)}
    return propose(
        prompt,
        profile=books.profile,
        exchanges=needed,
        config=books.config,
        bindings=Bindings(),
    )


def rule(books, scenario, **more):
    return judge(
        scenario,
        client_factory=client_factory(books.config, environment=PASSWORDS),
        reset=books.reset,
        bindings=Bindings(),
        roles=books.config.roles,
        clock=lambda: 0.0,
        **more,
    )


@pytest.mark.parametrize(("prompt", "defect"), QUESTIONS.items())
def test_a_question_is_a_regression_on_the_correct_ledger_and_a_finding_on_its_defect(
    books, prompt, defect
):
    scenario = ask(books, prompt)[1][0]
    try:
        books.switch()
        correct = rule(books, scenario)
        books.switch(defect)
        defective = rule(books, scenario)
    finally:
        books.switch()
    assert (correct.outcome, defective.outcome) == ("regression", "finding"), (
        correct.reason,
        defective.reason,
    )
    assert correct.faults_survived == ()


def test_the_scenario_meant_has_the_title_a_person_expects(books):
    assert [ask(books, prompt)[1][0].title for prompt in QUESTIONS] == TITLES


def test_zero_is_asked_of_operations_that_take_an_amount(books):
    scenarios = ask(books, "What if the amount is zero?")[1]
    asked = {s.operation_id for s in scenarios}
    assert asked >= {
        "POST /invoices",
        "PATCH /invoices/{invoice_id}",
        "POST /invoices/{invoice_id}/payments",
        "POST /payments/{payment_id}/refunds",
    }
    assert asked <= {
        o.operation.id for o in books.profile.operations if "amount" in o.request_schema
    }
    assert scenarios[0].operation_id == "POST /invoices"


@pytest.mark.parametrize(
    "prompt",
    [
        "Can an Analyst cancel an invoice?",
        "negative refund",
        "refund amount is null",
        "guest creates an invoice",
        "payment submitted twice",
        "Could someone who is not signed in read the summary report?",
        "the refund amount is far too high",
        "limit of zero when listing invoices",
        "retrying the approval of an invoice",
    ],
)
def test_nothing_is_found_on_the_correct_ledger(books, prompt):
    outcomes = [rule(books, s, runs=2).outcome for s in ask(books, prompt)[1]]
    assert outcomes
    assert set(outcomes) == {"regression"}


def behave(folder, config):
    environment = {**os.environ, **PASSWORDS, "PREMORTEM_CONFIG": str(config)}
    return subprocess.run(
        [sys.executable, "-m", "behave", "--no-color", "--format", "plain", str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_behave_runs_the_written_features_unmodified(books, tmp_path):
    features = tmp_path / "features"
    for prompt in QUESTIONS:
        write_feature(ask(books, prompt)[1][0], features)
    written = (books.spec.parent / "premortem.toml").read_text()
    config = tmp_path / "premortem.toml"
    config.write_text(written.replace("http://127.0.0.1:8700", books.base))
    try:
        books.switch()
        green = behave(features, config)
        books.switch("L05", "L06", "L08")
        red = behave(features, config)
    finally:
        books.switch()
    assert green.returncode == 0, green.stdout + green.stderr
    assert "3 scenarios passed, 0 failed" in green.stdout
    assert red.returncode == 1
    assert "0 scenarios passed, 3 failed" in red.stdout
    assert "the status is 201, not 409" in red.stdout


def test_behave_says_what_is_wrong_where_no_configuration_is_found(books, tmp_path):
    features = tmp_path / "features"
    write_feature(ask(books, "What if a refund is issued twice?")[1][0], features)
    failed = behave(features, tmp_path / "missing.toml")
    assert failed.returncode == 1
    assert "cannot read" in failed.stdout + failed.stderr
