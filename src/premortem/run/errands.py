"""The slow way of a case: in a task, where more is needed than a write and a wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from premortem.domain.run import Fault, Sent
from premortem.errors import TargetError
from premortem.run.flight import Ended, Flight
from premortem.send.client import Client
from premortem.send.users import Visit


class Errands:
    """Cases on the slow way; one task each.

    ENDED is told what came of a case, BROKE of what must not have been raised.
    """

    def __init__(
        self, client: Client, *, ended: Ended, broke: Callable[[BaseException], None]
    ) -> None:
        self._client = client
        self._ended, self._broke = ended, broke
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def whole(self, flight: Flight, visit: Visit) -> None:
        """FLIGHT's case with all that it needs: its role signs in, or ends a session."""
        self._in_task(flight, self._whole(flight, visit))

    def anew(self, flight: Flight, visit: Visit) -> None:
        """FLIGHT's case once more, after its user signed in again."""
        self._in_task(flight, self._signed_in_anew(flight, visit))

    def cancel(self) -> None:
        """Nobody waits for any of them."""
        for task in self._tasks:
            task.cancel()

    def _in_task(self, flight: Flight, work: Coroutine[Any, Any, Sent]) -> None:
        task = self._loop.create_task(self._awaited(flight, work))
        self._tasks.add(task)
        task.add_done_callback(self._over)

    async def _awaited(self, flight: Flight, work: Coroutine[Any, Any, Sent]) -> None:
        flight.again = True
        try:
            sent = await work
            began = sent.intended_at + sent.lag_ms / 1000
            outcome = sent.response or sent.fault
            assert outcome is not None  # noqa: S101 - one of the two is there
            self._ended(flight, outcome, began, began + sent.duration_ms / 1000)
        finally:
            flight.again = False

    async def _whole(self, flight: Flight, visit: Visit) -> Sent:
        course = flight.course
        answers = course.answers if course is not None else ()
        return await self._client.send_case(flight.case, answers, flight.due, visit=visit)

    async def _signed_in_anew(self, flight: Flight, visit: Visit) -> Sent:
        case, sender = flight.case, self._client.sender
        now = sender.now()
        try:
            request = self._client.credentials.restore(flight.request)
            headers = await visit.headers(case, request)
            sent = await sender.send(request, intended_at=flight.due, credentials=headers)
        except TargetError as error:
            fault = Fault(kind="unbound", detail=str(error), sent=False)
            return Sent(request=flight.request, fault=fault, intended_at=flight.due)
        if sent.response is not None and sent.response.status == 401:
            visit.useless(case, now=now)
        return sent

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broke(error)
