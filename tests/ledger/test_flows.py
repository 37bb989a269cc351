"""What is new beside invoices and payments: customers, requests, locks, fees, notes, keys, time."""

from __future__ import annotations

import pytest
from ledger.fields import moment_of
from ledger.money import included_tax, percent_of

from tests.ledger.conftest import customer, invoice, refused


def test_a_request_is_asked_for_by_one_approved_by_another_and_paid_out(ledger):
    payment_id = ledger.payment(100)
    request_id = ledger.wish(payment_id, 40)
    path = f"/refund-requests/{request_id}"
    assert refused(ledger.post("CFO", f"{path}/payout")) == (409, "RefundRequestNotApproved")
    assert ledger.post("FinanceManager", f"{path}/approve").json()["status"] == "approved"
    assert refused(ledger.post("CFO", f"{path}/cancel")) == (409, "RefundRequestNotPending")
    issued = ledger.post("SupportAgent", f"{path}/payout").json()
    assert (issued["status"], issued["requested_by"], issued["decided_by"]) == (
        *("issued", "support"),
        "finance",
    )
    refund = ledger.get("Guest", f"/refunds/{issued['refund_id']}").json()
    assert (refund["amount"], refund["request_id"]) == (40, request_id)
    assert ledger.get("Guest", f"/payments/{payment_id}").json()["refunded"] == 40
    listed = ledger.get("Analyst", f"/refund-requests?status=issued&payment_id={payment_id}")
    assert listed.json() == {"items": [issued], "next_cursor": None}


def test_what_is_denied_or_cancelled_stays_so(ledger):
    payment_id = ledger.payment(100)
    denied, cancelled = ledger.wish(payment_id, 1), ledger.wish(payment_id, 2)
    why = {"reason": "not our fault"}
    answer = ledger.post("FinanceManager", f"/refund-requests/{denied}/deny", why).json()
    assert (answer["status"], answer["denial"]) == ("denied", why["reason"])
    path = f"/refund-requests/{cancelled}/cancel"
    assert refused(ledger.post("Cashier", path)) == (403, "Forbidden")
    assert ledger.post("SupportAgent", path).json()["status"] == "cancelled"
    for request_id in (denied, cancelled):
        for verb, body in (("approve", None), ("deny", why), ("cancel", None)):
            answer = ledger.post("CFO", f"/refund-requests/{request_id}/{verb}", body)
            assert refused(answer) == (409, "RefundRequestNotPending")


def test_requests_respect_what_is_left_repetition_and_the_limit(ledger):
    payment_id = ledger.payment(30_000)
    body = {"amount": 30_000.01, "reason": "all"}
    path = f"/payments/{payment_id}/refund-requests"
    assert refused(ledger.post("Cashier", path, body)) == (409, "RefundExceedsPayment")
    request_id = ledger.wish(payment_id, 20_000)
    body = {"amount": 20_000, "reason": "wish of SupportAgent"}
    assert refused(ledger.post("Cashier", path, body)) == (409, "DuplicateRefundRequest")
    approve = f"/refund-requests/{request_id}/approve"
    assert refused(ledger.post("FinanceManager", approve)) == (403, "ApprovalLimitExceeded")
    assert ledger.post("CFO", approve).status_code == 200
    assert ledger.refund(payment_id, 15_000).status_code == 201
    payout = ledger.post("CFO", f"/refund-requests/{request_id}/payout")
    assert refused(payout) == (409, "RefundExceedsPayment")


def test_nothing_happens_to_a_locked_invoice(ledger):
    invoice_id = ledger.approved()
    payment = ledger.pay(invoice_id, 50).json()["id"]
    granted = ledger.granted(payment)
    path, reason = f"/invoices/{invoice_id}", {"amount": 1, "reason": "r"}
    assert ledger.post("FinanceManager", f"{path}/lock").json()["locked"] is True
    for answer in (
        ledger.pay(invoice_id, 1),
        ledger.approve("CFO", invoice_id),
        ledger.cancel(invoice_id),
        ledger.call("CFO", "PATCH", path, {"amount": 1}),
        ledger.post("CFO", f"{path}/lock"),
        ledger.post("CFO", f"{path}/late-fee"),
        ledger.post("CFO", f"{path}/credit-notes", reason),
        ledger.refund(payment, 1),
        ledger.post("Cashier", f"/payments/{payment}/refund-requests", reason),
        ledger.post("CFO", f"/refund-requests/{granted}/payout"),
    ):
        assert refused(answer) == (409, "InvoiceLocked")
    assert refused(ledger.post("FinanceManager", f"{path}/unlock")) == (403, "Forbidden")
    assert ledger.post("CFO", f"{path}/unlock").json()["locked"] is False
    assert refused(ledger.post("CFO", f"{path}/unlock")) == (409, "InvoiceNotLocked")
    assert ledger.pay(invoice_id, 1).status_code == 201


