"""`premortem roles` and `premortem editions`, on the sample of sources."""

import csv
import shutil

import pytest
import yaml

from tests.cli.console import premortem
from tests.shared import ROOT


@pytest.fixture
def payments(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples" / "payments", tmp_path / "payments")
    monkeypatch.chdir(tmp_path / "payments")
    return tmp_path / "payments"


def cells(found):
    return {(c["operation_id"], c["role"], c["edition"]): c for c in found["cells"]}


def test_roles_are_shown_without_any_traffic(payments):
    ran = premortem("roles", "--json")
    assert ran.code == 0
    approve = cells(ran.json)["POST /api/invoice/approve", "CFO", "enterprise"]
    assert (approve["declared"], approve["standing"]) == ("allowed", "untested")
    assert "0 contradictions between sources" in premortem("roles").out


def test_a_contradiction_is_shown_with_both_places_and_is_a_finding(payments):
    controller = payments / "src/PaymentsService/Controllers/InvoiceController.cs"
    text = controller.read_text()
    controller.write_text(text.replace('Roles = "CFO")', 'Roles = "CFO,Guest")'))
    ran = premortem("roles")
    assert ran.code == 1
    assert "lets in" in ran.out
    assert "InvoiceController.cs:" in ran.out
    assert "blueprint.yaml:" in ran.out
    (found,) = premortem("roles", "--json").json["contradictions"]
    assert (found["role"], found["kind"]) == ("Guest", "let_in")
    assert (found["check"], found["severity"]) == ("contradiction", "high")
    assert "lets in Guest" in found["title"]
    assert found["id"] in ran.out
    assert "high" in ran.out


def test_a_contradiction_is_ignored_like_any_finding_and_told_in_reports(payments):
    controller = payments / "src/PaymentsService/Controllers/InvoiceController.cs"
    controller.write_text(controller.read_text().replace('Roles = "CFO")', 'Roles = "CFO,Guest")'))
    assert premortem("learn").code == 0
    (found,) = premortem("roles", "--json").json["contradictions"]
    assert premortem("ignore", found["id"][:5], "--reason", "until June").code == 0
    ran = premortem("roles")
    assert ran.code == 0
    assert found["id"] not in ran.out
    (again,) = premortem("roles", "--json").json["contradictions"]
    assert again["ignored"]
    assert premortem("ignore", found["id"], "--undo").code == 0
    assert premortem("roles").code == 1


def test_the_matrix_is_written_as_csv_picture_and_map(payments):
    out = ["--csv", "roles.csv", "--html", "roles.html", "--write", "AuthorizationMap.yaml"]
    assert premortem("roles", *out).code == 0
    with (payments / "roles.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["standing"] for row in rows} == {"untested"}
    page = (payments / "roles.html").read_text()
    assert "<svg" in page
    assert "<script" not in page
    written = yaml.safe_load((payments / "AuthorizationMap.yaml").read_text())
    assert written["operations"]["POST /api/invoice/approve"]["roles_allowed"] == ["CFO"]
    assert premortem("roles").code == 0, "what was written contradicts nothing"


def test_observing_needs_a_profile_and_a_target_that_may_be_changed(payments):
    assert "premortem capture" in premortem("roles", "--observe").complaint
    assert premortem("learn").code == 0
    assert "not marked disposable" in premortem("roles", "--observe").complaint
    assert (
        "'Pirate' is not among the roles"
        in premortem("roles", "--observe", "--role", "Pirate").complaint
    )


def test_editions_show_what_differs_and_propose_both_branches(payments):
    (payments / "AuthorizationMap.yaml").write_text(
        "lite:\n  CreateInvoice: off\nenterprise:\n  CreateInvoice: [FinanceManager, CFO]\n"
    )
    assert premortem("learn").code == 0
    found = premortem("editions", "--json").json
    (variant,) = [v for v in found["variants"] if v["difference"]["kind"] == "lacks"]
    assert variant["difference"]["value"] == "lite"
    assert [s["edition"] for s in variant["proposals"]] == ["lite", "enterprise"]
    assert "edition:lite" in variant["proposals"][0]["tags"]
    wrote = premortem("editions", "--write")
    assert "wrote" in wrote.out
    again = premortem("editions", "--json").json
    (variant,) = [v for v in again["variants"] if v["difference"]["kind"] == "lacks"]
    assert variant["tested_by"]
    assert not variant["proposals"]


def test_an_edition_is_named_in_any_case_and_an_unknown_one_is_told(payments):
    shown = premortem("roles", "--edition", "LITE")
    assert shown.code == 0
    assert "POST /api/refund" in shown.out
    assert "Edition enterprise" not in shown.out
    assert "there are lite, enterprise" in premortem("roles", "--edition", "Foo").complaint
    assert "add --observe" in premortem("roles", "--role", "CFO").complaint


def test_an_address_that_code_and_document_spell_otherwise_is_one_row(payments):
    found = premortem("roles", "--json").json["cells"]
    assert {
        c["operation_id"] for c in found if c["operation_id"].startswith("POST /api/I")
    } == set()
