"""Production replayed: answers that are well by themselves, and not what production answered."""

from __future__ import annotations

import threading

from premortem.domain.run import Plan
from premortem.pipeline.run import Reported, execute, prepare

PLAN = Plan(dynamic="0%", rate_per_second=300.0, requests_max=1_200)


def run(project) -> Reported:
    with project.opened() as store:
        prepared = prepare(PLAN, config=project.config, store=store)
        events = list(execute(prepared, config=project.config, store=store, stop=threading.Event()))
        (kept, *_) = store.coverage.runs()
        covered = store.coverage.of_run(kept)
    assert isinstance(events[-1], Reported)
    assert covered is not None
    assert any(a.holds for a in covered.agreements), "what was as recorded is kept for later runs"
    return events[-1]


def test_a_key_that_is_not_kept_shows_in_what_follows(project):
    project.switch()
    assert run(project).findings == ()
    project.switch("L25")
    found = run(project).findings
    project.switch()
    assert found
    assert {f.check for f in found} == {"unlike_recorded"}
    assert all("invoices" in f.operation_id for f in found)
    assert all(f.reproduced == f.reproduction_tries for f in found)
