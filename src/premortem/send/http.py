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
from time import perf_counter
from types import TracebackType
from typing import Literal

from premortem.config import TargetConfig, resolve
from premortem.domain.run import Fault
from premortem.domain.traffic import Response
from premortem.send.connect import basic, open_connection, tls_context
from premortem.send.head import Writer
from premortem.send.origin import address
from premortem.send.transport import WAITING_MAX, Done, Transport
from premortem.send.wire import Connection, Heads

IDLE_TRUST_S = 0.01
"""A connection idle for longer is asked whether it is still open before it is used again."""
IDLE_S_MAX = 1.0
"""A connection idle for longer is not used again: servers close theirs after 2 to 5 s, and a
request that crosses the closing has an unknown outcome."""
SWEEP_S_MAX = 0.1
"""Overdue answers are looked for this often: a timer per request would cost more than it."""
TOGETHER_MAX = 16
"""Requests begun within one turn of the loop are written together, so many at most: a server that
waits is woken up by the first of them, not by each; and none waits for a whole turn."""
ALONE_S = 0.00005
"""Unless nothing was written for so long: then a request goes out at once."""
_Unsent = Literal["connect", "tls", "timeout", "reset"]


class Sender(Transport):
    """Sends to `target.base_url` in HTTP/1.1.

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
        # Requests are timed in ticks; one fixed difference makes seconds since the epoch of them.
        self._base = base = (now or time.time)() - perf_counter()
        self.now: Callable[[], float] = lambda: base + perf_counter()
        self.address = address(target.base_url, key="`base_url` under [target]")
        """Of the target."""
        proxy_url = resolve(target.proxy)
        self._proxy = (
            address(proxy_url, key="`proxy` under [target]", user=True) if proxy_url else None
        )
        secure = self.address.scheme == "https"
        self._tls = tls_context(directory / target.ca if target.ca else None) if secure else None
        proxy_form = self._proxy is not None and not secure
        user = self._proxy.user if self._proxy is not None and proxy_form else ""
        self._writer = Writer(
            self.address, proxy_form=proxy_form, proxy_credentials=basic(user) if user else ""
        )
        self._body_bytes_max = target.response_bytes_max
        self._connections_max = connections_max
        self._timeout_s = timeout_s
        self._idle: list[Connection] = []
        """Never holds one while requests wait."""
        self._all: set[Connection] = set()
        self._heads: Heads = {}
        self._fresh: list[tuple[bytes, Done, bool, bool, float]] = []
        """Begun in this turn of the loop and not yet written, a free connection for each: bytes,
        done, head, idempotent, seconds that the answer may take."""
        self._wrote_at = 0.0
        """Ticks."""
        self._turning = False
        """What is begun will be written at the end of this turn."""
        self._waiting: deque[_Order] = deque()
        self._openers: dict[asyncio.Task[None], _Order | None] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self.connections_opened = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection: the backlog."""
        return len(self._waiting)

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
        """Close all connections; what is under way ends with a fault `reset`."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for opener in tuple(self._openers):
            opener.cancel()
        for connection in tuple(self._all):
            if connection.done is not None:
                connection.give_up()
            connection.abort()
        fresh, self._fresh = self._fresh, []
        self._waiting.extendleft(_Order(*one, perf_counter()) for one in reversed(fresh))
        while self._waiting:
            self._refuse(self._waiting.popleft(), "reset", "the sender was closed")
        await asyncio.sleep(0)  # let the transports close

    def begin(
        self,
        data: bytes,
        done: Done,
        *,
        head: bool = False,
        idempotent: bool = False,
        timeout_s: float | None = None,
    ) -> None:
        """See `Transport.begin`; what is begun in one turn of the loop is written at its end."""
        limit_s = timeout_s or self._timeout_s
        fresh = self._fresh
        if len(fresh) < len(self._idle):
            fresh.append((data, done, head, idempotent, limit_s))
            if perf_counter() - self._wrote_at > ALONE_S and len(fresh) == 1:
                self._write()
            elif not self._turning:
                self._turning = True
                self._loop.call_soon(self._turned)
            elif len(fresh) >= TOGETHER_MAX:
                self._write()
        else:
            self._later(_Order(data, done, head, idempotent, limit_s, perf_counter()))

    def _turned(self) -> None:
        """A turn of the loop is over."""
        self._turning = False
        self._write()

    def _write(self) -> None:
        """Write what was begun."""
        fresh, self._fresh = self._fresh, []
        idle = self._idle
        for data, done, head, idempotent, limit_s in fresh:
            began = perf_counter()
            while idle:
                connection = idle.pop()
                if connection.closed or (
                    began - connection.idle_since > IDLE_TRUST_S and not self._trusted(connection)
                ):
                    self._all.discard(connection)
                    connection.abort()
                    continue
                connection.exchange(data, done, head, idempotent, began, limit_s, began + limit_s)
                break
            else:
                self._later(_Order(data, done, head, idempotent, limit_s, began))
        while self._waiting and idle:  # something begun was given up
            self._take(idle.pop(), perf_counter())
        self._wrote_at = perf_counter()

    def _later(self, order: _Order) -> None:
        """ORDER waits for a connection."""
        if self._closed:
            self._loop.call_soon(self._refuse, order, "reset", "the sender was closed")
        elif len(self._waiting) >= WAITING_MAX:
            detail = f"{WAITING_MAX} requests wait for a connection already"
            self._loop.call_soon(self._refuse, order, "timeout", detail)
        else:
            self._waiting.append(order)
            self._open_more()

    def drop_idle(self) -> None:
        """Close the connections that carry nothing: the target was started anew."""
        for connection in self._idle:
            self._all.discard(connection)
            connection.abort()
        self._idle.clear()

    # What connections tell.

    def ended(self, connection: Connection, outcome: Response | Fault, keep: bool, /) -> None:
        """CONNECTION's request has its OUTCOME; KEEP: it can carry another one."""
        tick = perf_counter()
        done, began = connection.done, connection.began
        connection.done = None
        connection.answers += 1
        if keep:
            connection.idle_since = tick
            if self._waiting:
                self._take(connection, tick)
            else:
                self._idle.append(connection)
        else:
            self._all.discard(connection)
            # The server closed an idle connection while the request was on its way (RFC 9112,
            # 9.3.1): only then, and only where a second time does no harm, it is sent again.
            stale = connection.answers > 1 and connection.silent and connection.idempotent
            if stale and isinstance(outcome, Fault) and outcome.kind == "reset" and done:
                self._again(connection, done)
                return
            self._open_more()
        if done is not None:
            done(outcome, self._base + began, self._base + tick)

    def lost(self, connection: Connection) -> None:
        """The connection is closed."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_more()

    # Connections.

    def _trusted(self, connection: Connection) -> bool:
        """Whether a connection that was idle for a while can be used again."""
        idle_s = perf_counter() - connection.idle_since
        return idle_s < IDLE_S_MAX and connection.silent_peer()

    def _take(self, connection: Connection, tick: float) -> None:
        """Give a connection that carries nothing to the next request, or keep it."""
        while self._waiting:
            order = self._waiting.popleft()
            if tick < order.deadline:
                order.start(connection, tick)
                return
            self._overdue(order)
        self._idle.append(connection)

    def _open_more(self) -> None:
        """Open connections for those that wait, as far as there is room."""
        while self._waiting and not self._closed:
            opening = len(self._openers)
            if opening >= len(self._waiting):
                return
            if len(self._all) + opening >= self._connections_max:
                return
            self._open(None, self._waiting[-1].limit_s)

    def _again(self, connection: Connection, done: Done) -> None:
        """Send a stale CONNECTION's request on a fresh one: other kept ones may be stale, too."""
        limit_s = connection.limit_s
        order = _Order(
            connection.data,
            done,
            connection.head,
            connection.idempotent,
            limit_s,
            connection.deadline - limit_s,
        )
        if self._closed:
            self._refuse(order, "reset", "the sender was closed")
        else:
            self._open(order, max(0.0, order.deadline - perf_counter()))

    def _open(self, order: _Order | None, limit_s: float) -> None:
        opener = self._loop.create_task(self._opened(order, limit_s))
        self._openers[opener] = order
        opener.add_done_callback(self._opener_ended)

    def _opener_ended(self, opener: asyncio.Task[None]) -> None:
        order = self._openers.pop(opener)
        if opener.cancelled():
            if order is not None:
                self._refuse(order, "reset", "the sender was closed")
            return
        self._open_more()
        opener.result()  # a bug crashes

    async def _opened(self, order: _Order | None, limit_s: float) -> None:
        """Open a connection for ORDER, or for whoever waits by then."""
        connection = Connection(self, heads=self._heads, body_bytes_max=self._body_bytes_max)
        try:
            async with asyncio.timeout(limit_s):
                await open_connection(connection, self.address, tls=self._tls, proxy=self._proxy)
        except TimeoutError:
            if order is not None:
                self._overdue(order)
            return  # those that wait have deadlines of their own
        except ssl.SSLError as error:
            self._not_opened(order, "tls", _tls_reason(error))
            return
        except OSError as error:
            detail = f"{self.address.origin}: {error.strerror or error}"
            self._not_opened(order, "connect", detail)
            return
        self.connections_opened += 1
        self._all.add(connection)
        tick = perf_counter()
        connection.idle_since = tick
        if order is not None:
            order.start(connection, tick)
        else:
            self._take(connection, tick)

    def _not_opened(self, order: _Order | None, kind: _Unsent, detail: str) -> None:
        if order is None and self._waiting:
            order = self._waiting.popleft()
        if order is not None:
            self._refuse(order, kind, detail)

    # Ends without an answer.

    def _refuse(self, order: _Order, kind: _Unsent, detail: str) -> None:
        """End ORDER, of which nothing was sent."""
        now = self.now()
        order.done(Fault(kind=kind, detail=detail, sent=False), now, now)

    def _overdue(self, order: _Order) -> None:
        self._refuse(order, "timeout", f"no connection became free within {order.limit_s:g} s")

    def _abandon(self, done: Done) -> None:
        """Nobody waits for DONE any more."""
        for connection in tuple(self._all):
            if connection.done is done:
                self._all.discard(connection)
                connection.abort()
        self._fresh = [one for one in self._fresh if one[1] is not done]
        self._waiting = deque(order for order in self._waiting if order.done is not done)
        for again in self._openers.values():
            if again is not None and again.done is done:
                again.done = _unheard

    def _expire(self) -> None:
        tick = perf_counter()
        for connection in tuple(self._all):
            if connection.done is not None and tick >= connection.deadline:
                connection.expire()
        if self._waiting:
            overdue = [order for order in self._waiting if tick >= order.deadline]
            if overdue:
                self._waiting = deque(o for o in self._waiting if tick < o.deadline)
            for order in overdue:
                self._overdue(order)
        self._sweep = self._loop.call_later(self._sweep_s, self._expire)


class _Order:
    """A request that waits for a connection."""

    __slots__ = ("data", "deadline", "done", "head", "idempotent", "limit_s")

    def __init__(
        self,
        data: bytes,
        done: Done,
        head: bool,
        idempotent: bool,
        limit_s: float,
        since: float,
    ) -> None:
        self.data = data
        self.done = done
        self.head = head
        self.idempotent = idempotent
        self.deadline = since + limit_s
        self.limit_s = limit_s

    def start(self, connection: Connection, tick: float) -> None:
        """Send it on CONNECTION, which carries nothing."""
        connection.exchange(
            self.data,
            self.done,
            self.head,
            self.idempotent,
            tick,
            self.limit_s,
            self.deadline,
        )


def _unheard(outcome: Response | Fault, began: float, ended: float) -> None:
    """Stands for whoever gave up waiting."""


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message}; name its authority as "
            f"`ca` under [target]"
        )
    return f"TLS failed: {error.reason or error}"
