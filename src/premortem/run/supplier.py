"""Cases made, cut and put into the queue ahead of their time, on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Sequence as Many
from typing import Protocol

from premortem.domain.jobs import Job
from premortem.domain.live import PlanSlice
from premortem.domain.load import Scale
from premortem.domain.run import Sequence
from premortem.errors import StoreLocked, StoreUnavailable

CLAIM_LEASE_S = 60.0
"""A controller that makes cases renews its claim while it does; one that died loses it then."""
IDLE_S = 0.2
"""Between two looks whether it is time for more: each asks the store."""


class SliceQueue(Protocol):
    """What of the store's queue is needed to fill it. All raise StoreUnavailable."""

    def claim(self, *, due_before_s: float) -> PlanSlice | None:
        """The next slice that nobody works on, if it begins before then."""

    def put(self, part: PlanSlice, jobs: list[Job]) -> str:
        """JOBS are PART's, in one transaction: `cut`, or `full`, or `lost` to another."""

    def all_cut(self) -> bool:
        """Nothing of the plan waits to be cut."""


WAIT_S = 0.05
"""Between two looks whether enough came of what was sent: nothing is asked of the store."""

Cases = Callable[[PlanSlice], Many[Sequence]]
"""Makes the sequences of a slice; in all at most its count of cases."""
Cut = Callable[[PlanSlice, Many[Sequence]], list[Job]]


class Supplier:
    """Fills the queue so that jobs lie ready `scale.ahead_s` before they are due.

    ELAPSED: what the plan's clock shows. HUNGRY: whether workers soon have nothing to do, however
    far ahead of its time all work is: in a closed model, or when the clock is steered. WAITS:
    whether what came of earlier slices has to be known first.
    """

    def __init__(
        self,
        queue: SliceQueue,
        cases: Cases,
        cut: Cut,
        *,
        scale: Scale,
        elapsed: Callable[[], float],
        hungry: Callable[[], bool],
        waits: Callable[[], bool] = lambda: False,
    ) -> None:
        self._queue = queue
        self._cases = cases
        self._cut = cut
        self._scale = scale
        self._elapsed = elapsed
        self._hungry = hungry
        self._waits = waits
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="premortem-supply", daemon=True)
        self._making: PlanSlice | None = None
        self._making_s = 0.0
        """What the last slice took to make."""
        self.error: BaseException | None = None
        self.finished = threading.Event()
        """All is cut, or it failed or was stopped."""
        self.cut_once = threading.Event()
        """The first slice lies ready, or there is none for this controller now."""
        self.missing = 0
        """Cases that nothing was there for."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Make no more; waits for the slice that is being made."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._turn():
                    break
        except BaseException as error:
            self.error = error
        finally:
            self.cut_once.set()
            self.finished.set()

    def _turn(self) -> bool:
        """One look; False when all is cut."""
        if self._waits():
            self.cut_once.set()
            self._stop.wait(WAIT_S)
            return True
        try:
            part = self._queue.claim(due_before_s=self._due_before_s())
            if part is not None:
                self._make(part)
                return True
            if self._queue.all_cut():
                return False
        except (StoreUnavailable, StoreLocked):
            pass  # the controller waits for it, and gives up in time
        self.cut_once.set()
        self._stop.wait(IDLE_S)
        return True

    def _due_before_s(self) -> float:
        """What begins before this is wanted now: time to make it included."""
        if self._hungry():
            return float("inf")
        return self._elapsed() + max(self._scale.ahead_s, 2 * self._making_s)

    @property
    def behind_s(self) -> float:
        """Plan seconds that are due, of the slice that is being made."""
        making = self._making
        return max(0.0, self._elapsed() - making.start_s) if making is not None else 0.0

    def _make(self, part: PlanSlice) -> None:
        began = time.perf_counter()
        self._making = part
        jobs = self._cut(part, self._cases(part))
        while (word := self._put(part, jobs)) == "full" and not self._stop.wait(IDLE_S):
            pass
        if word == "cut":
            self.missing += part.count - sum(job.count for job in jobs)
        self._making = None
        self._making_s = time.perf_counter() - began
        self.cut_once.set()

    def _put(self, part: PlanSlice, jobs: list[Job]) -> str:
        try:
            return self._queue.put(part, jobs)
        except (StoreUnavailable, StoreLocked):
            return "full"  # it may have been stored: the next try tells
