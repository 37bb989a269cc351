"""What time it is: the wall's, unless a test sets another for one request."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

COMPANY_ZONE = ZoneInfo("Europe/Berlin")
"""Where the company sits: an invoice is overdue once its due date has passed there."""

_SET: ContextVar[datetime | None] = ContextVar("ledger_now", default=None)


def now() -> datetime:
    """The time in UTC, to the millisecond, as it is shown."""
    moment = _SET.get() or datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def today() -> date:
    """The day at the company's place."""
    return now().astimezone(COMPANY_ZONE).date()


def set_for_this_request(text: str) -> None:
    """Let it be `text`, an ISO 8601 time with an offset, for the rest of this request.

    Raises ValueError if it is none.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset, such as Z or +01:00")
    _SET.set(moment.astimezone(UTC))
