"""Running a plan, and what its exit code, findings, baseline and reports say."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Project, build_small_plan, copied, switch
from tests.cli.console import Ran, premortem
from tests.services import PASSWORDS

CLEAN, FOUND = 0, 1
LASTING = ("L03", "L04", "L07")
"""Defects that any plan meets: a shape, a status, a report without credentials."""


def ids(ran: Ran) -> set[str]:
    return {finding["id"] for finding in ran.json["findings"]}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A run that found something, and its plan."""

    project: Project
    ran: Ran

    @property
    def plan(self) -> Path:
        return self.project.folder / "plan.toml"


@pytest.fixture(scope="module")
def once(recorded, target, tmp_path_factory) -> Found:
    """A project with one run on a target with defects; nobody writes into this one."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PASSWORDS.items():
            patch.setenv(name, value)
        project = copied(recorded, tmp_path_factory.mktemp("found") / "project", patch)
        switch(target, *LASTING)
        try:
            ran = premortem("run", build_small_plan(project), "--json")
        finally:
            switch(target)
    return Found(project=project, ran=ran)


@pytest.fixture
def found(once, defects, tmp_path, monkeypatch) -> Found:
    """A copy of it, entered; the target still has its defects."""
    defects(*LASTING)
    return Found(project=copied(once.project, tmp_path / "found", monkeypatch), ran=once.ran)


def test_a_correct_service_ends_clean(project, small_plan, defects):
    defects()
    ran = premortem("run", small_plan)
    assert ran.code == CLEAN, ran
    assert "no finding" in ran.out
    listed = premortem("findings")
    assert listed.code == CLEAN
    assert "no finding" in listed.out


def test_every_request_is_accounted_for(found):
    summary = found.ran.json["summary"]
    counted = [summary[name] for name in ("answered", "faulted", "unknown", "left")]
    assert summary["planned"] == sum(counted) == 150


def test_what_makes_a_run_fail_is_the_users_choice(found):
    assert found.ran.code == FOUND
    assert ids(found.ran)
    assert set(found.ran.json["failing"]) == ids(found.ran)
    never = premortem("run", found.plan, "--fail-on", "never", "--update-baseline", "--json")
    assert never.code == CLEAN
    assert ids(never)
    assert never.json["failing"] == []
    assert (found.project.folder / "premortem.baseline.json").exists()
    known = premortem("run", found.plan)
    assert known.code == CLEAN, known
    assert "(known)" in known.out
    assert premortem("run", found.plan, "--fail-on", "any").code == FOUND
    assert premortem("run", found.plan, "--baseline", "none.json").code == FOUND


def test_a_baseline_that_is_none_is_refused_before_anything_is_sent(project, small_plan):
    (project.folder / "premortem.baseline.json").write_text("[1, 2")
    assert "is no baseline" in premortem("run", small_plan).complaint


def test_findings_are_listed_and_shown_with_their_evidence(found):
    listed = premortem("findings")
    assert listed.code == CLEAN
    for finding in found.ran.json["findings"]:
        assert finding["id"] in listed.out
        assert finding["title"] in listed.out
    chosen = found.ran.json["findings"][0]
    shown = premortem("findings", chosen["id"][:5])
    assert chosen["curl"] in shown.out
    assert f"premortem replay {chosen['id']}" in shown.out
    assert premortem("findings", chosen["id"], "--json").json["id"] == chosen["id"]
    assert ids(premortem("findings", "--json")) == ids(found.ran)
    assert ids(premortem("findings", "--all-runs", "--json")) == ids(found.ran)
    run_id = found.ran.json["summary"]["id"]
    assert ids(premortem("findings", "--run", run_id[:6], "--json")) == ids(found.ran)


def test_a_replayed_finding_is_failed_until_it_is_fixed(found, defects):
    chosen = next(iter(ids(found.ran)))
    again = premortem("replay", chosen)
    assert again.code == FOUND
    assert again.out.startswith("FAILED")
    defects()
    fixed = premortem("replay", chosen[:6], "--json")
    assert fixed.code == CLEAN
    assert fixed.json == {"finding": chosen, "state": "FIXED", "reproduced": 0}
    assert premortem("replay", chosen).out.startswith("FIXED")


def test_all_findings_of_a_run_are_replayed_where_none_is_named(found, defects):
    again = premortem("replay", "--json")
    assert again.code == FOUND
    assert {row["finding"] for row in again.json["findings"]} == ids(found.ran)
    assert again.json["failed"] == len(ids(found.ran))
    defects()
    fixed = premortem("replay")
    assert fixed.code == CLEAN
    assert f"0 failed, {len(ids(found.ran))} fixed" in fixed.out
    assert "fixed" in premortem("findings").out


def test_findings_are_exported_by_id_or_all_of_them(found):
    chosen = next(iter(ids(found.ran)))
    ran = premortem("findings", "export", chosen[:6], "-o", "tests_found")
    assert ran.code == CLEAN
    assert "run them: pytest tests_found" in ran.out
    written = premortem("findings", "export", "--all", "--format", "sarif", "--json").json
    assert [path.rpartition("/")[2] for path in written["files"]] == ["findings.sarif"]
    assert "--all" in premortem("findings", "export").complaint
    assert "no finding" in premortem("findings", "export", "ffffffff").complaint


def test_kinds_are_filtered_and_decide_on_the_exit_code(found):
    assert ids(premortem("findings", "--kind", "flaky", "--json")) == set()
    kinds = {finding["kind"] for finding in found.ran.json["findings"]}
    assert kinds <= {"defect", "drift", "flaky"}
    ran = premortem("run", found.plan, "--fail-kind", "flaky", "--no-minimise", "--json")
    assert ran.code == CLEAN
    assert ran.json["failing"] == []


def test_an_ignored_finding_is_neither_reported_nor_fails_a_run(found):
    chosen, *others = sorted(ids(found.ran))
    ran = premortem("ignore", chosen, "--reason", "as agreed", "--json")
    assert ran.json["ignored"] is True
    listed = premortem("findings").out
    assert f"ignored: {chosen}" in listed
    assert "as agreed" in listed
    assert chosen not in ids(premortem("report", "--json"))
    assert set(premortem("run", found.plan, "--json").json["failing"]) == set(others)
    assert premortem("ignore", chosen, "--undo").code == CLEAN
    assert "ignored:" not in premortem("findings").out


def test_a_finding_is_ignored_until_a_day(found):
    chosen = next(iter(ids(found.ran)))
    today = date.today()
    for until, quiet in ((today, True), (today - timedelta(days=1), False)):
        ran = premortem("ignore", chosen, "--reason", "until then", "--until", until)
        assert f"until {until}" in ran.out
        assert (chosen not in ids(premortem("report", "--json"))) is quiet
    assert "2027-01-31" in premortem("ignore", chosen, "--reason", "x", "--until", "soon").complaint
    assert "--reason" in premortem("ignore", chosen).complaint


def test_reports_are_written_for_people_and_for_machines(found):
    assert found.ran.json["summary"]["id"] in premortem("report").out
    ran = premortem("report", "--html", "report.html", "--junit", "report.xml")
    assert ran.out.splitlines() == ["written: report.html", "written: report.xml"]
    page = (found.project.folder / "report.html").read_text()
    failures = ET.parse(found.project.folder / "report.xml").getroot().iter("failure")
    assert all(finding_id in page for finding_id in ids(found.ran))
    assert "src=" not in page
    places = {(finding["operation_id"], finding["check"]) for finding in found.ran.json["findings"]}
    assert len(list(failures)) == len(places)
    assert "-secret" not in page
    told = premortem("report", "--json", "--html", "again.html").json
    assert told["written"] == ["again.html"]
    assert "nowhere" in premortem("report", "--html", "nowhere/report.html").complaint


def test_the_run_is_told_on_standard_error_and_its_outcome_on_standard_output(
    project, small_plan, defects
):
    defects(*LASTING)
    ran = premortem("run", small_plan)
    assert ran.code == FOUND
    assert "reproducing 1/" in ran.err
    assert "planned" in ran.out
    assert "premortem findings ID" in ran.out
