"""The two flows on the sample service: defects are found and attributed, and nothing else is."""

from __future__ import annotations

import re
import threading

import pytest

from premortem.domain.run import Finding, Plan
from premortem.domain.tokens import MARK
from premortem.pipeline.asking import Asked, ask
from premortem.pipeline.reporting import replay_findings
from premortem.pipeline.run import Reported, execute, prepare
from tests.pipeline.conftest import Project
from tests.shared import ROOT

REQUESTS = 2_000
RATE = 250.0
TOGETHER = "several at once"
QUESTIONS = {
    "What if a refund is issued twice?": "L08",
    "What if a Guest approves an invoice?": "L06",
    "What if the amount is zero?": "L05",
}


def defect_classes() -> dict[str, str]:
    """Defect id -> class, of the ten that stood in the table before any check.

    How many of all thirty are found is counted in tests/quality/test_ledger_defects.py.
    """
    table = (ROOT / "examples" / "ledger" / "DEFECTS.md").read_text()
    classes = dict(re.findall(r"^\| (L\d\d) \| ([a-z ]+) \|", table, re.MULTILINE))
    return {defect: classes[defect] for defect in sorted(classes)[:10]}


def run(project: Project, *, seed: int = 1) -> Reported:
    plan = Plan(rate_per_second=RATE, duration_s=60.0, requests_max=REQUESTS, seed=seed)
    with project.opened() as store:
        prepared = prepare(plan, config=project.config, store=store)
        events = list(execute(prepared, config=project.config, store=store, stop=threading.Event()))
    assert isinstance(events[-1], Reported)
    return events[-1]


def attributed(project: Project, findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    """Defect -> findings that fail again with it alone; under "" those that do with none.

    Under TOGETHER those that take several: of two rules that refuse a request each, both have
    to be broken before it is let through.
    """
    by_defect: dict[str, list[Finding]] = {}
    settings = {"": (), **{d: (d,) for d in defect_classes()}, TOGETHER: tuple(defect_classes())}
    with project.opened() as store:
        for name, defects in settings.items():
            project.switch(*defects)
            known = {finding.id for found in by_defect.values() for finding in found}
            asked = [f for f in findings if name != TOGETHER or f.id not in known]
            again = replay_findings(asked, config=project.config, store=store)
            for finding, failed in zip(asked, again, strict=True):
                if failed:
                    by_defect.setdefault(name, []).append(finding)
    return by_defect


@pytest.fixture(scope="module")
def correct(project) -> Reported:
    """A run against the correct service."""
    project.switch()
    return run(project)


def test_no_finding_on_the_correct_service_and_every_request_is_accounted_for(correct):
    reported = correct
    summary = reported.summary
    assert [finding.title for finding in reported.findings] == []
    assert summary.planned == REQUESTS
    assert summary.planned_dynamic == 800
    assert summary.answered + summary.faulted + summary.unknown + summary.left == summary.planned
    assert summary.recorded_class_matched / summary.recorded_class_total >= 0.99


def test_a_defect_of_each_class_is_found_and_every_finding_is_attributed(project):
    project.switch(*defect_classes())
    reported = run(project)
    by_defect = attributed(project, reported.findings)
    assert "" not in by_defect  # a finding that the correct service shows, too, is a false one
    explained = {finding.id for found in by_defect.values() for finding in found}
    assert {f.title for f in reported.findings if f.id not in explained} == set()
    classes = {defect_classes()[defect] for defect in by_defect if defect != TOGETHER}
    print(f"found: {sorted(by_defect)}, of classes {sorted(classes)}")
    assert classes == set(defect_classes().values())


@pytest.mark.parametrize(("question", "defect"), QUESTIONS.items())
def test_a_question_ends_as_finding_on_the_defective_service_and_regression_on_the_correct_one(
    project, question, defect
):
    outcomes = {}
    for state, defects in (("correct", ()), ("defective", (defect,))):
        project.switch(*defects)
        with project.opened() as store:
            events = list(ask(question, config=project.config, store=store))
        asked = events[-1]
        assert isinstance(asked, Asked)
        outcomes[state] = asked.verdicts[0].outcome
        assert asked.files
    assert outcomes == {"correct": "regression", "defective": "finding"}


def test_what_a_login_answered_is_not_stored(project, correct):
    with project.opened() as store:
        stored = store.results(correct.summary.id)
    answers = [
        result.sent.response.body
        for result in stored
        if result.case.operation_id == "POST /login" and result.outcome == "answered"
    ]
    tokens = [match for body in answers for match in re.findall(rb'"token":"([^"]+)"', body)]
    assert tokens
    assert all(token.startswith(MARK.encode()) for token in tokens)
