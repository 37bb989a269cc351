"""The ledger as an application: its routes, one error shape, and the watch around it all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from ledger.books.book import Book
from ledger.defects import Defects
from ledger.errors import Code, Refused
from ledger.web import customers, hooks, invoices, payments, reports, requests, sessions
from ledger.web.access import Access
from ledger.web.bank import Bank
from ledger.web.former import Former
from ledger.web.service import serve
from ledger.web.traces import tracing_from
from ledger.web.watch import Journal, Watch

MESSAGE_CHARACTERS_MAX = 300

ROUTERS = (
    sessions.open_routes,
    sessions.router,
    customers.router,
    invoices.router,
    payments.router,
    requests.router,
    reports.router,
)


def create_app(*, defects: Defects, environment: Mapping[str, str]) -> FastAPI:
    """The application over empty books. README.md lists what it reads of `environment`.

    Raises ValueError for an unknown edition, OSError for a log that cannot be written,
    ImportError if spans are wanted and opentelemetry-sdk is not installed.
    """
    with_hooks = environment.get("LEDGER_TEST_HOOKS") == "1"
    journal = Journal(environment.get("LEDGER_LOG", ""))
    tracing = tracing_from(environment)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        tracing.close()
        journal.close()

    app = FastAPI(
        title="Ledger",
        version="2.0.0",
        description="Customers, invoices, payments and refunds of a small company.",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.ledger = serve(
        book=Book(defects=defects),
        access=Access(defects=defects, environment=environment),
        bank=Bank(environment=environment, tracing=tracing, defects=defects),
    )
    for router in (*ROUTERS, hooks.router) if with_hooks else ROUTERS:
        app.include_router(router)
    app.add_exception_handler(Refused, _show_refused)
    app.add_exception_handler(RequestValidationError, _show_invalid)
    app.add_exception_handler(HTTPException, _show_http)
    app.add_middleware(Former, defects=defects)
    app.add_middleware(Watch, journal=journal, tracing=tracing, clock_can_be_set=with_hooks)
    return app


def _show(
    request: Request,
    status: int,
    code: Code,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    # A field name sent by a caller may hold a lone surrogate, which UTF-8 cannot carry.
    text = message[:MESSAGE_CHARACTERS_MAX].encode(errors="replace").decode()
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    request.scope["ledger.error"] = code
    return JSONResponse({"error": code, "message": text}, status, dict(headers or {}))


async def _show_refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return _show(request, error.status, error.code, error.message)


async def _show_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _show(request, 422, Code.INVALID, f"{place}: {first['msg']}")


async def _show_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _show(request, 404, Code.NOT_FOUND, "no such path")
    if error.status_code == 405:
        message = "no such method on this path"
        return _show(request, 405, Code.METHOD_NOT_ALLOWED, message, {"Allow": _allowed(request)})
    # What is left is a body that cannot be read, such as one that is not UTF-8.
    return _show(request, 422, Code.INVALID, "body: cannot be read as JSON")


def _allowed(request: Request) -> str:
    """All methods of a path; the framework names only those of the first route on it."""
    path = request.scope["path"]
    methods: set[str] = set()
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path_regex.match(path):
                methods |= route.methods or set()
    return ", ".join(sorted(methods))
