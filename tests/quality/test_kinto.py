"""The data flow on a service that nobody here wrote: Kinto, and its own client's recording."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem.config import Config, load
from premortem.domain.run import Plan, Result
from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from premortem.pipeline.run import Reported, execute, prepare
from premortem.store import Store, open_store
from tests.services import KINTO_CONFIG, kinto
from tests.shared import shared

pytestmark = pytest.mark.quality

REPLAY_CLASS_SHARE_MIN = 0.90
EXCHANGES = 445


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Config, Store]]:
    directory: Path = tmp_path_factory.mktemp("kinto")
    os.environ.update(
        {f"{name.upper()}_PASSWORD": f"{name}pw" for name in ("alice", "bob", "carol")}
    )
    with kinto(directory) as base:
        spec = shared("targets/kinto/openapi.json.gz")
        (directory / "premortem.toml").write_text(KINTO_CONFIG.format(base=base, spec=spec))
        config = load(directory / "premortem.toml")
        with open_store(config.store, directory) as store:
            recording = shared("targets/kinto/production.har.gz")
            captured = capture([recording], config=config, store=store)
            assert captured.added == EXCHANGES
            learn(config=config, store=store)
            yield config, store


def run(config: Config, store: Store, plan: Plan) -> tuple[Reported, list[Result]]:
    prepared = prepare(plan, config=config, store=store)
    events = list(execute(prepared, config=config, store=store, stop=threading.Event()))
    assert isinstance(events[-1], Reported)
    return events[-1], store.results(events[-1].summary.id, limit=10_000)


def status(result: Result) -> str:
    answer = result.sent.response
    return str(answer.status) if answer else result.sent.fault.kind


def test_the_recording_replayed_gets_the_recorded_status_class(learned):
    config, store = learned
    plan = Plan(dynamic="0%", rate_per_second=40, requests_max=EXCHANGES, duration_s=3600)
    reported, results = run(config, store, plan)
    summary = reported.summary
    print(f"\nas recorded: {summary.recorded_class_matched} of {summary.recorded_class_total}")
    for result in results:
        if status(result)[0] != str(result.case.recorded_status)[0]:
            print(f"  {result.case.operation_id}: {result.case.recorded_status} {status(result)}")
    share = summary.recorded_class_matched / summary.recorded_class_total
    assert share >= REPLAY_CLASS_SHARE_MIN


def test_a_plan_with_40_percent_generated_requests_runs_and_lists_findings(learned):
    config, store = learned
    plan = Plan(dynamic="40%", rate_per_second=30, requests_max=750, duration_s=3600, timeout_s=30)
    reported, results = run(config, store, plan)
    summary = reported.summary
    generated = [r for r in results if not r.case.recorded_status]
    classes = {
        kind: Counter(status(r)[0] for r in generated if r.case.intent.kind == kind)
        for kind in ("realistic", "adversarial")
    }
    print(f"\n{summary.statuses}, generated: {classes}")
    for finding in reported.findings:
        print(f"  {finding.severity:6} {finding.operation_id}: {finding.title}")
    assert summary.planned_dynamic == 300
    assert summary.answered == summary.planned
    assert summary.recorded_class_matched / summary.recorded_class_total >= REPLAY_CLASS_SHARE_MIN
