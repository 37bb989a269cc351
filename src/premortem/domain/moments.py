"""Dates and times as they stand in messages (ISO 8601, seconds since the epoch)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

EPOCH_S = range(900_000_000, 4_200_000_000)
"""Numbers in this range, or a thousand times as large, are taken for times."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*")


def moment_of(text: str) -> tuple[float, bool] | None:
    """TEXT (ISO 8601) as seconds since the epoch, and whether it is a day only; None if neither.

    What names no zone is taken for UTC.
    """
    day = _DATE.fullmatch(text) is not None
    if not day and (len(text) > 40 or _TIME.fullmatch(text) is None):
        return None
    try:
        read = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except ValueError:
        return None
    aware = read if read.tzinfo is not None else read.replace(tzinfo=UTC)
    return aware.timestamp(), day


def epoch_seconds(number: float) -> float | None:
    """NUMBER as seconds since the epoch where it can be seconds or milliseconds, else None."""
    if int(number) in EPOCH_S:
        return float(number)
    return number / 1000 if int(number // 1000) in EPOCH_S else None
