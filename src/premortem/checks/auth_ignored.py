"""An answer that needed credentials was given without."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "auth_ignored"

UNKNOWN = "unknown"
"""The role of credentials that nobody has; they are sent as ones that mean nothing."""


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """2xx without credentials, or with meaningless ones, where the operation is secured.

    So are a case that leaves them out on purpose, and a replayed one that production answered
    with 401. (RFC 9110, 15.5.2)
    """
    response = sent.response
    if response is None or not succeeded(response) or sent.request.method == "OPTIONS":
        return
    how = _how(case)
    if not how or is_open(known) or refuses(response) or is_login_page(response, known):
        return
    recorded = known.recorded(401)
    evidence = f"answered {response.status} {how}"
    if case.recorded_status == 401:
        evidence += "; production answered 401 to the same request"
    elif recorded:
        evidence += f"; production answered 401 {recorded} times on this operation"
    else:
        evidence += "; the operation is secured"
    yield Verdict(
        check=NAME,
        title=f"answers {how}",
        signature=how,
        evidence=evidence,
        severity="high",
    )


def _how(case: Case) -> str:
    """How the request lacks credentials; empty when it does not."""
    breaks = case.intent.breaks
    if case.intent.expects == "denied":
        return ""  # `revoked_access` speaks of these
    if breaks.startswith("auth "):
        return "without credentials" if breaks == "auth missing" else "with invalid credentials"
    # Configured roles sign in afresh, so 401 for them need not come again.
    if case.recorded_status == 401 and case.role in ("", UNKNOWN):
        return "with invalid credentials" if case.role else "without credentials"
    return ""


def is_open(known: Known) -> bool:
    """Whether anyone may do this: nobody says it is secured, or production let strangers in."""
    operation = known.operation
    if operation is None or not operation.secured:
        return True
    strangers = operation.roles.get("", {})
    if any(status.startswith("2") for status in strangers):
        return True
    # Clients send their credentials wherever they go: that they did here says little about a
    # service whose document names what is secured, and leaves this out.
    return known.documented and not operation.in_spec and not known.recorded(401)


def is_login_page(response: Response, known: Known) -> bool:
    """A page where others get data: the way of web applications to ask for credentials."""
    if "html" not in response.media_type:
        return False
    answer = known.answer(response.status)
    return answer is None or response.media_type not in answer.media_types


CHECK = Check(
    name=NAME,
    description="a secured operation answers 2xx without credentials or with invalid ones",
    severity="high",
    judge=judge,
)
