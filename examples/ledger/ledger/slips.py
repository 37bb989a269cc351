"""Honest mistakes, which a correct ledger refuses: one at the end of some visits."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from ledger.desk import Ask, Bill, Reply

if TYPE_CHECKING:
    from ledger.sessions import Worker

Steps = Generator[Ask, Reply, None]


def cashier(worker: Worker) -> Steps:
    """Works on a bill in the wrong state, asks for too much, or fills a form badly."""
    desk = worker.desk
    slip = worker.rng.choice(("pay", "pay", "edit", "cancel", "overpay", "approve", "form", "form"))
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
    else:
        yield from bad_form(worker)


def finance(worker: Worker) -> Steps:
    """Cancels what is paid, approves again, or tries a refund."""
    desk = worker.desk
    slip = worker.rng.choice(("cancel", "approve", "refund"))
    if slip == "cancel" and (bill := desk.settled.look()):
        yield from worker.cancel(bill)
    elif slip == "refund" and (receipt := desk.receipts.look()):
        yield from worker.refund(receipt, receipt.left_cents, desk.reason())
    elif bill := desk.settled.look() or desk.cancelled.look():
        yield from _approve(worker, bill)


def support(worker: Worker) -> Steps:
    """Mistypes an id, approves without the right, or forgets the reason."""
    desk = worker.desk
    slip = worker.rng.choice(("unknown", "approve", "form"))
    if slip == "approve" and (bill := desk.drafts.look()):
        yield from _approve(worker, bill)
    elif slip == "form" and (receipt := desk.receipts.look()):
        body: dict[str, Any] = worker.rng.choice(({"amount": 5}, {"amount": -5, "reason": "typo"}))
        path = f"/payments/{receipt.id}/refunds"
        yield from worker.ask("create_refund", "POST", path, body)
    else:
        yield from worker.ask("get_payment", "GET", f"/payments/pay_{desk.hex(12)}")


def analyst(worker: Worker) -> Steps:
    """Asks for too long a page, an unknown status or an unknown invoice."""
    slip = worker.rng.choice(("?limit=500", "?status=open", "unknown"))
    if slip == "unknown":
        yield from worker.get_invoice(f"inv_{worker.desk.hex(12)}")
    else:
        yield from worker.list_invoices(slip)


def guest(worker: Worker) -> Steps:
    """Tries what a guest may not do."""
    desk = worker.desk
    slip = worker.rng.choice(("approve", "approve", "create", "summary"))
    if slip == "approve" and (bill := desk.drafts.look() or desk.approved.look()):
        yield from _approve(worker, bill)
    elif slip == "summary":
        yield from worker.ask("get_summary", "GET", "/reports/summary")
    else:
        yield from worker.create()


def bad_form(worker: Worker) -> Steps:
    """A new invoice with one field missing or wrong, or cut off on the way."""
    body = worker.desk.invoice()
    wrong: tuple[dict[str, Any], ...] = (
        {"customer": None}, {"customer": ""}, {"amount": 0}, {"amount": -12.5}, {"amount": 19.999},
        {"amount": "120,00"}, {"currency": "CHF"}, {"due_date": "31.12.2026"}, {"vat": 19},
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


def _approve(worker: Worker, bill: Bill) -> Steps:
    # Not Worker.approve: were it let through, the bill would lie on two piles.
    yield from worker.ask("approve_invoice", "POST", f"/invoices/{bill.id}/approve")
