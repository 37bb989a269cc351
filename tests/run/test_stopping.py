from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.condition import Ended, Observed
from premortem.domain.latency import Latency
from premortem.domain.load import StopRule
from premortem.run.stopping import METRICS_FIRST_S_MAX, StopWatch

LOOK_S = 0.1


def watch(*rules: StopRule, metrics_required: bool = False) -> StopWatch:
    return StopWatch(rules, metrics_required=metrics_required)


def seen(**more: object) -> Callable[[float], Observed]:
    return lambda _: Observed(duration_s=5.0, **more)


def fired_at(stops: StopWatch, cpu: list[float | None]) -> int | None:
    """The look at which a rule fires; CPU: what the target says at each of them, None: nothing."""
    for index, value in enumerate(cpu):
        target = {} if value is None else {"cpu": value}
        if stops.look(index * LOOK_S, seen(target=target), lost="") is not None:
            return index
    return None


@given(
    st.lists(st.one_of(st.none(), st.sampled_from([90.0, 95.0, 95.1, 100.0])), max_size=80),
    st.integers(0, 30),
)
def test_a_rule_fires_as_soon_as_it_held_for_its_time_without_a_break(cpu, looks):
    rule = StopRule(when="target.cpu > 95", for_s=looks * LOOK_S - 1e-9 if looks else 0.0)
    held, expected = 0, None
    for index, value in enumerate(cpu):
        held = held + 1 if value is not None and value > 95 else 0
        # Held at n looks in a row it has held for n - 1 times the time between two.
        if held > looks and expected is None:
            expected = index
    assert fired_at(watch(rule), cpu) == expected


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 60))
def test_a_share_is_judged_only_of_enough_requests(good, bad, least):
    rule = StopRule(when="error_ratio > 0.2", least=least)
    ended = Ended(statuses={200: good, 503: bad})
    fired = watch(rule).look(5.0, seen(whole=ended), lost="")
    total = good + bad
    assert (fired is not None) == (total > 0 and total >= least and bad / total > 0.2)


def test_enough_requests_are_those_of_the_operation_that_is_judged():
    rule = StopRule(when="error_ratio{POST /pay} > 0.2", least=20)
    whole = Ended(statuses={200: 1000, 500: 3})
    few = {"POST /pay": Ended(statuses={500: 3})}
    many = {"POST /pay": Ended(statuses={500: 20})}
    assert watch(rule).look(5.0, seen(whole=whole, operations=few), lost="") is None
    assert watch(rule).look(5.0, seen(whole=whole, operations=many), lost="") is not None


def test_a_rate_is_judged_once_its_window_is_full():
    rule = StopRule(when="rate_per_second < 10", window_s=5.0)
    stops = watch(rule)
    assert stops.look(4.9, seen(whole=Ended()), lost="") is None
    assert stops.look(5.0, seen(whole=Ended()), lost="") is not None


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("backlog > 100", {"backlog": 101.0}),
        ("queue_depth >= 5", {"queue_depth": 5.0}),
        ("target.heap > 1e9", {"target": {"heap": 2e9}}),
        ("lag_p99_ms > 50", {"lag": Latency.of_ms([200.0])}),
        ("p99_ms > 250", {"whole": Ended(statuses={200: 50}, latency=Latency.of_ms([400.0] * 50))}),
        ("status_4xx_ratio > 0.5", {"whole": Ended(statuses={200: 10, 404: 90})}),
        ("fault_ratio > 0.1", {"whole": Ended(statuses={200: 10}, faulted=90)}),
        ("unknown_ratio > 0", {"whole": Ended(statuses={200: 99}, unknown=1)}),
    ],
)
def test_rules_may_be_over_whatever_a_run_measures(when, found):
    assert watch(StopRule(when=when)).look(6.0, seen(**found), lost="") is not None
    assert watch(StopRule(when=when)).look(6.0, seen(), lost="") is None


def test_the_first_rule_that_holds_is_the_reason_and_shows_its_evidence():
    stops = watch(
        StopRule(when="p99_ms > 2000"),
        StopRule(when="error_ratio > 20%", for_s=1.0, window_s=3.0),
        StopRule(when="target.cpu > 95"),
    )
    ended = Ended(statuses={200: 1000, 503: 1234}, faulted=3, unknown=1)
    assert stops.look(10.0, seen(whole=ended), lost="") is None
    rule, evidence = stops.look(11.5, seen(whole=ended), lost="") or ("", "")
    assert rule == "error_ratio > 0.2"
    assert evidence == (
        "error_ratio was 0.5532 over the last 3 s, for 1.5 s without a break (in the last 3 s "
        "2,238 requests ended: 1,000 x 200, 1,234 x 503; 3 faulted, 1 unknown)"
    )


def test_the_evidence_of_a_metric_of_the_target_is_its_value():
    stops = watch(StopRule(when="target.cpu > 95"))
    rule, evidence = stops.look(2.0, seen(target={"cpu": 97.25}), lost="") or ("", "")
    assert rule == "target.cpu > 95"
    assert evidence == "target.cpu was 97.25 (in the last 2 s 0 requests ended)"


def test_long_windows_are_not_summed_up_at_every_look():
    asked: list[float] = []

    def observe(window_s: float) -> Observed:
        asked.append(window_s)
        return Observed(duration_s=window_s)

    stops = watch(StopRule(when="p99_ms > 1", window_s=60), StopRule(when="p50_ms > 1", window_s=2))
    for look in range(100):
        stops.look(look * LOOK_S, observe, lost="")
    assert asked.count(2) == 100
    assert 20 <= asked.count(60) <= 21


LOST = "cpu: no answer within 2 s"


def test_losing_sight_of_the_target_stops_the_run_where_that_is_required():
    stops = watch(metrics_required=True)
    assert stops.look(1.0, seen(), lost="") is None
    rule, evidence = stops.look(1.1, seen(), lost=LOST) or ("", "")
    assert rule == "require_metrics"
    assert LOST in evidence


def test_the_first_value_may_take_a_while():
    stops = watch(metrics_required=True)
    assert stops.look(METRICS_FIRST_S_MAX, seen(), lost=LOST) is None
    assert stops.look(METRICS_FIRST_S_MAX + 0.1, seen(), lost=LOST) is not None


def test_metrics_that_nobody_requires_may_be_lost():
    stops = watch(StopRule(when="target.cpu > 95"))
    assert stops.look(1.0, seen(target={"cpu": 50.0}), lost="") is None
    assert stops.look(100.0, seen(), lost=LOST) is None


def test_a_rule_that_is_no_condition_is_refused():
    with pytest.raises(ValueError, match="no metric is called"):
        watch(StopRule(when="cpu > 95"))