def test_a_suspicious_payment_is_held_until_it_is_released(ledger):
    large, small = ledger.payment(5_000), ledger.payment(20)
    assert ledger.post("Analyst", f"/payments/{small}/fraud-check").json()["screening"] == "clear"
    held = ledger.post("Analyst", f"/payments/{large}/fraud-check").json()
    assert (held["score"], held["screening"]) == (100, "held")
    again = ledger.post("Analyst", f"/payments/{large}/fraud-check")
    assert refused(again) == (409, "PaymentAlreadyChecked")
    assert refused(ledger.refund(large, 1)) == (409, "PaymentHeld")
    assert refused(ledger.post("CFO", f"/payments/{small}/release")) == (409, "PaymentNotHeld")
    assert ledger.post("CFO", f"/payments/{large}/release").json()["screening"] == "released"
    assert ledger.refund(large, 1).status_code == 201


def test_a_credit_note_takes_off_what_is_open_and_settles_the_rest(ledger):
    invoice_id = ledger.made("/invoices", invoice(amount=119, tax_percent=19))
    path, note = f"/invoices/{invoice_id}/credit-notes", {"amount": 11.9, "reason": "r"}
    assert refused(ledger.post("CFO", path, note)) == (409, "InvoiceNotPayable")
    ledger.approve("CFO", invoice_id)
    made = ledger.post("CFO", path, note).json()
    assert made["tax"] == 1.9
    assert ledger.get("Guest", path).json() == {"items": [made], "count": 1}
    over = ledger.post("CFO", path, {**note, "amount": 107.11})
    assert refused(over) == (409, "CreditExceedsInvoice")
    assert ledger.pay(invoice_id, 107.1).status_code == 201
    assert ledger.get("Guest", f"/invoices/{invoice_id}").json()["status"] == "paid"
    report = ledger.get("CFO", "/reports/tax").json()
    assert (report["tax"], report["tax_credited"], report["due"]) == (19, 1.9, 17.1)


def test_the_late_fee_comes_after_midnight_in_berlin(ledger):
    invoice_id = ledger.made("/invoices", invoice(amount=2_000, due_date="2026-03-01"))
    ledger.approve("CFO", invoice_id)
    path = f"/invoices/{invoice_id}/late-fee"
    early, late = ({"X-Test-Now": f"2026-03-01T{time}:00Z"} for time in ("22:59", "23:00"))
    assert refused(ledger.post("CFO", path, headers=early)) == (409, "InvoiceNotOverdue")
    assert ledger.post("CFO", path, headers=late).json()["late_fee"] == 20
    assert refused(ledger.pay(invoice_id, 2_020.01)) == (409, "PaymentExceedsInvoice")
    assert ledger.pay(invoice_id, 2_020).status_code == 201


def test_a_key_has_its_effect_once_per_user_and_one_request(ledger):
    key, body = {"Idempotency-Key": "k"}, invoice()
    first = ledger.post("Cashier", "/invoices", body, headers=key)
    again = ledger.post("Cashier", "/invoices", body, headers=key)
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = ledger.post("Cashier", "/invoices", invoice(amount=5), headers=key)
    assert refused(other) == (409, "IdempotencyKeyReused")
    assert ledger.post("CFO", "/invoices", body, headers=key).json()["id"] != first.json()["id"]
    assert ledger.get("CFO", "/invoices").json()["count"] == 2
    too_long = {"Idempotency-Key": "k" * 65}
    answer = ledger.post("Cashier", "/invoices", body, headers=too_long)
    assert refused(answer) == (422, "ValidationError")


def test_customers_have_versions_masks_and_blocks(ledger):
    made = ledger.post("Cashier", "/customers", customer(iban="DE02120300000000202051"))
    path = f"/customers/{made.json()['id']}"
    assert made.headers["etag"] == ledger.get("Cashier", path).headers["etag"] == '"1"'
    assert ledger.get("Analyst", path).json()["email"] == "***"
    assert ledger.get("SupportAgent", path).json()["email"] == "office@lodz.example"
    blocked = ledger.call("CFO", "PATCH", path, {"blocked": True, "iban": None})
    assert (blocked.json()["version"], blocked.json()["iban"]) == (2, None)
    body = invoice(customer_id=made.json()["id"])
    assert refused(ledger.post("CFO", "/invoices", body)) == (409, "CustomerBlocked")
    unknown = ledger.post("CFO", "/invoices", invoice(customer_id="cus_none"))
    assert refused(unknown) == (404, "CustomerNotFound")
    for nothing in ({}, {"name": None}, {"blocked": "yes"}, {"version": 9}):
        assert refused(ledger.call("CFO", "PATCH", path, nothing)) == (422, "ValidationError")


