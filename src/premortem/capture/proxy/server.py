"""The proxy: it listens, keeps connections to the service, watches the time, and counts."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from math import log2

from premortem.capture.observed import Copies
from premortem.capture.proxy.client import ClientSide
from premortem.capture.proxy.head import RequestHead
from premortem.capture.proxy.passage import Passage, perf
from premortem.capture.proxy.recording import Recording
from premortem.capture.proxy.service import IDLE_MAX, IDLE_S_MAX, ServiceSide
from premortem.errors import ConfigError
from premortem.send.origin import Address

CONNECTIONS_MAX = 1000
"""Clients at a time; more are told 503."""
COPIES_BYTES_MAX = 256 * 1024 * 1024
"""Of the bodies of all exchanges that are under way; beyond it, bodies are left out."""
SWEEP_S = 0.5
HEAD_S_MAX = 30.0
"""For a whole request head, from its first byte."""
IDLE_CLIENT_S_MAX = 75.0
REQUEST_S_MAX = 60.0
"""Without a byte of a request's body."""
CONNECT_S_MAX = 10.0
ANSWER_S_MAX = 300.0
"""Until the head of an answer."""
STREAM_S_MAX = 3600.0
"""Without a byte of an answer that has begun, or of a tunnel."""
SLOW_READER_S_MAX = 300.0
"""Without a byte that a client takes."""
LINGER_S_MAX = 2.0
DRAIN_S_MAX = 10.0
"""For requests under way, once the proxy ends."""
BUCKETS_PER_DOUBLING = 8
BACKLOG = 1024


class Waits:
    """How long anything may take, in seconds; tests make them short."""

    def __init__(
        self,
        *,
        head: float = HEAD_S_MAX,
        idle: float = IDLE_CLIENT_S_MAX,
        request: float = REQUEST_S_MAX,
        connect: float = CONNECT_S_MAX,
        answer: float = ANSWER_S_MAX,
        stream: float = STREAM_S_MAX,
        slow_reader: float = SLOW_READER_S_MAX,
        drain: float = DRAIN_S_MAX,
    ) -> None:
        self.head, self.idle, self.request, self.connect = head, idle, request, connect
        self.answer, self.stream, self.slow_reader, self.drain = answer, stream, slow_reader, drain


@dataclass(kw_only=True)
class Counts:
    """What became of what came."""

    passed: int = 0
    """Exchanges whose answer went out whole."""
    offered: int = 0
    """Of these, handed to the recording."""
    not_sampled: int = 0
    refused: int = 0
    """Requests that are none, too large, or too slow."""
    failed: int = 0
    """Exchanges that the service did not answer, or not to the end."""
    aborted: int = 0
    """Exchanges that the client left."""
    upgraded: int = 0
    """Connections that became tunnels; not recorded."""
    connections: int = 0
    """Clients that ever connected."""
    added: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        """Note what the proxy itself took of one exchange."""
        bucket = int(log2(max(seconds, 1e-6) * 1e6) * BUCKETS_PER_DOUBLING)
        self.added[bucket] = self.added.get(bucket, 0) + 1

    def added_ms(self, share: float) -> float:
        """The quantile of what the proxy took, within 9 %; 0 when nothing passed."""
        wanted = share * sum(self.added.values())
        for bucket in sorted(self.added):
            wanted -= self.added[bucket]
            if wanted <= 0:
                return float(2 ** ((bucket + 1) / BUCKETS_PER_DOUBLING) / 1000)
        return 0.0


