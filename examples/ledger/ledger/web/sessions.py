"""Signing in and out, and whether the service is up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from ledger.errors import Code, Refused
from ledger.roles import Role
from ledger.schema import Credentials, Health, Session
from ledger.web.access import GuardedRoute
from ledger.web.service import BEARER, Caller, Ledger, operation, refusals

open_routes = APIRouter(tags=["open"])
router = APIRouter(route_class=GuardedRoute, dependencies=[BEARER], tags=["sessions"])

SessionId = Annotated[str, Path(min_length=1, max_length=64)]


@open_routes.post("/login", operation_id="login", summary="Sign in", responses=refusals(401, 422))
async def login(ledger: Ledger, body: Credentials) -> Session:
    """Exchange a name and a password for a bearer token."""
    extra = dict(body.model_extra or {})
    role = None
    if ledger.defects.on("L19") and extra.get("role") in set(Role):
        role = Role(extra.pop("role"))
    if extra:
        raise Refused(Code.INVALID, f"body.{next(iter(extra))}: no such field")
    opened = ledger.access.login(body.username, body.password, role=role)
    return Session(token=opened.token, role=opened.role, session_id=opened.id)


@open_routes.get("/health", operation_id="get_health", summary="Is the service up?")
async def get_health() -> Health:
    """Always ok, without a token."""
    return Health(status="ok")


@router.delete(
    "/sessions/{session_id}",
    **operation("end_session", "Sign out: end a session and its token", 403, 404, success=204),
)
async def end_session(ledger: Ledger, caller: Caller, session_id: SessionId) -> None:
    ledger.access.end(caller, session_id)
