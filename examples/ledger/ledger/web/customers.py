"""The operations on customers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic.json_schema import SkipJsonSchema

from ledger.books.customers import etag
from ledger.fields import Currency, Cursor, CustomerName, PageLimit
from ledger.schema import Customer, CustomerChange, CustomerPage, NewCustomer, Statement
from ledger.web.access import GuardedRoute
from ledger.web.service import BEARER, ETAG, Caller, IfMatch, Ledger, operation

router = APIRouter(route_class=GuardedRoute, dependencies=[BEARER], tags=["customers"])

CustomerId = Annotated[str, Path(min_length=1, max_length=64)]


@router.get("/customers", **operation("list_customers", "List customers, oldest first"))
async def list_customers(
    ledger: Ledger,
    caller: Caller,
    name: Annotated[CustomerName | SkipJsonSchema[None], Query()] = None,
    blocked: Annotated[bool | SkipJsonSchema[None], Query()] = None,
    cursor: Annotated[Cursor | SkipJsonSchema[None], Query()] = None,
    limit: Annotated[PageLimit, Query()] = 20,
) -> CustomerPage:
    return ledger.customers.page_of(
        caller.role, name=name, blocked=blocked, cursor=cursor, limit=limit
    )


@router.post(
    "/customers",
    **operation("create_customer", "Write a customer down", success=201, headers=ETAG),
)
async def create_customer(
    ledger: Ledger, caller: Caller, response: Response, body: NewCustomer
) -> Customer:
    return _tagged(response, ledger.customers.add(caller, body))


@router.get(
    "/customers/{customer_id}",
    **operation("get_customer", "Read a customer", 404, headers=ETAG),
)
async def get_customer(
    ledger: Ledger, caller: Caller, response: Response, customer_id: CustomerId
) -> Customer:
    return _tagged(response, ledger.customers.get(customer_id, caller.role))


@router.patch(
    "/customers/{customer_id}",
    **operation("update_customer", "Change or block a customer", 404, 412, headers=ETAG),
)
async def update_customer(
    ledger: Ledger,
    caller: Caller,
    response: Response,
    customer_id: CustomerId,
    body: CustomerChange,
    if_match: IfMatch = None,
) -> Customer:
    changes = body.model_dump(exclude_unset=True)
    changed = ledger.customers.change(caller, customer_id, changes, if_match=if_match)
    return _tagged(response, changed)


@router.get(
    "/customers/{customer_id}/statement",
    **operation("get_statement", "Read a customer's account in one currency", 404),
)
async def get_statement(
    ledger: Ledger,
    customer_id: CustomerId,
    currency: Annotated[Currency, Query()] = Currency.EUR,
) -> Statement:
    return ledger.customers.statement(customer_id, currency)


def _tagged(response: Response, customer: Customer) -> Customer:
    response.headers["ETag"] = etag(customer.version)
    return customer
