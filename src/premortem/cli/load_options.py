"""Options that say how hard, how long and with how many a plan sends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import msgspec
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from premortem.domain.limit import longest
from premortem.domain.load import SHAPE_KEYS, ExecutorName, Load, Scale, ShapeName, StopRule
from premortem.domain.run import Plan
from premortem.errors import ConfigError

_SHAPES = (
    "constant, at --rate; ramp and step, --from to --to; spike, --rate and once --peak; sine, "
    "waves around --rate; piecewise, straight lines between --point; timeline, production's own "
    "arrivals; find_limit, raised until a --threshold breaks."
)
_CONNECTIONS = (
    "So many connections that send back to back, in place of a rate; --rate is then the most that "
    "they make together."
)
_THRESHOLD = (
    "What must hold for the run to pass: 'p99_ms < 250', 'error_ratio < 1%', "
    "'p95_ms{POST /invoices} < 400'; may be repeated."
)
_STOP = (
    "When the run stops by itself: 'error_ratio > 20%', 'p99_ms > 2000 for 10s'; may be repeated."
)
_LOAD = Group("Load", sort_key=1)
_RULES = Group("Rules and workers", sort_key=2)


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """`90`, `60s`, `5m`, `1h` in seconds. Raises ConfigError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text)
    if match is None:
        raise ConfigError(f"not a duration: {text!r}; write it like 60s, 5m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def per_second(text: str, *, zero: bool = False) -> float:
    """`50`, `50/s`, `600/m` per second; 0 only with ZERO. Raises ConfigError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/([smh]))?", text)
    if match is None or not (zero or float(match[1]) > 0):
        raise ConfigError(f"not a rate: {text!r}; write it like 50/s or 600/m")
    return float(match[1]) / _SECONDS[match[2] or "s"]


@Parameter(name="*", group=_LOAD)
@dataclass(frozen=True, kw_only=True)
class Shape:
    """How the rate goes over the plan."""

    shape: Annotated[ShapeName, Parameter(help=_SHAPES)] = "constant"
    from_: Annotated[str | None, Parameter(name="--from")] = None
    """ramp, step: the rate at the start; find_limit: of the first trial."""
    to: str | None = None
    """ramp, step: the rate at the end; find_limit: the highest one tried."""
    steps: int | None = None
    """step: how many, the first and the last rate included."""
    peak: str | None = None
    """spike: the rate within it; sine: the highest rate."""
    at: str | None = None
    """spike: when it begins, e.g. 30s."""
    for_: Annotated[str | None, Parameter(name="--for")] = None
    """spike: how long it lasts, e.g. 10s."""
    period: str | None = None
    """sine: how long one wave is, e.g. 5m."""
    speed: float | None = None
    """timeline: so many times as fast as production was."""
    point: tuple[str, ...] = ()
    """piecewise: SECONDS:RATE, e.g. 30s:100/s; may be repeated."""
    trial: str | None = None
    """find_limit: how long one rate is held. [default: 10s]"""
    connections: Annotated[int, Parameter(validator=Number(gte=0), help=_CONNECTIONS)] = 0

    def load(self) -> Load:
        """As a value. Raises ConfigError for options that the shape does not use."""
        rate: Callable[[str], float] = partial(per_second, zero=True)
        given: dict[str, tuple[str, Any, Callable[[Any], Any]]] = {
            "from_per_second": ("--from", self.from_, rate),
            "to_per_second": ("--to", self.to, rate),
            "steps": ("--steps", self.steps, int),
            "peak_per_second": ("--peak", self.peak, rate),
            "at_s": ("--at", self.at, seconds),
            "for_s": ("--for", self.for_, seconds),
            "period_s": ("--period", self.period, seconds),
            "speed": ("--speed", self.speed, float),
            "points": ("--point", self.point or None, _points),
            "trial_s": ("--trial", self.trial, seconds),
        }
        keys = SHAPE_KEYS[self.shape]
        values: dict[str, Any] = {"shape": self.shape}
        for key, (option, value, read) in given.items():
            if value is None:
                continue
            if key not in keys:
                users = [shape for shape, used in SHAPE_KEYS.items() if key in used]
                raise ConfigError(
                    f"{option} belongs to --shape {' or '.join(users)}, and the shape is "
                    f"{self.shape}"
                )
            values[key] = read(value)
        missing = [given[key][0] for key in keys if key in given and given[key][1] is None]
        missing = [option for option in missing if option not in ("--speed", "--trial", "--from")]
        if missing:
            raise ConfigError(f"--shape {self.shape} needs {' and '.join(missing)}, too")
        return Load(**values)


def _points(texts: Iterable[str]) -> tuple[tuple[float, float], ...]:
    points = []
    for text in texts:
        second, colon, rate = text.partition(":")
        if not colon:
            raise ConfigError(f"not a point: {text!r}; write it like 30s:100/s")
        points.append((seconds(second), per_second(rate, zero=True)))
    return tuple(points)


@Parameter(name="*", group=_RULES)
@dataclass(frozen=True, kw_only=True)
class Rules:
    """What decides, and who sends."""

    threshold: Annotated[tuple[str, ...], Parameter(help=_THRESHOLD)] = ()
    stop_when: Annotated[tuple[str, ...], Parameter(help=_STOP)] = ()
    workers: str = "1"
    """How many send: 4, or 1-8 to let them come and go with the work."""
    executor: ExecutorName = "local"
    """Where they run: on this machine, or in a Ray cluster."""

    def scale(self) -> Scale:
        """As a value. Raises ConfigError."""
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", self.workers.strip())
        if match is None:
            raise ConfigError(f"not a number of workers: {self.workers!r}; write it like 4 or 1-8")
        least = int(match[1])
        most = int(match[2] or least)
        return Scale(executor=self.executor, workers_min=least, workers_max=most)

    def stop(self) -> tuple[StopRule, ...]:
        """As values; the conditions are judged with the plan."""
        return tuple(_stop_rule(text) for text in self.stop_when)


def _stop_rule(text: str) -> StopRule:
    match = re.fullmatch(r"(.*?)\s+for\s+(\S+)", text.strip())
    if match is None or "{" in match[2]:
        return StopRule(when=text.strip())
    return StopRule(when=match[1], for_s=seconds(match[2]))


SHAPE, RULES = Shape(), Rules()
"""Nothing of either given."""


def loaded(shape: Shape, rules: Rules, *, rate: str | None, duration: str | None) -> Plan:
    """How much of what a plan sends, without saying what. Raises ConfigError."""
    plan = Plan(
        load=shape.load(),
        connections=shape.connections,
        in_flight_max=max(Plan().in_flight_max, shape.connections),
        thresholds=rules.threshold,
        stop=rules.stop(),
        scale=rules.scale(),
    )
    if rate is not None:
        plan = msgspec.structs.replace(plan, rate_per_second=per_second(rate))
    if duration is not None:
        return msgspec.structs.replace(plan, duration_s=seconds(duration))
    load = plan.load
    if load.shape == "piecewise" and load.points:
        return msgspec.structs.replace(plan, duration_s=load.points[-1][0])
    if load.shape == "find_limit":
        try:
            trials = len(longest(load, float("inf")))
        except ValueError:
            return plan  # what is wrong with it is said when it is written
        return msgspec.structs.replace(plan, duration_s=trials * load.trial_s)
    return plan
