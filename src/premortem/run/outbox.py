"""Events on their way from the sending thread to the one consumer, within bounds."""

from __future__ import annotations

import queue
from collections import deque

from premortem.domain.run import Result
from premortem.run.events import BATCH_BYTES_MAX, BATCH_RESULTS_MAX, Event, ResultBatch

QUEUE_EVENTS_MAX = 8
"""Events handed over but not yet taken."""
PENDING_EVENTS_MAX = 8
"""Events waiting for the queue; from then on nothing is sent until the consumer catches up."""


class Outbox:
    """Collects results into batches and hands events over without ever blocking the sender."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Event] = queue.Queue(QUEUE_EVENTS_MAX)
        self._pending: deque[Event] = deque()
        self._results: list[Result] = []
        self._bytes = 0

    @property
    def full(self) -> bool:
        """The consumer is behind: make no more results."""
        return len(self._pending) >= PENDING_EVENTS_MAX

    @property
    def empty(self) -> bool:
        """Everything is handed over."""
        return not self._pending and not self._results

    def add(self, result: Result) -> None:
        """One more result."""
        self._results.append(result)
        response = result.sent.response
        self._bytes += len(result.case.request.body) + (len(response.body) if response else 0)
        if len(self._results) >= BATCH_RESULTS_MAX or self._bytes >= BATCH_BYTES_MAX:
            self.flush()

    def say(self, event: Event) -> None:
        """EVENT, after all results so far."""
        self.flush()
        self._pending.append(event)
        self.hand_over()

    def flush(self) -> None:
        """Make a batch of the results collected so far."""
        if self._results:
            self._pending.append(ResultBatch(results=tuple(self._results)))
            self._results, self._bytes = [], 0
        self.hand_over()

    def hand_over(self) -> None:
        """Give the consumer as much as it has room for."""
        try:
            while self._pending:
                self._queue.put_nowait(self._pending[0])
                self._pending.popleft()
        except queue.Full:
            pass

    def take(self, wait_s: float) -> Event | None:
        """The consumer's side: the next event, or None after WAIT_S seconds without one."""
        try:
            return self._queue.get(timeout=wait_s)
        except queue.Empty:
            return None
