"""One line in a service records its traffic: `app = premortem.record(app)`, WSGI or ASGI.

What passes is never changed, delayed or buffered: bodies are copied up to a limit while they
stream, and a thread of its own filters, redacts and spools. Nothing here raises into the app.

Sources: PEP 3333 (WSGI), ASGI 3.0, HTTP & WebSocket protocol.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from premortem.capture.behind import Behind
from premortem.capture.observed import Copy, Observed
from premortem.config import Config

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_PATH_SAFE = "/:@!$&'()*+,;=-._~%"


def record(
    app: Any,
    *,
    directory: str | Path | None = None,
    sample: float | None = None,
    key: bytes | None = None,
    config: Config | None = None,
    kind: Literal["", "asgi", "wsgi"] = "",
    environment: Mapping[str, str] = os.environ,
) -> Any:
    """APP with its traffic recorded, redacted, into a spool that `premortem spool take` reads.

    DIRECTORY of the spool and SAMPLE, the share of clients within [0, 1], default to `[capture]`
    of the premortem.toml here or in a folder above, or CONFIG. KEY: 32 bytes; default: what the
    environment's PREMORTEM_SPOOL_KEY says (`premortem spool key` prints it), else the key of the
    configured store. KIND: told by APP itself, unless it hides what it is.
    Raises ConfigError for a sample that is no share, or a premortem.toml that cannot be read.
    """
    behind = Behind(
        directory=Path(directory) if directory is not None else None,
        sample=sample,
        key=key,
        config=config,
        environment=environment,
    )
    if (kind or _kind(app)) == "asgi":
        return AsgiRecorder(app, behind)
    return WsgiRecorder(app, behind)


def _kind(app: Any) -> str:
    call = getattr(app, "__call__", None)  # noqa: B004 - a coroutine function is asked for
    asynchronous = inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call)
    return "asgi" if asynchronous else "wsgi"


class _Wrapped:
    """An app in another's place: what it has besides being called stays reachable."""

    def __init__(self, app: Any, behind: Behind) -> None:
        self.app = app
        self.recording = behind

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)


class _Seen:
    """What is known of one exchange while it is under way."""

    def __init__(self, behind: Behind) -> None:
        self.behind = behind
        self.started_at = time.time()
        self.began = time.perf_counter()
        self.request = Copy(behind.copies)
        self.response = Copy(behind.copies)
        self.request_whole = False
        self.status = 0
        self.head = b""
        self.done = False

    def end(self, **parts: Any) -> None:
        """Hand it over; PARTS are the request's."""
        if self.done:
            return
        self.done = True
        if self.status:
            self.behind.offer(
                Observed(
                    **parts,
                    request_body=self.request.content if self.request_whole else None,
                    status=self.status,
                    response_head=self.head,
                    response_body=self.response.content,
                    started_at=self.started_at,
                    duration_ms=(time.perf_counter() - self.began) * 1000,
                )
            )
        self.request.drop()
        self.response.drop()


def _block(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in pairs)


