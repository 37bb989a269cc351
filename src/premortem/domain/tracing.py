"""Trace contexts that say which case a request was: what the target's traces and log are joined
by (W3C Trace Context).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from premortem.domain.run import Case

OPERATIONS_REMEMBERED_MAX = 4096


def trace_id(case: Case) -> str:
    """32 hex digits: 16 of the operation, so that it is known of any span, and CASE's id."""
    return operation_digits(case.operation_id) + case.id


def traceparent(case: Case) -> str:
    """The header by which a request of CASE is to be traced (version 00, sampled)."""
    return f"00-{trace_id(case)}-{case.id}-01"


@lru_cache(maxsize=OPERATIONS_REMEMBERED_MAX)
def operation_digits(operation_id: str) -> str:
    """16 hex digits of an operation's id."""
    return sha256(operation_id.encode()).hexdigest()[:16]
