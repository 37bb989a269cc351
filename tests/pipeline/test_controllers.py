"""Several controllers on a learned plan: processes that open the store and make cases."""

from __future__ import annotations

import threading

from premortem.domain.load import Scale
from premortem.domain.run import Plan
from premortem.pipeline.run import Reported, execute, prepare
from premortem.run import Tick
from tests.pipeline.conftest import Project


def test_a_learned_plan_is_shared_and_what_the_other_saw_is_reported(project: Project) -> None:
    project.switch(*(f"L{number:02}" for number in range(1, 11)))
    scale = Scale(
        workers_min=2, workers_max=2, controllers_min=2, controllers_max=2, job_s=0.5, ahead_s=1.0
    )
    plan = Plan(rate_per_second=60.0, duration_s=15.0, scale=scale)
    most = 0
    try:
        with project.opened() as store:
            prepared = prepare(plan, config=project.config, store=store)
            for event in execute(
                prepared, config=project.config, store=store, stop=threading.Event()
            ):
                if isinstance(event, Tick):
                    most = max(most, event.controllers)
                last = event
            assert isinstance(last, Reported)
            whole = store.results(last.summary.id, failed=True)
    finally:
        project.switch()
    summary = last.summary
    assert most == 2
    assert summary.answered + summary.faulted + summary.unknown + summary.left == summary.planned
    assert summary.left == 0
    assert last.findings
    counted = sum(f.count for f in (*last.findings, *last.unconfirmed))
    assert counted >= len({(r.sequence_id, r.position) for r in whole})
