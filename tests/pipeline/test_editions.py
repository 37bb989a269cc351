"""Overrides of a blueprint as scenarios of both branches, run on the ledger in two editions."""

from __future__ import annotations

import msgspec
import pytest

from premortem.domain.scenario import Scenario
from premortem.pipeline.editions import editions_of
from premortem.pipeline.judging import judging, read_exchanges
from tests.pipeline.conftest import Project

BINDINGS = """
[editions."*"]
headers = { X-Edition = "${value}" }

[events."*"]
read = "GET /audit?action=${value}"
role = "CFO"
list = "/items"
"""
LOCK, CREATE = "POST /invoices/{invoice_id}/lock", "POST /invoices"
BLUEPRINT = """
Blueprint_Id: ledger
Handlers:
  LockInvoice:
    Route: POST /invoices/{invoice_id}/lock
    Overrides: ["Enterprise -> Emit invoice.locked"]
  CreateInvoice:
    Route: POST /invoices
    Overrides: ["lite -> skip currency validation"]
"""


@pytest.fixture
def correct(project: Project, tmp_path):
    """The correct ledger, and a configuration that lies beside the blueprint alone."""
    project.switch()
    (tmp_path / "bindings.toml").write_text(BINDINGS)
    (tmp_path / "blueprint.yaml").write_text(BLUEPRINT)
    return msgspec.structs.replace(
        project.config, bindings=str(tmp_path / "bindings.toml"), features=str(tmp_path)
    )


def branches(project: Project, config, folder) -> dict[tuple[str, str], tuple[Scenario, ...]]:
    """(operation, kind) -> the scenarios of both branches of what the blueprint overrides."""
    with project.opened() as store:
        found = editions_of(config, store, folder=folder)
    assert [v.why_not for v in found.variants] == [()] * len(found.variants)
    return {
        (v.difference.operation_id, v.difference.kind): v.proposals
        for v in found.variants
        if v.difference.kind in ("emit", "skip")
    }


def outcome(project: Project, config, scenario: Scenario) -> str:
    with project.opened() as store:
        profile = store.profile()
        with judging(
            config=config,
            store=store,
            profile=profile,
            exchanges=read_exchanges(profile, store),
            clock=lambda: 0.0,
        ) as judge:
            return judge(scenario).outcome


def test_what_one_edition_emits_is_tried_in_it_and_in_another(project, correct, tmp_path):
    found = branches(project, correct, tmp_path)
    here, elsewhere = found[LOCK, "emit"]
    assert (here.edition, elsewhere.edition) == ("enterprise", "pro")
    assert here.title == "Enterprise edition emits invoice.locked"
    assert [outcome(project, correct, s) for s in (here, elsewhere)] == ["regression"] * 2
    said = {step.text for step in elsewhere.steps}
    assert {
        "the response status is 403",
        'the event "invoice.locked" is recorded 0 times',
    } <= said


def test_a_check_that_an_edition_skips_is_tried_in_it_and_in_another(project, correct, tmp_path):
    here, elsewhere = branches(project, correct, tmp_path)[CREATE, "skip"]
    assert (here.edition, elsewhere.edition) == ("lite", "enterprise")
    assert outcome(project, correct, elsewhere) == "regression"
    assert outcome(project, correct, here) == "finding", "the ledger skips nothing: so it says"
