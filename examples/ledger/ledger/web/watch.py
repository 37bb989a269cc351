"""What is told of every request: a JSON line, a span, and the trace it belongs to."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger import clock
from ledger.books.records import Actor
from ledger.web.traces import Tracing

NOW_HEADER = b"x-test-now"


class Journal:
    """JSON lines, one per request: to stderr, into a file, or nowhere."""

    def __init__(self, destination: str) -> None:
        """`destination`: `stderr`, a file's name, or nothing. Raises OSError."""
        self._file: IO[str] | None = None
        if destination == "stderr":
            self._file = sys.stderr
        elif destination:
            self._file = Path(destination).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115

    @property
    def is_on(self) -> bool:
        """Whether anyone reads it."""
        return self._file is not None

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line."""
        if self._file is not None:
            print(json.dumps(line, ensure_ascii=False), file=self._file, flush=True)

    def close(self) -> None:
        """Close the file, if it is one."""
        if self._file is not None and self._file is not sys.stderr:
            self._file.close()


class Watch:
    """The outermost layer: it sees a request come in and its answer go out."""

    def __init__(
        self, app: ASGIApp, *, journal: Journal, tracing: Tracing, clock_can_be_set: bool
    ) -> None:
        self._app, self._journal, self._tracing = app, journal, tracing
        self._clock_can_be_set = clock_can_be_set

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; tell of it when it is done."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self._clock_can_be_set and NOW_HEADER in headers:
            _set_clock(headers[NOW_HEADER])
        started = time.perf_counter()
        trail = self._tracing.begin(headers.get(b"traceparent", b"").decode("latin-1"))
        scope["ledger.trace_parent"] = trail.trace_parent
        status = 500

        async def passing(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"traceresponse", trail.trace_parent.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, passing)
        finally:
            told = _told(scope, status)
            name = f"{scope['method']} {told.pop('http.route')}"
            trail.end(name, told, failed=status >= 500)
            if self._journal.is_on:
                self._journal.write(
                    {
                        "time": clock.now().isoformat().replace("+00:00", "Z"),
                        "level": _level(status),
                        "method": scope["method"],
                        "path": scope["path"],
                        "route": name.partition(" ")[2],
                        "status": status,
                        "duration_ms": round((time.perf_counter() - started) * 1000, 3),
                        "trace_id": trail.trace_id,
                        "role": told.get("ledger.role"),
                        "edition": told.get("ledger.edition"),
                        "error": told.get("error.type"),
                    }
                )


def _told(scope: Scope, status: int) -> dict[str, Any]:
    """Attributes by the semantic conventions of OpenTelemetry, and our own."""
    actor: Actor | None = scope.get("ledger.actor")
    route = getattr(scope.get("route"), "path", "")
    told: dict[str, Any] = {
        "http.route": route,
        "http.request.method": scope["method"],
        "http.response.status_code": status,
        "url.path": scope["path"],
    }
    if actor is not None:
        told |= {"ledger.role": str(actor.role), "ledger.edition": str(actor.edition)}
    error = scope.get("ledger.error") or ("InternalServerError" if status >= 500 else None)
    if error:
        told["error.type"] = str(error)
    return told


def _level(status: int) -> str:
    if status >= 500:
        return "error"
    return "warning" if status >= 400 else "info"


def _set_clock(text: bytes) -> None:
    try:
        clock.set_for_this_request(text.decode("latin-1"))
    except (ValueError, OverflowError):
        return
