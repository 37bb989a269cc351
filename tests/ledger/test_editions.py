"""Three editions: what each has, and how a request runs in a smaller one."""

from __future__ import annotations

import httpx
import pytest
from ledger.editions import Edition, editions_with
from ledger.roles import RIGHTS, Role

from tests.ledger.conftest import Ledger, invoice, refused, sign_in, start
from tests.ledger.test_rules import ROUTES

MISSING = (403, "EditionFeatureMissing")


@pytest.fixture(scope="module")
def pro():
    """A ledger of which only pro is licensed."""
    for base in start(LEDGER_EDITION="pro"):
        with httpx.Client(base_url=base) as http:
            yield Ledger(http, {"CFO": sign_in(http, "cfo")})


@pytest.mark.parametrize("edition", Edition)
@pytest.mark.parametrize("operation", RIGHTS)
def test_an_edition_has_what_the_document_says(ledger, operation, edition):
    method, path = ROUTES[operation]
    role = next(iter(sorted(RIGHTS[operation], key=list(Role).index)))
    answer = ledger.call(role, method, path, headers={"X-Edition": str(edition)})
    if edition in editions_with(operation):
        assert answer.status_code in (200, 404, 422)
    else:
        assert refused(answer) == MISSING
    declared = ledger.get("", "/openapi.json").json()["paths"]
    operations = {o["operationId"]: o for methods in declared.values() for o in methods.values()}
    assert operations[operation]["x-editions"] == list(editions_with(operation))


def test_lite_has_neither_other_currencies_nor_tax(ledger):
    lite = {"X-Edition": "lite"}
    for change in ({"currency": "USD"}, {"tax_percent": 19}):
        assert refused(ledger.post("CFO", "/invoices", invoice(**change), headers=lite)) == MISSING
    bad = ledger.post("CFO", "/invoices", invoice(currency="USD", amount=0), headers=lite)
    assert refused(bad) == (422, "ValidationError")
    assert ledger.post("CFO", "/invoices", invoice(), headers=lite).status_code == 201


def test_an_edition_that_does_not_exist_is_refused_after_the_role(ledger):
    for name in ("gold", "LITE", ""):
        answer = ledger.get("CFO", "/audit", headers={"X-Edition": name})
        assert refused(answer) == (422, "ValidationError")
        answer = ledger.get("Guest", "/audit", headers={"X-Edition": name})
        assert refused(answer) == (403, "Forbidden")


def test_a_request_asks_for_less_than_is_licensed_and_never_gets_more(pro):
    assert pro.get("CFO", "/reports/tax").status_code == 200
    for edition in ({}, {"X-Edition": "enterprise"}):
        assert refused(pro.get("CFO", "/audit", headers=edition)) == MISSING
    assert refused(pro.get("CFO", "/reports/tax", headers={"X-Edition": "lite"})) == MISSING
