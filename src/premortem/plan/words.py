"""What a plan's load, thresholds and rules say, in words."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.domain.condition import METRICS, Condition, parse_condition
from premortem.domain.limit import climb, longest
from premortem.domain.load import RATED_SHAPES, Hold, StopRule
from premortem.domain.run import Plan
from premortem.plan.drawing import rate_text, seconds_text

_MUCH = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}


def load_words(plan: Plan) -> str:
    """How PLAN's requests are spread over its time."""
    load, whole = plan.load, f"over {seconds_text(plan.duration_s)}"
    low, high = rate_text(load.from_per_second), rate_text(load.to_per_second)
    rate, peak = rate_text(plan.rate_per_second), rate_text(load.peak_per_second)
    if plan.connections:
        return (
            f"from {plan.connections:,} connections, back to back for "
            f"{seconds_text(plan.duration_s)}, together at most {rate}"
        )
    match load.shape:
        case "ramp":
            return f"from {low} to {high} {whole}"
        case "step":
            return f"in {load.steps} equal steps from {low} to {high} {whole}"
        case "spike":
            when = f"from {seconds_text(load.at_s)} on for {seconds_text(load.for_s)}"
            return f"at {rate}, but at {peak} {when}, {whole}"
        case "sine":
            trough = rate_text(2 * plan.rate_per_second - load.peak_per_second)
            return f"in waves of {seconds_text(load.period_s)} between {trough} and {peak} {whole}"
        case "piecewise":
            return f"along {len(load.points)} points {whole}"
        case "timeline":
            speed = "at" if load.speed == 1 else f"{load.speed:g} times as fast as"
            return f"as production's own came, {speed} its own speed, {whole}"
        case "find_limit":
            return f"in trials of {seconds_text(load.trial_s)} from {low} up to {high}"
        case _:
            return f"at {plan.rate_per_second:g}/s for at most {plan.duration_s:g} s"


def search_words(plan: Plan) -> str:
    """How a `find_limit` goes on where its drawing ends."""
    load = plan.load
    most = len(longest(load, plan.duration_s)) * load.trial_s
    straight = len(climb(load)) * load.trial_s
    share = f"{load.precision:.0%}".removesuffix("%") + " %"
    return (
        f"drawn as it goes when every trial holds ({seconds_text(straight)}); once one breaks a "
        f"threshold twice, the gap to the last that held is halved until the limit is known to "
        f"within {share}: at most {seconds_text(min(most, plan.duration_s))} in all"
    )


def condition_words(condition: Condition) -> str:
    """CONDITION for somebody who does not know the names."""
    name, value = condition.metric, condition.value
    if condition.of.target:
        phrase = f"the target's {condition.of.target}"
    else:
        of = f" of {condition.operation}" if condition.operation else ""
        phrase = METRICS[name].format(of=of)
    number = f"{value:g}"
    if name.endswith("_ratio"):
        number = f"{value * 100:.6g} %"
    elif name.endswith("_ms"):
        number += " ms"
    return f"{phrase} is {_MUCH[condition.comparison]} {number}"


def stop_words(rule: StopRule) -> str:
    """When RULE stops the run."""
    words = condition_words(parse_condition(rule.when))
    lasting = f" for {seconds_text(rule.for_s)} without a break" if rule.for_s else ""
    return (
        f"{words}{lasting} (over the last {seconds_text(rule.window_s)}, once {rule.least:,} "
        f"ended in them)"
    )


def hold_words(hold: Hold, rate_per_second: float) -> str:
    """What HOLD steers, up to a rate of RATE_PER_SECOND."""
    begin = hold.from_per_second or max(rate_per_second / 10, hold.least_per_second)
    return (
        f"by a rate between {rate_text(hold.least_per_second)} and {rate_text(rate_per_second)}, "
        f"from {rate_text(begin)} on, steered every {seconds_text(hold.every_s)}"
    )


def rule_lines(plan: Plan, peak_per_second: float) -> Iterator[tuple[str, str, str]]:
    """(what it decides, as written, in words) of each of PLAN's thresholds and rules."""
    for text in plan.thresholds:
        condition = parse_condition(text)
        yield "passes if", str(condition), condition_words(condition)
    for rule in plan.stop:
        yield "stops if", str(parse_condition(rule.when)), stop_words(rule)
    if plan.require_metrics:
        yield "stops if", "require_metrics", "the target's metrics cannot be read any more"
    if plan.hold.metric:
        ceiling = plan.rate_per_second if plan.load.shape in RATED_SHAPES else peak_per_second
        held = f"{plan.hold.metric} = {plan.hold.value:g}"
        yield "holds", held, hold_words(plan.hold, ceiling)


def at_most(plan: Plan) -> bool:
    """Whether PLAN may send less than planned without anything going wrong."""
    return bool(plan.connections or plan.hold.metric) or plan.load.shape == "find_limit"
