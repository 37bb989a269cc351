"""An address of another version is there, and stands in no document."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.auth_ignored import is_login_page
from premortem.checks.check import VERSION, Check, Known, earlier, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "other_version"


def judge(case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
    """2xx to a reading under another version's address, which the specification does not have.

    (OWASP API Security 2023, API9.) Guard: a version that there cannot be was refused just before,
    and the documented address let through; so it is no service that answers everything. A page of
    HTML is what an application shows for every address.
    """
    response, operation = sent.response, known.operation
    where = case.intent.breaks.removeprefix(VERSION)
    if where == case.intent.breaks or response is None or operation is None:
        return
    nowhere = earlier(case, before)
    told = nowhere.response if nowhere is not None else None
    if told is None or not 400 <= told.status < 500:
        return
    if not succeeded(response) or refuses(response) or is_login_page(response, known):
        return
    nobody = not case.role and operation.secured
    how = " without credentials" if nobody else ""
    yield Verdict(
        check=NAME,
        title=f"answers under {where}{how}, which the specification does not have",
        signature=f"{where}{how}",
        evidence=f"{sent.request.path} was answered {response.status}{how}, a version that there "
        f"cannot be {told.status}; documented is {operation.id} (OWASP API Security 2023, API9)",
        severity="high" if nobody else "medium",
    )


CHECK = Check(
    name=NAME,
    description="another version of an operation answers, and stands in no document",
    severity="medium",
    judge=judge,
)
