"""What is decided about a run as a whole: to stop, to steer, to have more hands or fewer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from premortem.domain.condition import (
    Condition,
    Metric,
    Observed,
    judge_thresholds,
    measure,
    observed_of,
)
from premortem.domain.limit import LimitSearch, Trial
from premortem.domain.load import Hold
from premortem.run.board import percentiles
from premortem.run.controller import Controller
from premortem.run.happenings import Event, Steered, Tick, Tried
from premortem.run.holding import Holder
from premortem.run.scaling import ControllerNeed, Need, Scaler
from premortem.run.stopping import StopWatch

LOOK_S = 0.1
"""Between two looks at the rules: a tenth of the second within which sending has to stop."""
TICK_S = 1.0
STARTING_S = (0.0, 1.0, 2.0, 3.0)
"""Workers are wanted for the rate of now and of the seconds that one takes to start."""
TICK_WINDOW_S = 5.0
"""Latencies of a tick are those of so many last seconds."""


class Sight(Protocol):
    """What the target says of itself; `observe` watches it."""

    def latest(self) -> Mapping[str, float]:
        """Metric -> value, of those that were read lately."""

    def lost(self) -> str:
        """Why the target cannot be seen any more; empty: it can."""


class Fleet(Protocol):
    """The controllers beside the one that leads."""

    def size(self, controllers: int) -> None:
        """So many in all from now on; those that end hand their work back."""


class Aim(Protocol):
    """Steers the plan's clock."""

    def look(self, controller: Controller, governor: Governor) -> Iterator[Event]:
        """What follows from how the run is."""


class Governor:
    """Looks at a run ten times a second, and speaks of it once."""

    def __init__(
        self,
        *,
        planned: int,
        rate_at: Callable[[float], float],
        stops: StopWatch,
        scaler: Scaler,
        sight: Sight | None = None,
        aim: Aim | None = None,
        ends_s: float = 0.0,
        workers_min: int = 1,
        controllers: int = 1,
        fleet: Fleet | None = None,
    ) -> None:
        """RATE_AT: plan second -> requests per second. ENDS_S: seconds after which the run is
        over, whatever of the plan is left; 0: the plan decides."""
        self._planned = planned
        self._rate_at = rate_at
        self._stops = stops
        self._scaler = scaler
        self._fleet = fleet
        self._cpu: tuple[float, float] | None = None
        """Seconds of the run, and of CPU, at the last look."""
        self._controllers = controllers
        """That share the plan's rate."""
        self.workers_min = workers_min
        """To begin with."""
        self._sight = sight
        self._aim = aim
        self._ends_s = ends_s
        self._looked_at = self._ticked_at = 0.0
        self._before: tuple[float, int, int] | None = None
        self.over = False
        """The aim is reached, or the time is up: an end as it was planned."""

    def look(self, controller: Controller) -> Iterator[Event]:
        """See `Controller`."""
        now = controller.now()
        if controller.stopping or now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        fired = self._stops.look(
            now - controller.started_at,
            lambda seconds: self.observed(controller, seconds),
            lost=self._sight.lost() if self._sight is not None else "",
        )
        if fired is not None:
            yield from controller.stop(*fired)
            return
        if self._aim is not None:
            yield from self._aim.look(controller, self)
        if self._ends_s and now - controller.started_at >= self._ends_s:
            self.over = True
        if now - self._ticked_at >= TICK_S:
            self._ticked_at = now
            yield self.tick(controller)
            self._scale(controller)

    def observed(self, controller: Controller, seconds: float) -> Observed:
        """What was seen in the last SECONDS."""
        now_s = controller.now() - controller.started_at
        sums, lag = controller.board.last(seconds, now_s=now_s)
        return observed_of(
            sums.counts(),
            duration_s=max(0.001, min(seconds, now_s)),
            lag=lag or None,
            backlog=float(
                controller.crew.backlog + (controller.others.backlog if controller.others else 0)
            ),
            queue_depth=float(controller.jobs.untaken),
            target=dict(self._sight.latest()) if self._sight is not None else {},
        )

    def tick(self, controller: Controller) -> Tick:
        """How far the run is."""
        board, crew, now = controller.board, controller.crew, controller.now()
        now_s = now - controller.started_at
        others = controller.others
        ended, sent = board.whole.ended, crew.sent + (others.sent if others else 0)
        outcomes = board.whole.outcomes
        then, ended_before, sent_before = self._before or (controller.started_at, 0, 0)
        self._before = (now, ended, sent)
        passed_s = max(0.001, now - then)
        sums, lag = board.last(TICK_WINDOW_S, now_s=now_s)
        return Tick(
            elapsed_s=now_s,
            planned=self._planned,
            sent=max(sent, ended),
            answered=outcomes["answered"],
            faulted=outcomes["faulted"],
            unknown=outcomes["unknown"],
            in_flight=crew.in_flight + (others.in_flight if others else 0),
            rate_per_second=(ended - ended_before) / passed_s,
            planned_per_second=self._rate_at(controller.elapsed_s) * controller.speed,
            sent_per_second=max(0, sent - sent_before) / passed_s,
            latency_ms=percentiles(sums.all_latency()),
            lag_ms_p99=lag.percentile_ms(99),
            backlog=crew.backlog + (others.backlog if others else 0),
            statuses=dict(sorted(board.whole.statuses.items())),
            faults=dict(sorted(board.whole.faults.items())),
            workers=controller.workers,
            controllers=1 + (others.controllers if others else 0),
            jobs={
                name: getattr(controller.jobs, name)
                for name in ("untaken", "taken", "done", "dead")
            },
            failed=board.failed,
            speed=controller.speed,
            target=dict(self._sight.latest()) if self._sight is not None else {},
            worker_cpu_s=crew.cpu_s + (others.cpu_s if others else 0.0),
            worker_rss_bytes=max(crew.rss_bytes, others.rss_bytes if others else 0),
        )

    def _scale(self, controller: Controller) -> None:
        crew = controller.crew
        need = Need(
            workers=crew.size,
            untaken=controller.jobs.untaken,
            backlog=crew.backlog,
            lag_ms_p99=controller.board.last(TICK_WINDOW_S, now_s=controller.run_s)[
                1
            ].percentile_ms(99),
            cpu_s=crew.cpu_s,
            rss_bytes=crew.rss_bytes,
            rate_per_second=controller.speed
            * max(
                self._rate_at(controller.elapsed_s + ahead_s * controller.speed)
                for ahead_s in STARTING_S
            )
            / self._controllers,
        )
        controller.size(self._scaler.workers(need, now_s=controller.run_s))
        if self._fleet is not None:
            self._fleet.size(self._wanted_controllers(controller))

    def _wanted_controllers(self, controller: Controller) -> int:
        now_s, used_s = controller.run_s, time.process_time()
        before_s, before_used_s = self._cpu or (0.0, used_s)
        self._cpu = (now_s, used_s)
        others = controller.others
        need = ControllerNeed(
            controllers=1 + (others.controllers if others else 0),
            workers=controller.workers,
            cpu_share=(used_s - before_used_s) / max(0.001, now_s - before_s),
            behind_s=controller.behind_s,
        )
        return self._scaler.controllers(need, now_s=now_s)


