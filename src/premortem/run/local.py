"""Workers as processes of this machine."""

from __future__ import annotations

import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress

import msgspec

from premortem.errors import StartError
from premortem.run.executor import Gone
from premortem.run.frames import FrameSocket, FrameTooLarge
from premortem.run.messages import ToController, ToWorker, to_controller

END_WAIT_S = 3.0
"""A worker that is asked to end is killed after this."""


class _Child:
    """One process and the socket to it."""

    def __init__(self, process: subprocess.Popen[bytes], frames: FrameSocket) -> None:
        self.process = process
        self.frames = frames


class LocalExecutor:
    """Starts `python -m premortem.run.worker_process`; needs sockets that a child can inherit."""

    def __init__(self) -> None:
        self._children: dict[str, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._inbox: deque[tuple[str, ToController] | Gone] = deque()

    def start_worker(self, worker_id: str) -> None:
        """A new process. Raises StartError when the system does not allow it."""
        mine, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [
                    sys.executable,
                    "-m",
                    "premortem.run.worker_process",
                    worker_id,
                    str(theirs.fileno()),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the controller's to handle
            )
        except OSError as error:
            mine.close()
            raise StartError(
                f"cannot start a worker process: {error.strerror or error}; lower `workers_max` "
                f"under [scale], or free memory"
            ) from None
        finally:
            theirs.close()
        child = _Child(process, FrameSocket(mine))
        self._children[worker_id] = child
        self._selector.register(mine, selectors.EVENT_READ, worker_id)

    def pid(self, worker_id: str) -> int:
        """The process of a worker."""
        return self._children[worker_id].process.pid

    def send(self, worker_id: str, message: ToWorker) -> None:
        """MESSAGE on its way; dropped when the worker is gone."""
        child = self._children.get(worker_id)
        if child is not None:
            child.frames.put(message)
            self._watch(worker_id, child)

    def receive(self, wait_s: float) -> tuple[str, ToController] | Gone | None:
        """The next message or death; None after WAIT_S seconds."""
        if not self._inbox:
            self._pump(wait_s)
        return self._inbox.popleft() if self._inbox else None

    def _pump(self, wait_s: float) -> None:
        if not self._children:
            time.sleep(wait_s)
            return
        for key, events in self._selector.select(wait_s):
            worker_id: str = key.data
            child = self._children.get(worker_id)
            if child is None:
                continue
            if events & selectors.EVENT_WRITE:
                child.frames.flush()
            if events & selectors.EVENT_READ:
                self._read(worker_id, child)
            if child.frames.closed:
                self._lost(worker_id, "its process ended")
            else:
                self._watch(worker_id, child)

    def _read(self, worker_id: str, child: _Child) -> None:
        try:
            self._inbox += [(worker_id, to_controller(data)) for data in child.frames.read()]
        except (FrameTooLarge, msgspec.DecodeError) as error:
            self._lost(worker_id, f"it sent no message: {error}")

    def _watch(self, worker_id: str, child: _Child) -> None:
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.frames.writing else 0)
        if child.frames.closed:
            wanted = selectors.EVENT_READ  # the next look finds the end
        if self._selector.get_key(child.frames.socket).events != wanted:
            self._selector.modify(child.frames.socket, wanted, worker_id)

    def _lost(self, worker_id: str, why: str) -> None:
        code = self._end(worker_id)
        if code is not None and code < 0:
            with suppress(ValueError):
                why = f"its process was ended by {signal.Signals(-code).name}"
        elif code:
            why = f"its process ended with {code}"
        self._inbox.append(Gone(worker_id=worker_id, why=why))

    def end_worker(self, worker_id: str) -> None:
        """Close its socket, which ends it; kill it when that does not help."""
        self._end(worker_id)

    def _end(self, worker_id: str) -> int | None:
        child = self._children.pop(worker_id, None)
        if child is None:
            return None
        self._selector.unregister(child.frames.socket)
        child.frames.socket.close()
        try:
            return child.process.wait(END_WAIT_S)
        except subprocess.TimeoutExpired:
            child.process.kill()
            return child.process.wait()

    def close(self) -> None:
        """End all workers."""
        for child in self._children.values():  # all are told before any is waited for
            with suppress(OSError):
                child.frames.socket.shutdown(socket.SHUT_RDWR)
        for worker_id in list(self._children):
            self._end(worker_id)
        self._selector.close()
