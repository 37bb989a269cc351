"""The operations on invoices."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic.json_schema import SkipJsonSchema

from ledger.books.customers import etag
from ledger.books.invoices import Filter
from ledger.books.records import Actor
from ledger.editions import Edition
from ledger.errors import Code, Refused
from ledger.fields import Currency, Day, Id, InvoiceStatus, Limit, Offset
from ledger.money import to_cents
from ledger.schema import (
    CreditNote,
    CreditNoteList,
    Invoice,
    InvoiceChange,
    InvoicePage,
    NewCreditNote,
    NewInvoice,
)
from ledger.web.access import GuardedRoute, missing
from ledger.web.pictures import look_up
from ledger.web.service import BEARER, ETAG, REPLAYED, Caller, IfMatch, Key, Ledger, operation

router = APIRouter(route_class=GuardedRoute, dependencies=[BEARER], tags=["invoices"])

InvoiceId = Annotated[str, Path(min_length=1, max_length=64)]
PAGE_COUNT = {"X-Page-Count": {"description": "How many pages", "schema": {"type": "integer"}}}


@router.get(
    "/invoices", **operation("list_invoices", "List invoices, oldest first", headers=PAGE_COUNT)
)
async def list_invoices(
    ledger: Ledger,
    response: Response,
    status: Annotated[InvoiceStatus | SkipJsonSchema[None], Query()] = None,
    limit: Annotated[Limit, Query()] = 20,
    offset: Annotated[Offset, Query()] = 0,
    customer_id: Annotated[Id | SkipJsonSchema[None], Query()] = None,
    currency: Annotated[Currency | SkipJsonSchema[None], Query()] = None,
    due_from: Annotated[Day | SkipJsonSchema[None], Query()] = None,
    due_to: Annotated[Day | SkipJsonSchema[None], Query()] = None,
) -> InvoicePage:
    lowest = 0 if ledger.defects.on("L01") else 1
    if limit < lowest:
        raise Refused(Code.INVALID, f"query.limit: must be at least {lowest}")
    wanted = Filter(
        status=status,
        customer_id=customer_id,
        currency=currency,
        due_from=due_from,
        due_to=due_to,
    )
    items, count = ledger.invoices.page_of(wanted, limit=limit, offset=offset)
    response.headers["X-Page-Count"] = str((count + limit - 1) // limit)
    return InvoicePage(items=items, count=count)


@router.post(
    "/invoices",
    **operation(
        "create_invoice", "Write a draft", 404, 409, success=201, headers={**ETAG, **REPLAYED}
    ),
)
async def create_invoice(
    ledger: Ledger, caller: Caller, response: Response, body: NewInvoice, key: Key = None
) -> Invoice:
    cents = to_cents(body.amount, zero_allowed=ledger.defects.on("L05"))
    _require_edition(ledger, caller, body)
    if ledger.defects.on("API7"):
        await look_up(body.description or "")

    def act() -> Invoice:
        return ledger.invoices.add(caller, body, cents=cents)

    if key is None:
        return _tagged(response, act())
    scope = (caller.user, "create_invoice", key)
    invoice, is_old = ledger.book.once(scope, body.model_dump_json(), act)
    if is_old:
        response.headers["Idempotent-Replayed"] = "true"
    return _tagged(response, invoice)


@router.get(
    "/invoices/{invoice_id}",
    response_model=Invoice,
    **operation("get_invoice", "Read an invoice", 404, headers=ETAG),
)
async def get_invoice(
    ledger: Ledger, response: Response, invoice_id: InvoiceId
) -> Invoice | JSONResponse:
    invoice = ledger.invoices.get(invoice_id)
    if ledger.defects.on("L03") and invoice.paid:
        shown = invoice.model_dump(mode="json")
        return JSONResponse({**shown, "paid": f"{invoice.paid:.2f}"})
    return _tagged(response, invoice)


@router.patch(
    "/invoices/{invoice_id}",
    response_model=Invoice,
    **operation("update_invoice", "Change a draft", 404, 409, 412, headers=ETAG),
)
async def update_invoice(
    ledger: Ledger,
    caller: Caller,
    response: Response,
    invoice_id: InvoiceId,
    body: InvoiceChange,
    if_match: IfMatch = None,
) -> Invoice | JSONResponse:
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    if "amount" in changes:
        changes["cents"] = to_cents(changes.pop("amount"))
    try:
        changed = ledger.invoices.change(caller, invoice_id, changes, if_match=if_match)
    except Refused as refused:
        if refused.code == Code.VERSION_MISMATCH and ledger.defects.on("L14"):
            return JSONResponse({"error": refused.code, "message": refused.message}, 400)
        raise
    return _tagged(response, changed)


@router.post(
    "/invoices/{invoice_id}/approve",
    **operation("approve_invoice", "Approve a draft", 404, 409),
)
async def approve_invoice(ledger: Ledger, caller: Caller, invoice_id: InvoiceId) -> Invoice:
    return ledger.invoices.approve(caller, invoice_id)


@router.post(
    "/invoices/{invoice_id}/cancel",
    **operation("cancel_invoice", "Cancel an invoice of which nothing is paid", 404, 409),
)
async def cancel_invoice(
    ledger: Ledger, caller: Caller, response: Response, invoice_id: InvoiceId
) -> Invoice:
    invoice = ledger.invoices.cancel(caller, invoice_id)
    if ledger.defects.on("L04"):
        response.status_code = 202
    return invoice


@router.post(
    "/invoices/{invoice_id}/lock",
    **operation("lock_invoice", "Let nothing happen to an invoice", 404, 409),
)
async def lock_invoice(ledger: Ledger, caller: Caller, invoice_id: InvoiceId) -> Invoice:
    return ledger.invoices.lock(caller, invoice_id)


@router.post(
    "/invoices/{invoice_id}/unlock",
    **operation("unlock_invoice", "Open a locked invoice again", 404, 409),
)
async def unlock_invoice(ledger: Ledger, caller: Caller, invoice_id: InvoiceId) -> Invoice:
    return ledger.invoices.unlock(caller, invoice_id)


@router.post(
    "/invoices/{invoice_id}/late-fee",
    **operation("charge_late_fee", "Charge the late fee of an overdue invoice", 404, 409),
)
async def charge_late_fee(ledger: Ledger, caller: Caller, invoice_id: InvoiceId) -> Invoice:
    return ledger.invoices.charge_late_fee(caller, invoice_id)


@router.post(
    "/invoices/{invoice_id}/credit-notes",
    **operation(
        "create_credit_note", "Take something off an approved invoice", 404, 409, success=201
    ),
)
async def create_credit_note(
    ledger: Ledger, caller: Caller, invoice_id: InvoiceId, body: NewCreditNote
) -> CreditNote:
    cents = to_cents(body.amount)
    return ledger.invoices.credit(caller, invoice_id, cents=cents, reason=body.reason)


@router.get(
    "/invoices/{invoice_id}/credit-notes",
    **operation("list_credit_notes", "List what was taken off an invoice", 404),
)
async def list_credit_notes(ledger: Ledger, invoice_id: InvoiceId) -> CreditNoteList:
    items = ledger.invoices.credit_notes(invoice_id)
    return CreditNoteList(items=items, count=len(items))


def _require_edition(ledger: Ledger, caller: Actor, body: NewInvoice) -> None:
    """Raises Refused (403) for what lite does not have: other currencies, and tax."""
    if caller.edition != Edition.LITE:
        return
    if body.currency != Currency.EUR and not ledger.defects.on("L22"):
        raise missing(caller.edition, f"invoices in {body.currency}")
    if body.tax_percent:
        raise missing(caller.edition, "tax")


def _tagged(response: Response, invoice: Invoice) -> Invoice:
    response.headers["ETag"] = etag(invoice.version)
    return invoice
