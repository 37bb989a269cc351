"""Sources that contradict each other, where a run is told: its exit, its JSON, its reports."""

from __future__ import annotations

from tests.cli.console import premortem

MAP = "POST /invoices/{invoice_id}/approve: [CFO]\n"
"""The specification and production let the FinanceManager, too."""


def test_contradicting_sources_fail_a_run_until_they_are_known(project, small_plan, defects):
    defects()
    (project.folder / "AuthorizationMap.yaml").write_text(MAP)
    ran = premortem("run", small_plan, "--security", "--json")
    assert ran.code == 1
    assert ran.json["findings"] == []
    found = ran.json["contradictions"]
    assert {(one["role"], one["kind"]) for one in found} == {("FinanceManager", "let_in")}
    sources = {one["against"]["source"]: one["severity"] for one in found}
    assert sources["openapi"] == "medium"
    assert sources["traffic"] == "high"
    assert set(ran.json["failing"]) == {one["id"] for one in found}

    shown = premortem("report")
    assert "Contradictions between sources" in shown.out
    page, cases = project.folder / "r.html", project.folder / "r.xml"
    assert premortem("report", "--html", page, "--junit", cases).code == 0
    for one in found:
        assert one["id"] in page.read_text()
        assert one["id"] in cases.read_text()

    assert premortem("run", small_plan, "--security", "--update-baseline").code == 1
    assert premortem("run", small_plan, "--security").code == 0, "all of them are known"
    assert premortem("run", small_plan, "--security", "--fail-on", "any").code == 1


def test_a_run_without_security_tests_reads_no_sources(project, small_plan, defects):
    defects()
    (project.folder / "AuthorizationMap.yaml").write_text(MAP)
    ran = premortem("run", small_plan, "--json")
    assert ran.code == 0
    assert ran.json["contradictions"] == []
    assert "Contradictions" not in premortem("report").out


def test_sources_that_agree_are_no_matter_of_a_run(project, small_plan, defects):
    defects()
    ran = premortem("run", small_plan, "--security", "--json")
    assert ran.code == 0
    assert ran.json["contradictions"] == []
