"""The Studio as a server on this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response
from litestar.config.compression import CompressionConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp
from msgspec import Struct

from premortem.config import Config
from premortem.errors import ConfigError, PremortemError
from premortem.store import Store
from premortem.studio.boards import BOARDS
from premortem.studio.desk import Desk
from premortem.studio.door import ENTRANCE, Door
from premortem.studio.handlers import HANDLERS
from premortem.studio.pages import FRONT_END, HERE, Studio

STATIC = HERE / "static"
HOST = "127.0.0.1"
"""Loopback, and nothing else: the Studio shows what production sent."""
BODY_BYTES_MAX = 256 * 1024
CLOSING_S_MAX = 2
"""For answers that are on their way; streams never end by themselves."""


class Opened(Struct, frozen=True, kw_only=True):
    """The Studio answers."""

    link: str
    """Works once."""
    address: str


def serve(
    *,
    config: Config,
    store: Store,
    open_store: Callable[[], AbstractContextManager[Store]],
    by: str,
    port: int = 0,
    opened: Callable[[Opened], object],
    clock: Callable[[], float] = time.time,
) -> None:
    """Answer on loopback until Ctrl-C; PORT 0: any that is free. OPENED is told the link.

    STORE is what pages are made from; OPEN_STORE opens it once more, for what runs beside them.
    Raises ConfigError when the port is taken or the front end's files are missing.
    """
    _require_front_end()
    with _listening(port) as listener:
        port = listener.getsockname()[1]
        desk = Desk(config=config, open_store=open_store, clock=clock)
        studio = Studio(config=config, store=store, desk=desk, by=by, clock=clock)
        settings = uvicorn.Config(
            application(studio, port=port),
            log_level="error",
            timeout_graceful_shutdown=CLOSING_S_MAX,
            server_header=False,
        )
        server = _Server(settings, leaving=desk.dismiss)
        try:
            address = f"http://{HOST}:{port}"
            opened(Opened(link=f"{address}{ENTRANCE}?token={studio.keys.link}", address=address))
            server.run(sockets=[listener])
        finally:
            desk.close()


class _Server(uvicorn.Server):
    """Says so when it is told to end: open streams would be waited for, and then cut off."""

    def __init__(self, config: uvicorn.Config, *, leaving: Callable[[], None]) -> None:
        super().__init__(config)
        self._leaving = leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._leaving()
        super().handle_exit(sig, frame)


def application(studio: Studio, *, port: int) -> ASGIApp:
    """STUDIO as an ASGI application that believes to listen on PORT."""
    app = Litestar(
        route_handlers=[*HANDLERS, *BOARDS, create_static_files_router("/static", [STATIC])],
        dependencies={"studio": Provide(lambda: studio, sync_to_thread=False)},
        exception_handlers={PremortemError: _refused, HTTPException: _failed},
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=None,
        logging_config=None,
        compression_config=CompressionConfig(backend="gzip", exclude=["/events"]),
    )
    app.state.studio = studio
    return Door(app, keys=studio.keys, port=port)


def _refused(request: Request[Any, Any, Any], error: PremortemError) -> Response[str]:
    return _problem(request, 409, str(error))


def _failed(request: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    return _problem(request, error.status_code, error.detail)


def _problem(request: Request[Any, Any, Any], status: int, problem: str) -> Response[str]:
    studio: Studio = request.app.state.studio
    return studio.page("problem.html", at="", status=status, problem=problem)


def _require_front_end() -> None:
    missing = [name for name in FRONT_END if not (HERE / "static" / "vendor" / name).is_file()]
    if missing:
        raise ConfigError(
            f"the Studio's front end is not there ({', '.join(missing)}); in a checkout run "
            f"`make front-end`, else install Premortem from a wheel"
        )


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"port {port} of {HOST} cannot be used ({error.strerror}); name another with --port"
        ) from None
    return listener
