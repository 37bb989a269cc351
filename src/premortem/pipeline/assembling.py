"""One controller of a run, put together: what it sends, who sends, who decides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Many
from hashlib import sha256
from math import ceil
from typing import Protocol

import msgspec
from msgspec import Struct

from premortem.config import Config
from premortem.domain.condition import parse_condition, parse_metric
from premortem.domain.jobs import Job
from premortem.domain.limit import LimitSearch
from premortem.domain.live import LiveRun, PlanSlice
from premortem.domain.load import Scale
from premortem.domain.run import Plan, Result, Sequence
from premortem.domain.schedule import Schedule, Segment
from premortem.domain.traffic import Profile
from premortem.run.board import Board
from premortem.run.controller import LEASE_S, Controller
from premortem.run.crew import Crew
from premortem.run.cutting import SLICE_CASES_MAX, cut, cut_closed, sliced
from premortem.run.executor import Executor
from premortem.run.governor import Aim, Fleet, Governor, Held, Searched, Sight
from premortem.run.holding import Holder
from premortem.run.messages import Setup
from premortem.run.run_queue import PASSING_STORED_MAX, RunQueue
from premortem.run.scaling import Scaler
from premortem.run.stopping import StopWatch
from premortem.run.supplier import Supplier
from premortem.store import Store
from premortem.store.results import RESULTS_FULL_MAX

HOLD_SHARE = 0.1
"""Of the plan's rate that a steered run begins with unless it says more."""
JOBS_OF_SLICE_MAX = 10_000
"""Numbers that jobs of one slice may have."""
READY_JOBS_MIN = 2
"""Jobs that lie ready for each worker of a closed or steered run."""


class Cases(Protocol):
    """Where the cases come from; `Supply` is one."""

    @property
    def profile(self) -> Profile:
        """What they are made from."""

    def cases(self, part: PlanSlice) -> Many[Sequence]:
        """The sequences of PART."""

    def sequence(self, sequence_id: str) -> Sequence | None:
        """One that was made lately."""

    def waits(self) -> bool:
        """Whether the next part is to be made only once more came of earlier ones."""


class Conducted(Struct, frozen=True, kw_only=True):
    """What a controller works with."""

    run_id: str
    plan: Plan
    schedule: Schedule
    rate_max: float
    """Requests per second while the plan's clock runs at 1."""
    speed: float
    """At which the clock starts."""
    speed_max: float = 1.0
    """Below 1 where the target's `rate_per_second_max` wants it."""
    steered: bool

    def parts(self) -> Iterator[PlanSlice]:
        """The slices of the plan."""
        total, goals = self.schedule.total, self.plan.goals
        most = min(SLICE_CASES_MAX, goals.slice_requests) if goals.coverage else SLICE_CASES_MAX
        if self.plan.connections:  # nothing is due at any time: all of it is when it is wanted
            return sliced(total, at=lambda _number: 0.0, duration_s=0.0, cases_max=most)
        ends_s = self.schedule.duration_s
        return sliced(total, at=self.schedule.at, duration_s=ends_s, cases_max=most)


def conducted(plan: Plan, schedule: Schedule, *, config: Config, now: float) -> Conducted:
    """PLAN with its SCHEDULE, ready to be cut. NOW: seconds since the epoch; it names the run."""
    steered = bool(plan.hold.metric) or plan.load.shape == "find_limit"
    if steered:
        rate = plan.rate_per_second if plan.hold.metric else plan.load.to_per_second
        flat = Segment(start_s=0, end_s=schedule.total / rate, rate_start=rate, rate_end=rate)
        schedule = Schedule(segments=(flat,), ends_s=flat.end_s)
    peak = schedule.peak_per_second or 1.0
    allowed = config.target.rate_per_second_max
    first = plan.load.from_per_second if plan.load.shape == "find_limit" else peak
    if plan.hold.metric:
        first = plan.hold.from_per_second or peak * HOLD_SHARE
    return Conducted(
        run_id=sha256(f"{now:.6f} {plan}".encode()).hexdigest()[:12],
        plan=plan,
        schedule=schedule,
        rate_max=peak,
        speed=min(first, allowed) / peak,
        speed_max=min(1.0, allowed / peak),
        steered=steered,
    )


def resumed(live: LiveRun, schedule: Schedule, *, config: Config) -> Conducted:
    """A run that was broken off, ready to be gone on with."""
    run = conducted(live.plan, schedule, config=config, now=live.started_at)
    return msgspec.structs.replace(run, run_id=live.id)


class Assembled(Struct, frozen=True, kw_only=True):
    """A controller with all that it works with."""

    controller: Controller
    supplier: Supplier
    crew: Crew
    governor: Governor
    aim: Aim | None


