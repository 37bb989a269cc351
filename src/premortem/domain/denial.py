"""Which answers refuse a request, and for what kind of reason."""

from __future__ import annotations

ACCESS = "access "
"""Begins `breaks` of a case that is about who asks."""
DENIALS = frozenset({301, 302, 303, 307, 308, 401, 403})
"""Who may not is refused, or asked to sign in."""
REFUSALS = frozenset(range(400, 500)) - {401, 408, 425, 429}
"""Those that are not about who asks, when and how often."""


def is_refusal(status: int, breaks: str) -> bool:
    """Whether STATUS refuses a case that breaks BREAKS for what it is."""
    return status in REFUSALS or (breaks.startswith(ACCESS) and status in DENIALS)
