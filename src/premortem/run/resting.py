"""What an answer says about going on: rests that the target asks for, and its silence."""

from __future__ import annotations

from premortem.send.patience import retry_after_s

ACCEPTED = 202
ACCEPTED_REST_S = 1.0
"""After an answer 202 its sequence rests: what it asked for is not done yet (RFC 9110, 15.3.3)."""
PAUSE_STATUSES = frozenset({429, 503})
RETRY_AFTER_S_MAX = 30.0
"""Of one pause, whatever the target asks for."""
RETRY_AFTER_S_LEAST = 0.1
"""What is asked beyond the present pause and is shorter is part of it."""
PAUSED_S_MAX = 300.0
"""Of all pauses of a worker together; then it gives up."""
SILENT_MAX = 200
"""Cases without any answer in a row after which the target counts as gone."""
SILENT_KINDS = frozenset({"connect", "timeout", "reset", "tls"})


class Rests:
    """How long a worker has rested, and until when."""

    def __init__(self) -> None:
        self.until = 0.0
        self._in_all_s = 0.0

    def asked(self, retry_after: str, *, now: float) -> float:
        """Seconds by which an answer with this `Retry-After` makes the rest longer; 0: it does
        not. Seconds since the epoch: NOW and `until`."""
        asked_s = retry_after_s(retry_after, now=now)
        until = now + min(asked_s, RETRY_AFTER_S_MAX)
        longer_s = until - max(self.until, now)
        if asked_s <= 0 or longer_s <= RETRY_AFTER_S_LEAST:
            return 0.0
        self.until = until
        self._in_all_s += longer_s
        return longer_s

    @property
    def too_long(self) -> bool:
        """The target asked for more than anybody waits for."""
        return self._in_all_s > PAUSED_S_MAX
