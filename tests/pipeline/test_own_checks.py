"""A check of one's own, in a run with workers on the sample service."""

from __future__ import annotations

import threading

from msgspec.structs import replace

from premortem.config import CheckConfig
from premortem.domain.run import Plan
from premortem.pipeline.run import Reported, execute, prepare
from tests.pipeline.conftest import Project

CHECKS = """
from premortem import Failure, check

@check(severity="low", description="every list says how many there are")
def counted(case, sent, known, before):
    if case.operation_id == "GET /invoices" and sent.response and sent.response.status == 200:
        yield Failure(title="a list does not say how many", evidence="by our own rules")

@check()
def broken(case, sent, known, before):
    return 1 / 0
"""


def test_it_finds_in_workers_and_an_error_in_one_ends_nothing(project: Project):
    project.switch()
    (project.directory / "own_checks.py").write_text(CHECKS)
    config = replace(project.config, checks=CheckConfig(files=("own_checks.py",)))
    plan = Plan(rate_per_second=200.0, duration_s=60.0, requests_max=150, dynamic="0%")
    with project.opened() as store:
        prepared = prepare(plan, config=config, store=store)
        events = list(execute(prepared, config=config, store=store, stop=threading.Event()))
    reported = events[-1]
    assert isinstance(reported, Reported)
    assert [(f.check, f.title, f.severity) for f in reported.findings] == [
        ("counted", "a list does not say how many", "low")
    ]
    assert reported.broken_checks == ("broken: ZeroDivisionError: division by zero, line 11",)
    assert reported.summary.left == 0
