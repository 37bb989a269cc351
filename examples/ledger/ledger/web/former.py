"""The addresses of a former version, while API9 is on; a correct ledger has none."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from ledger.defects import Defects

PREFIX = "/v1/"
"""No document names it."""


class Former:
    """Lets `/v1/invoices` be what `/invoices` is: somebody forgot to switch it off."""

    def __init__(self, app: ASGIApp, *, defects: Defects) -> None:
        self._app, self._defects = app, defects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes, under its address of today."""
        if self._defects.on("API9") and scope.get("path", "").startswith(PREFIX):
            scope["path"] = scope["path"].removeprefix("/v1")
        await self._app(scope, receive, send)
