"""Thresholds and rules: read, measured, judged."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.condition import (
    METRICS,
    Condition,
    Ended,
    Observed,
    judge_thresholds,
    measure,
    observed_of,
    parse_condition,
    parse_metric,
)
from premortem.domain.jobs import Count
from premortem.domain.latency import Latency

FILTERED = [n for n in METRICS if n not in ("lag_p99_ms", "backlog", "queue_depth")]
MAKE = "POST /invoices"


@given(
    metric=st.sampled_from(sorted(METRICS)),
    operation=st.sampled_from(["", MAKE, "GET /a/{id}", "GET /a/{id}/b/{x}"]),
    comparison=st.sampled_from(["<", "<=", ">", ">="]),
    value=st.floats(0, 1),
)
def test_what_is_written_is_read(metric, operation, comparison, value):
    operation = operation if metric in FILTERED else ""
    condition = Condition(metric=metric, operation=operation, comparison=comparison, value=value)
    read = parse_condition(str(condition))
    assert (read.of, read.comparison) == (condition.of, comparison)
    assert read.value == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("p99_ms<250", "p99_ms < 250"),
        ("  p99_ms {POST /invoices}   <=  2.5e2 ", "p99_ms{POST /invoices} <= 250"),
        ("error_ratio < 1%", "error_ratio < 0.01"),
        ("target.cpu >= -5", "target.cpu >= -5"),
        ("findings <= 0", "findings <= 0"),
    ],
)
def test_it_may_be_written_in_more_than_one_way(text, same):
    assert str(parse_condition(text)) == same


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p99 < 250", "did you mean p99_ms?"),
        ("latency < 250", "p99_ms, p999_ms"),
        ("p99_ms < 250ms", "a number of ms, without a unit"),
        ("p99_ms < fast", "a number of ms"),
        ("p99_ms < nan", "a number of ms"),
        ("p99_ms < 1e999", "never 1e999"),
        ("p99_ms < -1", "0 or more"),
        ("p99_ms == 3", "no condition"),
        ("p99_ms", "no condition"),
        ("p99_ms < 1 < 2", "no condition"),
        ("", "no condition"),
        ("error_ratio < 5", "never above 1"),
        ("error_ratio < 500%", "never above 1"),
        ("p99_ms < 5%", "number of ms"),
        ("backlog{GET /} > 5", "of the whole run"),
        ("target.cpu{GET /} > 5", "of the whole run"),
        ("target. > 5", "no name of a metric"),
        ("p99_ms{} < 5", "names no operation"),
        ("x" * 600 + " < 5", "no condition"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_there_is(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_condition(text)


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_refused(text):
    with suppress(ValueError):
        assert parse_condition(text).metric in METRICS


def test_a_metric_alone_can_be_named():
    assert parse_metric("target.cpu").target == "cpu"
    assert parse_metric("p99_ms").target == ""
    with pytest.raises(ValueError, match="p99_ms"):
        parse_metric("p98_ms")


def count(status: int, number: int, *, operation: str = MAKE, outcome: str = "answered", ms=()):
    latency = Latency.of_ms(ms).packed()
    return Count(0, operation, "sample", False, 0, status, outcome, "", number, latency)


SEEN = observed_of(
    [
        count(200, 6, ms=[10.0] * 5 + [100.0]),
        count(404, 2, ms=[1.0] * 2),
        count(500, 1, operation="GET /slow", ms=[1000.0]),
        count(0, 1, operation="GET /slow", outcome="faulted"),
        count(0, 2, operation="GET /slow", outcome="unknown"),
    ],
    duration_s=3.0,
    lag=Latency.of_ms([1.0] * 99 + [50.0]),
    backlog=7,
    queue_depth=2,
    findings=3,
    findings_by_operation={MAKE: 3},
    target={"cpu": 71.5},
)


@pytest.mark.parametrize(
    ("metric", "operation", "value"),
    [
        ("p50_ms", "", 10),
        ("p99_ms", "", 1000),
        ("p99_ms", MAKE, 100),
        ("max_ms", MAKE, 100),
        ("mean_ms", MAKE, (50 + 100 + 2) / 8),
        ("error_ratio", "", 4 / 12),
        ("error_ratio", MAKE, 0),
        ("fault_ratio", "", 1 / 12),
        ("unknown_ratio", "GET /slow", 2 / 4),
        ("status_4xx_ratio", "", 2 / 12),
        ("status_5xx_ratio", "GET /slow", 1 / 4),
        ("rate_per_second", "", 9 / 3),
        ("rate_per_second", MAKE, 8 / 3),
        ("lag_p99_ms", "", 1),
        ("backlog", "", 7),
        ("queue_depth", "", 2),
        ("findings", "", 3),
        ("findings", "GET /slow", 0),
        ("target.cpu", "", 71.5),
        ("target.gone", "", None),
        ("p99_ms", "GET /never", None),
        ("error_ratio", "GET /never", None),
    ],
)
def test_every_metric_is_measured(metric, operation, value):
    found = measure(SEEN, metric, operation)
    assert found == (value if value is None else pytest.approx(value, rel=0.01))


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_what_nobody_measured_has_no_value(metric):
    assert measure(Observed(duration_s=0.0), metric) is None


def test_thresholds_are_judged_and_what_was_not_measured_does_not_hold():
    conditions = [
        parse_condition(t) for t in ("p99_ms < 250", "error_ratio < 50%", "max_ms{X} < 1")
    ]
    judged = judge_thresholds(conditions, SEEN)
    assert [(text, held) for text, _, held in judged] == [
        ("p99_ms < 250", False),
        ("error_ratio < 0.5", True),
        ("max_ms{X} < 1", False),
    ]
    assert [verdict.said for verdict in judged] == [
        "p99_ms < 250: it was 1000",
        "error_ratio < 0.5: it was 0.3333",
        "max_ms{X} < 1: nothing was measured of it",
    ]


@pytest.mark.parametrize(
    ("comparison", "held"), [("<", False), ("<=", True), (">", False), (">=", True)]
)
def test_the_value_itself_is_in_or_out_as_written(comparison, held):
    exact = Observed(duration_s=1, whole=Ended(statuses={200: 5}))
    [judged] = judge_thresholds([parse_condition(f"rate_per_second {comparison} 5")], exact)
    assert judged.held is held
