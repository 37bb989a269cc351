"""What every handler is given, and how an operation is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.security import HTTPBearer
from pydantic.json_schema import SkipJsonSchema

from ledger.books.book import Book
from ledger.books.customers import Customers
from ledger.books.invoices import Invoices
from ledger.books.payments import Payments
from ledger.books.records import Actor
from ledger.books.refunds import Refunds
from ledger.books.reports import Reports
from ledger.defects import Defects
from ledger.editions import Edition, editions_with
from ledger.fields import IdempotencyKey
from ledger.roles import RIGHTS
from ledger.schema import Error
from ledger.web.access import Access
from ledger.web.bank import Bank

REFUSALS = {
    401: "No valid bearer token",
    403: "The role, its limit or the edition does not allow this",
    404: "No such thing",
    409: "Its state does not allow this",
    412: "Someone changed it meanwhile",
    422: "The request breaks the schema",
}

EDITION_PARAMETER = {
    "name": "X-Edition",
    "in": "header",
    "description": "Run in a smaller edition than the licensed one",
    "schema": {"type": "string", "enum": [str(edition) for edition in Edition]},
}


@dataclass(frozen=True, kw_only=True)
class Service:
    """The parts of one running ledger."""

    book: Book
    customers: Customers
    invoices: Invoices
    payments: Payments
    refunds: Refunds
    reports: Reports
    access: Access
    bank: Bank
    defects: Defects


def serve(*, book: Book, access: Access, bank: Bank) -> Service:
    """The rules over one book."""
    return Service(
        book=book,
        customers=Customers(book),
        invoices=Invoices(book),
        payments=Payments(book),
        refunds=Refunds(book),
        reports=Reports(book),
        access=access,
        bank=bank,
        defects=book.defects,
    )


async def _service(request: Request) -> Service:
    service: Service = request.app.state.ledger
    return service


async def _actor(request: Request) -> Actor:
    actor: Actor = request.scope["ledger.actor"]  # the guard put it there
    return actor


Ledger = Annotated[Service, Depends(_service)]
Caller = Annotated[Actor, Depends(_actor)]
IfMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(alias="If-Match", description="Only if the version is still this one", examples=['"1"']),
]
Key = Annotated[
    IdempotencyKey | SkipJsonSchema[None],
    Header(alias="Idempotency-Key", description="The same key has its effect once"),
]

# Only for the document: the guard has looked at the token before a dependency runs.
BEARER = Depends(HTTPBearer(scheme_name="bearer", auto_error=False))

ETAG = {"ETag": {"description": "The version, for If-Match", "schema": {"type": "string"}}}
REPLAYED = {
    "Idempotent-Replayed": {
        "description": "The key was known: this is the first answer again",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The declared answers for refusing, one per status, all in the Error shape."""
    return {status: {"model": Error, "description": REFUSALS[status]} for status in statuses}


def operation(
    operation_id: str,
    text: str,
    *statuses: int,
    success: int = 200,
    headers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What to declare of a guarded operation.

    Its id, roles and editions, and the `statuses` beyond 401, 422 (an unknown edition) and 403
    where a role or an edition may lack it. `headers` are those of the answer `success`.
    """
    roles, editions = RIGHTS[operation_id], editions_with(operation_id)
    denials = {401, 422, *statuses}
    if len(roles) < len(RIGHTS["get_invoice"]) or len(editions) < len(Edition):
        denials.add(403)
    answers = refusals(*sorted(denials))
    if headers:
        answers[success] = {"headers": headers}
    return {
        "operation_id": operation_id,
        "summary": text,
        "description": (f"{text}.\n\nRoles: {', '.join(roles)}. Editions: {', '.join(editions)}."),
        "status_code": success,
        "responses": answers,
        "openapi_extra": {
            "x-roles": [str(role) for role in roles],
            "x-editions": [str(edition) for edition in editions],
            "parameters": [EDITION_PARAMETER],
        },
    }
