"""The ledger's role, edition, state, concurrency and conservation defects in 5,000 requests.

Twice: with its blueprint, and from document and traffic alone. All thirty
are on at once; each finding is attributed by switching them on one by one.
`pytest tests/quality/test_ledger_security.py -s` prints what was found by which finding.
"""

from __future__ import annotations

import shutil
import threading

import pytest

from premortem.domain.run import Finding, Plan
from premortem.pipeline.run import Reported, execute, prepare
from premortem.pipeline.securing import secured
from tests.pipeline.conftest import Project, recorded
from tests.quality.test_ledger_defects import TOGETHER, attributed, classes
from tests.shared import ROOT

pytestmark = pytest.mark.quality

REQUESTS = 5_000
RATE = 250.0
TARGET = 'edition_header = "X-Edition"'
WANTED = ("role", "edition", "state", "concurrency", "conservation")


@pytest.fixture(scope="module", params=["with the blueprint", "document and traffic alone"])
def ledger(request, tmp_path_factory):
    with recorded(tmp_path_factory.mktemp("ledger"), target=TARGET) as made:
        path = made.directory / "premortem.toml"
        if request.param == "with the blueprint":
            shutil.copy(ROOT / "examples" / "ledger" / "blueprint.yaml", made.directory)
            path.write_text(f'{path.read_text()}\n[checks]\nblueprints = ["blueprint.yaml"]\n')
        yield made


def run(project: Project) -> tuple[Finding, ...]:
    plan = Plan(rate_per_second=RATE, duration_s=240.0, requests_max=REQUESTS, seed=1)
    with project.opened() as store:
        prepared = prepare(secured(plan), config=project.config, store=store)
        events = list(execute(prepared, config=project.config, store=store, stop=threading.Event()))
    reported = events[-1]
    assert isinstance(reported, Reported)
    print(f"\n{reported.summary.answered} answered, faults {reported.summary.faults}")
    return reported.findings


def test_which_of_them_are_found(ledger):
    ledger.switch(*classes())
    findings = run(ledger)
    by_defect = attributed(ledger, findings)
    found = {defect for defect in by_defect if defect and defect != TOGETHER}
    wanted = [defect for defect, kind in classes().items() if kind in WANTED]
    for defect, shown in sorted(by_defect.items()):
        print(defect or "false", sorted({f"{f.check}: {f.title}"[:90] for f in shown}))
    print(f"missing: {[d for d in wanted if d not in found]}; of all {len(found)} of 30")
    assert "" not in by_defect, "a finding that the correct service shows, too, is a false one"
    assert found.intersection(wanted)


def test_nothing_is_found_on_the_correct_ledger(ledger):
    ledger.switch()
    assert [f.title for f in run(ledger)] == []
