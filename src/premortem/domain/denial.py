"""Which answers refuse a request, and for what kind of reason."""

from __future__ import annotations

from typing import Literal

ACCESS = "access "
"""Begins `breaks` of a case that is about who asks."""
DENIALS = frozenset({301, 302, 303, 307, 308, 401, 403})
"""Who may not is refused, or asked to sign in."""
REFUSALS = frozenset(range(400, 500)) - {401, 408, 425, 429}
"""Those that are not about who asks, when and how often."""


def is_refusal(status: int, breaks: str) -> bool:
    """Whether STATUS refuses a case that breaks BREAKS for what it is."""
    return status in REFUSALS or (breaks.startswith(ACCESS) and status in DENIALS)


_NOT_SIGNED_IN, _FORBIDDEN, _HIDDEN = 401, 403, 404
_CONFLICT = frozenset({409, 412, 423})
_INVALID = 422


def shows_denial(status: int) -> bool:
    """Whether an answer of STATUS refuses who asks, whatever is asked."""
    return status in (_NOT_SIGNED_IN, _FORBIDDEN)


def may_hide(status: int, operation_id: str) -> bool:
    """Whether STATUS may keep from who asks that the thing is there which OPERATION_ID names in its
    path; that it is there, somebody else has to show (RFC 9110, 15.5.4)."""
    return status == _HIDDEN and "{" in operation_id


def grant_shown(
    status: int, operation_id: str, *, gated: bool, by_role: bool
) -> Literal["allowed", "denied", ""]:
    """What STATUS, the answer to a role's own request, shows; empty: neither leave nor denial.

    Success is leave, 401 and 403 are denial. A conflict shows that the gate was passed where others
    were stopped at it (GATED); an invalid value only where a signed-in one was (BY_ROLE), for who
    is signed in at all is often looked at first. 404 on a thing is denial: whoever keeps answers
    has seen that others were let through to it.
    """
    if 200 <= status < 300:
        return "allowed"
    if (gated and status in _CONFLICT) or (by_role and status == _INVALID):
        return "allowed"
    if shows_denial(status) or may_hide(status, operation_id):
        return "denied"
    return ""
