"""A run from its first slice to its summary: store, supply, workers and controllers together."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from premortem.config import Config
from premortem.domain.live import LiveRun, LostLease
from premortem.domain.run import Result
from premortem.errors import StartError
from premortem.pipeline.assembling import Assembled, Cases, Conducted, assembled
from premortem.pipeline.summing import summary_of
from premortem.run.controller import LEASE_S
from premortem.run.crew import HELLO_S_MAX
from premortem.run.executor import Executor
from premortem.run.governor import Searched, Sight
from premortem.run.happenings import Event, RunEnded, RunStarted
from premortem.run.inside import InsideExecutor, ThreadPort
from premortem.run.local import LocalExecutor
from premortem.run.ray_actor import mentioned
from premortem.run.ray_executor import RayExecutor
from premortem.run.worker import Worker
from premortem.store import Store

LEADER = "c1"
INSIDE_RATE_MAX = 500.0
"""Requests per second that a worker on a thread of the controller's process is trusted with."""
SUPPLY_END_S_MAX = 600.0
"""What is being made when a run ends is waited for so long."""


class Helping(Protocol):
    """Starts and ends further controllers; `Assistants` is one."""

    def start(self, run_id: str) -> None:
        """Start the first of them for a run that has begun."""

    def size(self, controllers: int) -> None:
        """So many controllers in all from now on."""

    def close(self) -> None:
        """Let them end."""


def executor_for(
    run: Conducted, config: Config, *, environment: Mapping[str, str] = os.environ
) -> Executor:
    """Where the workers of RUN live: one that has little to do, on a thread of this process.

    ENVIRONMENT: those on other machines get what CONFIG mentions of it. Raises ConfigError.
    """
    scale = run.plan.scale
    if scale.executor == "ray":
        return RayExecutor(
            address=scale.ray_address,
            workers_max=scale.workers_max,
            environment=mentioned(config, environment=environment),
            silent_s=LEASE_S,
        )
    if scale.executor == "local" and scale.workers_max == 1 and run.rate_max <= INSIDE_RATE_MAX:
        return InsideExecutor(_inside)
    return LocalExecutor()


async def _inside(port: ThreadPort, worker_id: str) -> None:
    await Worker(port, worker_id=worker_id).run()


def conduct(
    run: Conducted,
    supply: Cases,
    *,
    config: Config,
    store: Store,
    executor: Executor,
    stop: threading.Event,
    clean: Callable[[Result], Result],
    sight: Sight | None = None,
    clock: Callable[[], float] = time.time,
    resume: bool = False,
    assistants: Helping | None = None,
) -> Iterator[Event]:
    """Send the whole plan; RunStarted first, RunEnded with the summary last.

    CLEAN: a result as it may be stored. RESUME: what is left of a run that was broken off; its
    workers are gone. ASSISTANTS: starts further controllers. planned = answered + faulted +
    unknown + left, always.
    Raises StartError when no worker comes up, and what `Controller.run` raises; then the run has
    not ended, and can be resumed.
    """
    now = steady(clock)
    total = run.schedule.total
    began = _resume(run, store, now) if resume else _begin(run, supply, store, now)
    parts = assembled(
        run,
        supply,
        name=LEADER,
        turn=began.turn,
        config=config,
        store=store,
        executor=executor,
        stop=stop,
        clean=clean,
        now=now,
        elapsed_s=began.elapsed_s,
        sight=sight,
        fleet=assistants,
    )
    controller, governor = parts.controller, parts.governor
    if resume:
        controller.board.add(store.queue.counts(run.run_id), now_s=0.0)
    try:
        if assistants is not None:
            assistants.start(run.run_id)
        yield from up(parts)
        controller.begin(elapsed_s=began.elapsed_s, speed=run.speed)
        yield RunStarted(
            run_id=run.run_id,
            started_at=controller.started_at,
            planned=total,
            planned_dynamic=round(total * run.plan.dynamic_share),
            rate_per_second=run.rate_max * run.speed,
            shortfall=_shortfall(parts.supplier.missing),
            resumed=controller.board.whole.ended,
        )
        yield from controller.told(began.lost)
        yield from controller.run()
    finally:
        down(parts, executor)
        if assistants is not None:
            assistants.close()
    controller.hear_others()
    lost = store.queue.end_run(run.run_id, lost_at_s=controller.elapsed_s)
    yield from controller.settle([lease for lease in lost if lease.unknown])
    yield governor.tick(controller)
    knee = parts.aim.search.knee if isinstance(parts.aim, Searched) else None
    version = supply.profile.version
    yield RunEnded(summary=summary_of(run, controller, store, version=version, knee=knee))


