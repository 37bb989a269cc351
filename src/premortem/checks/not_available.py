"""What was just made is not there."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "not_available"
MISSING = frozenset({404, 410})
ACCEPTED = 202


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """404 or 410 for what an earlier case of the sequence made (RFC 9110, 15.3.2).

    Guard: the creation must have been answered 2xx and not 202 (not done yet), and its body must
    not refuse; the case asks in the role that made it, or it does not expect `there`.
    """
    response = sent.response
    if case.intent.expects != "there" or response is None or response.status not in MISSING:
        return
    creation = earlier(case, before)
    made = creation.response if creation is not None else None
    if creation is None or made is None or not succeeded(made) or made.status == ACCEPTED:
        return
    if refuses(made):
        return
    yield Verdict(
        check=NAME,
        title="does not find what was just made",
        signature="after creation",
        evidence=f"answered {response.status} after {creation.request.method} "
        f"{creation.request.path} was answered {made.status}; what was made should be there",
        severity="high",
    )


CHECK = Check(
    name=NAME,
    description="what was made with 2xx cannot be found right after",
    severity="high",
    judge=judge,
)
