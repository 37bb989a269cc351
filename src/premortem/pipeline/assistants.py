"""Further controllers of a run, each a process that has the store open and workers of its own.

They end when the one that leads ends, however it does: nothing may go on sending unseen.
"""

from __future__ import annotations

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
    """Starts and ends them. COUNT: how many beside the one that leads."""

    def __init__(self, config: Config, count: int) -> None:
        self._config = config
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def pids(self) -> list[int]:
        """Their processes."""
        return [process.pid for process in self._processes]

    def start(self, run_id: str) -> None:
        """Start them for a run that has begun. Raises StartError."""
        for number in range(2, self._count + 2):
            order = Order(run_id=run_id, name=f"c{number}", config=self._config)
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
            self._processes.append(process)

    def close(self) -> None:
        """Let them end: their input ends."""
        for process in self._processes:
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
        for process in self._processes:
            try:
                process.wait(END_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


def read_order() -> Order:
    """The order on standard input, which stays open as long as the one that leads lives."""
    (length,) = _LENGTH.unpack(sys.stdin.buffer.read(_LENGTH.size))
    return msgspec.msgpack.decode(sys.stdin.buffer.read(length), type=Order)
