"""A project from Python: the same flows as on the command line."""

from __future__ import annotations

import json

import pytest

import premortem


def test_a_run_finds_what_is_broken_and_its_findings_are_stored(project):
    project.switch("L04")
    plan = premortem.Plan(rate_per_second=200, requests_max=400)
    with premortem.open_project(project.directory) as opened:
        reported = opened.run(plan)
        stored = opened.findings(reported.summary.id)
    project.switch()
    assert {f.operation_id for f in reported.findings} == {"POST /invoices/{invoice_id}/cancel"}
    assert [f.id for f in stored] == [f.id for f in reported.findings]


def test_generated_cases_follow_the_context(project):
    context = premortem.Context(
        requests=("create",), ranges={"amount": premortem.Range(min=10, max=900)}
    )
    with premortem.open_project(project.directory) as opened:
        made = opened.generate(
            count=30, sources={"sample": 1}, operations=("POST /invoices",), context=context
        )
    finals = [case for sequence in made.sequences for case in sequence.cases if not case.setup]
    assert {case.operation_id for case in finals} == {"POST /invoices"}
    assert len(finals) == 30
    bodies = [json.loads(case.request.body) for case in finals]
    assert all(10 <= body["amount"] <= 900 for body in bodies)


def test_a_context_that_cannot_be_followed_is_refused_before_anything_is_made(project):
    context = premortem.Context(ranges={"colour": premortem.Range(min=1)})
    with (
        premortem.open_project(project.directory) as opened,
        pytest.raises(premortem.PremortemError, match="no request has such a field"),
    ):
        opened.generate(count=1, context=context)


def test_a_folder_without_a_configuration_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(premortem.PremortemError, match="run `premortem init`"):
        premortem.open_project(tmp_path)
