"""Each defect of DEFECTS.md: right while it is off, wrong while it is on, and nothing else on."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
import pytest
from ledger.defects import DEFECT_IDS, WEAKNESS_IDS, Defects

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


def statement_of_nobody(ledger: Ledger) -> object:
    path = f"/customers/{ledger.customer(name='nobody else')}/statement"
    answer = ledger.get("CFO", path)
    return answer.status_code, answer.json()["average_invoice"] if answer.is_success else None


def last_page_of_the_audit(ledger: Ledger) -> object:
    ledger.draft()
    return ledger.get("CFO", "/audit").json().get("next_cursor", "left out")


def denied_twice(ledger: Ledger) -> object:
    path = f"/refund-requests/{ledger.wish(ledger.payment())}/deny"
    statuses = [ledger.post("CFO", path, {"reason": "no"}) for _ in range(2)]
    return statuses[1].status_code, set(statuses[1].json())


def outdated_invoice(ledger: Ledger) -> object:
    path, stale = f"/invoices/{ledger.draft()}", {"If-Match": '"1"'}
    body = {"description": "new"}
    answers = [ledger.call("CFO", "PATCH", path, body, headers=stale) for _ in range(2)]
    return [answer.status_code for answer in answers]


def approval_beyond_the_limit(ledger: Ledger) -> object:
    within = ledger.approve("FinanceManager", ledger.draft(10_000)).status_code
    beyond = ledger.approve("FinanceManager", ledger.draft(10_000.01)).status_code
    return within, beyond, ledger.approve("CFO", ledger.draft(10_000.01)).status_code


def own_request_approved(ledger: Ledger) -> object:
    request_id = ledger.wish(ledger.payment(), role="FinanceManager")
    return ledger.post("FinanceManager", f"/refund-requests/{request_id}/approve").status_code


def what_a_guest_sees_of_customers(ledger: Ledger) -> object:
    customer_id = ledger.customer(iban="DE02120300000000202051")
    alone = ledger.get("Guest", f"/customers/{customer_id}").json()
    (listed,) = ledger.get("Guest", "/customers").json()["items"]
    assert (alone["email"], alone["iban"]) == ("***", "***")
    return listed["email"], listed["iban"]


def token_of_an_ended_session(ledger: Ledger) -> object:
    login = {"username": "cashier", "password": "cashier-secret"}
    session = ledger.post("", "/login", login).json()
    header = {"Authorization": f"Bearer {session['token']}"}
    ended = ledger.call("", "DELETE", f"/sessions/{session['session_id']}", headers=header)
    return ended.status_code, ledger.get("", "/invoices", headers=header).status_code


def role_in_the_body(ledger: Ledger) -> object:
    login = {"username": "guest", "password": "guest-secret", "role": "CFO"}
    answer = ledger.post("", "/login", login)
    return answer.status_code, answer.json().get("role")


def statement_of_a_namesake(ledger: Ledger) -> object:
    one, other = ledger.customer(name="Adler"), ledger.customer(name="Adler")
    for customer_id in (one, other):
        made = ledger.made("/invoices", invoice(customer="Adler", customer_id=customer_id))
        ledger.approve("CFO", made)
    lines = ledger.get("CFO", f"/customers/{other}/statement").json()["lines"]
    return [line["customer_id"] == other for line in lines]


def audit_in_smaller_editions(ledger: Ledger) -> object:
    return [
        ledger.get("CFO", "/audit", headers={"X-Edition": edition}).status_code
        for edition in ("lite", "pro", "enterprise")
    ]


def currencies_of_lite(ledger: Ledger) -> object:
    return [
        ledger.post("CFO", "/invoices", invoice(currency=currency), headers=LITE).status_code
        for currency in ("EUR", "USD", "GBP")
    ]


def late_fee_twice(ledger: Ledger) -> object:
    invoice_id = ledger.made("/invoices", invoice(due_date="2024-01-31"))
    ledger.approve("CFO", invoice_id)
    answers = [ledger.post("CFO", f"/invoices/{invoice_id}/late-fee") for _ in range(2)]
    fee = ledger.get("CFO", f"/invoices/{invoice_id}").json()["late_fee"]
    return [answer.status_code for answer in answers], fee


def two_with_one_version(ledger: Ledger) -> object:
    path = f"/customers/{ledger.customer()}"
    tag = ledger.get("CFO", path).headers["etag"]
    changes = ({"name": "one"}, {"name": "other"})
    return [
        ledger.call("CFO", "PATCH", path, change, headers={"If-Match": tag}).status_code
        for change in changes
    ]


def one_key_twice(ledger: Ledger) -> object:
    path, key = f"/invoices/{ledger.approved()}/payments", {"Idempotency-Key": "k-1"}
    body = {"amount": 10, "method": "card"}
    ids = [ledger.post("CFO", path, body, headers=key).json()["id"] for _ in range(2)]
    return ids[0] == ids[1], ledger.get("CFO", path).json()["count"]


def payouts_at_one_moment(ledger: Ledger) -> object:
    """The second comes while the first one waits for the bank."""
    payment_id = ledger.payment()
    path = f"/refund-requests/{ledger.granted(payment_id)}/payout"
    statuses: list[int] = []

    def pay_out() -> None:
        statuses.append(ledger.post("CFO", path).status_code)

    assert ledger.bank is not None
    ledger.bank.meanwhile(pay_out)
    pay_out()
    refunds = ledger.get("CFO", f"/payments/{payment_id}/refunds").json()["count"]
    return statuses, refunds


def tax_that_is_due(ledger: Ledger) -> object:
    invoice_id = ledger.made("/invoices", invoice(amount=119, tax_percent=19))
    ledger.approve("CFO", invoice_id)
    payment = ledger.pay(invoice_id, 119).json()
    ledger.refund(payment["id"], 11.9)
    report = ledger.get("CFO", "/reports/tax").json()
    return report["tax"], report["tax_refunded"], report["due"]


def refund_while_locked(ledger: Ledger) -> object:
    invoice_id = ledger.approved()
    payment = ledger.pay(invoice_id, 50).json()
    ledger.post("CFO", f"/invoices/{invoice_id}/lock")
    return ledger.refund(payment["id"], 10).status_code


def entries_of_an_invoice(ledger: Ledger) -> object:
    invoice_id = ledger.locked()
    ledger.post("CFO", f"/invoices/{invoice_id}/unlock")
    entries = ledger.get("CFO", f"/audit?subject={invoice_id}").json()["items"]
    return [entry["action"].partition(".")[2] for entry in entries]


def the_day_in_two_zones(ledger: Ledger) -> object:
    invoice_id = ledger.approved()
    body, late = {"amount": 10, "method": "cash"}, {"X-Test-Now": "2026-03-01T23:30:00Z"}
    assert ledger.post("CFO", f"/invoices/{invoice_id}/payments", body, headers=late).is_success
    path = "/reports/daily?day=2026-03-02&time_zone="
    return [ledger.get("CFO", path + zone).json()["paid"] for zone in ("UTC", "Europe/Berlin")]


LITE = {"X-Edition": "lite"}
STEPS = ["created", "approved", "locked", "unlocked"]


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
        ("L11", statement_of_nobody, (200, 0), (500, None)),
        ("L12", last_page_of_the_audit, None, "left out"),
        ("L13", denied_twice, (409, {"error", "message"}), (409, {"detail"})),
        ("L14", outdated_invoice, [200, 412], [200, 400]),
        ("L15", approval_beyond_the_limit, (200, 403, 200), (200, 200, 200)),
        ("L16", own_request_approved, 403, 200),
        (
            "L17",
            what_a_guest_sees_of_customers,
            ("***", "***"),
            ("office@lodz.example", "DE02120300000000202051"),
        ),
        ("L18", token_of_an_ended_session, (204, 401), (204, 200)),
        ("L19", role_in_the_body, (422, None), (200, "CFO")),
        ("L20", statement_of_a_namesake, [True], [False, True]),
        ("L21", audit_in_smaller_editions, [403, 403, 200], [200, 200, 200]),
        ("L22", currencies_of_lite, [201, 403, 403], [201, 201, 201]),
        ("L23", late_fee_twice, ([200, 409], 5), ([200, 200], 10)),
        ("L24", two_with_one_version, [200, 412], [200, 200]),
        ("L25", one_key_twice, (True, 1), (False, 2)),
        ("L26", payouts_at_one_moment, ([409, 200], 1), ([200, 200], 2)),
        ("L27", tax_that_is_due, (19, 1.9, 17.1), (19, 1.9, 19)),
        ("L28", refund_while_locked, 409, 201),
        ("L29", entries_of_an_invoice, STEPS, STEPS[:-1]),
        ("L30", the_day_in_two_zones, [0, 10], [0, 0]),
    ],
)
def test_a_defect_shows_when_it_is_on_and_only_then(ledger, defect, probe, right, wrong):
    assert probe(ledger) == right
    ledger.forget()
    ledger.switch(*(set(DEFECT_IDS) - {defect}))
    assert probe(ledger) == right, "another defect shows the same"
    ledger.forget()
    ledger.switch(defect)
    assert probe(ledger) == wrong
    ledger.forget()
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
        env=environment(LEDGER_DEFECTS="L31"),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 2
    assert "no such defect: L31" in ended.stderr


def whole_audit_at_once(ledger: Ledger) -> object:
    return [ledger.get("CFO", f"/audit?limit={limit}").status_code for limit in (100, 101)]


def picture_in_a_description(ledger: Ledger) -> object:
    described = invoice(description='<img src="http://premortem.invalid/">')
    answer = ledger.post("CFO", "/invoices", described)
    return answer.status_code, "premortem.invalid cannot be loaded" in answer.text


def address_of_the_former_version(ledger: Ledger) -> object:
    paths = ("/v1/customers", "/v2/customers", "/v1/nothing")
    return [ledger.get("CFO", path).status_code for path in paths]


@pytest.mark.parametrize(
    ("weakness", "probe", "right", "wrong"),
    [
        ("API4", whole_audit_at_once, [200, 422], [200, 200]),
        ("API7", picture_in_a_description, (201, False), (422, True)),
        ("API9", address_of_the_former_version, [404, 404, 404], [200, 404, 404]),
    ],
)
def test_a_weakness_shows_when_it_is_on_and_is_none_of_the_thirty(
    ledger, weakness, probe, right, wrong
):
    assert probe(ledger) == right
    ledger.forget()
    ledger.switch(*DEFECT_IDS)
    assert probe(ledger) == right
    ledger.forget()
    ledger.switch(weakness)
    assert probe(ledger) == wrong


def test_the_second_table_and_the_code_name_the_same_weaknesses():
    table = (FOLDER / "WEAKNESSES.md").read_text()
    assert re.findall(r"^\| (API\d+) \|", table, re.MULTILINE) == list(WEAKNESS_IDS)
    assert not {*WEAKNESS_IDS} & {*Defects.parse("all").ids()}
