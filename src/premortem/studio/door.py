"""Who is let into the Studio: the browser that opened its link, and nobody else.

The Studio listens on loopback, which every program and every web page of this machine can reach.
So: a link that works once, a session cookie, a token with every change, and only requests that
name this host (a rebound DNS name does not) and, where they change something, come from it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

SAFE = ("GET", "HEAD")
ENTRANCE = "/enter"
OPEN_TO_ALL = "/static/"
CSRF_HEADER = "x-csrf-token"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    # The Origin of a form is only sent where a referrer would be.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Pages hold captured data.
    "cache-control": "no-store",
}


class Keys:
    """The secrets of one Studio, new at each start."""

    def __init__(self) -> None:
        self.link = secrets.token_urlsafe(32)
        """Good for one visit; empty: it was used."""
        self.session = secrets.token_urlsafe(32)
        self.csrf = secrets.token_urlsafe(32)

    def take_link(self, given: str) -> bool:
        """Whether GIVEN is the link's token; it is so once."""
        fits = bool(self.link) and _same(given, self.link)
        if fits:
            self.link = ""
        return fits


class Door:
    """Stands before the application."""

    def __init__(self, app: ASGIApp, *, keys: Keys, port: int) -> None:
        self._app, self._keys = app, keys
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        # Cookies do not know ports: two Studios must not take each other's away.
        self._cookie = f"premortem_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or answer it."""
        kind = str(scope["type"])
        if kind == "lifespan":
            await self._app(scope, receive, send)
        if kind != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _harden(message)
            await send(message)

        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        method, path = str(scope.get("method")), str(scope["path"])
        if headers.get("host") not in self._hosts:
            await _answer(guarded, 421, "This address is not the Studio's.")
        elif path == ENTRANCE and method == "GET":
            await self._enter(scope, guarded)
        elif path.startswith(OPEN_TO_ALL) and method in SAFE:
            await self._app(scope, receive, guarded)
        elif not _same(_cookie(headers.get("cookie", ""), self._cookie), self._keys.session):
            await _answer(
                guarded, 403, "Open the link that `premortem studio` printed; it works once."
            )
        elif method not in SAFE and (problem := self._problem(headers)):
            await _answer(guarded, 403, problem)
        else:
            await self._app(scope, receive, guarded)

    async def _enter(self, scope: Scope, send: Send) -> None:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if not self._keys.take_link(given):
            await _answer(
                send, 403, "This link was used already, or is none: start `premortem studio` again."
            )
            return
        # A redirect would carry the cookie only where the link was not opened from a page.
        await _answer(
            send,
            200,
            "Welcome.",
            cookie=f"{self._cookie}={self._keys.session}; HttpOnly; SameSite=Strict; Path=/",
            go="/",
        )

    def _problem(self, headers: Mapping[str, str]) -> str:
        origin = headers.get("origin", "")
        if origin not in [f"http://{host}" for host in self._hosts]:
            return "This request comes from another page."
        if not _same(headers.get(CSRF_HEADER, ""), self._keys.csrf):
            return "This page is of an earlier Studio: load it again."
        return ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _harden(message: HTTPResponseStartEvent) -> None:
    named = {name.encode(): value.encode() for name, value in HEADERS.items()}
    kept = [(name, value) for name, value in message["headers"] if name.lower() not in named]
    message["headers"] = [*kept, *named.items()]


async def _answer(send: Send, status: int, text: str, *, cookie: str = "", go: str = "") -> None:
    moved = f'<meta http-equiv="refresh" content="0; url={go}">' if go else ""
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Premortem Studio'
        f'</title>{moved}<link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
        f'<link rel="stylesheet" href="/static/studio.css"></head>'
        f"<body><main><h1>Premortem Studio</h1><p>{text}</p></main></body></html>"
    ).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    headers.append((b"content-length", str(len(page)).encode()))
    if cookie:
        headers.append((b"set-cookie", cookie.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": page, "more_body": False})
