"""What sends: requests out, answers or faults back, over connections to one target.

Two do it: `http.Sender` speaks HTTP/1.1, `curl.CurlSender` HTTP/2. `new_sender` chooses.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from premortem.domain.run import IDEMPOTENT_METHODS, Fault, Sent
from premortem.domain.traffic import Pairs, Request, Response
from premortem.send.head import Form, Unwritable, Writer
from premortem.send.origin import Address
from premortem.send.patience import Patience

WAITING_MAX = 100_000
"""Requests that wait for a connection; what comes beyond them is a fault at once."""

Done = Callable[[Response | Fault, float, float], None]
"""Outcome, when the request went out and when its answer was whole; seconds on `Transport.now`."""


class Transport(ABC):
    """Sends to one target and nowhere else; an async context manager."""

    now: Callable[[], float]
    """Seconds since the epoch, by a clock that never jumps."""
    address: Address
    """Of the target."""
    connections_opened: int
    patience: Patience | None = None
    """Waits, and `send` sends again, where the target refuses a request for the rate."""
    _writer: Writer
    _loop: asyncio.AbstractEventLoop

    @property
    def origin(self) -> str:
        """The target's `scheme://host[:port]`."""
        return self.address.origin

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Requests that wait for a connection: the backlog."""

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Begin."""

    @abstractmethod
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections; what is under way ends with a fault `reset`."""

    def prepare(self, request: Request, credentials: Pairs = ()) -> bytes:
        """REQUEST with CREDENTIALS as the bytes that `begin` takes; any number of times.

        Raises Unwritable for what is no HTTP, TargetError for another origin than the target's.
        """
        return self._writer.write(request, credentials)

    def form(self, like: Request) -> Form:
        """What makes such bytes of requests that differ from LIKE in path, query and body alone.

        Raises Unwritable and TargetError where `prepare` would for all of them.
        """
        return Form(self._writer, like)

    @abstractmethod
    def begin(
        self,
        data: bytes,
        done: Done,
        *,
        head: bool = False,
        idempotent: bool = False,
        timeout_s: float | None = None,
    ) -> None:
        """Send DATA, which `prepare` made; DONE is called once, later, with what came of it.

        HEAD: its method is HEAD. IDEMPOTENT: it may be sent twice, should a kept connection turn
        out to be closed. Answers within TIMEOUT_S of the call, as the sender's own if None. DONE
        must not raise; it may begin further requests.
        """

    async def send(
        self,
        request: Request,
        *,
        intended_at: float = 0.0,
        credentials: Pairs = (),
        timeout_s: float | None = None,
    ) -> Sent:
        """REQUEST sent with CREDENTIALS added; a fault of the network is in what comes back.

        INTENDED_AT: seconds since the epoch at which it should have gone out; 0: now.
        `Sent.request` is REQUEST itself, without the credentials.
        Raises TargetError when REQUEST names another origin than the target's.
        """
        tries = 1
        sent = await self._send(request, intended_at, credentials, timeout_s)
        while self.patience is not None and await self.patience.over(
            sent.response, tries=tries, now=self.now()
        ):
            tries += 1
            sent = await self._send(request, intended_at, credentials, timeout_s)
        return sent

    async def _send(
        self, request: Request, intended_at: float, credentials: Pairs, timeout_s: float | None
    ) -> Sent:
        try:
            data = self._writer.write(request, credentials)
        except Unwritable as error:
            fault = Fault(kind="garbage", detail=f"it cannot be written: {error}", sent=False)
            now = self.now()
            return _sent(request, fault, intended_at, now, now)
        waiter: asyncio.Future[tuple[Response | Fault, float, float]] = self._loop.create_future()

        def done(outcome: Response | Fault, began: float, ended: float) -> None:
            if not waiter.done():
                waiter.set_result((outcome, began, ended))

        self.begin(
            data,
            done,
            head=request.method == "HEAD",
            idempotent=request.method in IDEMPOTENT_METHODS,
            timeout_s=timeout_s,
        )
        try:
            outcome, began, ended = await waiter
        except asyncio.CancelledError:
            self._abandon(done)
            raise
        return _sent(request, outcome, intended_at, began, ended)

    @abstractmethod
    def drop_idle(self) -> None:
        """Close the connections that carry nothing: the target was started anew."""

    @abstractmethod
    def _abandon(self, done: Done) -> None:
        """Nobody waits for DONE any more."""


def _sent(
    request: Request, outcome: Response | Fault, intended_at: float, began: float, ended: float
) -> Sent:
    answered = isinstance(outcome, Response)
    return Sent(
        request=request,
        response=outcome if answered else None,  # type: ignore[arg-type]
        fault=None if answered else outcome,  # type: ignore[arg-type]
        intended_at=intended_at or began,
        lag_ms=(began - intended_at) * 1000 if intended_at else 0.0,
        duration_ms=(ended - began) * 1000,
    )
