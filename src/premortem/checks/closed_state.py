"""Something is let through in a state in which everything else is refused."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.run import SAFE_METHODS, Before, Case, Sent, Verdict

NAME = "closed_state"
CLOSED = "order closed "
"""Begins `breaks` of such cases, as `generate.order_closed` writes them; the word by which their
siblings are refused follows."""
SIBLINGS_MIN = 3
"""Siblings that must have been refused for that word."""
STATE = frozenset({403, 409, 422, 423})


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """2xx in a state for which all siblings, tried just before, were refused by one word that names
    the thing and its state alone (`InvoiceLocked`).

    Guard: one sibling that is let through, or refused otherwise, ends the suspicion; so does a
    word that production gave in any other state, and what production itself let through there is
    not tried. Nobody said that the operation is to be refused: a suspicion, of low severity.
    """
    response = sent.response
    breaks, first = case.intent.breaks, case.intent.against
    if not breaks.startswith(CLOSED) or response is None or not succeeded(response):
        return
    word = breaks.removeprefix(CLOSED)
    others = [s for s in before[first:] if s is not None and s is not sent] if first >= 0 else []
    others = [s for s in others if s.request.method not in SAFE_METHODS]
    if refuses(response) or len(others) < SIBLINGS_MIN:
        return
    for other in others:
        answer = other.response
        if answer is None or answer.status not in STATE or word.encode() not in answer.body:
            return
    paths = ", ".join(f"{s.request.method} {s.request.path}" for s in others)
    yield Verdict(
        check=NAME,
        title=f"is let through where all else is refused with {word}",
        signature=f"closed {word}",
        evidence=f"answered {response.status} right after {paths} were refused with {word}, which "
        "speaks of the thing and its state, not of what is done to it; nobody said that this is "
        "to be refused, too",
        severity="low",
    )


CHECK = Check(
    name=NAME,
    description="2xx in a state in which everything else that changes the thing is refused",
    severity="low",
    judge=judge,
)
