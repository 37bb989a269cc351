"""Invariants of changes: proposed from traffic, accepted, and held against what loses things.

The depot (tests/depot_service) and the ledger, each recorded from correct services. All proposed
lines are accepted, the defects switched on together; what is found is attributed by switching
them on one by one. `pytest tests/quality/test_change_invariants.py -s` prints lines and findings.
"""

from __future__ import annotations

import json
import threading

import pytest

from premortem.analyse.invariants import proposed_invariants
from premortem.domain.run import Finding, Plan
from premortem.pipeline.learning import find_profile
from premortem.pipeline.run import Reported, execute, prepare
from tests.depot_service.project import depot
from tests.depot_service.service import DEFECTS
from tests.jwt_service.project import failing
from tests.pipeline.conftest import Project, recorded
from tests.quality.test_ledger_defects import classes

pytestmark = pytest.mark.quality

REQUESTS = 1_500
LEDGER_REQUESTS = 4_000
RATE = 250.0
IN_TOTALS = ("D5", "D7")
"""Shown by what everybody changes alone."""
MOVE = "after POST /moves: GET /wallets/{{wallet_id=sent.{}_wallet}}: balance changes by {}"
TOP_UP = "after POST /wallets/{wallet_id}/top-ups: "
RESERVE = "after POST /articles/{article_id}/reservations: GET /articles/{article_id}: "
DELIVER = "after POST /articles/{article_id}/deliveries: GET /articles/{article_id}: "
REFUSED = "after refused POST /moves: GET /wallets/{{wallet_id=sent.{}_wallet}}: everything stays"
EXPECTED = {
    MOVE.format("source", "-sent.amount"),
    MOVE.format("target", "sent.amount"),
    REFUSED.format("source"),
    TOP_UP + "GET /wallets/{wallet_id}: balance changes by sent.amount",
    TOP_UP + "GET /totals: money changes by sent.amount",
    "after POST /moves: GET /totals: moves changes by 1",
    RESERVE + "free changes by -sent.quantity",
    RESERVE + "reserved changes by sent.quantity",
    DELIVER + "free changes by sent.quantity",
}


def accepted(project: Project) -> set[str]:
    """What is proposed of changes, now declared."""
    with project.opened() as store:
        profile = find_profile(store, "latest")
    texts = [one.text for one in proposed_invariants(profile) if one.text.startswith("after ")]
    path = project.directory / "premortem.toml"
    lines = "".join(f"  {json.dumps(text)},\n" for text in texts)
    path.write_text(f"{path.read_text()}\n[checks]\ninvariants = [\n{lines}]\n")
    print(f"\n{profile.exchanges} exchanges", *(f"  {text}" for text in texts), sep="\n")
    return set(texts)


def run(project: Project, requests: int, *, alone: bool = False) -> tuple[Finding, ...]:
    """ALONE: one request at a time, so that nobody else changes what all share."""
    plan = Plan(
        dynamic="100%",
        rate_per_second=RATE,
        duration_s=240.0,
        requests_max=requests,
        in_flight_max=1 if alone else 64,
        seed=1,
    )
    with project.opened() as store:
        prepared = prepare(plan, config=project.config, store=store)
        events = list(execute(prepared, config=project.config, store=store, stop=threading.Event()))
    assert isinstance(events[-1], Reported)
    return events[-1].findings


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    with depot(tmp_path_factory.mktemp("depot")) as made:
        made.switch()
        yield made, accepted(made)


def test_the_depots_promises_are_proposed(stocked):
    _, texts = stocked
    print(f"beside them {sorted(texts - EXPECTED)}, missing {sorted(EXPECTED - texts)}")
    assert texts >= EXPECTED


def test_nothing_is_found_on_the_correct_depot(stocked):
    project, _ = stocked
    project.switch()
    assert [f.title for f in run(project, REQUESTS)] == []


def test_the_depots_losses_are_found_each_by_its_own(stocked):
    project, _ = stocked
    found: dict[str, list[str]] = {}
    for defect in DEFECTS:
        project.switch(defect)
        alone = defect in IN_TOTALS
        findings = [f for f in run(project, REQUESTS, alone=alone) if f.check == "invariant"]
        found[defect] = [f"{f.title}: {f.verdict.evidence}" for f in findings]
        print(defect, *found[defect] or ["nothing"], sep="\n    ")
        assert failing(project, tuple(findings)) == set(), "the correct depot shows it, too"
    assert [defect for defect, shown in found.items() if not shown] == []


def test_which_of_the_ledgers_defects_the_accepted_lines_show(tmp_path_factory):
    with recorded(tmp_path_factory.mktemp("ledger")) as project:
        accepted(project)
        project.switch()
        assert [f.title for f in run(project, LEDGER_REQUESTS)] == []
        project.switch(*classes())
        findings = tuple(f for f in run(project, LEDGER_REQUESTS) if f.check == "invariant")
        assert failing(project, findings) == set()
        for defect in classes():
            shown = failing(project, findings, defect)
            if shown:
                print(defect, *(f.title for f in findings if f.id in shown), sep="\n    ")
