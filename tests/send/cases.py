"""Short ways to write requests and cases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from premortem.config import TargetConfig
from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Origin, Sent
from premortem.domain.traffic import Request
from premortem.send.http import Sender
from premortem.send.line import new_loop

JSON = (("content-type", "application/json"),)


def get(path: str = "/", **changes: Any) -> Request:
    return Request(**({"method": "GET", "origin": "", "path": path} | changes))


def post(path: str = "/", body: bytes = b"{}", **changes: Any) -> Request:
    return get(path, **({"method": "POST", "body": body, "headers": JSON} | changes))


def case(request: Request, *bindings: Binding, **changes: Any) -> Case:
    fields = {
        "request": request,
        "operation_id": f"{request.method} {request.path}",
        "origin": Origin(source="replay"),
        "bindings": bindings,
    }
    return Case(**(fields | changes))


def binding(select: str, place: str, recorded: str, *, step: int = 0) -> Binding:
    def parse(text: str) -> Place:
        part, _, name = text.partition(":")
        return Place(part=part, name=name)  # type: ignore[arg-type]

    return Binding(step=step, select=parse(select), place=parse(place), recorded=recorded)


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    """WORK on the loop that the product uses."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work())  # type: ignore[arg-type]


def sends(url: str, *requests: Request, timeout_s: float = 5.0, **target: Any) -> list[Sent]:
    """REQUESTS sent one after the other by one sender."""

    async def work() -> list[Sent]:
        config = TargetConfig(base_url=url, **target)
        async with Sender(config, timeout_s=timeout_s) as sender:
            return [await sender.send(request) for request in requests]

    return run(work)


def send(url: str, request: Request, **options: Any) -> Sent:
    return sends(url, request, **options)[0]