def test_pages_neither_repeat_nor_skip_while_others_write(ledger):
    made = [ledger.customer(name=f"Customer {number}") for number in range(5)]
    ledger.customer(name="Someone else")
    query, seen = "/customers?name=customer&limit=2", []
    path = query
    while path:
        page = ledger.get("Guest", path).json()
        seen += [item["id"] for item in page["items"]]
        made.append(ledger.customer(name="Customer new")) if len(made) < 7 else None
        cursor = page["next_cursor"]
        path = f"{query}&cursor={cursor}" if cursor else ""
    assert seen == made


def test_the_audit_log_is_filtered_by_thing_kind_and_time(ledger):
    with_time = {"headers": {"X-Test-Now": "2026-03-01T12:00:00Z"}}
    made = ledger.post("Cashier", "/invoices", invoice(), **with_time).json()["id"]
    ledger.approve("CFO", made)
    (entry,) = ledger.get("CFO", "/audit?action=invoice.created").json()["items"]
    assert (entry["subject"], entry["user"], entry["role"]) == (made, "cashier", "Cashier")
    assert (entry["at"], entry["edition"]) == ("2026-03-01T12:00:00Z", "enterprise")

    def count(query: str) -> int:
        return len(ledger.get("CFO", f"/audit?{query}").json()["items"])

    assert count("until=2026-03-01T13:00:00%2B01:00") == 0
    assert count("until=2026-03-01T13:00:00.001%2B01:00") == 1
    assert count("since=2026-03-01T12:00:00Z") == 2
    assert count("since=0001-01-01T00:00:00%2B14:00&until=9999-12-31T23:59:60-14:00") == 2
    for bad in ("since=2026-03-01", "since=1772366400", "cursor=2", "limit=0", "action=x"):
        assert refused(ledger.get("CFO", f"/audit?{bad}")) == (422, "ValidationError")


def test_a_statement_adds_up(ledger):
    customer_id = ledger.customer()
    due = {"customer_id": customer_id, "due_date": "2024-01-01"}
    one, other = (ledger.made("/invoices", invoice(amount=n, **due)) for n in (100, 50))
    ledger.made("/invoices", invoice(**due))  # a draft does not count
    for invoice_id in (one, other):
        ledger.approve("CFO", invoice_id)
    ledger.post("CFO", f"/invoices/{one}/late-fee")
    ledger.post("CFO", f"/invoices/{other}/credit-notes", {"amount": 5, "reason": "r"})
    ledger.refund(ledger.pay(one, 60).json()["id"], 10)
    statement = ledger.get("Analyst", f"/customers/{customer_id}/statement").json()
    assert [line["invoice_id"] for line in statement.pop("lines")] == [one, other]
    assert statement == {
        "customer_id": customer_id,
        "currency": "EUR",
        "invoices": 2,
        "invoiced": 150,
        "late_fees": 5,
        "credited": 5,
        "paid": 60,
        "refunded": 10,
        "balance": 90,
        "average_invoice": 75,
    }


def test_sessions_end_by_their_owner_or_a_cfo(ledger):
    login = {"username": "guest", "password": "guest-secret"}
    path = f"/sessions/{ledger.post('', '/login', login).json()['session_id']}"
    assert refused(ledger.call("Cashier", "DELETE", path)) == (403, "Forbidden")
    assert ledger.call("CFO", "DELETE", path).status_code == 204
    assert refused(ledger.call("CFO", "DELETE", path)) == (404, "SessionNotFound")


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_first_and_the_last_day_have_a_report(ledger, day, zone):
    answer = ledger.get("CFO", f"/reports/daily?day={day}&time_zone={zone}")
    assert (answer.status_code, answer.json()["paid"]) == (200, 0)


def test_a_wrong_method_is_told_the_right_ones(ledger):
    answer = ledger.call("CFO", "PUT", "/invoices/x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PATCH")


def test_half_a_cent_is_rounded_up():
    assert [included_tax(cents, 19) for cents in (0, 3, 4, 119_00)] == [0, 0, 1, 19_00]
    assert included_tax(107_00, 7) == 7_00
    assert included_tax(50, 0) == 0
    assert [percent_of(cents, 1) for cents in (49, 50, 149, 150)] == [0, 1, 1, 2]


@pytest.mark.parametrize("text", ["2026-03-01", "2026-03-01 12:00:00Z", "2026-03-01T12:00:00", "x"])
def test_a_time_without_its_offset_is_none(text):
    with pytest.raises(ValueError, match="a time is written"):
        moment_of(text)
