"""A worker on a thread of this process: starts at once, and is enough for what one worker does."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from premortem.run.executor import Gone
from premortem.run.messages import Stop, ToController, ToWorker
from premortem.send.line import new_loop

INBOX_MAX = 256
"""Messages of a worker that the controller has not taken; further ones wait in the worker."""
END_WAIT_S = 5.0


class ThreadPort:
    """A worker's end: messages are handed over as they are."""

    def __init__(self, worker_id: str, inbox: queue.Queue[tuple[str, ToController] | Gone]) -> None:
        self._worker_id = worker_id
        self._inbox = inbox
        self._loop = asyncio.get_running_loop()
        self._mine: asyncio.Queue[ToWorker] = asyncio.Queue()

    def send(self, message: ToController) -> None:
        """MESSAGE to the controller."""
        self._inbox.put((self._worker_id, message))

    async def receive(self) -> ToWorker:
        """The next message."""
        return await self._mine.get()

    def put(self, message: ToWorker) -> None:
        """The controller's side, from its own thread."""
        self._loop.call_soon_threadsafe(self._mine.put_nowait, message)


Host = Callable[[ThreadPort, str], Coroutine[Any, Any, None]]
"""Runs the worker of that id over a port until it has left."""


class InsideExecutor:
    """Workers on threads, each with an event loop of its own."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._inbox: queue.Queue[tuple[str, ToController] | Gone] = queue.Queue()
        self._ports: dict[str, ThreadPort] = {}
        self._threads: dict[str, threading.Thread] = {}

    def start_worker(self, worker_id: str) -> None:
        """A new thread."""
        ready = threading.Event()
        name = f"premortem-{worker_id}"
        thread = threading.Thread(
            target=self._live, args=(worker_id, ready), name=name, daemon=True
        )
        self._threads[worker_id] = thread
        thread.start()
        ready.wait()

    def _live(self, worker_id: str, ready: threading.Event) -> None:
        async def hosted() -> None:
            port = self._ports[worker_id] = ThreadPort(worker_id, self._inbox)
            ready.set()
            await self._host(port, worker_id)

        loop = new_loop()
        why = "its thread ended"
        try:
            loop.run_until_complete(hosted())
        except BaseException as error:
            why = f"{type(error).__name__}: {error}"
            raise
        finally:
            ready.set()
            loop.close()
            self._inbox.put(Gone(worker_id=worker_id, why=why))

    def send(self, worker_id: str, message: ToWorker) -> None:
        """MESSAGE on its way; dropped when the worker is gone."""
        thread, port = self._threads.get(worker_id), self._ports.get(worker_id)
        if thread is not None and port is not None and thread.is_alive():
            try:
                port.put(message)
            except RuntimeError:
                return  # its loop closed meanwhile

    def receive(self, wait_s: float) -> tuple[str, ToController] | Gone | None:
        """The next message or death; None after WAIT_S seconds."""
        try:
            return self._inbox.get(timeout=wait_s)
        except queue.Empty:
            return None

    def end_worker(self, worker_id: str) -> None:
        """Wait for a worker that said `Left`; one that does not answer is left to its thread."""
        self.send(worker_id, Stop(why="let go", grace_s=0.0))
        thread = self._threads.pop(worker_id, None)
        if thread is not None:
            thread.join(END_WAIT_S)

    def close(self) -> None:
        """End all."""
        for worker_id in list(self._threads):
            self.end_worker(worker_id)
