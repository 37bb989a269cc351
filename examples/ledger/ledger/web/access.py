"""Who may do what: users, sessions, and the guard that runs before a body is read."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from ledger.books.records import Actor
from ledger.defects import Defects
from ledger.editions import Edition, editions_with, narrowed
from ledger.errors import Code, Refused
from ledger.roles import RIGHTS, USERS, Role, password_of

LOG = logging.getLogger(__name__)

# Old sessions end when newer ones push them out, so the memory they take is bounded.
SESSIONS_MAX = 20_000
EDITION_HEADER = "x-edition"


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A session as it was opened; its token is a secret, its id is not."""

    id: str
    token: str
    user: str
    role: Role


class Access:
    """The signed-in users and the licensed edition. Safe to call from many threads."""

    def __init__(self, *, defects: Defects, environment: Mapping[str, str]) -> None:
        """Raises ValueError for an unknown LEDGER_EDITION."""
        self._defects = defects
        self._licensed = Edition(environment.get("LEDGER_EDITION") or Edition.ENTERPRISE)
        self._passwords = {user: password_of(user, environment) for user in USERS}
        self._by_token: dict[str, Login] = {}
        self._by_id: dict[str, Login] = {}
        self._lock = Lock()

    def login(self, username: str, password: str, *, role: Role | None = None) -> Login:
        """A new session. Raises Refused (401) for a wrong name or password.

        `role` is what L19 takes over from the body; without it the user has their own.
        """
        expected = self._passwords.get(username, "")
        given = password.encode(errors="replace")
        if not expected or not hmac.compare_digest(expected.encode(), given):
            raise Refused(Code.INVALID_CREDENTIALS, "unknown user or wrong password")
        login = Login(
            id=f"ses_{secrets.token_hex(6)}",
            token=secrets.token_urlsafe(24),
            user=username,
            role=role or USERS[username],
        )
        with self._lock:
            if len(self._by_token) >= SESSIONS_MAX:
                oldest = self._by_token.pop(next(iter(self._by_token)))
                self._by_id.pop(oldest.id, None)
            self._by_token[login.token] = self._by_id[login.id] = login
        return login

    def end(self, actor: Actor, session_id: str) -> None:
        """End a session: one's own, or any as CFO. Raises Refused: 404, or 403."""
        with self._lock:
            login = self._by_id.get(session_id)
            if login is None:
                raise Refused(Code.SESSION_NOT_FOUND, "no such session")
            if login.user != actor.user and actor.role != Role.CFO:
                raise Refused(Code.FORBIDDEN, "it is someone else's session")
            del self._by_id[session_id]
            if not self._defects.on("L18"):
                del self._by_token[login.token]

    def admit(self, operation_id: str, authorization: str, edition_asked: str | None) -> Actor:
        """Who calls, and in which edition.

        Raises Refused: 401 without a valid token, 403 if the role lacks the right, 422 for an
        edition that does not exist, 403 if the edition lacks the operation.
        """
        scheme, _, token = authorization.partition(" ")
        login = self._by_token.get(token.strip()) if scheme.lower() == "bearer" else None
        edition = self._edition(edition_asked)
        if operation_id == "get_summary" and self._defects.on("L07"):
            return Actor(user="", role=Role.GUEST, edition=edition or self._licensed)
        if login is None:
            raise Refused(Code.UNAUTHENTICATED, "sign in and send the token as bearer")
        unguarded = operation_id == "approve_invoice" and self._defects.on("L06")
        if login.role not in RIGHTS[operation_id] and not unguarded:
            raise Refused(Code.FORBIDDEN, f"{login.role} may not do this")
        if edition is None:
            raise Refused(Code.INVALID, f"header.X-Edition: one of {', '.join(Edition)}")
        open_to_all = operation_id == "list_audit" and self._defects.on("L21")
        if edition not in editions_with(operation_id) and not open_to_all:
            # Not a 404: the path is right and the caller is known; what lacks is the licence.
            raise missing(edition, operation_id)
        return Actor(user=login.user, role=login.role, edition=edition)

    def _edition(self, asked: str | None) -> Edition | None:
        if asked is None:
            return self._licensed
        try:
            return narrowed(self._licensed, Edition(asked))
        except ValueError:
            return None


def missing(edition: Edition, feature: str) -> Refused:
    """The refusal of what an edition lacks."""
    return Refused(Code.EDITION_FEATURE_MISSING, f"the {edition} edition lacks {feature}")


class GuardedRoute(APIRoute):
    """A route that checks token, role and edition before FastAPI reads or validates the request.

    A dependency would run too late: FastAPI refuses a malformed body before it calls any.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual handler behind the guard."""
        answer = super().get_route_handler()
        operation_id = str(self.operation_id)

        async def guarded(request: Request) -> Response:
            access: Access = request.app.state.ledger.access
            headers = request.headers
            actor = access.admit(
                operation_id, headers.get("authorization", ""), headers.get(EDITION_HEADER)
            )
            request.scope["ledger.actor"] = actor
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
