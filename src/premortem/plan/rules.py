"""What of a plan cannot be meant: every value alone, and what contradicts another one."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from itertools import chain, pairwise
from typing import Literal, get_args

from msgspec import Struct

from premortem.checks import CHECKS
from premortem.domain.condition import METRICS, Condition, Metric, parse_condition, parse_metric
from premortem.domain.limit import PRECISION_MAX, PRECISION_MIN, longest
from premortem.domain.load import RATED_SHAPES, SHAPE_KEYS, Hold, Load
from premortem.domain.places import parse_place
from premortem.domain.run import Plan, SourceName
from premortem.domain.schedule import POINTS_MAX, STEPS_MAX, WAVES_MAX, schedule_of
from premortem.plan.lines import Path
from premortem.plan.reading import dotted, shown

PLANNED_MAX = 100_000_000
"""Requests of one plan."""
IN_FLIGHT_MAX = 4096
CONNECTIONS_MAX = 100_000
"""Of all workers together."""
USERS_MAX = 10_000
"""Sessions of one role."""
SEED_MAX = 2**32 - 1
RULES_MAX = 50
"""Thresholds of a plan, and its stop rules."""
WINDOW_S_MAX = 3_600.0
STOP_WINDOW_S_MAX = 120.0
"""A run keeps so many last seconds one by one."""
WORKERS_MAX = 10_000
CONTROLLERS_MAX = 100
ATTEMPTS_MAX = 100
JOB_S_MAX = 600.0
FAVOUR_MAX = 1_000.0
GIVE_UP_MAX = 1_000_000
SLICE_REQUESTS_MIN = 20
"""With fewer, one that needs a few others first takes all of them."""
SLICE_REQUESTS_MAX = 5_000
HASTY_FACTOR = 2.0
"""A stop rule nearer than this to a threshold of a search gets in its way."""
GENERATING = tuple(name for name in get_args(SourceName) if name not in ("replay", "scenario"))
"""Sources that make new cases."""


class Complaint(Struct, frozen=True, kw_only=True):
    """Something about a plan, and where in it."""

    path: Path
    message: str
    level: Literal["error", "warning"] = "error"


def complaints(
    plan: Plan,
    *,
    given: Collection[Path],
    metrics: Collection[str] | None = None,
    rate_per_second_max: float | None = None,
    checks: Collection[str] = (),
) -> Iterator[Complaint]:
    """All that is wrong with PLAN, in the order of its keys.

    GIVEN: paths that the file names; others have their defaults. METRICS: names of `[metrics.*]`
    and RATE_PER_SECOND_MAX of `[target]` in premortem.toml; None: not known, so not judged. CHECKS:
    names of the user's own.
    """
    alone = list(chain(_ranges(plan), _generated(plan, checks)))
    load = list(_load(plan, given))
    yield from alone
    yield from load
    yield from _closed(plan, given)
    yield from _conditions(plan, metrics)
    yield from _hold(plan, given, metrics)
    yield from _scale(plan)
    yield from _goals(plan, given)
    keys = {c.path for c in alone + load if c.level == "error"}
    if not any(path[0] in ("load", "rate_per_second", "duration_s") for path in keys):
        yield from _amount(plan, rate_per_second_max)


def _wrong(plan: Plan, path: Path, why: str) -> Complaint:
    return Complaint(path=path, message=f"`{dotted(path)}` = {shown(_value(plan, path))}: {why}")


def _value(plan: Plan, path: Path) -> object:
    value: object = plan
    for part in path:
        value = value[part] if isinstance(value, tuple) else getattr(value, str(part))  # type: ignore[index]
    return value


def _warning(path: Path, message: str) -> Complaint:
    return Complaint(path=path, message=message, level="warning")


def _ranges(plan: Plan) -> Iterator[Complaint]:
    """Values outside their own limits."""
    above: list[tuple[Path, float]] = [
        (("rate_per_second",), math.inf),
        (("duration_s",), math.inf),
        (("timeout_s",), math.inf),
        (("hold", "least_per_second"), math.inf),
        (("hold", "every_s"), WINDOW_S_MAX),
        (("scale", "rate_per_worker_max"), math.inf),
        (("scale", "job_s"), JOB_S_MAX),
        (("scale", "ahead_s"), WINDOW_S_MAX),
        *((("stop", i, "window_s"), STOP_WINDOW_S_MAX) for i in range(len(plan.stop))),
    ]
    for path, most in above:
        value = _at(plan, path)
        if not math.isfinite(value) or value <= 0:
            yield _wrong(plan, path, "it must be more than 0")
        elif value > most:
            yield _wrong(plan, path, f"it must be at most {most:g}")
    within: list[tuple[Path, float, float]] = [
        (("requests_max",), 0, PLANNED_MAX),
        (("seed",), 0, SEED_MAX),
        (("in_flight_max",), 1, IN_FLIGHT_MAX),
        (("connections",), 0, CONNECTIONS_MAX),
        (("users_per_role",), 1, USERS_MAX),
        *((("stop", i, "for_s"), 0, WINDOW_S_MAX) for i in range(len(plan.stop))),
        *((("stop", i, "least"), 0, PLANNED_MAX) for i in range(len(plan.stop))),
        (("hold", "from_per_second"), 0, math.inf),
        (("scale", "workers_min"), 1, WORKERS_MAX),
        (("scale", "workers_max"), 1, WORKERS_MAX),
        (("scale", "controllers_min"), 1, CONTROLLERS_MAX),
        (("scale", "controllers_max"), 1, CONTROLLERS_MAX),
        (("scale", "attempts_max"), 1, ATTEMPTS_MAX),
        (("goals", "favour"), 1, FAVOUR_MAX),
        (("goals", "give_up_after"), 1, GIVE_UP_MAX),
        (("goals", "slice_requests"), SLICE_REQUESTS_MIN, SLICE_REQUESTS_MAX),
        (("goals", "sequences"), 0, 1),
    ]
    for path, least, most in within:
        if not least <= _at(plan, path) <= most or _at(plan, path) == math.inf:
            limits = f"between {least} and {most}" if most < math.inf else f"{least} or more"
            yield _wrong(plan, path, f"it must be {limits}")


def _at(plan: Plan, path: Path) -> float:
    value = _value(plan, path)
    assert isinstance(value, int | float)  # noqa: S101 - the paths above
    return value


def _generated(plan: Plan, own: Collection[str]) -> Iterator[Complaint]:
    try:
        dynamic = plan.dynamic_share
    except ValueError as error:
        yield Complaint(path=("dynamic",), message=f"`dynamic`: {error}")
        dynamic = 0.0
    for name, weight in plan.sources.items():
        path = ("sources", name)
        if name not in GENERATING:
            why = f"{name!r} does not generate; there are {', '.join(GENERATING)}"
            yield Complaint(path=path, message=f"`sources.{name}`: {why}")
        if weight < 0:
            yield Complaint(path=path, message=f"`sources.{name}`: the weight is below 0")
    names = [*(check.name for check in CHECKS), *own]
    for index, name in enumerate(plan.checks_off):
        if name not in names:
            why = f"there is no check {name!r}; there are {', '.join(names)}"
            yield Complaint(path=("checks_off", index), message=f"`checks_off`: {why}")
    if dynamic and not sum(plan.sources.values()):
        why = 'no source has a weight; set `dynamic = "0%"` to generate nothing'
        yield Complaint(path=("sources",), message=f"`sources`: {why}")


def _load(plan: Plan, given: Collection[Path]) -> Iterator[Complaint]:
    load = plan.load
    used = SHAPE_KEYS[load.shape]
    for key in load.__struct_fields__:
        if key == "shape" or key in used or ("load", key) not in given:
            continue
        users = [shape for shape, keys in SHAPE_KEYS.items() if key in keys]
        uses = f"uses {', '.join(used)}" if used else "uses no further key"
        why = f"the shape {load.shape} {uses}; `{key}` belongs to {', '.join(users)}"
        yield _wrong(plan, ("load", key), why)
    for key in used:
        value = getattr(load, key)
        if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
            yield _wrong(plan, ("load", key), "it must be 0 or more")
            return
    if load.shape in _SHAPES:
        for key, why in _SHAPES[load.shape](load, plan):
            yield _wrong(plan, ("load", key), why)
    if load.shape not in RATED_SHAPES and ("rate_per_second",) in given:
        rate = plan.rate_per_second
        if rate != Plan().rate_per_second:
            yield _warning(
                ("rate_per_second",),
                f"`rate_per_second` = {rate:g} means nothing for the shape {load.shape}, which "
                f"has rates of its own",
            )


Said = Iterator[tuple[str, str]]
"""Key of `[load]` and what is wrong with it."""


def _ramp(load: Load, _plan: Plan) -> Said:
    if load.from_per_second == load.to_per_second == 0:
        yield "to_per_second", f"a {load.shape} needs from_per_second or to_per_second above 0"


def _step(load: Load, plan: Plan) -> Said:
    yield from _ramp(load, plan)
    if not 2 <= load.steps <= STEPS_MAX:
        yield "steps", f"it must be between 2 and {STEPS_MAX}: the first and the last rate count"


def _spike(load: Load, plan: Plan) -> Said:
    if load.peak_per_second <= plan.rate_per_second:
        rate = f"the base, `rate_per_second` = {plan.rate_per_second:g}"
        yield "peak_per_second", f"a spike is above {rate}; a dip is a piecewise"
    if load.for_s <= 0:
        yield "for_s", "it must be more than 0"
    if load.at_s >= plan.duration_s:
        yield "at_s", f"the plan ends at {plan.duration_s:g} s (`duration_s`), before the spike"
    elif load.at_s + load.for_s > plan.duration_s:
        end = f"{load.at_s:g} s + {load.for_s:g} s = {load.at_s + load.for_s:g} s"
        yield "for_s", f"the spike ends at {end}, after the plan (`duration_s` {plan.duration_s:g})"


def _sine(load: Load, plan: Plan) -> Said:
    rate = plan.rate_per_second
    if not rate < load.peak_per_second <= 2 * rate:
        middle = f"`rate_per_second` = {rate:g} is the middle of the wave"
        yield "peak_per_second", f"{middle}, so it must be above that and at most {2 * rate:g}"
    if load.period_s <= 0:
        yield "period_s", "it must be more than 0"
    elif plan.duration_s / load.period_s > WAVES_MAX:
        waves = f"{plan.duration_s / load.period_s:,.0f} waves in {plan.duration_s:g} s"
        yield "period_s", f"{waves} are too many; there may be {WAVES_MAX:,}"


def _timeline(load: Load, _plan: Plan) -> Said:
    if load.speed <= 0:
        yield "speed", "it must be more than 0; 1 is production's own speed"


def _piecewise(load: Load, plan: Plan) -> Said:
    points = load.points
    if not 2 <= len(points) <= POINTS_MAX:
        example = "points = [[0, 10], [60, 100]]"
        yield "points", f"it needs 2 to {POINTS_MAX:,} pairs of second and rate, like {example}"
        return
    values = [value for point in points for value in point]
    if not all(math.isfinite(value) and value >= 0 for value in values):
        yield "points", "seconds and rates must be 0 or more"
    elif any(before[0] > after[0] for before, after in pairwise(points)):
        yield "points", "they must be in the order of their seconds"
    elif points[-1][0] > plan.duration_s:
        end = f"{points[-1][0]:g} s is after the plan's end"
        yield "points", f"{end}; set `duration_s` to that, or more"
    elif not any(rate for _, rate in points):
        yield "points", "one of the rates must be above 0"


def _find_limit(load: Load, plan: Plan) -> Said:
    if load.from_per_second <= 0:
        yield "from_per_second", "it must be more than 0: the rate of the first trial"
    if load.to_per_second <= load.from_per_second:
        yield "to_per_second", "it must be more than from_per_second: the highest rate to try"
    if load.trial_s <= 0:
        yield "trial_s", "it must be more than 0"
    elif load.trial_s > plan.duration_s:
        yield "trial_s", f"not one trial fits into `duration_s` = {plan.duration_s:g}"
    elif load.settle_s >= load.trial_s:
        yield "settle_s", f"nothing of trial_s = {load.trial_s:g} is left to be judged"
    if not PRECISION_MIN <= load.precision <= PRECISION_MAX:
        yield "precision", f"it must be between {PRECISION_MIN:g} and {PRECISION_MAX:g}"


_SHAPES: dict[str, Callable[[Load, Plan], Said]] = {
    "ramp": _ramp,
    "step": _step,
    "spike": _spike,
    "sine": _sine,
    "timeline": _timeline,
    "piecewise": _piecewise,
    "find_limit": _find_limit,
}


def _closed(plan: Plan, given: Collection[Path]) -> Iterator[Complaint]:
    """What `connections` in place of a rate rules out."""
    if not plan.connections:
        return
    if plan.load.shape != "constant":
        path = ("load", "shape") if ("load", "shape") in given else ("connections",)
        yield _wrong(
            plan,
            path,
            f"`connections` = {plan.connections} send as fast as the target answers, so a shape of "
            f"the rate means nothing; keep one of the two",
        )
    if plan.connections > plan.in_flight_max:
        path = ("in_flight_max",) if ("in_flight_max",) in given else ("connections",)
        yield _wrong(
            plan,
            path,
            f"no more than `in_flight_max` can be under way at once: raise it to "
            f"{plan.connections} or lower `connections`",
        )


def _conditions(plan: Plan, metrics: Collection[str] | None) -> Iterator[Complaint]:
    named: list[tuple[Path, str]] = [
        *((("thresholds", i), text) for i, text in enumerate(plan.thresholds)),
        *((("stop", i, "when"), rule.when) for i, rule in enumerate(plan.stop)),
    ]
    for path, text in named:
        try:
            condition = parse_condition(text)
        except ValueError as error:
            yield Complaint(path=path, message=f"`{dotted(path)}`: {error}")
            continue
        yield from _unknown_target(path, condition.of, metrics)
        if path[0] == "stop" and condition.metric == "findings":
            why = "what failed counts as a finding once it was sent again, after the run; "
            yield Complaint(
                path=path, message=f"`{dotted(path)}`: {why}use error_ratio, or a threshold"
            )
        elif path[0] == "stop":
            yield from _hasty(plan, path, condition)
    for key, number in (("thresholds", len(plan.thresholds)), ("stop", len(plan.stop))):
        if number > RULES_MAX:
            why = f"`{key}`: {number} are too many; there may be {RULES_MAX}"
            yield Complaint(path=(key,), message=why)
    if plan.load.shape == "find_limit" and not plan.thresholds:
        yield Complaint(
            path=("load", "shape"),
            message="`thresholds`: find_limit raises the rate until one of them breaks, and there "
            'is none; add thresholds = ["p99_ms < 250"]',
        )
    if plan.require_metrics and metrics is not None and not metrics:
        why = "premortem.toml names no metric of the target that could be lost: [metrics.NAME]"
        yield _wrong(plan, ("require_metrics",), why)


def _unknown_target(
    path: Path, metric: Metric, metrics: Collection[str] | None
) -> Iterator[Complaint]:
    if metric.target and metrics is not None and metric.target not in metrics:
        there = f"there are {', '.join(sorted(metrics))}" if metrics else "it names none yet"
        why = f"{metric} needs [metrics.{metric.target}] in premortem.toml; {there}"
        yield Complaint(path=path, message=f"`{dotted(path)}`: {why}")


def _hasty(plan: Plan, path: Path, rule: Condition) -> Iterator[Complaint]:
    """A rule that ends a search at the limit it looks for: a trial goes well beyond it."""
    if plan.load.shape != "find_limit":
        return
    for text in plan.thresholds:
        try:
            threshold = parse_condition(text)
        except ValueError:
            continue
        opposed = rule.comparison[0] != threshold.comparison[0]
        near = rule.value < HASTY_FACTOR * threshold.value
        if opposed and near and threshold.of == rule.of:
            yield _warning(
                path,
                f"`{dotted(path)}`: {rule} may end the search at the limit that it looks for, "
                f"{threshold}; allow more, or leave it out",
            )


def _hold(
    plan: Plan, given: Collection[Path], metrics: Collection[str] | None
) -> Iterator[Complaint]:
    hold = plan.hold
    if not hold.metric:
        for key in Hold.__struct_fields__:
            if ("hold", key) in given and key != "metric":
                yield _wrong(plan, ("hold", key), "`hold.metric` does not say what is to be held")
                return
        return
    try:
        yield from _unknown_target(("hold", "metric"), parse_metric(hold.metric), metrics)
    except ValueError as error:
        steerable = [name for name in METRICS if name.endswith("_ms")]
        why = f"{str(error).partition(';')[0]}; hold one like {', '.join(steerable)} or target.cpu"
        yield _wrong(plan, ("hold", "metric"), why)
    if not math.isfinite(hold.value) or hold.value <= 0:
        yield _wrong(plan, ("hold", "value"), "it must be more than 0: what the metric is held at")
    if plan.load.shape == "find_limit" or plan.connections:
        other = "find_limit" if plan.load.shape == "find_limit" else "`connections`"
        why = f"[hold] decides the rate, and so does {other}; keep one of the two"
        yield _wrong(plan, ("hold", "metric"), why)
    if plan.load.shape not in ("constant", "find_limit"):
        yield _warning(
            ("load", "shape"),
            f"[hold] slows the whole {plan.load.shape} down or speeds it up again: it will not "
            f"look as planned",
        )
    for key in ("from_per_second", "least_per_second"):
        if getattr(hold, key) > plan.rate_per_second and plan.load.shape in RATED_SHAPES:
            why = f"`rate_per_second` = {plan.rate_per_second:g} is never exceeded"
            yield _wrong(plan, ("hold", key), why)


def _scale(plan: Plan) -> Iterator[Complaint]:
    scale = plan.scale
    for who in ("workers", "controllers"):
        least, most = getattr(scale, f"{who}_min"), getattr(scale, f"{who}_max")
        if least > most:
            why = f"it is more than {who}_max = {most}; raise that, too"
            yield _wrong(plan, ("scale", f"{who}_min"), why)
    if scale.ahead_s < scale.job_s:
        why = f"a job of job_s = {scale.job_s:g} would never be ready in time; make it that or more"
        yield _wrong(plan, ("scale", "ahead_s"), why)


def _goals(plan: Plan, given: Collection[Path]) -> Iterator[Complaint]:
    goals = plan.goals
    if not goals.coverage:
        for key in goals.__struct_fields__:
            if ("goals", key) in given and key != "coverage":
                why = "without `coverage = true` under [goals] nothing is looked for"
                yield _wrong(plan, ("goals", key), why)
        return
    for index, text in enumerate(goals.places):
        try:
            parse_place(text)
        except ValueError as error:
            yield Complaint(path=("goals", "places", index), message=f"`goals.places`: {error}")
    if plan.scale.controllers_max > 1:
        why = "what comes of a slice is known to one controller only; goals need controllers_max 1"
        yield _wrong(plan, ("scale", "controllers_max"), why)
    if not plan.dynamic.strip("0.% "):
        yield Complaint(
            path=("dynamic",), message="`dynamic`: nothing is generated, so [goals] reach nothing"
        )


def _amount(plan: Plan, rate_per_second_max: float | None) -> Iterator[Complaint]:
    """How much it is in all, and at once."""
    shape, duration_s = plan.load.shape, plan.duration_s
    if shape == "timeline":
        return
    how = "`rate_per_second` x `duration_s`" if shape == "constant" else f"the shape {shape}"
    place: Path = ("duration_s",) if shape == "constant" else ("load",)
    try:
        schedule = schedule_of(plan)
        total, peak = schedule.total, schedule.peak_per_second
    except ValueError as error:
        yield Complaint(path=place, message=f"{how}: {error}")
        return
    if not 1 <= total <= PLANNED_MAX:
        why = f"makes {total} requests; it must be between 1 and {PLANNED_MAX}"
        yield Complaint(path=place, message=f"{how} {why}")
        return
    if shape == "find_limit":
        needed = len(longest(plan.load, math.inf, noisy=False)) * plan.load.trial_s
        if needed > duration_s:
            yield _warning(
                ("duration_s",),
                f"`duration_s` = {duration_s:g} may end the search before the limit is known to "
                f"within {plan.load.precision:.0%}: it can take {needed:g} s",
            )
    if rate_per_second_max is not None and peak > rate_per_second_max and not plan.connections:
        yield _warning(
            ("load",) if shape != "constant" else ("rate_per_second",),
            f"the plan's peak is {peak:g}/s, and premortem.toml allows the target no more than "
            f"{rate_per_second_max:g}/s (rate_per_second_max under [target])",
        )
    trusted = plan.scale.workers_max * plan.scale.rate_per_worker_max
    if 0 < trusted < peak and not plan.connections:
        yield _warning(
            ("scale", "workers_max"),
            f"the plan's peak is {peak:g}/s, and {plan.scale.workers_max} workers are trusted with "
            f"{trusted:g}/s (workers_max x rate_per_worker_max under [scale])",
        )
