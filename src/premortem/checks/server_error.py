"""The service failed on its side."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known, Severity
from premortem.checks.message import message_of
from premortem.checks.signature import normalise, without_values
from premortem.domain.run import Case, Sent, Verdict

NAME = "server_error"


def judge(case: Case, sent: Sent, known: Known) -> Iterator[Verdict]:
    """5xx (RFC 9110, 15.6). A service that says when to come back, or that something is not
    implemented, did not break: low, and nothing at all where the specification declares it.
    """
    response = sent.response
    if response is None or response.status < 500:
        return
    status = response.status
    resting = status == 503 and response.header("retry-after") is not None
    mild = resting or status == 501
    if mild and known.operation is not None and status in known.operation.declared:
        return
    message = message_of(response)
    core = normalise(without_values(message, sent.request))
    severity: Severity = "low" if mild else "high"
    yield Verdict(
        check=NAME,
        title=f"fails with {status}" + (f": {core}" if core else ""),
        signature=f"{status} {core}".strip(),
        evidence=_evidence(case, status, message, resting=resting),
        severity=severity,
    )


def _evidence(case: Case, status: int, message: str, *, resting: bool) -> str:
    said = f"answered {status}" + (f", saying: {message}" if message else " without a word")
    if resting:
        said += "; it asks to be tried again later (Retry-After)"
    if case.recorded_status >= 500:
        said += f"; production answered {case.recorded_status} to this request, too"
    elif case.recorded_status:
        said += f"; production answered {case.recorded_status}"
    return said


CHECK = Check(
    name=NAME,
    description="the service answers 5xx: it failed on its side, whatever was sent",
    severity="high",
    judge=judge,
)
