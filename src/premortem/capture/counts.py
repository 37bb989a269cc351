"""What became of the entries of a recording."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MALFORMED_LISTED_MAX = 100
"""Malformed entries listed with their reason; further ones are only counted."""

LEFT_OUT_MAX = 50


@dataclass(kw_only=True)
class CaptureCounts:
    """Filled while a recording is read: read = kept + dropped + malformed."""

    read: int = 0
    """Entries met."""
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> entries: `host NAME`, `method`, `status`, `path`, `static asset`, `no answer`,
    `not http`."""
    malformed: list[tuple[int, str]] = field(default_factory=list)
    """(index in the recording, or line where the format has lines; reason), at most
    `MALFORMED_LISTED_MAX`."""
    malformed_total: int = 0
    redacted: Counter[str] = field(default_factory=Counter)
    """Rule -> values replaced."""
    bodies_dropped: int = 0
    """Bodies over `body_bytes_max`; their exchanges are kept without them."""
    bodies_missing: int = 0
    """Response bodies that the recording itself left out."""

    bodies_coded: int = 0
    """Bodies in a content coding that cannot be undone here; dropped, for what is in them cannot
    be redacted."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What a recording does not hold, such as `{{token}}` -> parts of requests left out for it;
    at most `LEFT_OUT_MAX` names, further ones are `others`."""

    def leave_out(self, name: str) -> None:
        """Count a part of a request that is left out because the recording does not hold it."""
        known = name in self.left_out or len(self.left_out) < LEFT_OUT_MAX
        self.left_out[name if known else "others"] += 1

    def skip(self, index: int, reason: str) -> None:
        """Count the entry at INDEX as malformed, and list it while there is room."""
        self.malformed_total += 1
        if len(self.malformed) < MALFORMED_LISTED_MAX:
            self.malformed.append((index, reason))
