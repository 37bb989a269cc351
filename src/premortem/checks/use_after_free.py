"""What was deleted is still there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import body_of, is_empty, refuses
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "use_after_free"
ACCEPTED = 202
_MARK = re.compile(r"delet|remov|archiv|trash|cancel|revok|disabl|inactiv|tombstone|ended|gone")
"""Names and values by which a service that keeps what was deleted says so."""
DEPTH_MAX = 3


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """2xx to a request for what an earlier case of the sequence took away.

    A correct service answers 404 or 410 (RFC 9110, 15.5.5 and 15.5.11). Guard: the deletion must
    have been answered 2xx and not 202 (not done yet, RFC 9110, 15.3.3); a second DELETE may
    succeed (9.3.5), PUT may make it anew (9.3.4); an empty answer and one that says `deleted` in
    its own way are refusals.
    """
    response = sent.response
    if case.intent.expects != "gone" or response is None or not succeeded(response):
        return
    deletion = earlier(case, before)
    deleted = deletion.response if deletion is not None else None
    if deletion is None or deleted is None or not succeeded(deleted) or deleted.status == ACCEPTED:
        return
    if sent.request.method in ("DELETE", "PUT", "OPTIONS") or response.status == ACCEPTED:
        return
    if refuses(deleted) or refuses(response) or is_empty(response) or _says_deleted(response):
        return
    yield Verdict(
        check=NAME,
        title="serves what was deleted",
        signature="after deletion",
        evidence=f"answered {response.status} after {deletion.request.method} "
        f"{deletion.request.path} was answered {deleted.status}; it should not be there any more",
        severity="high",
    )


def _says_deleted(response: Any) -> bool:
    return _marked(body_of(response), DEPTH_MAX)


def _marked(value: Any, left: int) -> bool:
    """Whether VALUE names a deletion: `"status": "deleted"`, `"deleted_at": "2026-..."`."""
    if not isinstance(value, dict) or left <= 0:
        return False
    for name, item in value.items():
        if _MARK.search(str(name).lower()) and item not in (None, False, 0, "", []):
            return True
        if isinstance(item, str) and len(item) < 40 and _MARK.search(item.lower()):
            return True
        if _marked(item, left - 1):
            return True
    return False


CHECK = Check(
    name=NAME,
    description="what a DELETE took away can still be used",
    severity="high",
    judge=judge,
)
