"""The ledger as an application: open routes, guarded routes, test hooks, one error shape."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ledger import invoices, payments
from ledger.access import Access, GuardedRoute
from ledger.book import Book
from ledger.defects import Defects
from ledger.errors import Code, Refused
from ledger.schema import Credentials, Health, Session, Summary, Wire
from ledger.service import BEARER, Ledger, Service, operation, refusals

MESSAGE_CHARACTERS_MAX = 300

open_routes = APIRouter(tags=["open"])
reports = APIRouter(route_class=GuardedRoute, dependencies=[BEARER], tags=["reports"])
hooks = APIRouter(prefix="/_test", include_in_schema=False)


@open_routes.post("/login", operation_id="login", summary="Sign in", responses=refusals(401, 422))
def login(ledger: Ledger, body: Credentials) -> Session:
    """Exchange a name and a password for a bearer token."""
    token, role = ledger.access.login(body.username, body.password)
    return Session(token=token, role=role)


@open_routes.get("/health", operation_id="get_health", summary="Is the service up?")
async def get_health() -> Health:
    """Always ok, without a token."""
    return Health(status="ok")


@reports.get("/reports/summary", **operation("get_summary", "The books at a glance"))
def get_summary(ledger: Ledger) -> Summary:
    return ledger.book.summary()


class Switch(Wire):
    """The defects to have on; all others go off."""

    on: list[str]


@hooks.post("/reset")
def reset(ledger: Ledger) -> dict[str, str]:
    ledger.book.empty()
    return {"status": "empty"}


@hooks.post("/defects")
def switch_defects(ledger: Ledger, body: Switch) -> Switch:
    try:
        ledger.defects.switch(body.on)
    except ValueError as error:
        raise Refused(Code.INVALID, f"body.on: {error}") from None
    return Switch(on=ledger.defects.ids())


def create_app(*, book: Book, defects: Defects, environment: Mapping[str, str]) -> FastAPI:
    """The application over `book`. `environment` gives passwords and the test hooks' switch."""
    app = FastAPI(
        title="Ledger",
        version="1.0.0",
        description="Invoices, payments and refunds of a small company.",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    access = Access(defects=defects, environment=environment)
    app.state.ledger = Service(book=book, access=access, defects=defects)
    for router in (open_routes, invoices.router, payments.router, reports):
        app.include_router(router)
    if environment.get("LEDGER_TEST_HOOKS") == "1":
        app.include_router(hooks)
    app.add_exception_handler(Refused, _show_refused)
    app.add_exception_handler(RequestValidationError, _show_invalid)
    app.add_exception_handler(HTTPException, _show_http)
    return app


def _show(status: int, code: Code, message: str) -> JSONResponse:
    # A field name sent by a caller may hold a lone surrogate, which UTF-8 cannot carry.
    text = message[:MESSAGE_CHARACTERS_MAX].encode(errors="replace").decode()
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": code, "message": text}, status, headers)


async def _show_refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return _show(error.status, error.code, error.message)


async def _show_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _show(422, Code.INVALID, f"{place}: {first['msg']}")


async def _show_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _show(404, Code.NOT_FOUND, "no such path")
    if error.status_code == 405:
        return _show(405, Code.METHOD_NOT_ALLOWED, "no such method on this path")
    # What is left is a body that cannot be read, such as one that is not UTF-8.
    return _show(422, Code.INVALID, "body: cannot be read as JSON")
