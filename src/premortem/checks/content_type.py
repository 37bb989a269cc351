"""An answer of a media type that the specification does not declare."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from premortem.checks.check import Check, Known, Severity, is_foreign
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Answer

NAME = "content_type"
_BODILESS = frozenset({204, 205, 304})


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """`content-type` against the media types declared for the status (OpenAPI 3.1, 4.8.17).

    Guard: only answers with a body, and only where some type is declared; redirections and 5xx
    are not judged, as servers in front write those. What production gave, too, is the document's
    gap: low.
    """
    response = sent.response
    if response is None or not response.body or sent.request.method == "HEAD" or is_foreign(case):
        return
    answer = known.answer(response.status)
    if answer is None or not is_judged(response.status) or not answer.declared_types:
        return
    given = response.media_type
    if is_declared(given, answer.declared_types):
        return
    if given:
        title, signature = f"answers with {given}, which is not declared", f"media type {given}"
    else:
        title, signature = "answers with a body of no media type", "no media type"
    declared = ", ".join(answer.declared_types)
    evidence = f"answered {response.status} with content-type {given or '(none)'}; the "
    evidence += f"specification declares {declared}"
    if given and given in answer.media_types:
        evidence += "; production answered so, too: the document has a gap"
    yield Verdict(
        check=NAME,
        title=title,
        signature=signature,
        evidence=evidence,
        severity=_severity(given, answer),
    )


def is_judged(status: int) -> bool:
    """Whether somebody promised a type for answers with STATUS."""
    return (200 <= status < 300 or 400 <= status < 500) and status not in _BODILESS


def is_declared(media_type: str, declared: Collection[str]) -> bool:
    """Whether MEDIA_TYPE is one of DECLARED, `*/*` and `text/*` standing for what they say."""
    if media_type in declared or "*/*" in declared or "*" in declared:
        return True
    return bool(media_type) and f"{media_type.partition('/')[0]}/*" in declared


def _severity(given: str, answer: Answer) -> Severity:
    known = not given or given in answer.media_types
    # A relative of a declared type is read all the same.
    relative = given.endswith("+json") and "application/json" in answer.declared_types
    return "low" if known or relative else "medium"


CHECK = Check(
    name=NAME,
    description="the answer's media type is none that the specification declares for its status",
    severity="medium",
    judge=judge,
)
