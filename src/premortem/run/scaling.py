"""How many workers and controllers a run needs; decisions only, from what was seen.

The planned rate says how many there have to be (feed-forward); what is seen says when that was
not enough: workers that are busy, requests that go out late, jobs that pile up. Up fast, in steps
that are bounded; down slowly, after a time of calm, and never below what the calm time needed.
"""

from __future__ import annotations

from collections import deque
from math import ceil

from msgspec import Struct

from premortem.domain.load import Scale

BUSY_SHARE = 0.8
"""Of a core: a worker that uses more sends late when it has to do anything else."""
USED_SHARE = 0.6
"""What is made of it by more workers, and what fewer may make of it."""
WAITING_SHARE = 0.5
"""Workers that use less of a core and are late wait for the target: more of them help nothing."""
LATE_MS = 100.0
"""99th percentile of send times behind the intended ones that counts as late."""
CATCH_UP_LOOKS = 15
"""A backlog that will be gone after so many more looks needs nobody else."""
QUEUE_FACTOR = 2.0
"""So many times the jobs that lie ready by `ahead_s` are more than workers keep up with."""
SETTLE_S = 5.0
"""After a change nothing but the plan is heeded: starting costs work of its own, too."""
CALM_S = 20.0
"""Fewer are needed for so long before any leave."""
DOWN_SHARE = 0.25
"""That leave at once, at most; one always may."""
UP_MIN = 4
"""That may come at once; more only as many as there are."""
MEMORY_SHARE = 0.8
"""Of the memory that workers may fill together."""
WORKERS_OF_CONTROLLER = 100
"""That one controller is trusted with."""
BEHIND_S = 1.0
"""Plan seconds that are due and not cut into jobs, beyond which another controller helps."""


class Need(Struct, frozen=True, kw_only=True):
    """How a run is at a moment."""

    workers: int
    untaken: int
    """Jobs that wait for a worker, due or not."""
    backlog: int
    """Cases that are due and have not gone out."""
    lag_ms_p99: float
    cpu_s: float
    """User and system time of all workers so far."""
    rss_bytes: int
    """Of the largest."""
    rate_per_second: float
    """What the plan asks for now, and in the seconds that a worker takes to start."""


class ControllerNeed(Struct, frozen=True, kw_only=True):
    """How the controllers of a run are at a moment."""

    controllers: int
    workers: int
    cpu_share: float
    """Of a core, what the busiest controller uses."""
    behind_s: float
    """Plan seconds that are due and have not been cut into jobs."""


class _Steps:
    """Turns what is wanted from moment to moment into a number that changes seldom."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = max(least, most)
        self._changed_s = float("-inf")
        self._wanted: deque[tuple[float, int]] = deque()
        """Of the last CALM_S; those that a later, greater one makes meaningless are not in it."""
        self._first_s: float | None = None

    def settled(self, now_s: float) -> bool:
        """The last change is past."""
        return now_s - self._changed_s >= SETTLE_S

    def step(self, present: int, planned: int, seen: int, now_s: float) -> int:
        """How many there should be: PLANNED at once, SEEN once the last change has settled."""
        wanted = max(planned, seen if self.settled(now_s) else min(seen, present))
        wanted = min(self._most, max(self._least, wanted))
        while self._wanted and self._wanted[-1][1] <= wanted:
            self._wanted.pop()
        self._wanted.append((now_s, wanted))
        while now_s - self._wanted[0][0] > CALM_S:
            self._wanted.popleft()
        if self._first_s is None:
            self._first_s = now_s
        found = present
        if wanted > present:
            found = min(wanted, present + max(UP_MIN, present))
        elif self._calm(now_s):
            needed = self._wanted[0][1]
            if needed < present:
                found = max(needed, present - max(1, int(present * DOWN_SHARE)))
        found = min(self._most, max(self._least, found))
        if found != present:
            self._changed_s = now_s
        return found

    def _calm(self, now_s: float) -> bool:
        known_s = now_s - (self._first_s or 0.0)
        return known_s >= CALM_S and now_s - self._changed_s >= CALM_S / 2


class Scaler:
    """Decides for one run; called about once a second."""

    def __init__(self, scale: Scale, *, memory_bytes: int = 0) -> None:
        """MEMORY_BYTES: what workers may fill together; 0: not known, so no limit."""
        self._scale = scale
        self._memory_bytes = memory_bytes
        self._workers = _Steps(scale.workers_min, scale.workers_max)
        self._controllers = _Steps(scale.controllers_min, scale.controllers_max)
        self._before: tuple[float, float] | None = None
        """When the workers' CPU time was last looked at, and what it was."""
        self._backlog = 0
        """At the look before."""
        self._late = 0
        """Looks without a break at which requests went out late."""

    def workers(self, need: Need, *, now_s: float) -> int:
        """How many there should be from NOW_S on."""
        planned = ceil(need.rate_per_second / self._scale.rate_per_worker_max)
        wanted = self._workers.step(need.workers, planned, self._seen(need, now_s), now_s)
        room = self._room(need)
        return max(self._scale.workers_min, min(wanted, max(room, need.workers)))

    def controllers(self, need: ControllerNeed, *, now_s: float) -> int:
        """How many there should be from NOW_S on."""
        planned = ceil(need.workers / WORKERS_OF_CONTROLLER)
        seen = ceil(need.controllers * need.cpu_share / USED_SHARE)
        if need.cpu_share <= BUSY_SHARE:
            seen = min(seen, need.controllers)
        if need.behind_s > BEHIND_S and need.cpu_share > WAITING_SHARE:
            seen = max(seen, need.controllers + 1)
        return self._controllers.step(need.controllers, planned, seen, now_s)

    def _seen(self, need: Need, now_s: float) -> int:
        """How many there should be by what is seen, whatever the plan says."""
        share = self._cpu_share(need, now_s)
        fewer, self._backlog = self._backlog - need.backlog, need.backlog
        if share is None or fewer * CATCH_UP_LOOKS > need.backlog:
            return need.workers
        wanted = ceil(need.workers * share / USED_SHARE)
        if share <= BUSY_SHARE:
            wanted = min(wanted, need.workers)
        self._late = self._late + 1 if need.backlog and need.lag_ms_p99 > LATE_MS else 0
        lie_ready = max(1.0, self._scale.ahead_s / self._scale.job_s)
        piled = need.untaken > QUEUE_FACTOR * lie_ready * max(1, need.workers)
        if share > WAITING_SHARE and (self._late > 1 or piled):
            wanted = max(wanted, need.workers + max(1, need.workers // 4))
        elif self._late or piled:
            wanted = max(wanted, need.workers)
        return wanted

    def _cpu_share(self, need: Need, now_s: float) -> float | None:
        """Of a core, what a worker uses on average since the look before; None: not known."""
        before, self._before = self._before, (now_s, need.cpu_s)
        if before is None or now_s <= before[0] or not need.workers:
            return None
        return max(0.0, need.cpu_s - before[1]) / (now_s - before[0]) / need.workers

    def _room(self, need: Need) -> int:
        """How many workers of the largest one's size fit into memory."""
        if not self._memory_bytes or not need.rss_bytes:
            return self._scale.workers_max
        return int(self._memory_bytes * MEMORY_SHARE / need.rss_bytes)
