"""When a run ends by itself: rules over its last seconds, and over what the target says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from premortem.domain.condition import TARGET, Ended, Observed, measure, parse_condition
from premortem.domain.load import StopRule

METRICS_FIRST_S_MAX = 15.0
"""The target's metrics may be silent for so long at the start: a rate needs two readings, an
exporter has its own interval. Once they were seen none of it is left."""
AGAIN_S_MAX = 0.5
"""A window is summed up again after a hundredth of itself, and no later than this: long ones cost
most and change least."""
AGAIN_SHARE = 0.01
STATUSES_SAID_MAX = 6
_OWN = frozenset({"backlog", "queue_depth", "lag_p99_ms", "findings"})
"""Metrics that are judged whatever has ended."""

Look = Callable[[float], Observed]
"""What was seen in so many last seconds."""


class _Watched:
    def __init__(self, rule: StopRule) -> None:
        self.rule = rule
        self.condition = parse_condition(rule.when)
        self.since_s: float | None = None
        """Since when it has held without a break; None: it does not."""

    def value(self, observed: Observed, now_s: float) -> float | None:
        """What is held against the rule; None: there is too little to judge."""
        condition, rule = self.condition, self.rule
        if condition.metric == "rate_per_second":
            if now_s < rule.window_s:
                return None  # a rate that has yet to rise is none that fell
        elif not condition.metric.startswith(TARGET) and condition.metric not in _OWN:
            ended = observed.whole
            if condition.operation:
                ended = observed.operations.get(condition.operation, Ended())
            if ended.total < rule.least:
                return None
        return measure(observed, condition.metric, condition.operation)

    def evidence(self, value: float, observed: Observed, now_s: float) -> str:
        """Why it fired, in words."""
        condition, rule = self.condition, self.rule
        window = f"the last {min(rule.window_s, now_s):.3g} s"
        said = f"{condition.of} was {value:.4g}"
        if not condition.metric.startswith(TARGET):
            said += f" over {window}"
        if self.since_s is not None and rule.for_s:
            said += f", for {now_s - self.since_s:.3g} s without a break"
        return f"{said} ({_ended(observed.whole, window)})"


class StopWatch:
    """Judges `[[stop]]` rules.

    A rule over a metric of the target that cannot be seen does not hold, and its `for_s` begins
    anew. With METRICS_REQUIRED losing sight of the target is a reason to stop of its own. Raises
    ValueError for a rule that is no condition.
    """

    def __init__(self, rules: Sequence[StopRule], *, metrics_required: bool) -> None:
        self._watched = [_Watched(rule) for rule in rules]
        self._metrics_required = metrics_required
        self._metrics_seen = False
        self._summed: dict[float, tuple[float, Observed]] = {}
        """Window -> when it was summed up, and what was in it."""

    def look(self, now_s: float, observe: Look, *, lost: str) -> tuple[str, str] | None:
        """The rule that ends the run at NOW_S of it, and its evidence; None: none does.

        LOST: why the target cannot be seen; empty: it can.
        """
        self._metrics_seen |= not lost
        if lost and self._metrics_required:
            if self._metrics_seen:
                return "require_metrics", f"the target's metrics cannot be read any more: {lost}"
            if now_s > METRICS_FIRST_S_MAX:
                said = f"the target's metrics could not be read for {METRICS_FIRST_S_MAX:g} s"
                return "require_metrics", f"{said}: {lost}"
        for watched in self._watched:
            observed = self._observed(watched.rule.window_s, now_s, observe)
            value = watched.value(observed, now_s)
            if value is None or not watched.condition.holds(value):
                watched.since_s = None
                continue
            if watched.since_s is None:
                watched.since_s = now_s
            if now_s - watched.since_s >= watched.rule.for_s:
                return str(watched.condition), watched.evidence(value, observed, now_s)
        return None

    def _observed(self, window_s: float, now_s: float, observe: Look) -> Observed:
        summed = self._summed.get(window_s)
        again_s = min(AGAIN_S_MAX, window_s * AGAIN_SHARE)
        if summed is not None and 0 <= now_s - summed[0] < again_s:
            return summed[1]
        observed = observe(window_s)
        self._summed[window_s] = (now_s, observed)
        return observed


def _ended(whole: Ended, window: str) -> str:
    most = sorted(whole.statuses.items(), key=lambda found: -found[1])
    statuses = [f"{count:,} x {status}" for status, count in sorted(most[:STATUSES_SAID_MAX])]
    if len(most) > STATUSES_SAID_MAX:
        statuses.append(f"{sum(count for _, count in most[STATUSES_SAID_MAX:]):,} others")
    said = f"in {window} {whole.total:,} requests ended"
    if statuses:
        said += f": {', '.join(statuses)}"
    if whole.faulted or whole.unknown:
        said += f"; {whole.faulted:,} faulted, {whole.unknown:,} unknown"
    return said
