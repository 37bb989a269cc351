"""Honest mistakes, which a correct ledger refuses: one at the end of some visits."""

from __future__ import annotations

from typing import Any

from ledger.people.desk import DENIALS, Ask, Bill
from ledger.people.worker import Steps, Worker

LITE_LACKS = (
    ("get_tax_report", "/reports/tax"),
    ("list_audit", "/audit"),
    ("list_refund_requests", "/refund-requests"),
)


def cashier(worker: Worker) -> Steps:
    """Works on a bill in the wrong state, asks for too much, or fills a form badly."""
    desk = worker.desk
    # More often than people do it: a recording this short must hold some refused payments.
    slip = worker.rng.choice(
        ("pay", "pay", "pay", "edit", "cancel", "overpay", "approve", "stale", "currency", "locked")
        + ("form",) * 3
    )
    if slip == "pay" and (bill := desk.cancelled.look() or desk.drafts.look()):
        yield from worker.pay(bill, bill.open_cents)
    elif slip == "edit" and (bill := desk.approved.look()):
        yield from worker.edit(bill)
    elif slip == "cancel" and (bill := desk.settled.look()):
        yield from worker.cancel(bill)
    elif slip == "overpay" and (bill := desk.approved.look()):
        yield from worker.pay(bill, bill.open_cents + worker.rng.choice((1, 100, 5000)))
    elif slip == "approve" and (bill := desk.drafts.look()):
        yield from _approve(worker, bill)
    elif slip == "locked" and (bill := desk.locked.look()):
        yield from worker.pay(bill, bill.open_cents)
    elif slip == "stale":
        yield from _stale(worker)
    elif slip == "currency" and not worker.has_pro:
        body = {**desk.invoice(worker.edition), "currency": "USD"}
        yield from worker.ask("create_invoice", "POST", "/invoices", body)
    else:
        yield from bad_form(worker)


def finance(worker: Worker) -> Steps:
    """Decides twice, charges too early or again, goes beyond the limit, or tries a refund."""
    desk = worker.desk
    slip = worker.rng.choice(
        ("cancel", "approve", "refund", "limit", "early", "again", "denied", "locked", "unlock")
    )
    if slip == "cancel" and (bill := desk.settled.look()):
        yield from worker.cancel(bill)
    elif slip == "refund" and (receipt := desk.receipts.look()):
        yield from worker.refund(receipt, receipt.left_cents, desk.reason())
    elif slip == "limit" and (bill := desk.large_drafts.look()):
        yield from _approve(worker, bill)
    elif slip in ("early", "again") and worker.has_pro:
        pile = desk.approved if slip == "early" else desk.charged
        if bill := pile.look():
            yield from worker.act("charge_late_fee", bill, "late-fee")
    elif slip == "denied" and worker.has_pro and (wish := desk.closed.look()):
        body = {"reason": worker.rng.choice(DENIALS)}
        yield from worker.on_wish("deny_refund_request", wish, "deny", body)
    elif slip == "locked" and worker.has_enterprise and (bill := desk.locked.look()):
        yield from worker.act("lock_invoice", bill, "lock")
    elif slip == "unlock" and (bill := desk.locked.look()):
        yield from worker.act("unlock_invoice", bill, "unlock")
    elif bill := desk.settled.look() or desk.cancelled.look():
        yield from _approve(worker, bill)


def support(worker: Worker) -> Steps:
    """Mistypes an id, approves without the right, forgets the reason, pays out twice."""
    desk = worker.desk
    slip = worker.rng.choice(("unknown", "approve", "form", "held", "twice", "cancel"))
    if slip == "approve" and (bill := desk.drafts.look()):
        yield from _approve(worker, bill)
    elif slip == "form" and (receipt := desk.receipts.look()):
        body: dict[str, Any] = worker.rng.choice(({"amount": 5}, {"amount": -5, "reason": "typo"}))
        path = f"/payments/{receipt.id}/refunds"
        yield from worker.ask("create_refund", "POST", path, body)
    elif slip == "held" and (receipt := desk.held.look()):
        yield from worker.refund(receipt, receipt.left_cents, desk.reason())
    elif slip == "twice" and worker.has_pro and (wish := desk.closed.look()):
        yield from worker.on_wish("pay_out_request", wish, "payout")
    elif slip == "cancel" and worker.has_pro and (wish := desk.granted.look()):
        yield from worker.on_wish("cancel_refund_request", wish, "cancel")
    else:
        yield from worker.ask("get_payment", "GET", f"/payments/pay_{desk.hex(12)}")


