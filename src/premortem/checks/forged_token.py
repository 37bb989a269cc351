"""A token that nobody issued, or that does not count any more, is taken."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.auth_ignored import is_login_page
from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.denial import DENIALS
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.token_change import FORGERIES

NAME = "forged_token"


def judge(case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
    """2xx with a forged token; a correct service answers 401 or 403, or asks to sign in.

    Guard: the very same request was let through with the true token just before, and refused
    without any; so it is the token that opened the door.
    """
    response, change = sent.response, case.token
    if change is None or case.intent.expects != "denied" or change.forgery not in FORGERIES:
        return
    if response is None or not succeeded(response) or refuses(response):
        return
    stranger = earlier(case, before)
    shut = stranger.response if stranger is not None else None
    if stranger is None or shut is None or shut.status not in DENIALS:
        return
    if is_login_page(response, known):
        return
    forgery = FORGERIES[change.forgery]
    yield Verdict(
        check=NAME,
        title=f"takes a token {forgery.says}",
        signature=forgery.name,
        evidence=f"answered {response.status}, and {shut.status} without credentials; 401 or 403 "
        f"was to be expected ({forgery.because})",
        severity=forgery.severity,
    )


CHECK = Check(
    name=NAME,
    description="a token is taken that is forged, expired, or was made for somebody else",
    severity="high",
    judge=judge,
)
