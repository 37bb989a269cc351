"""Further controllers of a run, each a process that has the store open and workers of its own.

They end when the one that leads ends, however it does: nothing may go on sending unseen.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from contextlib import suppress

import msgspec
from msgspec import Struct

from premortem.config import Config
from premortem.errors import StartError

END_WAIT_S = 15.0
"""An assistant that is to end is killed after this."""
_LENGTH = struct.Struct("<I")


class Order(Struct, frozen=True, kw_only=True):
    """What an assistant is told."""

    run_id: str
    name: str
    config: Config


class Assistants:
    """Starts and ends them. LEAST, MOST: controllers in all, the one that leads included."""

    def __init__(self, config: Config, *, least: int, most: int) -> None:
        self._config = config
        self._least = least
        self._most = most
        self._run_id = ""
        self._started = 1
        self._processes: list[subprocess.Popen[bytes]] = []
        self._leaving: list[subprocess.Popen[bytes]] = []

    @property
    def pids(self) -> list[int]:
        """Their processes."""
        return [process.pid for process in self._processes]

    def start(self, run_id: str) -> None:
        """Start the first of them for a run that has begun. Raises StartError."""
        self._run_id = run_id
        self.size(self._least)

    def size(self, controllers: int) -> None:
        """So many in all from now on, within the limits. Raises StartError.

        One that ends lets its workers report and hands its jobs back.
        """
        wanted = min(self._most, max(self._least, controllers)) - 1
        self._processes = [one for one in self._processes if one.poll() is None]
        while len(self._processes) < wanted:
            self._processes.append(self._launch())
        while len(self._processes) > wanted:
            leaving = self._processes.pop()
            _let_go(leaving)
            self._leaving.append(leaving)

    def _launch(self) -> subprocess.Popen[bytes]:
        self._started += 1
        order = Order(run_id=self._run_id, name=f"c{self._started}", config=self._config)
        data = msgspec.msgpack.encode(order)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "premortem.pipeline.assistant"],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise StartError(f"cannot start a controller: {error.strerror or error}") from None
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(_LENGTH.pack(len(data)) + data)
        process.stdin.flush()
        return process

    def close(self) -> None:
        """Let them end: their input ends."""
        for process in self._processes:
            _let_go(process)
        for process in (*self._processes, *self._leaving):
            try:
                process.wait(END_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        self._leaving.clear()


def _let_go(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def read_order() -> Order:
    """The order on standard input, which stays open as long as the one that leads lives."""
    # Unbuffered: a thread that waits in a buffer's lock is fatal when the interpreter ends.
    (length,) = _LENGTH.unpack(_read(_LENGTH.size))
    return msgspec.msgpack.decode(_read(length), type=Order)


def wait_for_end() -> None:
    """Return once the one that leads is gone."""
    while os.read(0, 1):
        pass


def _read(count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = os.read(0, count - len(data))
        if not part:
            raise SystemExit(0)  # the one that leads is gone already
        data += part
    return data
