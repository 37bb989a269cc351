"""Answers that come too late."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from premortem.checks import Checker
from premortem.checks.response_time import RESULTS_MAX, SEEN_MIN, SLOW_MS_MIN
from premortem.config import CheckConfig
from premortem.domain.run import Verdict
from tests.checks.judging import answered, case, operation, profile

KNOWN = operation(duration_ms=(20.0, 50.0, 80.0, 200.0))


def timed(taken_ms: float, *, of: Any = KNOWN, **config: Any) -> tuple[Verdict, ...]:
    checker = Checker(profile(of), config=CheckConfig(**config))
    given = case(of)
    sent = replace(answered(given, 200), duration_ms=taken_ms)
    assert sent.response is not None
    found = checker.check(given, sent)
    assert not found or not checker.quick(given, sent.response, taken_ms)
    assert found or checker.quick(given, sent.response, taken_ms)
    return found


def test_ten_times_the_slowest_usual_answer_is_slow():
    slow = operation(duration_ms=(20.0, 50.0, 80.0, 400.0))
    assert not timed(4_000, of=slow)
    (verdict,) = timed(4_001, of=slow)
    assert verdict.severity == "low"
    assert verdict.signature == "slower than production"
    assert "took 400 ms or less" in verdict.evidence


def test_what_is_fast_enough_for_anybody_is_not_slow():
    fast = operation(duration_ms=(1.0, 1.0, 2.0, 3.0))
    assert not timed(SLOW_MS_MIN, of=fast)
    assert timed(SLOW_MS_MIN + 1, of=fast)


def test_few_requests_say_nothing_about_what_is_usual():
    assert not timed(60_000, of=operation(count=SEEN_MIN - 1, duration_ms=(1.0, 1.0, 1.0, 1.0)))
    assert not timed(60_000, of=operation())


def test_where_everything_is_slow_it_is_the_machine():
    checker, given = Checker(profile(KNOWN)), case(KNOWN)
    sent = replace(answered(given, 200), duration_ms=5_000.0)
    quick, slow = (replace(sent, duration_ms=ms) for ms in (30.0, 700.0))
    assert checker.check(given, sent, (quick, None))
    assert not checker.check(given, sent, (quick, slow))


def test_a_configured_maximum_holds_without_production():
    (verdict,) = timed(301, of=operation(), response_ms_max=300)
    assert verdict.signature == "over the maximum"
    assert not timed(300, of=operation(), response_ms_max=300)


def test_an_overloaded_service_does_not_drown_everything_else():
    checker = Checker(profile(KNOWN))
    given = case(KNOWN)
    sent = replace(answered(given, 200), duration_ms=9_999.0)
    found = [checker.check(given, sent) for _ in range(RESULTS_MAX + 20)]
    assert sum(map(bool, found)) == RESULTS_MAX
