"""The operations on invoices."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic.json_schema import SkipJsonSchema

from ledger.access import GuardedRoute
from ledger.errors import Code, Refused
from ledger.money import to_cents
from ledger.schema import (
    Invoice,
    InvoiceChange,
    InvoicePage,
    InvoiceStatus,
    Limit,
    NewInvoice,
    Offset,
)
from ledger.service import BEARER, Ledger, operation

router = APIRouter(route_class=GuardedRoute, dependencies=[BEARER], tags=["invoices"])

InvoiceId = Annotated[str, Path(min_length=1, max_length=64)]


@router.get("/invoices", **operation("list_invoices", "List invoices, oldest first", 422))
def list_invoices(
    ledger: Ledger,
    response: Response,
    status: Annotated[InvoiceStatus | SkipJsonSchema[None], Query()] = None,
    limit: Annotated[Limit, Query()] = 20,
    offset: Annotated[Offset, Query()] = 0,
) -> InvoicePage:
    lowest = 0 if ledger.defects.on("L01") else 1
    if limit < lowest:
        raise Refused(Code.INVALID, f"query.limit: must be at least {lowest}")
    items, count = ledger.book.invoices(status=status, limit=limit, offset=offset)
    response.headers["X-Page-Count"] = str((count + limit - 1) // limit)
    return InvoicePage(items=items, count=count)


@router.post("/invoices", status_code=201, **operation("create_invoice", "Write a draft", 422))
def create_invoice(ledger: Ledger, body: NewInvoice) -> Invoice:
    return ledger.book.add_invoice(
        customer=body.customer,
        cents=to_cents(body.amount, zero_allowed=ledger.defects.on("L05")),
        currency=body.currency,
        due_date=body.due_date,
        description=body.description,
    )


@router.get(
    "/invoices/{invoice_id}",
    response_model=Invoice,
    **operation("get_invoice", "Read an invoice", 404, 422),
)
def get_invoice(ledger: Ledger, invoice_id: InvoiceId) -> Invoice | JSONResponse:
    invoice = ledger.book.invoice(invoice_id)
    if ledger.defects.on("L03") and invoice.paid:
        shown = invoice.model_dump(mode="json")
        return JSONResponse({**shown, "paid": f"{invoice.paid:.2f}"})
    return invoice


@router.patch(
    "/invoices/{invoice_id}",
    **operation("update_invoice", "Change a draft", 404, 409, 422),
)
def update_invoice(ledger: Ledger, invoice_id: InvoiceId, body: InvoiceChange) -> Invoice:
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    if "amount" in changes:
        changes["amount_cents"] = to_cents(changes.pop("amount"))
    return ledger.book.change_invoice(invoice_id, changes)


@router.post(
    "/invoices/{invoice_id}/approve",
    **operation("approve_invoice", "Approve a draft", 404, 409, 422),
)
def approve_invoice(ledger: Ledger, invoice_id: InvoiceId) -> Invoice:
    return ledger.book.approve(invoice_id)


@router.post(
    "/invoices/{invoice_id}/cancel",
    **operation("cancel_invoice", "Cancel an invoice of which nothing is paid", 404, 409, 422),
)
def cancel_invoice(ledger: Ledger, response: Response, invoice_id: InvoiceId) -> Invoice:
    invoice = ledger.book.cancel(invoice_id)
    if ledger.defects.on("L04"):
        response.status_code = 202
    return invoice
