"""The operations on requests for a refund: asked for by one, decided on by another."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic.json_schema import SkipJsonSchema

from ledger.errors import Refused
from ledger.fields import Cursor, Id, PageLimit, RequestStatus
from ledger.money import to_cents
from ledger.schema import Denial, NewRefund, RefundRequest, RefundRequestPage
from ledger.web.access import GuardedRoute
from ledger.web.payments import PaymentId
from ledger.web.service import BEARER, Caller, Ledger, operation

router = APIRouter(route_class=GuardedRoute, dependencies=[BEARER], tags=["refund requests"])

RequestId = Annotated[str, Path(min_length=1, max_length=64)]


@router.post(
    "/payments/{payment_id}/refund-requests",
    **operation("request_refund", "Ask for a refund", 404, 409, success=201),
)
async def request_refund(
    ledger: Ledger, caller: Caller, payment_id: PaymentId, body: NewRefund
) -> RefundRequest:
    cents = to_cents(body.amount)
    return ledger.refunds.request(caller, payment_id, cents=cents, reason=body.reason)


@router.get(
    "/refund-requests",
    **operation("list_refund_requests", "List refund requests, oldest first"),
)
async def list_refund_requests(
    ledger: Ledger,
    status: Annotated[RequestStatus | SkipJsonSchema[None], Query()] = None,
    payment_id: Annotated[Id | SkipJsonSchema[None], Query()] = None,
    cursor: Annotated[Cursor | SkipJsonSchema[None], Query()] = None,
    limit: Annotated[PageLimit, Query()] = 20,
) -> RefundRequestPage:
    return ledger.refunds.requests(status=status, payment_id=payment_id, cursor=cursor, limit=limit)


@router.get(
    "/refund-requests/{request_id}",
    **operation("get_refund_request", "Read a refund request", 404),
)
async def get_refund_request(ledger: Ledger, request_id: RequestId) -> RefundRequest:
    return ledger.refunds.get_request(request_id)


@router.post(
    "/refund-requests/{request_id}/approve",
    **operation("approve_refund_request", "Approve what someone else requested", 404, 409),
)
async def approve_refund_request(
    ledger: Ledger, caller: Caller, request_id: RequestId
) -> RefundRequest:
    return ledger.refunds.approve(caller, request_id)


@router.post(
    "/refund-requests/{request_id}/deny",
    response_model=RefundRequest,
    **operation("deny_refund_request", "Deny a refund request", 404, 409),
)
async def deny_refund_request(
    ledger: Ledger, caller: Caller, request_id: RequestId, body: Denial
) -> RefundRequest | JSONResponse:
    try:
        return ledger.refunds.deny(caller, request_id, reason=body.reason)
    except Refused as refused:
        if refused.status == 409 and ledger.defects.on("L13"):
            return JSONResponse({"detail": refused.message}, 409)
        raise


@router.post(
    "/refund-requests/{request_id}/cancel",
    **operation("cancel_refund_request", "Withdraw a refund request", 404, 409),
)
async def cancel_refund_request(
    ledger: Ledger, caller: Caller, request_id: RequestId
) -> RefundRequest:
    return ledger.refunds.cancel(caller, request_id)


@router.post(
    "/refund-requests/{request_id}/payout",
    **operation("pay_out_request", "Pay out what was approved", 404, 409),
)
async def pay_out_request(
    ledger: Ledger, caller: Caller, request_id: RequestId, request: Request
) -> RefundRequest:
    trace_parent: str = request.scope["ledger.trace_parent"]
    if ledger.defects.on("L26"):
        issuable = ledger.refunds.issuable(request_id)
        await ledger.bank.pay_out(request_id, trace_parent)
        return ledger.refunds.issue_unchecked(caller, issuable)
    # Booked before the bank is called: whoever comes meanwhile finds it issued.
    issued = ledger.refunds.issue(caller, request_id)
    await ledger.bank.pay_out(request_id, trace_parent)
    return issued
