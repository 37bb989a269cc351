"""What the Studio works on: questions that are being asked, scenarios that are being run.

One thread works, one thing after the other, with a store of its own: what a scenario is worth
takes seconds, and pages must not wait for that. Whoever listens is told that something changed.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from premortem.config import Config
from premortem.domain.proposal import Signal
from premortem.domain.scenario import Scenario, ScenarioVerdict, Understanding
from premortem.errors import InputError, PremortemError
from premortem.pipeline import asking, delivering, exploring
from premortem.pipeline.asking import Judged, Proposed
from premortem.pipeline.exploring import Considered, Explored
from premortem.pipeline.reviewing import Reviewed, judge_again
from premortem.store import Store

WAITING_MAX = 20
"""Questions and runs that wait; one more is refused."""
ASKINGS_KEPT_MAX = 30
LISTENERS_MAX = 16
"""Open pages; one more gets no news until another one closes."""
NEWS_MAX = 64
"""For a page that does not read them; later ones are dropped, because one is as good as many."""
END = ""
CLOSING_S_MAX = 5.0

OpenStore = Callable[[], AbstractContextManager[Store]]
Work = Callable[[Store], None]


class Asking(Struct, frozen=True, kw_only=True):
    """A question, and what has come of it so far."""

    number: int
    question: str
    state: Literal["waiting", "understanding", "running", "done", "failed"] = "waiting"
    understanding: Understanding | None = None
    scenarios: tuple[Scenario, ...] = ()
    verdicts: Mapping[str, ScenarioVerdict] = {}
    """By scenario id, as they come."""
    considered: tuple[Considered, ...] = ()
    """Of an operation that is explored: what could go wrong with it, the likeliest first."""
    notes: tuple[str, ...] = ()
    problem: str = ""
    """Why nothing came of it."""


class Desk:
    """The thread that works, and what it is at."""

    def __init__(
        self, *, config: Config, open_store: OpenStore, clock: Callable[[], float]
    ) -> None:
        self._config, self._open_store, self._clock = config, open_store, clock
        self._waiting: queue.Queue[Work | None] = queue.Queue(WAITING_MAX)
        self._lock = threading.Lock()
        self._askings: dict[int, Asking] = {}
        self._number = 0
        self._runs: dict[str, str] = {}
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[str]]] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="desk", daemon=True)
        self._thread.start()

    @property
    def askings(self) -> list[Asking]:
        """Newest first."""
        with self._lock:
            return list(reversed(self._askings.values()))

    def ask(self, signal: Signal) -> int:
        """Ask what SIGNAL says, as soon as what came before it is done; its number.

        Raises InputError when too many wait already.
        """
        return self._begin(signal.text, lambda n, store: self._asked(n, signal, store))

    def explore(self, operation: str) -> int:
        """Find what could go wrong with OPERATION, by id or in words; nothing is sent.

        Raises InputError when too many wait already.
        """
        question = f"What could go wrong with {operation}?"
        return self._begin(question, lambda n, store: self._explored(n, operation, store))

    def _begin(self, question: str, work: Callable[[int, Store], None]) -> int:
        with self._lock:
            self._number += 1
            number = self._number
            self._askings[number] = Asking(number=number, question=question)
            for old in list(self._askings)[:-ASKINGS_KEPT_MAX]:
                del self._askings[old]
        try:
            self._put(lambda store: self._carried_out(number, work, store))
        except InputError:
            with self._lock:
                del self._askings[number]
            raise
        self.tell()
        return number

    def run(self, scenario: Scenario) -> None:
        """Run SCENARIO once more. Raises InputError when too many wait already."""
        with self._lock:
            before = self._runs.get(scenario.id)
            self._runs[scenario.id] = ""
        try:
            self._put(lambda store: self._ran(scenario, store))
        except InputError:
            self._ended(scenario.id, before)
            raise
        self.tell()

    def see(self, delivered: Sequence[Reviewed]) -> None:
        """Ask the test runner about DELIVERED. Raises InputError when too many things wait."""
        self._put(lambda store: delivering.see(delivered, config=self._config, store=store))

    def running(self, scenario_id: str) -> str | None:
        """Empty: it waits or runs; a text: why it could not be run; None: neither."""
        with self._lock:
            return self._runs.get(scenario_id)

    def tell(self) -> None:
        """Tell whoever listens that something changed."""
        with self._lock:
            listeners = list(self._listeners)
        for loop, news in listeners:
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(_put_news, news)

    def dismiss(self) -> None:
        """Tell whoever listens that there will be no more: streams have to end by themselves."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
        for loop, news in listeners:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_put_end, news)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Queue[str]]:
        """A queue that gets a word for every change until the block ends, and END when there will
        be none; of this thread's loop."""
        news: asyncio.Queue[str] = asyncio.Queue(NEWS_MAX)
        entry = (asyncio.get_running_loop(), news)
        with self._lock:
            listens = len(self._listeners) < LISTENERS_MAX
            if listens:
                self._listeners.append(entry)
        try:
            yield news
        finally:
            with self._lock:
                if entry in self._listeners:
                    self._listeners.remove(entry)

    def close(self, *, wait_s: float = CLOSING_S_MAX) -> None:
        """Work no more; what is being run is waited for, WAIT_S seconds at most."""
        self._closing.set()
        with suppress(queue.Full):  # it looks at `_closing` after each, too
            self._waiting.put_nowait(None)
        self._thread.join(wait_s)

    def _put(self, work: Work) -> None:
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            raise InputError(f"{WAITING_MAX} things wait already; let some of them end") from None

    def _work(self) -> None:
        with self._open_store() as store:
            while not self._closing.is_set():
                work = self._waiting.get()
                if work is None:
                    return
                try:
                    work(store)
                except Exception:
                    # What was asked for is lost, the thread goes on; bugs are read in its terminal.
                    traceback.print_exc(file=sys.stderr)
                self.tell()

    def _carried_out(self, number: int, work: Callable[[int, Store], None], store: Store) -> None:
        self._note(number, state="understanding")
        try:
            work(number, store)
        except PremortemError as error:
            self._note(number, state="failed", problem=str(error))
        except Exception:
            # The thread has to go on; that it is a bug is said where bugs are read.
            traceback.print_exc(file=sys.stderr)
            self._note(number, state="failed", problem="Premortem has a bug; see its terminal")

    def _asked(self, number: int, signal: Signal, store: Store) -> None:
        for event in asking.ask(
            signal.text,
            config=self._config,
            store=store,
            write=False,
            came_with=signal,
            clock=self._clock,
        ):
            self._happened(number, event)
            if self._closing.is_set():
                return

    def _explored(self, number: int, operation: str, store: Store) -> None:
        for event in exploring.explore(
            operation, config=self._config, store=store, clock=self._clock
        ):
            if isinstance(event, Explored):
                self._note(number, state="done", considered=event.considered)

    def _happened(self, number: int, event: object) -> None:
        if isinstance(event, Proposed):
            self._note(
                number,
                state="running",
                understanding=event.understanding,
                scenarios=event.scenarios,
                notes=event.notes,
            )
        elif isinstance(event, Judged):
            with self._lock:
                known = self._askings.get(number)
            verdicts = dict(known.verdicts) if known is not None else {}
            self._note(number, verdicts=verdicts | {event.scenario.id: event.verdict})
        else:
            self._note(number, state="done")

    def _ran(self, scenario: Scenario, store: Store) -> None:
        problem: str | None = None
        try:
            judge_again(scenario, config=self._config, store=store, clock=self._clock)
        except PremortemError as error:
            problem = str(error)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            problem = "Premortem has a bug; see its terminal"
        self._ended(scenario.id, problem)

    def _ended(self, scenario_id: str, problem: str | None) -> None:
        with self._lock:
            if problem is None:
                self._runs.pop(scenario_id, None)
            else:
                self._runs[scenario_id] = problem

    def _note(self, number: int, **changes: object) -> None:
        with self._lock:
            known = self._askings.get(number)
            if known is not None:
                self._askings[number] = replace(known, **changes)
        self.tell()


def _put_news(news: asyncio.Queue[str]) -> None:
    if not news.full():
        news.put_nowait("changed")


def _put_end(news: asyncio.Queue[str]) -> None:
    if news.full():
        news.get_nowait()
    news.put_nowait(END)
