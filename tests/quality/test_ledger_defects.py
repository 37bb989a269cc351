"""How many of the ledger's thirty defects a plan finds today, each attributed: counted, no goal."""

from __future__ import annotations

import re
import shutil
import threading

import pytest

from premortem.domain.goals import Goals
from premortem.domain.run import Finding, Plan
from premortem.pipeline.reporting import replay_findings
from premortem.pipeline.run import Reported, execute, prepare
from tests.pipeline.conftest import Project, project  # noqa: F401 - a fixture
from tests.shared import ROOT

RATE = 250.0
TOGETHER = "several at once"
BLUEPRINT = '\n[checks]\nblueprints = ["blueprint.yaml"]\n'
ROW = re.compile(r"^\| (L\d\d) \| ([a-z ]+) \|", re.MULTILINE)

pytestmark = pytest.mark.quality


def classes() -> dict[str, str]:
    """Defect id -> class, as the table says."""
    return dict(ROW.findall((ROOT / "examples" / "ledger" / "DEFECTS.md").read_text()))


def told(project: Project, *, blueprint: bool) -> None:  # noqa: F811
    """Have the project's configuration name the ledger's blueprint, or none."""
    path = project.directory / "premortem.toml"
    text = path.read_text().removesuffix(BLUEPRINT)
    path.write_text(text + (BLUEPRINT if blueprint else ""))
    shutil.copy(ROOT / "examples" / "ledger" / "blueprint.yaml", project.directory)


def run(project: Project, requests: int, goals: Goals) -> tuple[Finding, ...]:  # noqa: F811
    plan = Plan(
        rate_per_second=RATE,
        duration_s=240.0,
        requests_max=requests,
        seed=1,
        goals=goals,
    )
    with project.opened() as store:
        prepared = prepare(plan, config=project.config, store=store)
        events = list(execute(prepared, config=project.config, store=store, stop=threading.Event()))
    reported = events[-1]
    assert isinstance(reported, Reported)
    return reported.findings


def attributed(project: Project, findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:  # noqa: F811
    """Defect -> findings that fail again with it alone; under "" those that do with none.

    What fails with none on is false and shows no defect, so it counts under "" only. What takes
    several defects at once stands under TOGETHER and counts for none of them.
    """
    by_defect: dict[str, list[Finding]] = {}
    settings = {"": (), **{d: (d,) for d in classes()}, TOGETHER: tuple(classes())}
    with project.opened() as store:
        for name, defects in settings.items():
            project.switch(*defects)
            settled = by_defect.get("", [])
            if name == TOGETHER:
                settled = [finding for found in by_defect.values() for finding in found]
            asked = [f for f in findings if f not in settled]
            again = replay_findings(asked, config=project.config, store=store)
            for finding, failed in zip(asked, again, strict=True):
                if failed:
                    by_defect.setdefault(name, []).append(finding)
    project.switch()
    return by_defect


@pytest.mark.parametrize("coverage", [False, True], ids=["plain", "goals"])
@pytest.mark.parametrize("requests", [2_000, 5_000])
@pytest.mark.parametrize("blueprint", [False, True], ids=["spec and traffic", "blueprint"])
def test_how_many_defects_are_found_and_attributed(project, blueprint, requests, coverage):  # noqa: F811
    told(project, blueprint=blueprint)
    project.switch(*classes())
    findings = run(project, requests, Goals(coverage=coverage))
    by_defect = attributed(project, findings)
    explained = {finding.id for found in by_defect.values() for finding in found}
    found = sorted(defect for defect in by_defect if defect and defect != TOGETHER)
    by_class: dict[str, str] = {}
    for name in dict.fromkeys(classes().values()):
        all_of = [defect for defect, kind in classes().items() if kind == name]
        by_class[name] = f"{len([d for d in all_of if d in found])} of {len(all_of)}"
    print(f"\n{requests} requests: {len(found)} of {len(classes())} found: {' '.join(found)}")
    print(f"by class: {by_class}")
    print(f"{TOGETHER}: {[f.title for f in by_defect.get(TOGETHER, [])]}")
    print(f"false: {[f.title for f in by_defect.get('', [])]}")
    print(f"unexplained: {[f.title for f in findings if f.id not in explained]}")
    assert found, "nothing at all is found"
    assert "" not in by_defect, "a finding that the correct service shows, too, is a false one"
