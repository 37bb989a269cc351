"""An answer came too late."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from premortem.checks.check import Check, Known, Severity
from premortem.config import CheckConfig
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import OperationProfile

NAME = "response_time"
TIMES_P99 = 10.0
"""So many times production's 99 % quantile: caches are cold, machines differ."""
SLOW_MS_MIN = 3_000.0
"""Faster than this is fast enough for most, whatever production did, and may be a busy machine."""
ALL_SLOW_MS = 500.0
"""Where what went before in the sequence took as long, everything is slow just now."""
SEEN_MIN = 20
"""Recorded requests from which there is a quantile to speak of."""
RESULTS_MAX = 50


def judge(_case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
    """The time from sending to the whole answer against `response_ms_max` of `[checks]`, and
    against the operation's own in production.

    Guard: without a configured maximum an answer has to take more than TIMES_P99 times the 99 %
    quantile of SEEN_MIN requests or more, and more than SLOW_MS_MIN; waiting for a slot is not
    counted; where the requests before it were slow, too, it is the machine; and low, for that one
    is not production's. A finding is sent again, alone, so that load by itself makes none.
    """
    if sent.response is None or known.operation is None:
        return
    limit = known.config.response_ms_max or inf
    usual = usual_ms_max(known.operation)
    taken = sent.duration_ms
    if taken > limit:
        title, signature = f"answers later than after {limit:g} ms", "over the maximum"
        evidence = f"took {taken:.0f} ms; `response_ms_max` under [checks] is {limit:g}"
        severity: Severity = "medium"
    elif taken > usual and not any(s and s.duration_ms > ALL_SLOW_MS for s in before):
        severity = "low"
        title, signature = "answers far slower than production did", "slower than production"
        p99 = known.operation.duration_ms[-1]
        evidence = f"took {taken:.0f} ms; 99 % of production's answers took {p99:.0f} ms or less"
    else:
        return
    yield Verdict(
        check=NAME, title=title, signature=signature, evidence=evidence, severity=severity
    )


def limit_ms(operation: OperationProfile, config: CheckConfig) -> float:
    """The longest time that `judge` lets pass; inf: any."""
    return min(config.response_ms_max or inf, usual_ms_max(operation))


def usual_ms_max(operation: OperationProfile) -> float:
    """The longest time that production makes plausible; inf: it says nothing."""
    answered = operation.count - operation.unanswered
    if not operation.duration_ms or answered < SEEN_MIN:
        return inf
    return max(SLOW_MS_MIN, TIMES_P99 * operation.duration_ms[-1])


CHECK = Check(
    name=NAME,
    description="an answer takes longer than `response_ms_max`, or far longer than in production",
    severity="medium",
    judge=judge,
    results_max=RESULTS_MAX,
)
