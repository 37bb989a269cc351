"""What a correct ledger does, state by state and refusal by refusal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from ledger.roles import RIGHTS

from tests.ledger.conftest import FOLDER, USERS, invoice, refused


def test_a_deal_goes_from_draft_to_refund(ledger):
    written = ledger.call("Cashier", "POST", "/invoices", invoice(amount=80.07)).json()
    assert written["id"].startswith("inv_")
    assert (written["status"], written["paid"], written["description"]) == ("draft", 0, None)
    path = f"/invoices/{written['id']}"
    assert ledger.approve("FinanceManager", written["id"]).json()["status"] == "approved"
    payment = {"amount": 80, "method": "cash"}
    paid = ledger.call("Cashier", "POST", f"{path}/payments", payment).json()
    assert ledger.call("Guest", "GET", path).json()["status"] == "approved"
    assert ledger.pay(written["id"], 0.07).status_code == 201
    settled = ledger.call("Guest", "GET", path).json()
    assert (settled["status"], settled["paid"]) == ("paid", 80.07)
    refund = {"amount": 79.99, "reason": "Kulanz ✓"}
    back = ledger.call("SupportAgent", "POST", f"/payments/{paid['id']}/refunds", refund).json()
    assert ledger.call("Guest", "GET", f"/refunds/{back['id']}").json() == back
    listed = ledger.call("Guest", "GET", f"/payments/{paid['id']}/refunds").json()
    assert listed == {"items": [back], "count": 1}
    assert ledger.call("Guest", "GET", f"/payments/{paid['id']}").json()["refunded"] == 79.99
    assert ledger.call("Guest", "GET", f"{path}/payments").json()["count"] == 2
    summary = {"invoices": 1, "invoiced": 80.07, "paid": 80.07, "refunded": 79.99}
    assert ledger.call("Analyst", "GET", "/reports/summary").json() == summary


def test_only_a_draft_is_edited_and_null_removes_the_description(ledger):
    invoice_id = ledger.draft()
    path = f"/invoices/{invoice_id}"
    change = {"description": "x", "due_date": "2026-08-01", "amount": 5.5}
    assert ledger.call("Cashier", "PATCH", path, change).json().items() >= change.items()
    changed = ledger.call("Cashier", "PATCH", path, {"description": None}).json()
    assert (changed["description"], changed["amount"]) == (None, 5.5)
    for nothing in ({}, {"due_date": None}, {"amount": None}, {"amount": 0}, {"status": "paid"}):
        assert refused(ledger.call("CFO", "PATCH", path, nothing)) == (422, "ValidationError")
    ledger.approve("CFO", invoice_id)
    assert refused(ledger.call("CFO", "PATCH", path, change)) == (409, "InvoiceNotEditable")


def test_states_forbid_what_does_not_fit(ledger):
    draft, cancelled, paid = ledger.draft(), ledger.cancelled(), ledger.approved()
    partly = ledger.approved()
    assert ledger.pay(paid, 100).status_code == ledger.pay(partly, 1).status_code == 201
    for invoice_id in (draft, cancelled, paid):
        assert refused(ledger.pay(invoice_id, 1)) == (409, "InvoiceNotPayable")
    for invoice_id in (cancelled, paid, partly):
        assert refused(ledger.cancel(invoice_id)) == (409, "InvoiceNotCancellable")
        assert refused(ledger.approve("CFO", invoice_id)) == (409, "InvoiceNotDraft")
    assert refused(ledger.pay(partly, 99.01)) == (409, "PaymentExceedsInvoice")
    assert ledger.cancel(ledger.approved()).json()["status"] == "cancelled"


def test_a_refund_is_neither_repeated_nor_above_the_payment(ledger):
    payment_id = ledger.payment(100)
    assert ledger.refund(payment_id, 60).status_code == 201
    assert refused(ledger.refund(payment_id, 60)) == (409, "DuplicateRefund")
    assert refused(ledger.refund(payment_id, 40.01)) == (409, "RefundExceedsPayment")
    assert ledger.refund(payment_id, 40).status_code == 201
    other = ledger.payment(100)
    assert [ledger.refund(other, 50, reason).status_code for reason in "ab"] == [201, 201]


def test_invoices_are_filtered_and_paged(ledger):
    drafts, approved = [ledger.draft() for _ in range(5)], ledger.approved()
    page = ledger.call("Analyst", "GET", "/invoices?status=draft&limit=2&offset=4")
    assert [item["id"] for item in page.json()["items"]] == drafts[4:]
    assert page.json()["count"] == 5
    assert page.headers["x-page-count"] == "3"
    everything = ledger.call("Analyst", "GET", "/invoices").json()
    assert [item["id"] for item in everything["items"]] == [*drafts, approved]


ROUTES = {
    "end_session": ("DELETE", "/sessions/x"),
    "list_customers": ("GET", "/customers"),
    "create_customer": ("POST", "/customers"),
    "get_customer": ("GET", "/customers/x"),
    "update_customer": ("PATCH", "/customers/x"),
    "get_statement": ("GET", "/customers/x/statement"),
    "list_invoices": ("GET", "/invoices"),
    "create_invoice": ("POST", "/invoices"),
    "get_invoice": ("GET", "/invoices/x"),
    "update_invoice": ("PATCH", "/invoices/x"),
    "approve_invoice": ("POST", "/invoices/x/approve"),
    "cancel_invoice": ("POST", "/invoices/x/cancel"),
    "lock_invoice": ("POST", "/invoices/x/lock"),
    "unlock_invoice": ("POST", "/invoices/x/unlock"),
    "charge_late_fee": ("POST", "/invoices/x/late-fee"),
    "create_credit_note": ("POST", "/invoices/x/credit-notes"),
    "list_credit_notes": ("GET", "/invoices/x/credit-notes"),
    "create_payment": ("POST", "/invoices/x/payments"),
    "list_payments": ("GET", "/invoices/x/payments"),
    "get_payment": ("GET", "/payments/x"),
    "check_payment": ("POST", "/payments/x/fraud-check"),
    "release_payment": ("POST", "/payments/x/release"),
    "create_refund": ("POST", "/payments/x/refunds"),
    "list_refunds": ("GET", "/payments/x/refunds"),
    "get_refund": ("GET", "/refunds/x"),
    "request_refund": ("POST", "/payments/x/refund-requests"),
    "list_refund_requests": ("GET", "/refund-requests"),
    "get_refund_request": ("GET", "/refund-requests/x"),
    "approve_refund_request": ("POST", "/refund-requests/x/approve"),
    "deny_refund_request": ("POST", "/refund-requests/x/deny"),
    "cancel_refund_request": ("POST", "/refund-requests/x/cancel"),
    "pay_out_request": ("POST", "/refund-requests/x/payout"),
    "get_summary": ("GET", "/reports/summary"),
    "get_tax_report": ("GET", "/reports/tax"),
    "get_daily_report": ("GET", "/reports/daily"),
    "list_audit": ("GET", "/audit"),
}


WITH_BODY = {
    "create_credit_note",
    "create_customer",
    "create_invoice",
    "create_payment",
    "create_refund",
    "deny_refund_request",
    "request_refund",
    "update_customer",
    "update_invoice",
}


@pytest.mark.parametrize("operation", RIGHTS)
def test_token_then_role_then_body_then_existence(ledger, operation):
    method, path = ROUTES[operation]
    for header in ({}, {"Authorization": "Bearer stale"}, {"Authorization": "Basic Y2ZvOng="}):
        broken = {"content": b"{", "headers": {"content-type": "application/json", **header}}
        assert refused(ledger.call("", method, path, **broken)) == (401, "Unauthenticated")
    for role in USERS:
        broken = {"content": b"{", "headers": {"content-type": "application/json"}}
        answer = ledger.call(role, method, path, **broken)
        if role not in RIGHTS[operation]:
            assert refused(answer) == (403, "Forbidden")
        elif operation in WITH_BODY:
            assert refused(answer) == (422, "ValidationError")
        elif "x" in path.split("/"):
            assert answer.status_code == 404
        else:
            assert answer.status_code == 200


def test_a_bad_amount_is_seen_before_a_missing_invoice_and_that_before_a_state(ledger):
    assert refused(ledger.pay("inv_none", 0.001)) == (422, "ValidationError")
    assert refused(ledger.pay("inv_none", 1)) == (404, "InvoiceNotFound")
    assert refused(ledger.refund("pay_none", -1)) == (422, "ValidationError")
    assert refused(ledger.refund("pay_none", 1)) == (404, "PaymentNotFound")


def test_the_readme_shows_the_rights_as_they_are():
    table = (FOLDER / "README.md").read_text()
    for operation, roles in RIGHTS.items():
        marks = " | ".join("yes" if role in roles else "" for role in USERS)
        assert f"| `{operation}` | {marks} |" in table, operation


BAD_INVOICES = [
    *({"amount": bad} for bad in (0, -1, 0.001, 1_000_000.01, "5", None, True, [], 10**400)),
    *({"due_date": bad} for bad in ("2026-02-30", "2026-W01-1", "20260101", 20260101, "")),
    *({"due_date": bad} for bad in ("2026-01-01T00:00:00", "２０２６-01-01", "0000-01-01")),
    {"currency": "eur"},
    {"customer": ""},
    {"customer": "x" * 81},
    {"description": "x" * 201},
    {"extra": 1},
]


@pytest.mark.parametrize("change", BAD_INVOICES, ids=lambda change: repr(change)[:40])
def test_a_field_outside_the_schema_is_refused(ledger, change):
    answer = ledger.call("Cashier", "POST", "/invoices", invoice(**change))
    assert refused(answer) == (422, "ValidationError")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"amount": NaN}',
        b'{"amount": 1e999}',
        b'{"amount": ' + b"9" * 5000 + b"}",
        b'{"\\ud800": 1}',
    ],
    ids=lambda content: repr(content)[:20],
)
def test_a_body_that_cannot_be_read_is_refused_in_the_same_shape(ledger, content):
    headers = {"content-type": "application/json"}
    answer = ledger.call("Cashier", "POST", "/invoices", content=content, headers=headers)
    assert refused(answer) == (422, "ValidationError")
    body = b'{"customer": "\\ud800", "amount": 1, "currency": "EUR", "due_date": "2026-01-01"}'
    answer = ledger.call("Cashier", "POST", "/invoices", content=body, headers=headers)
    assert refused(answer) == (422, "ValidationError")


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=-1", "limit=101", "limit=1_0", "limit=x", "limit=", "limit=%201"),
        *("limit=1.0", "offset=-1", f"offset={10**30}", "status=", "status=open"),
    ],
)
def test_a_query_outside_the_schema_is_refused(ledger, query):
    answer = ledger.call("Guest", "GET", f"/invoices?{query}")
    assert refused(answer) == (422, "ValidationError")


@pytest.mark.parametrize("amount", [0.01, 0.07, 1.1, 19.99, 4.35, 999_999.99, 1_000_000])
def test_cents_survive_the_way_in_and_out(ledger, amount):
    answer = ledger.call("Cashier", "POST", "/invoices", invoice(amount=amount))
    assert answer.status_code == 201
    assert answer.json()["amount"] == amount


def test_a_wrong_login_and_an_unknown_path_have_the_same_shape(ledger):
    login = {"username": "cfo", "password": "cfö"}
    assert refused(ledger.call("", "POST", "/login", login)) == (401, "InvalidCredentials")
    login = {"username": "nobody", "password": "nobody-secret"}
    assert refused(ledger.call("", "POST", "/login", login)) == (401, "InvalidCredentials")
    assert refused(ledger.call("CFO", "GET", "/nowhere")) == (404, "NotFound")
    assert refused(ledger.call("CFO", "GET", "/invoices/")) == (404, "NotFound")
    assert refused(ledger.call("CFO", "PUT", "/invoices")) == (405, "MethodNotAllowed")


def test_of_many_payments_at_once_only_those_that_fit_are_taken(ledger):
    invoice_id, payment_id = ledger.approved(100), ledger.payment(100)
    with ThreadPoolExecutor(8) as threads:
        paid = list(threads.map(lambda _: ledger.pay(invoice_id, 30).status_code, range(16)))
        back = list(threads.map(lambda _: ledger.refund(payment_id, 9).status_code, range(16)))
    assert sorted(paid) == [201] * 3 + [409] * 13
    assert sorted(back) == [201] + [409] * 15


def test_a_reset_empties_the_books_and_keeps_the_tokens(ledger):
    ledger.payment()
    assert ledger.http.post("/_test/reset").status_code == 200
    summary = {"invoices": 0, "invoiced": 0, "paid": 0, "refunded": 0}
    assert ledger.call("CFO", "GET", "/reports/summary").json() == summary