def analyst(worker: Worker) -> Steps:
    """Asks for too long a page, an unknown status or id, or what the edition lacks."""
    desk = worker.desk
    slip = worker.rng.choice(("?limit=500", "?status=open", "unknown", "edition", "checked"))
    if slip == "unknown":
        yield from worker.get_invoice(f"inv_{desk.hex(12)}")
    elif slip == "edition" and not worker.has_enterprise:
        operation, path = LITE_LACKS[1] if worker.has_pro else worker.rng.choice(LITE_LACKS)
        yield from worker.ask(operation, "GET", path)
    elif slip == "checked" and worker.has_enterprise and (receipt := desk.checked.look()):
        yield from worker.ask("check_payment", "POST", f"/payments/{receipt.id}/fraud-check")
    else:
        yield from worker.list_invoices(slip if slip.startswith("?") else "?limit=500")


def guest(worker: Worker) -> Steps:
    """Tries what a guest may not do."""
    desk = worker.desk
    slip = worker.rng.choice(("approve", "approve", "create", "summary", "requests", "statement"))
    if slip == "approve" and (bill := desk.drafts.look() or desk.approved.look()):
        yield from _approve(worker, bill)
    elif slip == "summary":
        yield from worker.ask("get_summary", "GET", "/reports/summary")
    elif slip == "requests":
        yield from worker.ask("list_refund_requests", "GET", "/refund-requests")
    elif slip == "statement" and (client := desk.clients.look()):
        yield from worker.statement(client.id)
    else:
        yield from worker.create()


def cfo(worker: Worker) -> Steps:
    """Cancels what is locked or approved."""
    desk = worker.desk
    if desk.chance(0.5) and (bill := desk.locked.look()):
        yield from worker.cancel(bill)
    elif worker.has_pro and (wish := desk.granted.look()):
        yield from worker.on_wish("cancel_refund_request", wish, "cancel")


def bad_form(worker: Worker) -> Steps:
    """A new invoice with one field missing or wrong, or cut off on the way."""
    body = worker.desk.invoice(worker.edition)
    wrong: tuple[dict[str, Any], ...] = (
        {"customer": None}, {"customer": ""}, {"amount": 0}, {"amount": -12.5}, {"amount": 19.999},
        {"amount": "120,00"}, {"currency": "CHF"}, {"due_date": "31.12.2026"}, {"vat": 19},
        {"tax_percent": 16},
    )  # fmt: skip
    change = worker.rng.choice((*wrong, {}, {"text": True}))
    if change == {"text": True}:
        yield Ask(
            operation="create_invoice",
            method="POST",
            path="/invoices",
            token=worker.token,
            text='{"customer": "Acme GmbH", "amou',
        )
        return
    body |= change
    if not change:
        del body["due_date"]
    yield from worker.ask("create_invoice", "POST", "/invoices", body)


def _stale(worker: Worker) -> Steps:
    """Two tabs: the second still shows the version before."""
    client = worker.desk.clients.look()
    if client is None:
        return
    path, new = f"/customers/{client.id}", worker.desk.customer()
    read = yield from worker.ask("get_customer", "GET", path)
    if not read.ok:
        return
    headers = {"If-Match": f'"{read.body["version"]}"'}
    for body in ({"email": new["email"]}, {"iban": None}):
        yield from worker.ask("update_customer", "PATCH", path, body, headers=headers)


def _approve(worker: Worker, bill: Bill) -> Steps:
    # Not Worker.approve: were it let through, the bill would lie on two piles.
    yield from worker.act("approve_invoice", bill, "approve")
