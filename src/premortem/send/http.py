"""The sender: one request out, one answer or fault back, over kept connections to one target.

`request.path` is absolute. The path prefix of `base_url` is put before it unless the path
already starts with it: traffic captured from the target itself, or from another service behind
the same prefix, holds it; traffic captured without it does not.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from premortem.config import TargetConfig, resolve
from premortem.domain.run import IDEMPOTENT_METHODS, Fault, Sent
from premortem.domain.traffic import Pairs, Request, Response
from premortem.send.connect import basic, open_connection, tls_context
from premortem.send.head import Unwritable, Writer
from premortem.send.origin import address
from premortem.send.wire import Connection

IDLE_TRUST_S = 0.01
"""A connection idle for longer is asked whether it is still open before it is used again."""
IDLE_S_MAX = 1.0
"""A connection idle for longer is not used again: servers close theirs after 2 to 5 s, and a
request that crosses the closing has an unknown outcome."""
SWEEP_S_MAX = 0.1
"""Overdue answers are looked for this often: a timer per request would cost more than it."""


def steady(clock: Callable[[], float] = time.time) -> Callable[[], float]:
    """Seconds since the epoch that never jump: CLOCK is read once, now."""
    base = clock() - time.perf_counter()
    return lambda: base + time.perf_counter()


class Sender:
    """Sends to `target.base_url` and nowhere else; an async context manager.

    At most CONNECTIONS_MAX connections, answers within TIMEOUT_S of the call. NOW gives seconds
    since the epoch. Relative paths in TARGET are relative to DIRECTORY. Raises ConfigError for a
    base URL, proxy or `ca` that cannot be used.
    """

    def __init__(
        self,
        target: TargetConfig,
        *,
        connections_max: int = 64,
        timeout_s: float = 10.0,
        directory: Path = Path(),
        now: Callable[[], float] | None = None,
    ) -> None:
        self.now = now or steady()
        self._address = address(target.base_url, key="`base_url` under [target]")
        proxy_url = resolve(target.proxy)
        self._proxy = (
            address(proxy_url, key="`proxy` under [target]", user=True) if proxy_url else None
        )
        secure = self._address.scheme == "https"
        self._tls = tls_context(directory / target.ca if target.ca else None) if secure else None
        proxy_form = self._proxy is not None and not secure
        user = self._proxy.user if self._proxy is not None and proxy_form else ""
        self._writer = Writer(
            self._address, proxy_form=proxy_form, proxy_credentials=basic(user) if user else ""
        )
        self._body_bytes_max = target.response_bytes_max
        self._connections_max = connections_max
        self._timeout_s = timeout_s
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self.connections_opened = 0

    @property
    def origin(self) -> str:
        """The target's `scheme://host[:port]`."""
        return self._address.origin

    async def __aenter__(self) -> Sender:
        """Start looking for overdue answers."""
        self._loop = asyncio.get_running_loop()
        self._sweep_s = min(SWEEP_S_MAX, self._timeout_s / 10)
        self._sweep = self._loop.call_later(self._sweep_s, self._expire)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in tuple(self._all):
            connection.abort()
        await asyncio.sleep(0)  # let the transports close

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
        called = self._loop.time()
        limit_s = timeout_s or self._timeout_s
        outcome: Response | Fault
        try:
            data = self._writer.write(request, credentials)
        except Unwritable as error:
            fault = Fault(kind="garbage", detail=f"it cannot be written: {error}", sent=False)
            return self._sent(request, fault, intended_at, self.now())
        deadline = called + limit_s
        for attempt in (0, 1):
            connection = self._kept(called) if attempt == 0 else None
            if connection is None:
                opened = await self._opened(deadline, limit_s)
                if isinstance(opened, Fault):
                    return self._sent(request, opened, intended_at, self.now())
                connection = opened
            began = self.now()
            used = connection.answers > 0
            try:
                outcome = await connection.exchange(
                    data,
                    method_is_head=request.method == "HEAD",
                    deadline=deadline,
                    limit_s=limit_s,
                )
            except asyncio.CancelledError:
                connection.abort()
                raise
            if isinstance(outcome, Response):
                break
            # The server closed an idle connection while the request was on its way (RFC 9112,
            # 9.3.1): only then, and only where a second time does no harm, it is sent again.
            stale = used and connection.silent and outcome.kind == "reset"
            if not stale or request.method not in IDEMPOTENT_METHODS:
                break
        return self._sent(request, outcome, intended_at, began)

    def drop_idle(self) -> None:
        """Close the connections that carry nothing: the target was started anew."""
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _sent(
        self, request: Request, outcome: Response | Fault, intended_at: float, began: float
    ) -> Sent:
        answered = isinstance(outcome, Response)
        return Sent(
            request=request,
            response=outcome if answered else None,  # type: ignore[arg-type]
            fault=None if answered else outcome,  # type: ignore[arg-type]
            intended_at=intended_at or began,
            lag_ms=(began - intended_at) * 1000 if intended_at else 0.0,
            duration_ms=(self.now() - began) * 1000,
        )

    # Connections.

    def _kept(self, now: float) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            idle_s = now - connection.idle_since
            usable = not connection.closed and idle_s < IDLE_S_MAX
            if usable and (idle_s < IDLE_TRUST_S or connection.silent_peer()):
                return connection
            connection.abort()
        return None

    async def _opened(self, deadline: float, limit_s: float) -> Connection | Fault:
        """A new connection, or one that became free while waiting for room to open one."""
        while len(self._all) + self._opening >= self._connections_max:
            room = self._loop.create_future()
            self._waiting.append(room)
            try:
                await asyncio.wait_for(room, max(0.0, deadline - self._loop.time()))
            except TimeoutError:
                detail = f"no connection became free within {limit_s:g} s"
                return Fault(kind="timeout", detail=detail, sent=False)
            except asyncio.CancelledError:
                self._wake()  # the room it may have been given is another's now
                raise
            if (connection := self._kept(self._loop.time())) is not None:
                return connection
        connection = Connection(self, body_bytes_max=self._body_bytes_max)
        self._opening += 1
        try:
            async with asyncio.timeout(max(0.0, deadline - self._loop.time())):
                await open_connection(connection, self._address, tls=self._tls, proxy=self._proxy)
        except TimeoutError:
            detail = f"no connection within {limit_s:g} s"
            return Fault(kind="timeout", detail=detail, sent=False)
        except ssl.SSLError as error:
            return Fault(kind="tls", detail=_tls_reason(error), sent=False)
        except OSError as error:
            detail = f"{self._address.origin}: {error.strerror or error}"
            return Fault(kind="connect", detail=detail, sent=False)
        finally:
            self._opening -= 1
            self._wake()
        self.connections_opened += 1
        self._all.add(connection)
        return connection

    def free(self, connection: Connection) -> None:
        """The connection's answer is complete: it can carry another request."""
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        self._wake()

    def lost(self, connection: Connection) -> None:
        """The connection is closed."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            room = self._waiting.popleft()
            if not room.done():
                room.set_result(None)
                return

    def _expire(self) -> None:
        now = self._loop.time()
        for connection in tuple(self._all):
            if connection.busy and now >= connection.deadline:
                connection.expire()
        self._sweep = self._loop.call_later(self._sweep_s, self._expire)


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message}; name its authority as "
            f"`ca` under [target]"
        )
    return f"TLS failed: {error.reason or error}"
