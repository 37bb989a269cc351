"""Who may do what: users, tokens, and the guard that runs before a body is read."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from threading import Lock
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from ledger.defects import Defects
from ledger.errors import Code, Refused
from ledger.roles import RIGHTS, USERS, Role, password_of

LOG = logging.getLogger(__name__)

# Old tokens expire when newer ones push them out, so the memory they take is bounded.
TOKENS_MAX = 20_000


class Access:
    """The signed-in users. Safe to call from many threads."""

    def __init__(self, *, defects: Defects, environment: Mapping[str, str]) -> None:
        self._defects = defects
        self._passwords = {user: password_of(user, environment) for user in USERS}
        self._roles: dict[str, Role] = {}
        self._lock = Lock()

    def login(self, username: str, password: str) -> tuple[str, Role]:
        """A new token and its role. Raises Refused (401) for a wrong name or password."""
        expected = self._passwords.get(username, "")
        if not expected or not hmac.compare_digest(expected.encode(), password.encode()):
            raise Refused(Code.INVALID_CREDENTIALS, "unknown user or wrong password")
        token, role = secrets.token_urlsafe(24), USERS[username]
        with self._lock:
            if len(self._roles) >= TOKENS_MAX:
                self._roles.pop(next(iter(self._roles)))
            self._roles[token] = role
        return token, role

    def admit(self, operation_id: str, authorization: str) -> None:
        """Raises Refused: 401 without a valid token, 403 if the role lacks the right."""
        if operation_id == "get_summary" and self._defects.on("L07"):
            return
        scheme, _, token = authorization.partition(" ")
        role = self._roles.get(token.strip()) if scheme.lower() == "bearer" else None
        if role is None:
            raise Refused(Code.UNAUTHENTICATED, "sign in and send the token as bearer")
        if operation_id == "approve_invoice" and self._defects.on("L06"):
            return
        if role not in RIGHTS[operation_id]:
            raise Refused(Code.FORBIDDEN, f"{role} may not do this")


class GuardedRoute(APIRoute):
    """A route that checks token and role before FastAPI reads or validates the request.

    A dependency would run too late: FastAPI refuses a malformed body before it calls any.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual handler behind the guard."""
        answer = super().get_route_handler()
        operation_id = str(self.operation_id)

        async def guarded(request: Request) -> Response:
            access: Access = request.app.state.ledger.access
            access.admit(operation_id, request.headers.get("authorization", ""))
            try:
                return await answer(request)
            except (Refused, RequestValidationError, HTTPException):
                raise
            except Exception:
                # Left to the server, a crash would also cut the keep-alive connection, and the
                # next request of another session would fail with it.
                LOG.exception("%s crashed", operation_id)
                return PlainTextResponse("Internal Server Error", 500)

        return guarded