class Held:
    """The rate steered so that a metric stays at a value."""

    def __init__(self, hold: Hold, metric: Metric, holder: Holder, *, rate_max: float) -> None:
        self._hold = hold
        self._metric = metric
        self._holder = holder
        self._rate_max = rate_max
        self._steered_at = 0.0

    def look(self, controller: Controller, governor: Governor) -> Iterator[Event]:
        """Every `every_s` a new rate from what was seen since the one before."""
        now_s = controller.run_s
        if now_s - self._steered_at < self._hold.every_s:
            return
        self._steered_at = now_s
        observed = governor.observed(controller, max(1.0, self._hold.every_s))
        value = measure(observed, self._metric.name, self._metric.operation)
        rate = self._holder.steer(value, now_s=now_s)
        controller.pace(rate / self._rate_max)
        yield Steered(
            rate_per_second=rate,
            metric=str(self._metric),
            value=value,
            aim=self._hold.value,
        )


class Searched:
    """Trials of rising rates until a threshold breaks, then nearer and nearer to the knee."""

    def __init__(
        self, search: LimitSearch, thresholds: tuple[Condition, ...], *, rate_max: float
    ) -> None:
        self.search = search
        self._thresholds = thresholds
        self._rate_max = rate_max
        self._trial: Trial | None = None
        self._began_s = 0.0

    def look(self, controller: Controller, governor: Governor) -> Iterator[Event]:
        """Judges a trial when its time is over, and begins the next one."""
        now_s = controller.run_s
        if self._trial is not None:
            if now_s - self._began_s < self._trial.seconds:
                return
            observed = governor.observed(controller, self._trial.seconds - self._trial.settle_s)
            judged = judge_thresholds(self._thresholds, observed)
            # What a trial had nothing of, an operation that it did not send, says nothing.
            held = any(each.value is not None for each in judged) and all(
                each.held for each in judged if each.value is not None
            )
            self.search.judge(self._trial, held)
            said = "; ".join(each.said for each in judged)
            rate = self._trial.rate_per_second
            yield Tried(rate_per_second=rate, held=held, evidence=said)
        self._trial, self._began_s = self.search.next(), now_s
        if self._trial is None:
            governor.over = True
            return
        controller.pace(self._trial.rate_per_second / self._rate_max)
