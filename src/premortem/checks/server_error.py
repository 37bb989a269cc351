"""The service failed on its side."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known, Severity
from premortem.checks.message import message_of
from premortem.checks.refusal import body_of
from premortem.checks.signature import normalise, without_values
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Request, Response

NAME = "server_error"

GRAPHQL_CODES = frozenset({"INTERNAL_SERVER_ERROR", "INTERNAL_ERROR", "INTERNAL"})
GRAPHQL_TRACES = frozenset({"exception", "stacktrace", "trace", "debugMessage"})


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """5xx (RFC 9110, 15.6). A service that says when to come back, or that something is not
    implemented, did not break: low, and nothing at all where the specification declares it.
    """
    response = sent.response
    if response is not None and response.status < 500 and is_varied(known):
        yield from graphql_failures(sent.request, response)
    if response is None or response.status < 500:
        return
    status = response.status
    if status == 501 and case.intent.breaks.startswith("method "):
        return  # RFC 9110, 15.6.2: the answer to a method that a server does not know
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


def is_varied(known: Known) -> bool:
    """Whether its operation is GraphQL's, which answers 200 whatever happened."""
    return known.operation is not None and bool(known.operation.operation.variant)


def graphql_failures(request: Request, response: Response) -> Iterator[Verdict]:
    """Errors in the answer of a GraphQL service that say that it failed on its side: by their
    code, or because they come with the place in the code. (GraphQL October 2021, 7.1.2)"""
    value = body_of(response)
    errors = value.get("errors") if isinstance(value, dict) else None
    for error in errors if isinstance(errors, list) else ():
        more = error.get("extensions") if isinstance(error, dict) else None
        if not isinstance(more, dict):
            continue
        if more.get("code") in GRAPHQL_CODES or not GRAPHQL_TRACES.isdisjoint(more):
            message = str(error.get("message") or "")
            core = normalise(without_values(message, request))
            yield Verdict(
                check=NAME,
                title="fails inside" + (f": {core}" if core else ""),
                signature=f"graphql {core}".strip(),
                evidence=f"answered {response.status} with an error of its own: {message}",
                severity="high",
            )
            return


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
