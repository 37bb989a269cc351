"""What every handler is given, and how an operation is declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from ledger.access import Access
from ledger.book import Book
from ledger.defects import Defects
from ledger.roles import RIGHTS
from ledger.schema import Error

REFUSALS = {
    401: "No valid bearer token",
    403: "The role may not do this",
    404: "No such thing",
    409: "Its state does not allow this",
    422: "The request breaks the schema",
}


@dataclass(frozen=True, kw_only=True)
class Service:
    """The parts of one running ledger."""

    book: Book
    access: Access
    defects: Defects


async def _service(request: Request) -> Service:
    service: Service = request.app.state.ledger
    return service


Ledger = Annotated[Service, Depends(_service)]

# Only for the document: the guard has looked at the token before a dependency runs.
BEARER = Depends(HTTPBearer(scheme_name="bearer", auto_error=False))


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The declared answers for refusing, one per status, all in the Error shape."""
    return {status: {"model": Error, "description": REFUSALS[status]} for status in statuses}


def operation(operation_id: str, text: str, *statuses: int) -> dict[str, Any]:
    """What to declare of a guarded operation: id, roles, and the `statuses` beyond 401 and 403."""
    roles = RIGHTS[operation_id]
    # Where every role may, no signed-in caller can ever see a 403.
    denials = (401,) if len(roles) == len(RIGHTS["get_invoice"]) else (401, 403)
    return {
        "operation_id": operation_id,
        "summary": text,
        "description": f"{text}.\n\nRoles: {', '.join(roles)}.",
        "responses": refusals(*denials, *statuses),
        "openapi_extra": {"x-roles": [str(role) for role in roles]},
    }
