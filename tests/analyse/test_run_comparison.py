"""A difference that is there is clear; one that is not is seldom called so."""

from __future__ import annotations

import numpy as np

from premortem.analyse.run_comparison import CONFIDENCE, Compared, compare_runs
from premortem.domain.jobs import Count
from premortem.domain.latency import Latency


def run(
    seed: int, *, seconds: int = 60, rate: int = 50, median_ms: float = 20.0, errors: float = 0.02
) -> list[Count]:
    """A service whose mood changes from second to second, as real ones do."""
    rng = np.random.default_rng(seed)
    counts: list[Count] = []
    for second in range(seconds):
        mood = rng.lognormal(0, 0.2)
        failed = int(rng.binomial(rate, errors))
        times = rng.lognormal(np.log(median_ms * mood), 0.5, rate)
        latency = Latency.of_ms(times[failed:]).packed()
        kind = ("GET /a", "replay", False, 0)
        counts.append(Count(second, *kind, 200, "answered", "", rate - failed, latency))
        if failed:
            counts.append(Count(second, *kind, 500, "answered", "", failed, b""))
    return counts


def of(rows: list[Compared], metric: str) -> Compared:
    return next(row for row in rows if row.metric == metric and not row.operation_id)


def test_slower_and_more_errors_are_clear() -> None:
    rows = compare_runs(run(1), run(2, median_ms=30.0, errors=0.1))
    for metric in ("p50_ms", "p99_ms", "error_ratio"):
        row = of(rows, metric)
        assert row.clear, metric
        assert row.difference is not None
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.difference <= row.high


def test_two_runs_of_the_same_service_seldom_differ_clearly() -> None:
    tried = [of(compare_runs(run(i), run(i + 1000)), "p50_ms") for i in range(40)]
    false_alarms = sum(row.clear for row in tried)
    assert false_alarms <= 40 * (1 - CONFIDENCE) + 4.2  # 2 expected; 6 is beyond 3 sigma


def test_the_same_rate_is_no_difference() -> None:
    row = of(compare_runs(run(1), run(2)), "rate_per_second")
    assert row.before == row.after == 50
    assert not row.clear


def test_a_run_of_a_few_seconds_has_no_interval() -> None:
    row = of(compare_runs(run(1, seconds=3), run(2, seconds=60)), "p50_ms")
    assert row.difference is not None
    assert row.low is None
    assert not row.clear


def test_nothing_measured_is_said() -> None:
    row = of(compare_runs([], run(1)), "p50_ms")
    assert row.before is None
    assert row.difference is None
