"""A refused method without saying which ones are allowed."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "allow_header"
STATUS = 405


def judge(_case: Case, sent: Sent, _known: Known, _before: Before) -> Iterator[Verdict]:
    """405 without `Allow`, or with one that lists the refused method (RFC 9110, 15.5.6 and 10.2.1).

    Guard: a list that is not complete is let pass, for common frameworks name the methods of one
    of several routes to a path.
    """
    response = sent.response
    if response is None or response.status != STATUS:
        return
    method = sent.request.method
    values = [value for name, value in response.headers if name == "allow"]
    allowed = {word.strip().upper() for value in values for word in value.split(",")}
    if not values:
        title, signature = "refuses a method without an `Allow` header", "no Allow"
        evidence = "RFC 9110 (15.5.6) wants the methods that are allowed in `Allow`"
    elif method in allowed:
        title, signature = "refuses a method that its `Allow` header lists", "Allow lists it"
        evidence = f"`Allow: {', '.join(values)}` in the refusal of {method}"
    else:
        return
    yield Verdict(
        check=NAME,
        title=title,
        signature=signature,
        evidence=f"answered 405 to {method}; {evidence}",
        severity="low",
    )


CHECK = Check(
    name=NAME,
    description="405 without an `Allow` header, or with one that lists the refused method",
    severity="low",
    judge=judge,
)
