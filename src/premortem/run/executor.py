"""Where workers live. One contract for threads, processes and a cluster's actors."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from premortem.run.messages import ToController, ToWorker


class Gone(Struct, frozen=True, kw_only=True):
    """A worker is no more; of what it held nothing will come any more."""

    worker_id: str
    why: str


class Executor(Protocol):
    """Starts workers, carries messages, notices deaths. Used by one thread."""

    def start_worker(self, worker_id: str) -> None:
        """Start one; its `Hello` comes by `receive`. Raises StartError when it cannot be."""

    def send(self, worker_id: str, message: ToWorker) -> None:
        """MESSAGE on its way; to a worker that is gone it is dropped."""

    def receive(self, wait_s: float) -> tuple[str, ToController] | Gone | None:
        """The next message or death, in the order of each worker; None after WAIT_S seconds."""

    def end_worker(self, worker_id: str) -> None:
        """Let go of a worker that said `Left`, or end one that does not answer."""

    def close(self) -> None:
        """End all."""
