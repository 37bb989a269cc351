"""The plan's clock as a worker keeps it: slots are due when it shows them."""

from __future__ import annotations

from math import inf

SEGMENTS_MAX = 64
"""Changes of pace that are remembered; slots that are older than all of them are due at once."""


class PlanClock:
    """Plan seconds -> seconds on the sender's clock, which never jumps.

    A late slot stays due when it was due: a change of pace counts from that moment on.
    """

    def __init__(self, *, elapsed_s: float, speed: float, at: float) -> None:
        """It shows ELAPSED_S plan seconds AT that moment and runs at SPEED; 0: it stands."""
        self._segments: list[tuple[float, float, float]] = []
        self._rested_s = 0.0
        self._rests_until = 0.0
        self.pace(elapsed_s=elapsed_s, speed=speed, at=at)

    def pace(self, *, elapsed_s: float, speed: float, at: float) -> None:
        """From AT on it runs at SPEED; the controller's clock shows ELAPSED_S there."""
        self._begin(elapsed_s - self._rested_s, at, 1 / speed if speed > 0 else inf)

    def rest(self, plan_s: float, *, until: float) -> None:
        """What was due at PLAN_S is due at UNTIL, if that is later, and all that follows moves;
        nothing is due before UNTIL."""
        moved_s = until - self.at(plan_s)
        self._rests_until = max(self._rests_until, until)
        per_s = self._segments[-1][2]
        if not 0 < moved_s < inf:
            return
        self._rested_s += moved_s / per_s if per_s < inf else 0.0
        self._begin(plan_s, until, per_s)

    def at(self, plan_s: float) -> float:
        """When it shows PLAN_S; inf while it stands before that."""
        start_s, at, per_s = self._segments[-1]
        if plan_s > start_s:
            at += (plan_s - start_s) * per_s
            return at if at > self._rests_until else self._rests_until
        return max(self._earlier(plan_s), self._rests_until)

    def _earlier(self, plan_s: float) -> float:
        start_s, at, _ = self._segments[-1]
        if plan_s == start_s:
            return at
        latest = at
        for start_s, at, per_s in reversed(self._segments[:-1]):
            if plan_s >= start_s:
                passed_s = (plan_s - start_s) * per_s if plan_s > start_s else 0.0
                return min(at + passed_s, latest)
            latest = at
        start_s, at, per_s = self._segments[0]
        return at + (plan_s - start_s) * per_s if per_s < inf else at

    def shows(self, at: float) -> float:
        """Plan seconds AT a moment, now or later."""
        start_s, began, per_s = self._segments[-1]
        return start_s + (at - began) / per_s if per_s < inf else start_s

    def _begin(self, start_s: float, at: float, per_s: float) -> None:
        while self._segments and self._segments[-1][0] >= start_s:
            self._segments.pop()
        self._segments.append((start_s, at, per_s))
        del self._segments[:-SEGMENTS_MAX]
