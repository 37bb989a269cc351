"""An answer that the specification does not speak of."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from premortem.checks.auth_ignored import UNKNOWN
from premortem.checks.check import Check, Known, Severity, is_foreign
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "undeclared_status"

SILENT = frozenset({304, 429})
"""Any operation may answer so without saying it: a condition held, a limit was reached."""


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """A status that is declared neither by number nor class nor `default` (OpenAPI 3.1, 4.8.16).

    Without a specification nothing is declared, so nothing is judged; 5xx is `server_error`'s.
    """
    response, operation = sent.response, known.operation
    if response is None or operation is None or not operation.in_spec or not operation.declared:
        return
    if is_foreign(case):
        return
    status = response.status
    if not 200 <= status < 500 or status in SILENT or known.declares(status):
        return
    if status == 401 and operation.secured and _stranger(case):
        return  # `security` says it: that is what credentials being required means
    declared = ", ".join(map(_spelled, sorted(operation.declared, key=_number)))
    recorded = known.recorded(status)
    evidence = f"answered {status} {_phrase(status)}; declared are {declared}"
    if recorded:
        evidence += f"; production answered {status} {recorded} times, so it is the document's gap"
    yield Verdict(
        check=NAME,
        title=f"answers {status}, which the specification does not declare",
        signature=f"status {status}",
        evidence=evidence,
        severity=_severity(case, sent, status, recorded),
    )


def _severity(case: Case, sent: Sent, status: int, recorded: int) -> Severity:
    """Low where the document has a gap rather than the service a defect."""
    if recorded:
        return "low"
    if 400 <= status < 500:
        # Production never sent it, so that it is refused says nothing; and what a request names
        # may not be there, or the one who asks may not be signed in.
        never_sent = case.recorded_status == 0
        missing = status in (404, 410) or (status in (401, 403) and not case.role)
        return "low" if never_sent or missing else "medium"
    moved = status in (301, 302, 303, 307, 308) and _moved(sent)
    return "low" if moved else "medium"


def _stranger(case: Case) -> bool:
    """Whether CASE goes out without credentials, or with meaningless ones."""
    return case.intent.breaks.startswith("auth ") or case.role in ("", UNKNOWN)


def _moved(sent: Sent) -> bool:
    """A redirection that only adds or takes a slash, or leads to the same path elsewhere."""
    location = (sent.response.header("location") or "") if sent.response is not None else ""
    path = location.split("?", 1)[0]
    return path.rstrip("/").endswith(sent.request.path.rstrip("/"))


def _number(status: int) -> int:
    """Classes stand before their numbers, `default` last."""
    return -100 * status - 1 if status < 0 else status or 1000


def _spelled(status: int) -> str:
    if status == 0:
        return "default"
    return f"{-status}XX" if status < 0 else str(status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


CHECK = Check(
    name=NAME,
    description="the status is not among those that the specification declares for the operation",
    severity="medium",
    judge=judge,
)
