"""Workers as actors of a Ray cluster.

Ray finds them a place, starts them and knows whether they live; messages do not go through Ray
but over a connection from each actor to its controller, in the frames that processes use, too:
an actor call takes a controller more CPU than a message may cost.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from math import inf
from typing import Any

import premortem
from premortem.errors import StartError
from premortem.run.executor import Gone
from premortem.run.messages import Hello, ToController, ToWorker
from premortem.run.ray_actor import SILENCE_S, Hosted
from premortem.run.ray_cluster import RayCluster
from premortem.run.ray_door import Closed, Door

WORKER_CPUS = 1.0
"""What Ray sets aside for a worker; one that has more to do than a CPU can is one too few."""
LOOK_S = 0.25
"""Between two looks whether actors live."""
KILL_AFTER_S = 1.0
"""An actor whose connection broke and that has not ended by itself after this is ended."""


class _Placed:
    """An actor and what is known of it."""

    def __init__(self, actor: Any, ended: Any) -> None:
        self.actor = actor
        self.ended = ended
        """Ray's reference to what `run` returns."""
        self.closed_at = inf
        self.killed = False
        self.over = False
        """`ended` is there: Ray says that it is no more."""
        self.why = ""


class RayExecutor:
    """Actors spread over the nodes.

    ENVIRONMENT: what workers find in theirs beyond what the nodes have: credentials of roles. It
    is passed in memory. SILENT_S: a worker that cannot be reached has surely stopped sending after
    this, by its own clock: the time of a lease. Raises ConfigError without Ray.
    """

    def __init__(
        self,
        *,
        address: str = "",
        workers_max: int = 1,
        environment: Mapping[str, str],
        silent_s: float,
    ) -> None:
        self._cluster = RayCluster(address, cpus=workers_max * WORKER_CPUS)
        self._environment = dict(environment)
        self._silent_s = silent_s
        self._door: Door | None = None
        self._placed: dict[str, _Placed] = {}
        self._inbox: deque[tuple[str, ToController] | Gone] = deque()
        self._look_at = 0.0
        self.places: dict[str, tuple[str, int]] = {}
        """Worker -> host and process id of each that said Hello and lives."""

    def start_worker(self, worker_id: str) -> None:
        """A new actor; the first one starts or joins the cluster. Raises StartError."""
        self._cluster.join()
        ray = self._cluster.ray
        if self._door is None:
            try:
                self._door = Door(self._cluster.host)
            except OSError as error:
                raise StartError(
                    f"cannot listen on {self._cluster.host} for workers: {error.strerror or error}"
                ) from None
        token = self._door.expect(worker_id)
        hosted = ray.remote(Hosted).options(
            num_cpus=WORKER_CPUS,
            scheduling_strategy="SPREAD",
            max_restarts=0,
            max_task_retries=0,
        )
        try:
            actor = hosted.remote()
            # In the call's arguments, which go to the actor alone: those of the actor itself, and
            # its `runtime_env`, are kept by the cluster and shown by its tools.
            ended = actor.run.remote(
                worker_id,
                version=premortem.__version__,
                address=self._door.address,
                token=token,
                environment=self._environment,
            )
        except ray.exceptions.RayError as error:
            self._door.forget(worker_id)
            raise StartError(f"Ray starts no worker: {_first_line(error)}") from None
        self._placed[worker_id] = _Placed(actor, ended)

    def send(self, worker_id: str, message: ToWorker) -> None:
        """MESSAGE on its way; dropped when the worker is gone."""
        if self._door is not None:
            self._door.put(worker_id, message)

    def receive(self, wait_s: float) -> tuple[str, ToController] | Gone | None:
        """The next message or death; None after WAIT_S seconds."""
        if not self._inbox:
            self._pump(wait_s)
        return self._inbox.popleft() if self._inbox else None

    def _pump(self, wait_s: float) -> None:
        if self._door is None:
            time.sleep(wait_s)
            return
        for heard in self._door.pump(wait_s):
            if isinstance(heard, Closed):
                placed = self._placed[heard.worker_id]
                placed.closed_at, placed.why = time.monotonic(), heard.why
                self._look_at = 0.0
                continue
            worker_id, message = heard
            if isinstance(message, Hello):
                self.places[worker_id] = (message.host, message.pid)
            self._inbox.append(heard)
        now = time.monotonic()
        if now >= self._look_at and self._placed:
            self._look_at = now + LOOK_S
            self._look(now)

    def _look(self, now: float) -> None:
        """Who is no more? The word of Ray counts, and where it has none, time."""
        waiting = {p.ended: p for p in self._placed.values() if not p.over}
        if waiting:
            ended, _ = self._cluster.ray.wait(
                list(waiting), num_returns=len(waiting), timeout=0, fetch_local=False
            )
            for reference in ended:
                waiting[reference].over = True
        for worker_id, placed in list(self._placed.items()):
            if now - placed.closed_at >= KILL_AFTER_S and not placed.killed:
                self._kill(placed)
            if self._is_gone(worker_id, placed, now):
                why = self._last_word(placed)
                self.end_worker(worker_id)
                self._inbox.append(Gone(worker_id=worker_id, why=why))

    def _is_gone(self, worker_id: str, placed: _Placed, now: float) -> bool:
        """Nothing comes from it any more, and it sends nothing to the target any more.

        Ray calls an actor dead when its node's agent is; the process may live on, and as long as
        its connection stands it works. So both words are needed, or time enough.
        """
        if placed.over:
            return self._door is None or not self._door.is_open(worker_id)
        return now - placed.closed_at >= self._silent_s

    def _last_word(self, placed: _Placed) -> str:
        if not placed.over:
            return f"{placed.why}, and nothing was heard of it for {self._silent_s:g} s"
        ray = self._cluster.ray
        try:
            said = ray.get(placed.ended, timeout=SILENCE_S)
        except ray.exceptions.GetTimeoutError:
            return placed.why or "its node does not answer"
        except ray.exceptions.RayTaskError as error:
            return f"it broke: {_first_line(error.cause)}"
        except ray.exceptions.RayError as error:
            return f"its actor died: {_first_line(error)}"
        return str(said) or "its actor ended"

    def _kill(self, placed: _Placed) -> None:
        placed.killed = True
        if self._cluster.ray.is_initialized():
            # That it is dead already, or unreachable, shows in `ended`.
            self._cluster.ray.kill(placed.actor, no_restart=True)

    def end_worker(self, worker_id: str) -> None:
        """End its process; the node has its CPU back."""
        placed = self._placed.pop(worker_id, None)
        self.places.pop(worker_id, None)
        if placed is None:
            return
        if self._door is not None:
            self._door.forget(worker_id)
        self._kill(placed)

    def close(self) -> None:
        """End all workers, and the cluster if it is our own."""
        for worker_id in list(self._placed):
            self.end_worker(worker_id)
        if self._door is not None:
            self._door.close()
            self._door = None
        self._cluster.leave()


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