class _Began(Struct, frozen=True, kw_only=True):
    elapsed_s: float = 0.0
    """What the plan's clock shows at the start."""
    turn: str = ""
    """Tells workers apart from those before."""
    lost: tuple[LostLease, ...] = ()


def _begin(run: Conducted, supply: Cases, store: Store, now: Callable[[], float]) -> _Began:
    total, at = run.schedule.total, now()
    live = LiveRun(
        id=run.run_id,
        plan=run.plan,
        profile_version=supply.profile.version,
        planned=total,
        planned_dynamic=round(total * run.plan.dynamic_share),
        started_at=at,
        speed=0.0,  # it stands until the first workers are up
        paced_at=at,
    )
    store.queue.begin_run(live, run.parts())
    return _Began()


def _resume(run: Conducted, store: Store, now: Callable[[], float]) -> _Began:
    """Settle what the workers before may have sent; the clock goes on where work is left."""
    queue, at = store.queue, now()
    live = queue.run(run.run_id)
    seen_at = max((c.seen_at for c in queue.controllers(run.run_id)), default=live.paced_at)
    # Until its lease ran out a worker may have gone on without its controller.
    lost_at_s = live.plan_s(min(at, seen_at + LEASE_S))
    for controller in queue.controllers(run.run_id):
        queue.drop_controller(run.run_id, controller.id)
    lost = queue.expire(run.run_id, now=at + 2 * LEASE_S, lost_at_s=lost_at_s)
    starts = [s.slice.start_s for s in queue.slice_states(run.run_id) if s.status != "cut"]
    earliest_s = queue.stats(run.run_id).earliest_s
    due = [*starts[:1], *([] if earliest_s is None else [earliest_s])]
    return _Began(elapsed_s=min(due, default=lost_at_s), turn=f"{at:.0f}", lost=tuple(lost))


def steady(clock: Callable[[], float] = time.time) -> Callable[[], float]:
    """Seconds since the epoch that never jump: CLOCK is read once, now."""
    base = clock() - time.perf_counter()
    return lambda: base + time.perf_counter()


def run_batch(run_id: str) -> str:
    """The batch under which the sequences of failed results are kept."""
    return f"run {run_id}"


def up(parts: Assembled) -> Iterator[Event]:
    """The first workers are up, and the first slice is cut. Raises StartError."""
    controller, supplier, crew = parts.controller, parts.supplier, parts.crew
    supplier.start()
    workers = parts.governor.workers_min
    controller.size(workers)
    began = controller.now()
    while not supplier.cut_once.is_set() or not controller.manned(workers):
        yield from controller.prepare()
        if supplier.error is not None:
            raise supplier.error
        waited_s = controller.now() - began
        if waited_s > HELLO_S_MAX and not any(m.state == "working" for m in crew.members.values()):
            raise StartError(f"no worker came up within {HELLO_S_MAX:g} s; see what it printed")
        if controller.stop_asked:
            return


def down(parts: Assembled, executor: Executor) -> None:
    """Nothing is made or sent any more."""
    parts.supplier.stop()
    executor.close()
    parts.supplier.join(SUPPLY_END_S_MAX)


def _shortfall(missing: int) -> str:
    return f"{missing} requests have no recorded flow to replay" if missing else ""
