"""The reports and the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic.json_schema import SkipJsonSchema

from ledger import clock
from ledger.errors import Code, Refused
from ledger.fields import (
    LIMIT_MAX,
    Action,
    AuditLimit,
    Currency,
    Cursor,
    Day,
    Id,
    Time,
    TimeZone,
    moment_of,
)
from ledger.schema import AuditPage, DailyReport, Summary, TaxReport
from ledger.web.access import GuardedRoute
from ledger.web.service import BEARER, Ledger, operation

router = APIRouter(route_class=GuardedRoute, dependencies=[BEARER], tags=["reports"])


@router.get("/reports/summary", **operation("get_summary", "The books at a glance"))
async def get_summary(ledger: Ledger) -> Summary:
    return ledger.reports.summary()


@router.get("/reports/tax", **operation("get_tax_report", "The tax that is due in one currency"))
async def get_tax_report(
    ledger: Ledger, currency: Annotated[Currency, Query()] = Currency.EUR
) -> TaxReport:
    return ledger.reports.tax(currency)


@router.get(
    "/reports/daily", **operation("get_daily_report", "What came in and went back in a day")
)
async def get_daily_report(
    ledger: Ledger,
    day: Annotated[Day | SkipJsonSchema[None], Query()] = None,
    time_zone: Annotated[TimeZone, Query()] = TimeZone.BERLIN,
) -> DailyReport:
    return ledger.reports.daily(day or clock.today().isoformat(), time_zone)


@router.get(
    "/audit",
    response_model=AuditPage,
    **operation("list_audit", "Who did what, oldest first"),
)
async def list_audit(
    ledger: Ledger,
    subject: Annotated[Id | SkipJsonSchema[None], Query()] = None,
    action: Annotated[Action | SkipJsonSchema[None], Query()] = None,
    since: Annotated[Time | SkipJsonSchema[None], Query()] = None,
    until: Annotated[Time | SkipJsonSchema[None], Query()] = None,
    cursor: Annotated[Cursor | SkipJsonSchema[None], Query()] = None,
    limit: Annotated[AuditLimit, Query()] = 20,
) -> AuditPage | JSONResponse:
    if limit > LIMIT_MAX and not ledger.defects.on("API4"):
        raise Refused(
            Code.INVALID, f"query.limit: Input should be less than or equal to {LIMIT_MAX}"
        )
    page = ledger.reports.audit(
        subject=subject,
        action=action,
        since=moment_of(since) if since else None,
        until=moment_of(until) if until else None,
        cursor=cursor,
        limit=limit,
    )
    if ledger.defects.on("L12") and page.next_cursor is None:
        return JSONResponse(page.model_dump(mode="json", exclude={"next_cursor"}))
    return page
