"""What has to hold, or must not: `p99_ms < 250`, `error_ratio{POST /invoices} < 0.01`."""

from __future__ import annotations

import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from premortem.domain.latency import Latency

if TYPE_CHECKING:
    from premortem.domain.jobs import Count

TEXT_CHARS_MAX = 500
"""Of one condition."""
TARGET = "target."
"""Begins the name of a metric of the target's own: `target.cpu` is `[metrics.cpu]`."""

METRICS: Mapping[str, str] = {
    "p50_ms": "the time within which half of the answers{of} come",
    "p90_ms": "the time within which 90 % of the answers{of} come",
    "p95_ms": "the time within which 95 % of the answers{of} come",
    "p99_ms": "the time within which 99 % of the answers{of} come",
    "p999_ms": "the time within which 99.9 % of the answers{of} come",
    "max_ms": "the time of the slowest answer{of}",
    "mean_ms": "the mean time of an answer{of}",
    "error_ratio": "the share of requests{of} that fail (5xx, faulted or unknown)",
    "fault_ratio": "the share of requests{of} without a usable answer, which changed nothing",
    "unknown_ratio": "the share of requests{of} without an answer, which may have changed data",
    "status_4xx_ratio": "the share of requests{of} that are answered 4xx",
    "status_5xx_ratio": "the share of requests{of} that are answered 5xx",
    "rate_per_second": "the rate of answers{of} per second",
    "findings": "the number of distinct findings{of}",
    "lag_p99_ms": "the delay, our own, within which 99 % of the requests go out",
    "backlog": "the number of requests that are due and have not gone out",
    "queue_depth": "the number of jobs that wait for a worker",
}
"""Name -> what it is, `{of}` for the operation. Times count from the intended send time; shares
are of all that ended."""
_WHOLE = frozenset({"lag_p99_ms", "backlog", "queue_depth"})
"""Of the run alone, not of one operation."""
_PERCENTS = {"p50_ms": 50.0, "p90_ms": 90.0, "p95_ms": 95.0, "p99_ms": 99.0, "p999_ms": 99.9}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(
    r"\s*(?P<metric>[^\s{}<>=]+)\s*(?:\{(?P<operation>.*)\})?\s*"
    r"(?P<comparison><=|>=|<|>)\s*(?P<value>[^\s<>=]+)\s*"
)
_METRIC = re.compile(r"\s*(?P<metric>[^\s{}<>=]+)\s*(?:\{(?P<operation>.*)\})?\s*")
_NUMBER = re.compile(r"-?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_TARGET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_EXAMPLE = "write it like `p99_ms < 250` or `error_ratio{POST /invoices} < 0.01`"


class Metric(Struct, frozen=True, kw_only=True):
    """What is measured, of the run or of one operation."""

    name: str
    """One of METRICS, or `target.NAME`."""
    operation: str = ""
    """Operation id; empty: the whole run."""

    @property
    def target(self) -> str:
        """NAME of `target.NAME`; empty for a metric of ours."""
        return self.name.removeprefix(TARGET) if self.name.startswith(TARGET) else ""

    def __str__(self) -> str:
        return f"{self.name}{{{self.operation}}}" if self.operation else self.name


class Condition(Struct, frozen=True, kw_only=True):
    """A metric held against a value."""

    metric: str
    operation: str = ""
    """Operation id; empty: the whole run."""
    comparison: str
    """`<`, `<=`, `>` or `>=`."""
    value: float

    @property
    def of(self) -> Metric:
        """What is measured."""
        return Metric(name=self.metric, operation=self.operation)

    def holds(self, measured: float) -> bool:
        """Whether MEASURED, in the metric's unit, meets it."""
        return _COMPARISONS[self.comparison](measured, self.value)

    def __str__(self) -> str:
        return f"{self.of} {self.comparison} {_number(self.value)}"


class Ended(Struct, frozen=True, kw_only=True):
    """Requests that ended, of one operation or of all."""

    statuses: Mapping[int, int] = {}
    """Status -> answers."""
    faulted: int = 0
    unknown: int = 0
    latency: Latency | None = None
    """Of answers, from the intended send time; None: nothing was measured."""

    @property
    def answered(self) -> int:
        """Those with an answer."""
        return sum(self.statuses.values())

    @property
    def total(self) -> int:
        """Answered, faulted and unknown ones."""
        return self.answered + self.faulted + self.unknown

    def of_class(self, digit: int) -> int:
        """Answers with a status DIGITxx."""
        return sum(n for status, n in self.statuses.items() if status // 100 == digit)


class Observed(Struct, frozen=True, kw_only=True):
    """What was seen of a run, or of some seconds of it. None: it was not measured."""

    duration_s: float
    """The time that it covers."""
    whole: Ended = Ended()
    operations: Mapping[str, Ended] = {}
    """By operation id."""
    lag: Latency | None = None
    """Send times behind the intended ones."""
    backlog: float | None = None
    queue_depth: float | None = None
    findings: int | None = None
    findings_by_operation: Mapping[str, int] = {}
    target: Mapping[str, float] = {}
    """The target's metrics, by name, as last read; one that cannot be read is not in it."""


class Judged(NamedTuple):
    """A threshold and what was measured of it."""

    text: str
    value: float | None
    """None: nothing was measured, so that it does not hold."""
    held: bool

    @property
    def said(self) -> str:
        """In a line."""
        if self.value is None:
            return f"{self.text}: nothing was measured of it"
        return f"{self.text}: it was {_number(self.value)}"


def parse_condition(text: str) -> Condition:
    """TEXT as a condition. Raises ValueError, which says what there is.

    A ratio may be written as a percentage: `error_ratio < 1%`.
    """
    match = _CONDITION.fullmatch(text[:TEXT_CHARS_MAX])
    if match is None or len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"no condition: {_quoted(text)}; {_EXAMPLE}")
    metric = parse_metric(text[: match.start("comparison")])
    return Condition(
        metric=metric.name,
        operation=metric.operation,
        comparison=match["comparison"],
        value=_value(match["value"], metric),
    )


def parse_metric(text: str) -> Metric:
    """TEXT, like `p99_ms{POST /invoices}` or `target.cpu`. Raises ValueError."""
    match = _METRIC.fullmatch(text)
    if match is None:
        raise ValueError(f"no metric: {_quoted(text)}; there are {_listed()}")
    name, operation = match["metric"], match["operation"]
    metric = Metric(name=name, operation=(operation or "").strip())
    if name.startswith(TARGET):
        if not _TARGET_NAME.fullmatch(metric.target):
            raise ValueError(f"no name of a metric: {_quoted(name)}; write it like target.cpu")
    elif name not in METRICS:
        close = get_close_matches(name, METRICS, 1, 0.5)
        advice = f"did you mean {close[0]}? There are" if close else "there are"
        raise ValueError(f"no metric is called {_quoted(name)}; {advice} {_listed()}")
    if operation is None:
        return metric
    if metric.target or name in _WHOLE:
        raise ValueError(f"{name} is of the whole run: leave {{{operation}}} out")
    if not metric.operation:
        raise ValueError("{} names no operation; write it like p99_ms{POST /invoices}")
    return metric


def measure(observed: Observed, metric: str, operation: str = "") -> float | None:
    """METRIC of OBSERVED in its own unit, of one OPERATION or of all; None: nothing to measure."""
    if metric.startswith(TARGET):
        return observed.target.get(metric.removeprefix(TARGET))
    match metric:
        case "lag_p99_ms":
            return observed.lag.percentile_ms(99) if observed.lag else None
        case "backlog":
            return observed.backlog
        case "queue_depth":
            return observed.queue_depth
        case "findings":
            if operation and observed.findings is not None:
                return observed.findings_by_operation.get(operation, 0)
            return observed.findings
    ended = observed.operations.get(operation, Ended()) if operation else observed.whole
    if metric == "rate_per_second":
        return ended.answered / observed.duration_s if observed.duration_s > 0 else None
    return _ratio(ended, metric) if metric.endswith("_ratio") else _time(ended, metric)


def judge_thresholds(conditions: Iterable[Condition], observed: Observed) -> list[Judged]:
    """Each of CONDITIONS with what was measured; of what was not, none holds."""
    judged = []
    for condition in conditions:
        value = measure(observed, condition.metric, condition.operation)
        held = value is not None and condition.holds(value)
        judged.append(Judged(str(condition), value, held))
    return judged


def observed_of(
    counts: Iterable[Count],
    *,
    duration_s: float,
    lag: Latency | None = None,
    backlog: float | None = None,
    queue_depth: float | None = None,
    findings: int | None = None,
    findings_by_operation: Mapping[str, int] | None = None,
    target: Mapping[str, float] | None = None,
) -> Observed:
    """What workers' COUNTS of DURATION_S say, requests that only set up others among them."""
    sums: dict[str, _Sum] = {}
    whole = _Sum()
    for count in counts:
        latency = Latency.unpacked(count.latency)
        for part in (whole, sums.setdefault(count.operation_id, _Sum())):
            part.take(count, latency)
    return Observed(
        duration_s=duration_s,
        whole=whole.ended,
        operations={operation: part.ended for operation, part in sums.items()},
        lag=lag,
        backlog=backlog,
        queue_depth=queue_depth,
        findings=findings,
        findings_by_operation=findings_by_operation or {},
        target=target or {},
    )


class _Sum:
    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.latency = Latency()

    def take(self, count: Count, latency: Latency) -> None:
        self.outcomes[count.outcome] += count.count
        if count.outcome == "answered":
            self.statuses[count.status] += count.count
        self.latency.add(latency)

    @property
    def ended(self) -> Ended:
        return Ended(
            statuses=dict(self.statuses),
            faulted=self.outcomes["faulted"],
            unknown=self.outcomes["unknown"],
            latency=self.latency or None,
        )


def _ratio(ended: Ended, metric: str) -> float | None:
    if not ended.total:
        return None
    match metric:
        case "error_ratio":
            found = ended.of_class(5) + ended.faulted + ended.unknown
        case "fault_ratio":
            found = ended.faulted
        case "unknown_ratio":
            found = ended.unknown
        case "status_4xx_ratio":
            found = ended.of_class(4)
        case _:
            found = ended.of_class(5)
    return found / ended.total


def _time(ended: Ended, metric: str) -> float | None:
    if not ended.latency:
        return None
    if metric in _PERCENTS:
        return ended.latency.percentile_ms(_PERCENTS[metric])
    return ended.latency.max_ms if metric == "max_ms" else ended.latency.mean_ms


def _value(text: str, metric: Metric) -> float:
    ratio = metric.name.endswith("_ratio")
    percent = ratio and text.endswith("%")
    number = text.removesuffix("%") if percent else text
    if not _NUMBER.fullmatch(number):
        unit = metric.name.rpartition("_")[2]
        advice = f"give a number of {unit}" if metric.name.endswith("_ms") else "give a number"
        raise ValueError(f"{metric.name} is held against {_quoted(text)}; {advice}, without a unit")
    value = float(number) / 100 if percent else float(number)
    if not math.isfinite(value) or (value < 0 and not metric.target):
        raise ValueError(f"{metric.name} is never {text}; give a number of 0 or more")
    if ratio and value > 1:
        raise ValueError(f"{metric.name} is never above 1: write 5 % as 0.05 or 5%, not {text}")
    return value


def _listed() -> str:
    return f"{', '.join(METRICS)} and target.NAME"


def _quoted(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _number(value: float) -> str:
    return f"{value:.10g}" if value == float(f"{value:.10g}") else f"{value:.4g}"
