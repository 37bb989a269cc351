"""The table of docs/security.md on the sample service: what speaks to which OWASP item (2023)."""

from __future__ import annotations

import pytest

from tests.jwt_service.project import failing, run
from tests.pipeline.conftest import recorded

pytestmark = pytest.mark.quality
REQUESTS = 3_000
RULES = (
    "POST /invoices/{invoice_id}/late-fee: once",
    "POST /refund-requests/{request_id}/approve: never by who did "
    "POST /payments/{payment_id}/refund-requests",
)
SHOWN = {
    "API1": ("L20", "wrong_data"),
    "API2": ("L18", "revoked_access"),
    "API3": ("L17", "role_view"),
    "API5": ("L06", "accepted_invalid"),
    "API6": ("L23", "stated_rule"),
    "API8": ("L01", "server_error"),
    "API9": ("API9", "other_version"),
}
"""Item -> a defect of the ledger, or one of its weaknesses, and the check that speaks of it."""
NARROW = {
    "API4": ("API4", "accepted_invalid", "GET /audit"),
    "API7": ("API7", "injected", "POST /invoices"),
}
"""The same in a run of the operation alone: each is one of many values in one of many places."""
NARROW_REQUESTS = 700


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with recorded(tmp_path_factory.mktemp("owasp")) as made:
        path = made.directory / "premortem.toml"
        lines = ", ".join(f"'{rule}'" for rule in RULES)
        path.write_text(f"{path.read_text()}\n[checks]\nrules = [{lines}]\n")
        yield made


def test_each_item_is_shown_by_a_defect_of_the_ledger(project):
    defects = [defect for defect, _ in SHOWN.values()]
    project.switch(*defects)
    found = run(project, requests=REQUESTS).findings
    print(f"\n{sorted(f'{f.check}: {f.title}' for f in found)}")
    assert failing(project, found) == set()
    for item, (defect, check) in SHOWN.items():
        asked = tuple(f for f in found if f.check == check)
        assert failing(project, asked, defect), f"{item}: {defect} is not shown"


@pytest.mark.parametrize("item", NARROW)
def test_what_is_one_value_of_many_is_shown_by_a_run_of_its_operation(project, item):
    weakness, check, operation = NARROW[item]
    project.switch(weakness)
    found = run(project, requests=NARROW_REQUESTS, operations=(operation,)).findings
    print(f"\n{item}: {sorted(f'{f.check}: {f.title}' for f in found)}")
    assert {f.check for f in found} == {check}
    assert failing(project, found, weakness) == {f.id for f in found}
    assert failing(project, found) == set()
