"""What may happen once happened to several requests that were sent at once."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "more_than_once"


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """Two or more of the cases that were sent at once were let through.

    Guard: said only where the generator had a reason to expect one at most (production refused a
    repetition, or the second of them must meet what the first one left); an answer 2xx whose body
    refuses is a refusal, and the very same answer twice is a repetition told as such
    (idempotency keys).
    """
    response = sent.response
    if case.intent.expects != "once" or response is None or not _done(response):
        return
    first = case.intent.against
    if first < 0:
        return
    others = [
        other.response
        for other in before[first:]
        if other is not None and other is not sent and other.response is not None
    ]
    through = [
        other
        for other in others
        if _done(other) and (not other.body or other.body != response.body)
    ]
    if not through:
        return
    yield Verdict(
        check=NAME,
        title="lets several at once through where one may pass",
        signature="several at once",
        evidence=f"{len(through) + 1} of {len(others) + 1} requests sent at once were answered "
        "2xx; the first one leaves a state in which the others are to be refused",
        severity="high",
    )


def _done(response: Response) -> bool:
    return succeeded(response) and not refuses(response)


CHECK = Check(
    name=NAME,
    description="of requests sent at once more than one is carried out where one at most may be",
    severity="high",
    judge=judge,
)
