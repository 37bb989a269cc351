"""Waiting where the target says that there were too many requests, within bounds.

A refusal for the rate (429, RFC 6585, 4) did nothing, so the request may be sent again; it says
nothing about what was asked. For whoever looks at a target, not for whoever measures it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from premortem.domain.traffic import Response

TOO_MANY = 429
TRIES_MAX = 8
"""Of one request, the first one included. Without `Retry-After` the pauses double from PAUSE_S on:
91 s in all, for limits are mostly per minute."""
PAUSE_S = 1.0
PAUSE_S_MAX = 60.0
"""Of one pause; where the target asks for more, nobody waits."""
PAUSED_S_MAX = 600.0
"""Of all pauses together; then no more is waited."""
DOUBLED_S_MAX = 30.0


class Patience:
    """How long was waited for one target. SLEEP: seconds."""

    def __init__(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self.paused_s = 0.0

    async def over(self, answer: Response | None, *, tries: int, now: float) -> bool:
        """Whether ANSWER refused a request for the rate, and the pause that it takes is over.

        TRIES: how often it was sent. False at once where it was not, or no more is waited.
        """
        if answer is None or answer.status != TOO_MANY or tries >= TRIES_MAX:
            return False
        doubled_s: float = min(PAUSE_S * 2 ** (tries - 1), DOUBLED_S_MAX)
        pause_s = retry_after_s(answer.header("retry-after") or "", now=now) or doubled_s
        if pause_s > PAUSE_S_MAX or self.paused_s + pause_s > PAUSED_S_MAX:
            return False
        self.paused_s += pause_s
        await self._sleep(pause_s)
        return True


def retry_after_s(value: str, *, now: float) -> float:
    """Seconds that a `Retry-After` of VALUE asks for at NOW (RFC 9110, 10.2.3); 0: none."""
    value = value.strip()
    if value.isdecimal() and len(value) <= 9:
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, at.timestamp() - now)
