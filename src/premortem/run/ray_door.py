"""A controller's door for workers on other machines: sockets that open for one token, once.

Who knocks without a token that was handed out is turned away. What is said is not encrypted:
docs/scale.md says where that is good enough.
"""

from __future__ import annotations

import secrets
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from hashlib import sha256

import msgspec

from premortem.run.frames import FrameSocket, FrameTooLarge
from premortem.run.messages import ToController, ToWorker, to_controller
from premortem.run.ray_actor import TOKEN_BYTES, watch_silence

KNOCK_S_MAX = 5.0
"""Who has not shown a token after this is turned away."""
KNOCKING_MAX = 1024
"""Connections without a token at a time; further ones wait in the kernel, or are refused."""
EARLY_MAX = 100
"""Messages for a worker that is not there yet."""
_DISCARD = struct.pack("ii", 1, 0)
"""SO_LINGER: what the other side has not got when the socket is closed, it never gets."""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's connection broke."""

    worker_id: str
    why: str


class _Knock:
    """A connection that has not shown its token."""

    def __init__(self, connection: socket.socket, *, until: float) -> None:
        self.socket = connection
        self.until = until
        self.shown = b""


class Door:
    """Used by one thread. HOST: the address that workers connect to, and no other is listened on.

    Raises OSError when it cannot be listened on.
    """

    def __init__(self, host: str) -> None:
        self._listener = socket.create_server((host, 0), backlog=KNOCKING_MAX)
        self._listener.setblocking(False)
        self.address: tuple[str, int] = (host, self._listener.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._awaited: dict[bytes, str] = {}
        """Digest of a token -> whose it is."""
        self._knocking: dict[socket.socket, _Knock] = {}
        self._open: dict[str, FrameSocket] = {}
        self._early: dict[str, deque[ToWorker]] = {}

    def expect(self, worker_id: str) -> bytes:
        """The token that lets WORKER_ID in, once."""
        token = secrets.token_bytes(TOKEN_BYTES)
        self._awaited[sha256(token).digest()] = worker_id
        self._early[worker_id] = deque(maxlen=EARLY_MAX)
        return token

    def is_open(self, worker_id: str) -> bool:
        """It has come in and its connection stands."""
        return worker_id in self._open

    def put(self, worker_id: str, message: ToWorker) -> None:
        """MESSAGE on its way, or kept until WORKER_ID comes in; dropped when it is gone."""
        frames, early = self._open.get(worker_id), self._early.get(worker_id)
        if frames is not None:
            frames.put(message)
            self._watch(worker_id, frames)
        elif early is not None:
            early.append(message)

    def pump(self, wait_s: float) -> Iterator[tuple[str, ToController] | Closed]:
        """What came within WAIT_S, the messages of each worker in their order."""
        for key, events in self._selector.select(wait_s):
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.data, _Knock):
                self._look_at(key.data)
            elif key.data in self._open:
                yield from self._serve(key.data, self._open[key.data], events)
        now = time.monotonic()
        for knock in [knock for knock in self._knocking.values() if knock.until < now]:
            self._turn_away(knock)

    def forget(self, worker_id: str) -> None:
        """Close what there is to WORKER_ID; what it has not got by now it never gets."""
        self._early.pop(worker_id, None)
        self._awaited = {d: w for d, w in self._awaited.items() if w != worker_id}
        frames = self._open.pop(worker_id, None)
        if frames is not None:
            self._selector.unregister(frames.socket)
            frames.socket.close()

    def close(self) -> None:
        """Close everything."""
        for worker_id in [*self._open]:
            self.forget(worker_id)
        for knock in [*self._knocking.values()]:
            self._turn_away(knock)
        self._selector.close()
        self._listener.close()

    def _accept(self) -> None:
        while len(self._knocking) < KNOCKING_MAX:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                return  # it went away again, or there are no descriptors left
            connection.setblocking(False)
            knock = _Knock(connection, until=time.monotonic() + KNOCK_S_MAX)
            self._knocking[connection] = knock
            self._selector.register(connection, selectors.EVENT_READ, knock)

    def _look_at(self, knock: _Knock) -> None:
        try:
            shown = knock.socket.recv(TOKEN_BYTES - len(knock.shown))
        except BlockingIOError:
            return
        except OSError:
            shown = b""
        knock.shown += shown
        if shown and len(knock.shown) < TOKEN_BYTES:
            return
        worker_id = self._awaited.pop(sha256(knock.shown).digest(), "")
        if not worker_id:
            self._turn_away(knock)
            return
        del self._knocking[knock.socket]
        watch_silence(knock.socket)
        knock.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
        self._open[worker_id] = FrameSocket(knock.socket)
        self._selector.modify(knock.socket, selectors.EVENT_READ, worker_id)
        for message in self._early.pop(worker_id, ()):
            self.put(worker_id, message)

    def _turn_away(self, knock: _Knock) -> None:
        self._selector.unregister(knock.socket)
        del self._knocking[knock.socket]
        knock.socket.close()

    def _serve(
        self, worker_id: str, frames: FrameSocket, events: int
    ) -> Iterator[tuple[str, ToController] | Closed]:
        why = "its connection broke"
        if events & selectors.EVENT_WRITE:
            frames.flush()
        if events & selectors.EVENT_READ:
            try:
                for data in frames.read():
                    yield worker_id, to_controller(data)
            except (FrameTooLarge, msgspec.DecodeError) as error:
                frames.closed, why = True, f"it sent no message: {error}"
        if worker_id not in self._open:
            return  # forgotten while its messages were taken
        if frames.closed:
            self.forget(worker_id)
            yield Closed(worker_id=worker_id, why=why)
        else:
            self._watch(worker_id, frames)

    def _watch(self, worker_id: str, frames: FrameSocket) -> None:
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if frames.writing else 0)
        if self._selector.get_key(frames.socket).events != wanted:
            self._selector.modify(frames.socket, wanted, worker_id)