class Proxy:
    """Passes what clients send to one service, and its answers back.

    RECORDING: None when nothing is recorded. Lives on one loop: `open`, then `close`.
    """

    def __init__(
        self,
        service: Address,
        *,
        recording: Recording | None,
        body_bytes_max: int,
        tls: ssl.SSLContext | None = None,
        keep_host: bool = False,
        waits: Waits | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self._service, self._tls = service, tls
        self.recording = recording
        self.keep_host = keep_host
        self.host = service.authority.encode("latin-1")
        self.prefix = service.prefix.encode("latin-1")
        self.origin = service.origin
        self._waits = waits or Waits()
        self._connections_max = connections_max
        self._copies = Copies(body_bytes_max=body_bytes_max, bytes_max=COPIES_BYTES_MAX)
        self.counts = Counts()
        self.draining = False
        self._clients: set[ClientSide] = set()
        self._services: set[ServiceSide] = set()
        self._idle: list[ServiceSide] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._clock = time.time() - perf()

    @property
    def active(self) -> int:
        """Clients connected now."""
        return len(self._clients)

    @property
    def copied_bytes(self) -> int:
        """What the copies of exchanges under way hold."""
        return self._copies.held

    async def open(self, host: str, port: int) -> int:
        """Listen on HOST and PORT (0: any that is free); the port. Raises ConfigError."""
        self._loop = asyncio.get_running_loop()
        try:
            self._server = await self._loop.create_server(
                lambda: ClientSide(self), host, port, backlog=BACKLOG
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror or error}; name another address "
                f"with --listen"
            ) from None
        if self.recording is not None:
            self.recording.start()
        self._sweep = self._loop.call_later(SWEEP_S, self._look)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take no more, let requests under way end, then let the recording end."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        deadline = perf() + self._waits.drain
        while self._clients and perf() < deadline:
            for client in tuple(self._clients):
                if client.passage is None and not client.lingering:
                    client.close()  # idle, or a tunnel, which ends when nobody knows
            await asyncio.sleep(0.01)
        for client in tuple(self._clients):
            client.close()
        for service in tuple(self._services):
            service.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.sleep(0)
        if self._sweep is not None:
            self._sweep.cancel()
        if self.recording is not None:
            await self.recording.close()

    # What clients call.

    def joined(self, client: ClientSide) -> bool:
        """CLIENT is there; whether there is room for it."""
        self.counts.connections += 1
        room = len(self._clients) < self._connections_max
        self._clients.add(client)
        return room

    def left(self, client: ClientSide) -> None:
        """CLIENT is gone."""
        self._clients.discard(client)

    def begin(
        self, client: ClientSide, head: RequestHead, forward: bytes, *, began: float
    ) -> Passage:
        """A request begins; FORWARD is its head as it goes on."""
        started_at = self._clock + began
        copies = None
        recording = self.recording
        if recording is not None and not head.upgrades:
            who = head.fields.who or head.fields.value(b"x-forwarded-for")
            if recording.wants(who or client.address.encode(), started_at):
                copies = self._copies
            else:
                self.counts.not_sampled += 1
        return Passage(client, head, forward, began=began, started_at=started_at, copies=copies)

    def connection(self) -> ServiceSide | None:
        """A kept connection to the service, or None."""
        now = perf()
        while self._idle:
            service = self._idle.pop()
            if service.usable(now):
                return service
            service.close()
        return None

    def connect(self, passage: Passage) -> None:
        """Open a connection for PASSAGE; what it sends meanwhile waits in it."""
        task = self._loop.create_task(self._connected(passage))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self, passage: Passage) -> None:
        service = ServiceSide(self)
        address = self._service
        name = address.host if self._tls is not None else None
        try:
            async with asyncio.timeout(self._waits.connect):
                await self._loop.create_connection(
                    lambda: service, address.host, address.port, ssl=self._tls, server_hostname=name
                )
        except TimeoutError:
            why = f"no connection within {self._waits.connect:g} s"
            passage.client.failed(passage, why, status=504)
            return
        except ssl.SSLError as error:
            why = f"TLS failed: {getattr(error, 'verify_message', '') or error.reason or error}"
            passage.client.failed(passage, why)
            return
        except OSError as error:
            passage.client.failed(passage, error.strerror or str(error))
            return
        self._services.add(service)
        if passage.client.passage is not passage:
            service.close()
            return
        passage.added_s += perf() - passage.began
        service.carry(passage)

    def again(self, passage: Passage) -> None:
        """The service had closed the kept connection for PASSAGE: once more, on a new one."""
        again, passage.again = passage.again, None
        passage.waiting = [again or b""]
        passage.service = None
        self.connect(passage)

    def passed(self, passage: Passage) -> None:
        """The answer to PASSAGE went out whole."""
        counts = self.counts
        counts.passed += 1
        counts.add(passage.added_s)
        if passage.recorded and self.recording is not None and passage.head.target != b"*":
            counts.offered += 1
            self.recording.put(passage.observed(origin=self.origin, ended=perf()))
        passage.drop_copies()

    def upgraded(self, passage: Passage) -> None:
        """PASSAGE became a tunnel."""
        self.counts.upgraded += 1
        passage.drop_copies()

    def lost_answer(self, passage: Passage) -> None:
        """The service gave no whole answer to PASSAGE."""
        self.counts.failed += 1
        passage.drop_copies()

    def abandoned(self, passage: Passage) -> None:
        """The client of PASSAGE is gone, or is not to be understood."""
        if not passage.head.upgrades:
            self.counts.aborted += 1
        passage.drop_copies()
        if passage.service is not None:
            passage.service.close()

    # What connections to the service call.

    def free(self, service: ServiceSide) -> None:
        """SERVICE can carry another request."""
        if len(self._idle) >= IDLE_MAX or self.draining:
            service.close()
        else:
            self._idle.append(service)

    def lost(self, service: ServiceSide) -> None:
        """SERVICE is closed."""
        self._services.discard(service)
        with suppress(ValueError):
            self._idle.remove(service)

    # Time.

    def _look(self) -> None:
        now = perf()
        for client in tuple(self._clients):
            self._judge(client, now)
        for service in tuple(self._idle):
            if now - service.idle_since > IDLE_S_MAX:
                service.close()
        self._sweep = self._loop.call_later(SWEEP_S, self._look)

    def _judge(self, client: ClientSide, now: float) -> None:
        waits = self._waits
        passage = client.passage or client.tunnel
        if client.lingering:
            if now - client.since > LINGER_S_MAX:
                client.close()
        elif passage is None:
            waited = now - client.since
            if client.reading_head and waited > waits.head:
                client.refuse(408, f"no whole request head within {waits.head:g} s")
            elif not client.reading_head and waited > waits.idle:
                client.close()
        elif now - passage.moved_at > self._limit(client, passage):
            if passage.response is not None or client.tunnel is not None:
                client.close()
            elif not passage.request_body.done and not self._service_slow(passage):
                client.slow_request(passage, f"no byte of its body within {waits.request:g} s")
            else:
                client.failed(passage, f"no answer within {waits.answer:g} s", status=504)

    def _limit(self, client: ClientSide, passage: Passage) -> float:
        waits = self._waits
        if client.paused:
            return waits.slow_reader
        if passage.response is not None or client.tunnel is not None:
            return waits.stream
        if not passage.request_body.done and not self._service_slow(passage):
            return waits.request
        return waits.answer

    @staticmethod
    def _service_slow(passage: Passage) -> bool:
        return passage.service is None or passage.service.paused
