"""The recording as the proxy sees it: a bounded queue into another process, which may fail.

Nothing here ever waits. What does not fit, and what a recorder that died had not read, is
counted as dropped; traffic passes all the same.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import IO

import msgspec

from premortem.capture.observed import Observed, encode
from premortem.capture.proxy.recorder import FRAME_LENGTH_BYTES, Report, Settings
from premortem.capture.sampling import Sampler
from premortem.config import Config

QUEUE_BYTES_MAX = 64 * 1024 * 1024
"""Of what the recorder has not taken yet."""
GATHER_S = 0.005
"""Exchanges are handed over in groups: one system call for many."""
WRITE_BUFFERS_MAX = 64
RESTART_S_MIN, RESTART_S_MAX = 1.0, 60.0
"""A recorder that died is started again after so long, twice as long each time."""
CLOSE_S_MAX = 30.0
"""How long the recorder may take to write down what is left."""
REPORT_BYTES_MAX = 1024 * 1024

_PROGRAM = "from premortem.capture.proxy.recorder import main; main()"


class Recording:
    """Hands exchanges to a recorder process; lives on the proxy's loop."""

    def __init__(
        self,
        config: Config,
        *,
        key: bytes,
        directory: Path,
        sampler: Sampler,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
    ) -> None:
        self._settings = Settings(config=config, key=key, directory=str(directory))
        self._sampler = sampler
        self._queue_bytes_max = queue_bytes_max
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._flushing = False
        self._blocked = False
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._reports: IO[bytes] | None = None
        self._line = b""
        self._handed = 0
        """Exchanges handed to the present recorder."""
        self._before = Report()
        """What the recorders before the present one did."""
        self._now = Report()
        self._restart: asyncio.TimerHandle | None = None
        self._wait_s = RESTART_S_MIN
        self._closing = False
        self._ended: asyncio.Event = asyncio.Event()
        self.dropped = 0
        """Exchanges that passed and were to be recorded, but were not."""
        self.deaths = 0

    def start(self) -> None:
        """Start a recorder. Raises OSError when no process can be started."""
        self._loop = asyncio.get_running_loop()
        self._ended.clear()
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-P", "-c", _PROGRAM],
                    stdin=theirs.fileno(),
                    stdout=subprocess.PIPE,
                    # Ctrl-C is for the proxy, which ends the recorder once it has all.
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        self._socket, self._reports = ours, self._process.stdout
        self._line, self._handed, self._now = b"", 0, Report()
        self._blocked = False
        assert self._reports is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(self._reports.fileno(), False)
        self._loop.add_reader(self._reports.fileno(), self._read_reports)
        settings = _framed(msgspec.msgpack.encode(self._settings))
        self._queue.appendleft(settings)
        self._queued += len(settings)
        self._flush()

    @property
    def report(self) -> Report:
        """What all recorders did."""
        return _sum(self._before, self._now)

    @property
    def pid(self) -> int:
        """The recorder's process; 0: there is none at the moment."""
        return self._process.pid if self._process is not None else 0

    def wants(self, who: bytes, at: float) -> bool:
        """Whether to copy the exchanges of WHO at AT, seconds since the epoch."""
        return self._sampler.wants(who, at)

    def put(self, observed: Observed) -> None:
        """Hand OBSERVED over, or count it as dropped."""
        if self._socket is None:
            self.dropped += 1
            return
        frame = _framed(encode(observed))
        if self._queued + len(frame) > self._queue_bytes_max:
            self.dropped += 1
            return
        self._queue.append(frame)
        self._queued += len(frame)
        self._handed += 1
        if not self._flushing and not self._blocked:
            self._flushing = True
            self._loop.call_later(GATHER_S, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        stream = self._socket
        if stream is None:
            return
        try:
            while self._queue:
                frames = [self._queue[i] for i in range(min(len(self._queue), WRITE_BUFFERS_MAX))]
                sent = stream.sendmsg(frames)
                self._queued -= sent
                self._forget(sent)
        except BlockingIOError:
            if not self._blocked:
                self._blocked = True
                self._loop.add_writer(stream.fileno(), self._writable)
        except OSError:
            self._died()

    def _forget(self, sent: int) -> None:
        queue = self._queue
        while sent:
            size = len(queue[0])
            if sent < size:
                queue[0] = queue[0][sent:]
                return
            sent -= size
            queue.popleft()

    def _writable(self) -> None:
        if self._socket is not None:
            self._loop.remove_writer(self._socket.fileno())
        self._blocked = False
        self._flush()

    def _read_reports(self) -> None:
        assert self._reports is not None  # noqa: S101 - a reader of it called
        try:
            data = self._reports.read(65536)
        except OSError:
            data = b""
        if data is None:
            return
        if not data:
            self._died()
            return
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) > REPORT_BYTES_MAX:
            self._line = b""
        if lines:
            self._now = msgspec.json.decode(lines[-1], type=Report)
            if self._now.written:
                self._wait_s = RESTART_S_MIN

    def _died(self) -> None:
        """The recorder is gone: what it had not read is lost."""
        if self._socket is None:
            return
        process = self._release()
        self.dropped += max(0, self._handed - self._now.read)
        # What it had read and not written yet died with it.
        self.dropped += max(0, self._now.kept - self._now.written - self._now.lost)
        self._before, self._now = self.report, Report()
        self._queue.clear()
        self._queued = self._handed = 0
        if process is not None and process.poll() is None:
            process.kill()
        if process is not None:
            process.wait()
        self._ended.set()
        if not self._closing:
            self.deaths += 1
            self._restart = self._loop.call_later(self._wait_s, self._revive)
            self._wait_s = min(RESTART_S_MAX, 2 * self._wait_s)

    def _release(self) -> subprocess.Popen[bytes] | None:
        stream, self._socket = self._socket, None
        if stream is not None:
            if self._blocked:
                self._loop.remove_writer(stream.fileno())
            stream.close()
        if self._reports is not None:
            self._loop.remove_reader(self._reports.fileno())
            self._reports.close()
            self._reports = None
        process, self._process = self._process, None
        return process

    def _revive(self) -> None:
        try:
            self.start()
        except OSError:
            self._restart = self._loop.call_later(self._wait_s, self._revive)
            self._wait_s = min(RESTART_S_MAX, 2 * self._wait_s)

    async def close(self) -> None:
        """Let the recorder write down what is left, and end it."""
        self._closing = True
        if self._restart is not None:
            self._restart.cancel()
        deadline = monotonic() + CLOSE_S_MAX
        while self._queue and self._socket is not None and monotonic() < deadline:
            self._flush()
            await asyncio.sleep(0.01)
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_WR)
            try:
                await asyncio.wait_for(self._ended.wait(), max(0.1, deadline - monotonic()))
            except TimeoutError:
                self._died()


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(FRAME_LENGTH_BYTES, "big") + data


def _sum(a: Report, b: Report) -> Report:
    counted = {
        name: getattr(a, name) + getattr(b, name)
        for name in (
            "read", "kept", "written", "lost", "malformed", "bodies_dropped", "closed", "removed"
        )
    }  # fmt: skip
    return Report(
        **counted,
        dropped=_merged(a.dropped, b.dropped),
        redacted=_merged(a.redacted, b.redacted),
        trouble=b.trouble,
    )


def _merged(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in (*a, *b)}
