from __future__ import annotations

import pytest

from premortem.checks import CHECKS, Check, Checker
from premortem.domain.run import Verdict
from premortem.errors import ConfigError
from tests.checks.judging import answer, answered, breaking, case, faulted, operation, profile

OPERATION = operation(secured=True, in_spec=True, declared=(200,))
CHECKER = Checker(profile(OPERATION))


def test_names_are_unique_and_described():
    names = [check.name for check in CHECKS]
    assert sorted(set(names)) == sorted(names)
    assert all(check.description for check in CHECKS)


def test_a_check_that_is_off_says_nothing():
    given = case(OPERATION)
    sent = answered(given, 500)
    assert [v.check for v in CHECKER.check(given, sent)] == ["server_error"]
    assert not Checker(profile(OPERATION), off=("server_error",)).check(given, sent)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no check named 'shape'.*response_shape"):
        Checker(profile(), off=("shape",))


def test_an_operation_that_the_profile_does_not_know_is_still_judged():
    given = case(operation())
    checker = Checker(profile())
    assert [v.check for v in checker.check(given, answered(given, 500))] == ["server_error"]
    assert not checker.check(given, answered(given, 200, {"a": 1}))


def test_a_further_check_is_a_function():
    def slow(case, sent, known, before):
        if sent.duration_ms >= 0 and known.operation is not None:
            yield Verdict(check="slow", title="slow", signature="slow")

    extra = Check(name="slow", description="too slow", severity="low", judge=slow)
    given = case(OPERATION)
    found = Checker(profile(OPERATION), checks=(*CHECKS, extra)).check(given, answered(given, 200))
    assert [v.check for v in found] == ["slow"]


@pytest.mark.parametrize(
    ("kind", "severity"),
    [("garbage", "high"), ("reset", "high"), ("too_large", "medium"), ("timeout", "medium")],
)
def test_no_usable_answer_is_a_finding(kind, severity):
    given = case(OPERATION)
    (verdict,) = CHECKER.check(given, faulted(given, kind))
    assert (verdict.check, verdict.severity, verdict.signature) == ("no_answer", severity, kind)


@pytest.mark.parametrize("kind", ["connect", "tls", "unbound", "reset"])
def test_faults_that_say_nothing_about_the_request_are_silent(kind):
    given = case(OPERATION)
    assert not CHECKER.check(given, faulted(given, kind, sent=False))


def test_a_stream_that_goes_on_is_no_timeout():
    given = case(OPERATION, headers=(("accept", "text/event-stream"),))
    assert not CHECKER.check(given, faulted(given, "timeout"))
    streaming = operation(answers=(answer(200, media_types=("text/event-stream",)),))
    given = case(streaming)
    checker = Checker(profile(streaming))
    assert not checker.check(given, faulted(given, "too_large"))
    assert checker.check(given, faulted(given, "reset"))


def test_one_answer_may_fail_more_than_one_check():
    given = case(OPERATION, intent=breaking("auth missing"))
    found = {v.check for v in CHECKER.check(given, answered(given, 202, {"id": 1}))}
    assert found == {"auth_ignored", "undeclared_status"}
