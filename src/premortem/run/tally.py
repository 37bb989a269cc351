"""Counts and distributions of a run."""

from __future__ import annotations

from array import array
from collections import Counter

import numpy as np
from hdrh.histogram import HdrHistogram

from premortem.domain.run import Result

LATENCY_US_MAX = 3_600_000_000
"""An hour; what takes longer counts as an hour."""
CLASSES = tuple(f"{first}xx" for first in range(10))
PERCENTILES = (50.0, 90.0, 99.0)


class Distribution:
    """Milliseconds, with three significant digits, collected and recorded in batches.

    Recording one by one costs 0.6 us a value, in batches of hundreds 0.1.
    """

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, LATENCY_US_MAX, 3)
        self._recent = array("d")
        self._largest = 0.0

    def add(self, value_ms: float) -> None:
        """One more value."""
        self._recent.append(value_ms)

    def fold(self) -> tuple[float, float]:
        """Record what was added since the last time; its 50th and 99th percentile."""
        if not self._recent:
            return 0.0, 0.0
        values = np.frombuffer(self._recent, dtype=np.float64).clip(0.001, LATENCY_US_MAX / 1000)
        self._recent = array("d")
        self._largest = max(self._largest, float(values.max()))
        micros = (values * 1000).astype(np.int64)
        # Three significant digits are what the histogram keeps: equal ones are recorded as one.
        step = 10 ** np.maximum(0, np.floor(np.log10(micros)).astype(np.int64) - 3)
        rounded, counts = np.unique(micros // step * step, return_counts=True)
        for value, count in zip(rounded.tolist(), counts.tolist(), strict=True):
            self._histogram.record_value(value, count)
        low, high = np.percentile(values, (50, 99))
        return float(low), float(high)

    def percentile(self, percent: float) -> float:
        """Of everything folded, in ms; 0 when there is nothing."""
        if not self._histogram.get_total_count():
            return 0.0
        return float(self._histogram.get_value_at_percentile(percent)) / 1000

    def summary(self) -> dict[str, float]:
        """`p50`, `p90`, `p99`, `max`; empty when there is nothing."""
        self.fold()
        if not self._histogram.get_total_count():
            return {}
        values = {f"p{percent:g}": self.percentile(percent) for percent in PERCENTILES}
        return values | {"max": round(self._largest, 3)}


class Tally:
    """What came of the cases so far."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.by_source: Counter[str] = Counter()
        self.by_operation: Counter[tuple[str, int]] = Counter()
        """(operation id, first digit of the status; 0 without an answer) -> count."""
        self.setup = 0
        self.recorded_class_matched = 0
        self.recorded_class_total = 0
        self.latency = Distribution()
        """From the intended send time, answers only."""
        self.lag = Distribution()

    def operations(self) -> dict[str, dict[str, int]]:
        """Operation id -> status class, `none` without an answer -> count."""
        found: dict[str, dict[str, int]] = {}
        for (operation_id, first), count in sorted(self.by_operation.items()):
            found.setdefault(operation_id, {})[CLASSES[first] if first else "none"] = count
        return found

    @property
    def ended(self) -> int:
        """Cases that have a result."""
        return self.outcomes.total()

    def add(self, result: Result) -> None:
        """Count RESULT."""
        case, sent = result.case, result.sent
        self.outcomes[result.outcome] += 1
        self.by_source[case.origin.source] += 1
        self.setup += case.setup
        status = sent.response.status if sent.response is not None else 0
        self.by_operation[case.operation_id, status // 100] += 1
        if status:
            self.statuses[CLASSES[status // 100]] += 1
            self.latency.add(sent.lag_ms + sent.duration_ms)
        if sent.response is not None or (sent.fault is not None and sent.fault.sent):
            self.lag.add(sent.lag_ms)
        if case.origin.source == "replay" and not case.setup and case.recorded_status:
            self.recorded_class_total += 1
            self.recorded_class_matched += status // 100 == case.recorded_status // 100
