"""Each defect of DEFECTS.md: right while it is off, wrong while it is on, and nothing else on."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
import pytest
from ledger.defects import DEFECT_IDS

from tests.ledger.conftest import FOLDER, Ledger, environment, invoice


def limit_zero(ledger: Ledger) -> object:
    ledger.draft()
    return ledger.call("CFO", "GET", "/invoices?limit=0").status_code


def third_decimal(ledger: Ledger) -> object:
    return ledger.pay(ledger.approved(), 10.001).status_code


def type_of_paid(ledger: Ledger) -> object:
    invoice_id = ledger.approved()
    ledger.pay(invoice_id, 12.5)
    return ledger.call("CFO", "GET", f"/invoices/{invoice_id}").json()["paid"]


def status_of_cancel(ledger: Ledger) -> object:
    return ledger.cancel(ledger.draft()).status_code


def zero_amounts(ledger: Ledger) -> object:
    return (
        ledger.call("CFO", "POST", "/invoices", invoice(amount=0)).status_code,
        ledger.pay(ledger.approved(), 0).status_code,
        ledger.refund(ledger.payment(), 0).status_code,
    )


def approval_by_guest(ledger: Ledger) -> object:
    return ledger.approve("Guest", ledger.draft()).status_code


def summary_without_token(ledger: Ledger) -> object:
    return ledger.call("", "GET", "/reports/summary").status_code


def refund_repeated(ledger: Ledger) -> object:
    payment_id = ledger.payment()
    statuses = [ledger.refund(payment_id, 10).status_code for _ in range(2)]
    count = ledger.call("CFO", "GET", f"/payments/{payment_id}/refunds").json()["count"]
    return statuses, count


def cancelled_paid(ledger: Ledger) -> object:
    return ledger.pay(ledger.cancelled(), 10).status_code


def more_back_than_came_in(ledger: Ledger) -> object:
    payment_id = ledger.payment(100)
    statuses = [ledger.refund(payment_id, amount).status_code for amount in (60, 60.01)]
    payment = ledger.call("CFO", "GET", f"/payments/{payment_id}").json()
    return statuses, payment["refunded"] <= payment["amount"]


@pytest.mark.parametrize(
    ("defect", "probe", "right", "wrong"),
    [
        ("L01", limit_zero, 422, 500),
        ("L02", third_decimal, 422, 500),
        ("L03", type_of_paid, 12.5, "12.50"),
        ("L04", status_of_cancel, 200, 202),
        ("L05", zero_amounts, (422, 422, 422), (201, 201, 201)),
        ("L06", approval_by_guest, 403, 200),
        ("L07", summary_without_token, 401, 200),
        ("L08", refund_repeated, ([201, 409], 1), ([201, 201], 2)),
        ("L09", cancelled_paid, 409, 201),
        ("L10", more_back_than_came_in, ([201, 409], True), ([201, 201], False)),
    ],
)
def test_a_defect_shows_when_it_is_on_and_only_then(ledger, defect, probe, right, wrong):
    assert probe(ledger) == right
    ledger.switch(*(set(DEFECT_IDS) - {defect}))
    assert probe(ledger) == right, "another defect shows the same"
    ledger.switch(defect)
    assert probe(ledger) == wrong
    ledger.switch(*DEFECT_IDS)
    assert probe(ledger) == wrong, "masked by another defect"


def test_the_table_and_the_code_name_the_same_defects():
    table = (FOLDER / "DEFECTS.md").read_text()
    assert re.findall(r"^\| (L\d+) \|", table, re.MULTILINE) == list(DEFECT_IDS)


def test_the_environment_switches_defects_and_hides_the_hooks(bare_base):
    with httpx.Client(base_url=bare_base) as http:
        for hook in ("/_test/reset", "/_test/defects"):
            assert http.post(hook, json={"on": []}).status_code == 404
        login = {"username": "cfo", "password": "another one"}
        ledger = Ledger(http, {"CFO": http.post("/login", json=login).json()["token"]})
        login = {"username": "guest", "password": "guest-secret"}
        ledger.tokens["Guest"] = http.post("/login", json=login).json()["token"]
        assert status_of_cancel(ledger) == 202
        assert approval_by_guest(ledger) == 200
        assert summary_without_token(ledger) == 401


def test_an_unknown_defect_is_refused_at_the_start():
    ended = subprocess.run(
        [sys.executable, "-m", "ledger", "--port", "0"],
        cwd=FOLDER,
        env=environment(LEDGER_DEFECTS="L11"),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 2
    assert "no such defect: L11" in ended.stderr