def assembled(
    run: Conducted,
    supply: Cases,
    *,
    name: str,
    turn: str,
    config: Config,
    store: Store,
    executor: Executor,
    stop: threading.Event,
    clean: Callable[[Result], Result],
    now: Callable[[], float],
    elapsed_s: float = 0.0,
    sight: Sight | None = None,
    leads: bool = True,
    fleet: Fleet | None = None,
) -> Assembled:
    """The controller NAME of RUN. TURN tells its workers apart from those before; ELAPSED_S is
    what the plan's clock shows until it starts. One that does not lead only works."""
    plan = run.plan
    scale = share_of(plan.scale)
    queue = RunQueue(
        store.queue,
        run.run_id,
        name,
        lease_s=LEASE_S,
        now=now,
        clean=clean,
        passing_max=RESULTS_FULL_MAX if plan.keep_all else PASSING_STORED_MAX,
    )
    crew = Crew(executor, _setup(run, supply, config, store), name=f"{name}{turn}w", now=now)
    governor, aim = _governor(run, scale, sight, leads=leads, fleet=fleet)
    supplier = Supplier(
        queue,
        supply.cases,
        lambda part, sequences: _cut(run, part, sequences),
        scale=plan.scale,
        elapsed=lambda: controller.elapsed_s if controller.began else elapsed_s,
        hungry=lambda: (
            (run.steered or plan.connections > 0)
            and controller.jobs.untaken < READY_JOBS_MIN * max(1, controller.workers)
        ),
        waits=supply.waits,
    )
    controller = Controller(
        queue,
        supplier,
        executor,
        crew,
        governor,
        board=Board(),
        now=now,
        stop=stop,
        assists=not leads,
        leads=leads and plan.scale.controllers_max > 1,
    )
    return Assembled(
        controller=controller, supplier=supplier, crew=crew, governor=governor, aim=aim
    )


def share_of(scale: Scale) -> Scale:
    """What one of several controllers has of SCALE's workers: at least one."""
    several = scale.controllers_max
    return msgspec.structs.replace(
        scale,
        workers_min=max(1, ceil(scale.workers_min / several)),
        workers_max=max(1, ceil(scale.workers_max / several)),
    )


def _setup(run: Conducted, supply: Cases, config: Config, store: Store) -> Callable[[str], Setup]:
    plan, workers = run.plan, run.plan.scale.workers_max
    share = msgspec.structs.replace(plan, in_flight_max=max(1, ceil(plan.in_flight_max / workers)))

    def setup(worker_id: str) -> Setup:
        return Setup(
            worker_id=worker_id,
            run_id=run.run_id,
            config=config,
            profile=supply.profile,
            plan=share,
            redaction_key=store.redaction_key,
            elapsed_s=0.0,
            speed=0.0,
        )

    return setup


def _cut(run: Conducted, part: PlanSlice, sequences: Many[Sequence]) -> list[Job]:
    number = part.number * JOBS_OF_SLICE_MAX
    scale = run.plan.scale
    if run.plan.connections:
        return cut_closed(
            part,
            sequences,
            run_id=run.run_id,
            connections=run.plan.connections,
            workers=scale.workers_max,
            number=number,
        )
    count = sum(len(sequence.cases) for sequence in sequences)
    slots = run.schedule.slots(part.first, count)
    return cut(part, sequences, slots, run_id=run.run_id, scale=scale, number=number)


def _governor(
    run: Conducted, scale: Scale, sight: Sight | None, *, leads: bool, fleet: Fleet | None
) -> tuple[Governor, Aim | None]:
    plan = run.plan
    aim: Aim | None = None
    if not leads:
        pass
    elif plan.hold.metric:
        holder = Holder(
            plan.hold, rate=run.rate_max * run.speed, rate_max=run.rate_max * run.speed_max
        )
        aim = Held(plan.hold, parse_metric(plan.hold.metric), holder, rate_max=run.rate_max)
    elif plan.load.shape == "find_limit":
        thresholds = tuple(parse_condition(text) for text in plan.thresholds)
        search = LimitSearch(plan.load, thresholds, duration_s=plan.duration_s)
        aim = Searched(search, thresholds, rate_max=run.rate_max)
    governor = Governor(
        planned=run.schedule.total,
        rate_at=run.schedule.rate_at,
        stops=StopWatch(
            plan.stop if leads else (), metrics_required=leads and plan.require_metrics
        ),
        scaler=Scaler(scale),
        workers_min=scale.workers_min,
        controllers=scale.controllers_max,
        fleet=fleet,
        sight=sight,
        aim=aim,
        ends_s=plan.duration_s if leads and (run.steered or plan.connections) else 0.0,
    )
    return governor, aim
