"""A method that the specification does not declare for a path was carried out."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import METHOD, Check, Known, Severity, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "unsupported_method"


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """2xx to a method that is declared for no path that the request's path matches.

    A correct service answers 405, 501 or 404 (RFC 9110, 15.5.6). Guard: HEAD and OPTIONS are
    never tried, as servers offer them by themselves; a page of HTML is what an application shows
    for every address; an answer 2xx whose body refuses is a refusal.
    """
    response = sent.response
    if not case.intent.breaks.startswith(METHOD) or response is None or not succeeded(response):
        return
    if refuses(response) or _is_page(response, known):
        return
    method = case.intent.breaks.removeprefix(METHOD)
    yield Verdict(
        check=NAME,
        title=f"carries out {method}, which is not declared for this path",
        signature=f"method {method}",
        evidence=f"answered {response.status} to {method}; the specification does not declare it "
        "here, so RFC 9110 (15.5.6) wants 405",
        severity=_severity(method),
    )


def _severity(method: str) -> Severity:
    # To read what is not documented does no harm; TRACE shows a page what its reader's browser
    # sends, and the others change things that nobody thought of guarding.
    return "low" if method == "GET" else "medium"


def _is_page(response: Response, known: Known) -> bool:
    if "html" not in response.media_type:
        return False
    return not any(response.media_type in a.media_types for a in known.answers.values())


CHECK = Check(
    name=NAME,
    description="2xx to a method that the specification does not declare for the path, TRACE too",
    severity="medium",
    judge=judge,
)
