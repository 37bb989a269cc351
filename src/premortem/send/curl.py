"""The sender for HTTP/2 (RFC 9113): libcurl's multi interface on the same event loop.

Streams share few connections. Over TLS the protocol is agreed by ALPN; in plaintext the target is
taken to speak it (prior knowledge). Needs the extra `http2`.
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
from typing import Any, Literal

from premortem.config import TargetConfig, resolve
from premortem.domain.run import Fault
from premortem.domain.traffic import Response
from premortem.errors import ConfigError
from premortem.send.curl_stream import Stream
from premortem.send.head import LENGTH_ALWAYS, Writer
from premortem.send.origin import Address, address
from premortem.send.transport import WAITING_MAX, Done, Transport

CONNECTIONS_MAX = 8
"""To one target; more are opened only when the server allows too few streams on one."""
SWEEP_S = 0.1
"""Overdue requests that wait for a stream are looked for this often."""
HEADS_MAX = 2048
"""Heads of requests that are remembered with what libcurl wants to know of them."""
SENDS_MAX = 2
"""An idempotent request goes out once more when its kept connection turns out to be closed."""


def load() -> Any:
    """pycurl. Raises ConfigError where it is missing or does not speak HTTP/2."""
    try:
        import pycurl
    except ImportError:
        raise ConfigError(
            '`http = "2"` under [target] needs libcurl: install the extra with '
            "`pip install 'premortem[http2]'`, or leave `http` out for HTTP/1.1"
        ) from None
    if "nghttp2" not in pycurl.version:
        raise ConfigError(
            f'`http = "2"` under [target] needs a libcurl with nghttp2, this is {pycurl.version}; '
            f"install pycurl's own wheel, or leave `http` out for HTTP/1.1"
        )
    return pycurl


class CurlSender(Transport):
    """Sends to `target.base_url` in HTTP/2.

    At most CONNECTIONS_MAX requests under way at once, answers within TIMEOUT_S of the call. NOW
    is read once and gives seconds since the epoch. Relative paths in TARGET are relative to
    DIRECTORY. Raises ConfigError for settings that cannot be used, or without pycurl.
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
        self._curl = load()
        self._base = base = (now or time.time)() - perf_counter()
        self.now = lambda: base + perf_counter()
        self.address = address(target.base_url, key="`base_url` under [target]")
        proxy_url = resolve(target.proxy)
        self._proxy = (
            address(proxy_url, key="`proxy` under [target]", user=True) if proxy_url else None
        )
        self._trusted = _authorities(directory / target.ca if target.ca else None)
        self._writer = Writer(self.address, proxy_form=False)
        self._body_bytes_max = target.response_bytes_max
        self._streams_max = connections_max
        self._timeout_s = timeout_s
        self._spare: list[Stream] = []
        self._streams: dict[Any, Stream] = {}
        """By handle: all that were made."""
        self._waiting: deque[tuple[bytes, Done, bool, float, float]] = deque()
        """Bytes, whom to tell, idempotent, deadline in ticks, limit in seconds."""
        self._heads: dict[bytes, tuple[str, str, list[bytes]]] = {}
        self._watched: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._fresh = False
        self._closed = False
        self.connections_opened = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for a stream: the backlog."""
        return len(self._waiting)

    async def __aenter__(self) -> CurlSender:
        """Start looking for overdue requests."""
        self._loop = asyncio.get_running_loop()
        curl = self._curl
        self._multi = multi = curl.CurlMulti()
        multi.setopt(curl.M_PIPELINING, curl.PIPE_MULTIPLEX)
        multi.setopt(curl.M_MAX_HOST_CONNECTIONS, CONNECTIONS_MAX)
        multi.setopt(curl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(curl.M_TIMERFUNCTION, self._set_timer)
        self._sweep = self._loop.call_later(SWEEP_S, self._expire)
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
        detail = "the sender was closed"
        for stream in tuple(self._streams.values()):
            if stream.done is not None:
                self._multi.remove_handle(stream.handle)
                done, stream.done = stream.done, None
                done(
                    Fault(kind="reset", detail=detail, sent=stream.sends > 0),
                    self._base + stream.began,
                    self.now(),
                )
        while self._waiting:
            _, done, _, _, _ = self._waiting.popleft()
            self._refuse(done, "reset", detail)
        for stream in self._streams.values():
            stream.handle.close()
        self._streams.clear()
        self._spare.clear()
        self._multi.close()
        if self._timer is not None:
            self._timer.cancel()
        for descriptor in tuple(self._watched):
            self._watch(self._curl.POLL_REMOVE, descriptor)
        await asyncio.sleep(0)

    def begin(
        self,
        data: bytes,
        done: Done,
        *,
        head: bool = False,  # noqa: ARG002 - the bytes say so
        idempotent: bool = False,
        timeout_s: float | None = None,
    ) -> None:
        """See `Transport.begin`."""
        limit_s = timeout_s or self._timeout_s
        deadline = perf_counter() + limit_s
        if self._closed:
            self._loop.call_soon(self._refuse, done, "reset", "the sender was closed")
        elif self._spare:
            self._start(self._spare.pop(), data, done, idempotent, deadline, limit_s)
        elif len(self._streams) < self._streams_max:
            stream = Stream(self._curl, body_bytes_max=self._body_bytes_max)
            self._set_up(stream.handle)
            self._streams[stream.handle] = stream
            self._start(stream, data, done, idempotent, deadline, limit_s)
        elif len(self._waiting) >= WAITING_MAX:
            detail = f"{WAITING_MAX} requests wait for a connection already"
            self._loop.call_soon(self._refuse, done, "timeout", detail)
        else:
            self._waiting.append((data, done, idempotent, deadline, limit_s))

    def drop_idle(self) -> None:
        """Use the present connections for nothing new: the target was started anew."""
        self._fresh = True

    def _abandon(self, done: Done) -> None:
        for stream in self._streams.values():
            if stream.done is done:
                self._multi.remove_handle(stream.handle)
                stream.done = None
                self._release(stream)
                return
        self._waiting = deque(order for order in self._waiting if order[1] is not done)

    # One request.

    def _start(
        self,
        stream: Stream,
        data: bytes,
        done: Done,
        idempotent: bool,
        deadline: float,
        limit_s: float,
    ) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        known = self._heads.get(head)
        if known is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            known = self._heads[head] = self._read(head)
        stream.begin(done, SENDS_MAX if idempotent else 1, limit_s)
        method, url, headers = known
        curl, handle = self._curl, stream.handle
        handle.setopt(curl.HTTPGET, 1)  # forgets the request before
        handle.setopt(curl.URL, url)
        handle.setopt(curl.HTTPHEADER, headers)
        if method == "HEAD":
            handle.setopt(curl.NOBODY, 1)
        elif body or method in LENGTH_ALWAYS:
            handle.setopt(curl.POSTFIELDS, body)
        handle.setopt(curl.CUSTOMREQUEST, method)
        handle.setopt(curl.FRESH_CONNECT, int(self._fresh))
        self._fresh = False
        handle.setopt(curl.TIMEOUT_MS, max(1, round((deadline - perf_counter()) * 1000)))
        self._multi.add_handle(handle)

    def _read(self, head: bytes) -> tuple[str, str, list[bytes]]:
        """Method, URL and header lines of a head that the writer wrote."""
        line, *lines = head.split(b"\r\n")
        method, target, _ = line.decode("ascii").split(" ")
        headers = []
        names = set()
        for field in lines:
            name, _, value = field.partition(b": ")
            names.add(name)
            if name in (b"host", b"content-length"):
                continue  # libcurl writes them
            headers.append(field if value else name + b";")
        # What libcurl would add by itself.
        absent = {b"accept", b"content-type", b"expect"} - names
        headers += [name + b":" for name in sorted(absent)]
        return method, self.address.origin + target, headers

    def _reap(self) -> None:
        """Take what has ended."""
        left = 1
        while left and not self._closed:
            left, ended, failed = self._multi.info_read()
            for handle in ended:
                self._over(self._streams[handle], 0, "")
            for handle, number, said in failed:
                self._over(self._streams[handle], number, said)

    def _over(self, stream: Stream, number: int, said: str) -> None:
        if stream.done is None:
            return  # given up by what another one's end brought about
        self._multi.remove_handle(stream.handle)
        curl = self._curl
        self.connections_opened += stream.handle.getinfo(curl.NUM_CONNECTS)
        outcome: Response | Fault
        if number:
            outcome = stream.fault(number, said)
        elif stream.handle.getinfo(curl.INFO_HTTP_VERSION) != curl.CURL_HTTP_VERSION_2_0:
            detail = 'it answered, but not in HTTP/2; leave `http = "2"` under [target] out'
            outcome = Fault(kind="garbage", detail=detail, sent=True)
        else:
            outcome = stream.answer()
        done, began, ended = stream.done, stream.began, perf_counter()
        stream.done = None
        self._release(stream)
        done(outcome, self._base + began, self._base + ended)

    def _release(self, stream: Stream) -> None:
        """STREAM carries nothing: the next request that waits takes it."""
        tick = perf_counter()
        while self._waiting:
            data, done, idempotent, deadline, limit_s = self._waiting.popleft()
            if tick < deadline:
                self._start(stream, data, done, idempotent, deadline, limit_s)
                return
            self._overdue(done, limit_s)
        self._spare.append(stream)

    def _refuse(self, done: Done, kind: Literal["timeout", "reset"], detail: str) -> None:
        now = self.now()
        done(Fault(kind=kind, detail=detail, sent=False), now, now)

    def _overdue(self, done: Done, limit_s: float) -> None:
        self._refuse(done, "timeout", f"no connection became free within {limit_s:g} s")

    def _expire(self) -> None:
        tick = perf_counter()
        overdue = [order for order in self._waiting if tick >= order[3]]
        if overdue:
            self._waiting = deque(order for order in self._waiting if tick < order[3])
        for _, done, _, _, limit_s in overdue:
            self._overdue(done, limit_s)
        self._sweep = self._loop.call_later(SWEEP_S, self._expire)

    # What libcurl wants of the loop.

    def _watch(self, what: int, descriptor: int, *_: object) -> None:
        curl, loop = self._curl, self._loop
        wanted = 0 if what == curl.POLL_REMOVE else what
        had = self._watched.get(descriptor, 0)
        if wanted & curl.POLL_IN and not had & curl.POLL_IN:
            loop.add_reader(descriptor, self._ready, descriptor, curl.CSELECT_IN)
        elif had & curl.POLL_IN and not wanted & curl.POLL_IN:
            loop.remove_reader(descriptor)
        if wanted & curl.POLL_OUT and not had & curl.POLL_OUT:
            loop.add_writer(descriptor, self._ready, descriptor, curl.CSELECT_OUT)
        elif had & curl.POLL_OUT and not wanted & curl.POLL_OUT:
            loop.remove_writer(descriptor)
        if wanted:
            self._watched[descriptor] = wanted
        else:
            self._watched.pop(descriptor, None)

    def _set_timer(self, wait_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait_ms >= 0 and not self._closed:
            self._timer = self._loop.call_later(wait_ms / 1000, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        self._ready(self._curl.SOCKET_TIMEOUT, 0)

    def _ready(self, descriptor: int, events: int) -> None:
        if not self._closed:
            self._multi.socket_action(descriptor, events)
            self._reap()

    def _set_up(self, handle: Any) -> None:
        """Everything that is alike for all requests."""
        curl = self._curl
        secure = self.address.scheme == "https"
        version = (
            curl.CURL_HTTP_VERSION_2TLS if secure else curl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
        )
        handle.setopt(curl.HTTP_VERSION, version)
        handle.setopt(curl.PIPEWAIT, 1)
        handle.setopt(curl.NOSIGNAL, 1)
        handle.setopt(curl.PATH_AS_IS, 1)
        handle.setopt(curl.FOLLOWLOCATION, 0)
        authorities, folder = self._trusted
        if authorities:
            handle.setopt(curl.CAINFO_BLOB, authorities)
        if folder:
            handle.setopt(curl.CAPATH, folder)
        _set_proxy(curl, handle, self._proxy)


def _authorities(ca_file: Path | None) -> tuple[bytes, str]:
    """The system's certificate authorities with those in CA_FILE, and the system's folder of them.

    libcurl's wheel does not know where the system keeps them. Raises ConfigError.
    """
    paths = ssl.get_default_verify_paths()
    known = Path(paths.cafile).read_bytes() if paths.cafile else b""
    if ca_file is not None:
        try:
            known += b"\n" + ca_file.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"`ca` under [target]: cannot read certificate authorities from {ca_file}: "
                f"{error.strerror or error}; name a PEM file"
            ) from None
    return known, paths.capath or ""


def _set_proxy(curl: Any, handle: Any, proxy: Address | None) -> None:
    """PROXY and no other: the environment's are not asked."""
    if proxy is None:
        handle.setopt(curl.PROXY, "")
        return
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    handle.setopt(curl.PROXY, f"{proxy.scheme}://{host}:{proxy.port}")
    handle.setopt(curl.NOPROXY, "")
    if proxy.user:
        handle.setopt(curl.PROXYUSERPWD, proxy.user)
