"""Messages as frames on a stream socket: four bytes of length, then the message."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress

from premortem.run.messages import (
    MESSAGE_BYTES_MAX,
    Stop,
    ToController,
    ToWorker,
    encode,
    to_worker,
)

_LENGTH = struct.Struct("<I")
READ_BYTES = 1 << 20


class FrameTooLarge(Exception):
    """The other side announces more than MESSAGE_BYTES_MAX: it does not speak frames."""


class FrameSocket:
    """A controller's end: never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._received = bytearray()
        self._waiting: deque[memoryview] = deque()
        self.closed = False

    @property
    def writing(self) -> bool:
        """Something waits to be written."""
        return bool(self._waiting)

    def put(self, message: ToWorker) -> None:
        """Write MESSAGE as far as the kernel takes it; the rest waits for `flush`."""
        data = encode(message)
        self._waiting.append(memoryview(_LENGTH.pack(len(data)) + data))
        self.flush()

    def flush(self) -> None:
        """Write on."""
        try:
            while self._waiting:
                sent = self.socket.send(self._waiting[0])
                if sent < len(self._waiting[0]):
                    self._waiting[0] = self._waiting[0][sent:]
                else:
                    self._waiting.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
            self._waiting.clear()

    def read(self) -> list[bytes]:
        """The messages that are complete by now; sets `closed` at the end."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return []
        self._received += data
        found: list[bytes] = []
        start = 0
        while len(self._received) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._received, start)
            if length > MESSAGE_BYTES_MAX:
                raise FrameTooLarge(f"a message of {length:,} bytes")
            end = start + _LENGTH.size + length
            if len(self._received) < end:
                break
            found.append(bytes(self._received[start + _LENGTH.size : end]))
            start = end
        del self._received[:start]
        return found


class FramePort:
    """A worker's end, on its event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ended = False

    def send(self, message: ToController) -> None:
        """MESSAGE on its way; what is under way is bounded by the acknowledgements of batches."""
        if self._writer.is_closing():
            return  # nobody is there to read it
        data = encode(message)
        self._writer.write(_LENGTH.pack(len(data)) + data)

    async def receive(self) -> ToWorker:
        """The next message; a `Stop`, once, when the controller is gone."""
        if self._ended:
            await asyncio.get_running_loop().create_future()  # nothing comes any more
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            return to_worker(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            self._ended = True
            return Stop(why="the controller is gone", grace_s=0.0)

    async def close(self) -> None:
        """Write what waits, then close."""
        with suppress(OSError):
            await self._writer.drain()
        self._writer.close()
