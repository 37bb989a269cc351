"""The operations on payments and refunds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from ledger.access import GuardedRoute
from ledger.invoices import InvoiceId
from ledger.money import exact_cents, require_positive, to_cents
from ledger.schema import NewPayment, NewRefund, Payment, PaymentList, Refund, RefundList
from ledger.service import BEARER, Ledger, operation

router = APIRouter(route_class=GuardedRoute, dependencies=[BEARER])

PaymentId = Annotated[str, Path(min_length=1, max_length=64)]
RefundId = Annotated[str, Path(min_length=1, max_length=64)]


@router.post(
    "/invoices/{invoice_id}/payments",
    status_code=201,
    tags=["payments"],
    **operation("create_payment", "Take a payment for an approved invoice", 404, 409, 422),
)
def create_payment(ledger: Ledger, invoice_id: InvoiceId, body: NewPayment) -> Payment:
    zero_allowed = ledger.defects.on("L05")
    if ledger.defects.on("L02"):
        cents = exact_cents(body.amount)
        require_positive(cents, zero_allowed=zero_allowed)
    else:
        cents = to_cents(body.amount, zero_allowed=zero_allowed)
    return ledger.book.add_payment(invoice_id, cents=cents, method=body.method)


@router.get(
    "/invoices/{invoice_id}/payments",
    tags=["payments"],
    **operation("list_payments", "List the payments of an invoice", 404, 422),
)
def list_payments(ledger: Ledger, invoice_id: InvoiceId) -> PaymentList:
    items = ledger.book.payments(invoice_id)
    return PaymentList(items=items, count=len(items))


@router.get(
    "/payments/{payment_id}",
    tags=["payments"],
    **operation("get_payment", "Read a payment", 404, 422),
)
def get_payment(ledger: Ledger, payment_id: PaymentId) -> Payment:
    return ledger.book.payment(payment_id)


@router.post(
    "/payments/{payment_id}/refunds",
    status_code=201,
    tags=["refunds"],
    **operation("create_refund", "Give back money of a payment", 404, 409, 422),
)
def create_refund(ledger: Ledger, payment_id: PaymentId, body: NewRefund) -> Refund:
    cents = to_cents(body.amount, zero_allowed=ledger.defects.on("L05"))
    return ledger.book.add_refund(payment_id, cents=cents, reason=body.reason)


@router.get(
    "/payments/{payment_id}/refunds",
    tags=["refunds"],
    **operation("list_refunds", "List the refunds of a payment", 404, 422),
)
def list_refunds(ledger: Ledger, payment_id: PaymentId) -> RefundList:
    items = ledger.book.refunds(payment_id)
    return RefundList(items=items, count=len(items))


@router.get(
    "/refunds/{refund_id}",
    tags=["refunds"],
    **operation("get_refund", "Read a refund", 404, 422),
)
def get_refund(ledger: Ledger, refund_id: RefundId) -> Refund:
    return ledger.book.refund(refund_id)
