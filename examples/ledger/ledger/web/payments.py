"""The operations on payments and their refunds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from ledger.money import exact_cents, require_positive, to_cents
from ledger.schema import (
    FraudCheck,
    NewPayment,
    NewRefund,
    Payment,
    PaymentList,
    Refund,
    RefundList,
)
from ledger.web.access import GuardedRoute
from ledger.web.invoices import InvoiceId
from ledger.web.service import BEARER, REPLAYED, Caller, Key, Ledger, operation

router = APIRouter(route_class=GuardedRoute, dependencies=[BEARER])

PaymentId = Annotated[str, Path(min_length=1, max_length=64)]
RefundId = Annotated[str, Path(min_length=1, max_length=64)]


@router.post(
    "/invoices/{invoice_id}/payments",
    tags=["payments"],
    **operation(
        "create_payment",
        "Take a payment for an approved invoice",
        *(404, 409),
        success=201,
        headers=REPLAYED,
    ),
)
async def create_payment(
    ledger: Ledger,
    caller: Caller,
    response: Response,
    invoice_id: InvoiceId,
    body: NewPayment,
    key: Key = None,
) -> Payment:
    zero_allowed = ledger.defects.on("L05")
    if ledger.defects.on("L02"):
        cents = exact_cents(body.amount)
        require_positive(cents, zero_allowed=zero_allowed)
    else:
        cents = to_cents(body.amount, zero_allowed=zero_allowed)

    def act() -> Payment:
        return ledger.payments.add(caller, invoice_id, cents=cents, method=body.method)

    if key is None or ledger.defects.on("L25"):
        return act()
    request = f"{invoice_id} {body.model_dump_json()}"
    payment, is_old = ledger.book.once((caller.user, "create_payment", key), request, act)
    if is_old:
        response.headers["Idempotent-Replayed"] = "true"
    return payment


@router.get(
    "/invoices/{invoice_id}/payments",
    tags=["payments"],
    **operation("list_payments", "List the payments of an invoice", 404),
)
async def list_payments(ledger: Ledger, invoice_id: InvoiceId) -> PaymentList:
    items = ledger.payments.of_invoice(invoice_id)
    return PaymentList(items=items, count=len(items))


@router.get(
    "/payments/{payment_id}",
    tags=["payments"],
    **operation("get_payment", "Read a payment", 404),
)
async def get_payment(ledger: Ledger, payment_id: PaymentId) -> Payment:
    return ledger.payments.get(payment_id)


@router.post(
    "/payments/{payment_id}/fraud-check",
    tags=["payments"],
    **operation("check_payment", "Check a payment for fraud, once", 404, 409),
)
async def check_payment(ledger: Ledger, caller: Caller, payment_id: PaymentId) -> FraudCheck:
    return ledger.payments.check(caller, payment_id)


@router.post(
    "/payments/{payment_id}/release",
    tags=["payments"],
    **operation("release_payment", "Release a payment that the fraud check holds", 404, 409),
)
async def release_payment(ledger: Ledger, caller: Caller, payment_id: PaymentId) -> Payment:
    return ledger.payments.release(caller, payment_id)


@router.post(
    "/payments/{payment_id}/refunds",
    tags=["refunds"],
    **operation(
        "create_refund", "Give back money of a payment", 404, 409, success=201, headers=REPLAYED
    ),
)
async def create_refund(
    ledger: Ledger,
    caller: Caller,
    response: Response,
    payment_id: PaymentId,
    body: NewRefund,
    key: Key = None,
) -> Refund:
    cents = to_cents(body.amount, zero_allowed=ledger.defects.on("L05"))

    def act() -> Refund:
        return ledger.refunds.add(caller, payment_id, cents=cents, reason=body.reason)

    if key is None:
        return act()
    request = f"{payment_id} {body.model_dump_json()}"
    refund, is_old = ledger.book.once((caller.user, "create_refund", key), request, act)
    if is_old:
        response.headers["Idempotent-Replayed"] = "true"
    return refund


@router.get(
    "/payments/{payment_id}/refunds",
    tags=["refunds"],
    **operation("list_refunds", "List the refunds of a payment", 404),
)
async def list_refunds(ledger: Ledger, payment_id: PaymentId) -> RefundList:
    items = ledger.refunds.of_payment(payment_id)
    return RefundList(items=items, count=len(items))


@router.get(
    "/refunds/{refund_id}",
    tags=["refunds"],
    **operation("get_refund", "Read a refund", 404),
)
async def get_refund(ledger: Ledger, refund_id: RefundId) -> Refund:
    return ledger.refunds.get(refund_id)
