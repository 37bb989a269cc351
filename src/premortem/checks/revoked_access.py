"""Credentials work after they were taken back."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.auth_ignored import is_login_page, is_open
from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.denial import ACCESS
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "revoked_access"


def judge(case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
    """2xx with credentials that an earlier case of the sequence ended (log out, revocation).

    A correct service answers 401 or 403 (RFC 9110, 15.5.2; RFC 7009, 2). Guard: the revocation
    must have been answered 2xx; what anybody may do is no matter of credentials.
    """
    response = sent.response
    if case.intent.expects != "denied" or case.token is not None:
        return
    if response is None or not succeeded(response) or case.intent.breaks.startswith(ACCESS):
        return
    revocation = earlier(case, before)
    ended = revocation.response if revocation is not None else None
    if revocation is None or ended is None or not succeeded(ended) or refuses(ended):
        return
    if is_open(known) or refuses(response) or is_login_page(response, known):
        return
    yield Verdict(
        check=NAME,
        title="takes credentials that were revoked",
        signature="after revocation",
        evidence=f"answered {response.status} after {revocation.request.method} "
        f"{revocation.request.path} was answered {ended.status}; 401 or 403 was to be expected",
        severity="high",
    )


CHECK = Check(
    name=NAME,
    description="credentials are taken after they were revoked",
    severity="high",
    judge=judge,
)