class AsgiRecorder(_Wrapped):
    """An ASGI 3 app that is recorded; WebSockets pass as they are."""

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve SCOPE."""
        seen = None
        if scope.get("type") == "http":
            with suppress(Exception):
                seen = self._begin(scope)
        elif scope.get("type") == "lifespan":
            await self.app(scope, receive, self._until_shutdown(send))
            return
        if seen is None:
            await self.app(scope, receive, send)
            return
        watched = seen

        async def receiving() -> MutableMapping[str, Any]:
            message = await receive()
            if message.get("type") == "http.request":
                with suppress(Exception):
                    watched.request.add(message.get("body", b""))
                    watched.request_whole = not message.get("more_body", False)
            return message

        async def sending(message: MutableMapping[str, Any]) -> None:
            await send(message)
            with suppress(Exception):
                self._sent(scope, watched, message)

        try:
            await self.app(scope, receiving, sending)
        except Exception:
            with suppress(Exception):
                if not seen.status:
                    # Servers answer so what the app leaves to them.
                    seen.status = 500
                    self._end(scope, seen)
            raise
        finally:
            with suppress(Exception):
                seen.status = 0  # a response that did not end is none
                seen.end()

    def _until_shutdown(self, send: _Send) -> _Send:
        """Servers may end their processes by a signal once the app has shut down."""

        async def sending(message: MutableMapping[str, Any]) -> None:
            if str(message.get("type", "")).startswith("lifespan.shutdown"):
                with suppress(Exception):
                    self.recording.close()
            await send(message)

        return sending

    def _begin(self, scope: _Scope) -> _Seen | None:
        headers = dict(scope["headers"])
        client = scope.get("client") or ("",)
        who = headers.get(b"authorization") or headers.get(b"cookie")
        if not self.recording.wants(who or str(client[0]).encode()):
            return None
        seen = _Seen(self.recording)
        # An app need not read a body that is not there.
        framed = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        seen.request_whole = not framed
        return seen

    def _sent(self, scope: _Scope, seen: _Seen, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            seen.status = message["status"]
            seen.head = _block(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            seen.response.add(message.get("body", b""))
            if not message.get("more_body", False):
                self._end(scope, seen)

    def _end(self, scope: _Scope, seen: _Seen) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if not host:
            name, port = (scope.get("server") or ("localhost", None))[:2]
            host = f"{name}:{port}" if port else name
        raw = scope.get("raw_path") or quote(scope["path"], safe=_PATH_SAFE).encode()
        query = scope.get("query_string", b"")
        client = scope.get("client") or ("",)
        seen.end(
            origin=f"{scope.get('scheme', 'http')}://{host}".lower(),
            method=scope["method"],
            target=(raw.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1"),
            request_head=_block(scope["headers"]),
            client=str(client[0]),
        )


class WsgiRecorder(_Wrapped):
    """A WSGI app that is recorded."""

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve ENVIRON."""
        seen = None
        with suppress(Exception):
            seen = self._begin(environ)
        if seen is None:
            return self.app(environ, start_response)  # type: ignore[no-any-return]
        watched = seen

        def starting(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            write = start_response(status, headers, *rest)
            with suppress(Exception):
                watched.status = int(status.split(" ", 1)[0])
                watched.head = _block(
                    (k.encode("latin-1"), v.encode("latin-1")) for k, v in headers
                )

            def writing(data: bytes) -> Any:
                with suppress(Exception):
                    watched.response.add(data)
                return write(data)

            return writing

        watch = _Input(environ.get("wsgi.input"), seen)
        try:
            answer = self.app({**environ, "wsgi.input": watch}, starting)
        except Exception:
            with suppress(Exception):
                seen.status = seen.status or 500
                _end_wsgi(environ, seen)
            raise
        return _Answer(answer, environ, seen)

    def _begin(self, environ: dict[str, Any]) -> _Seen | None:
        who = environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_COOKIE")
        who = who or environ.get("REMOTE_ADDR", "")
        if not self.recording.wants(who.encode("latin-1", "replace")):
            return None
        return _Seen(self.recording)


class _Input:
    """`wsgi.input`, copied as it is read."""

    def __init__(self, stream: Any, seen: _Seen) -> None:
        self._stream, self._seen = stream, seen

    def _noted(self, data: bytes) -> bytes:
        with suppress(Exception):
            self._seen.request.add(data)
        return data

    def read(self, *size: Any) -> bytes:
        return self._noted(self._stream.read(*size))

    def readline(self, *size: Any) -> bytes:
        return self._noted(self._stream.readline(*size))

    def readlines(self, *hint: Any) -> list[bytes]:
        return [self._noted(line) for line in self._stream.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self._noted, self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Answer:
    """The app's iterable, copied as it is sent."""

    def __init__(self, answer: Iterable[bytes], environ: dict[str, Any], seen: _Seen) -> None:
        self._answer, self._environ, self._seen = answer, environ, seen

    def __iter__(self) -> Iterator[bytes]:
        for data in self._answer:
            with suppress(Exception):
                self._seen.response.add(data)
            yield data
        with suppress(Exception):
            _end_wsgi(self._environ, self._seen)

    def close(self) -> None:
        try:
            if hasattr(self._answer, "close"):
                self._answer.close()
        finally:
            self._seen.status = 0  # a response that did not end is none
            self._seen.end()


def _end_wsgi(environ: dict[str, Any], seen: _Seen) -> None:
    length = environ.get("CONTENT_LENGTH") or "0"
    read = seen.request.size
    chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
    seen.request_whole = chunked or (length.isdigit() and read == int(length))
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    target = quote(path.encode("latin-1"), safe=_PATH_SAFE) or "/"
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if raw.startswith("/"):
        target = raw
    elif environ.get("QUERY_STRING"):
        target += "?" + environ["QUERY_STRING"]
    seen.end(
        origin=f"{environ.get('wsgi.url_scheme', 'http')}://{host}".lower(),
        method=environ["REQUEST_METHOD"],
        target=target,
        request_head=_block(_headers(environ)),
        client=environ.get("REMOTE_ADDR", ""),
    )


def _headers(environ: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    for name, value in environ.items():
        if name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            yield name.lower().replace("_", "-").encode(), value.encode("latin-1")
        elif name.startswith("HTTP_"):
            yield name[5:].lower().replace("_", "-").encode(), value.encode("latin-1")
