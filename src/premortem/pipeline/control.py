"""A run that can be asked and stopped over HTTP while it goes on.

`GET /status` is what it is at as JSON, `GET /metrics` the same for Prometheus, `POST /stop` with
`{"reason": "..."}` the kill switch. On loopback, or with a token (see `observe.Door`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from premortem.config import resolve
from premortem.errors import PremortemError
from premortem.observe import Answer, Asked, Door, refusal
from premortem.run.happenings import RunEnded, RunStarted, Stopping, Tick

REASON_CHARS_MAX = 500
PHASES = ("preparing", "running", "stopping", "ended")
_TEXT = "text/plain; version=0.0.4; charset=utf-8"

Event = TypeVar("Event")


class Status(Struct, frozen=True, kw_only=True):
    """What `GET /status` answers."""

    run: str = ""
    """Its id; empty: it has not begun."""
    phase: str = "preparing"
    """One of PHASES."""
    stopped_by: str = ""
    """The rule or the reason; empty: nothing stopped it."""
    evidence: str = ""
    tick: Tick | None = None
    """Of the last second; None: there was none yet."""


class _Order(Struct, frozen=True):
    reason: str = "POST /stop"


class Control:
    """A door to one run; `follow` its events, `close` in the end.

    ORDER_STOP: run id and reason -> the run stops, within a second, in whatever process its
    controllers are. It is called on another thread.
    """

    def __init__(
        self,
        address: str,
        *,
        order_stop: Callable[[str, str], object],
        token: str = "",
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """ADDRESS: `127.0.0.1:9100`. TOKEN: `${NAME}` of a variable in ENVIRONMENT. Raises
        ConfigError, also for an address that others reach without a token."""
        self._order_stop = order_stop
        self._status = Status()
        self._lock = threading.Lock()
        self._door = Door(
            address, self._answer, what="--control", token=resolve(token, environment=environment)
        )

    @property
    def address(self) -> str:
        """Where it listens, with the port that was taken."""
        return self._door.address

    def follow(self, events: Iterator[Event]) -> Iterator[Event]:
        """EVENTS of the run as they come; each is taken note of."""
        for event in events:
            self._note(event)
            yield event

    def close(self) -> None:
        """Answer no more."""
        self._door.close()

    def _note(self, event: object) -> None:
        with self._lock:
            before = self._status
            if isinstance(event, RunStarted):
                self._status = Status(run=event.run_id, phase="running")
            elif isinstance(event, Tick):
                self._status = msgspec.structs.replace(before, tick=event)
            elif isinstance(event, Stopping):
                self._status = msgspec.structs.replace(
                    before, phase="stopping", stopped_by=event.rule, evidence=event.evidence
                )
            elif isinstance(event, RunEnded):
                self._status = msgspec.structs.replace(before, phase="ended")

    def _answer(self, asked: Asked) -> Answer:
        with self._lock:
            status = self._status
        match asked.method, asked.path:
            case "GET", "/status":
                return Answer(body=msgspec.json.encode(status))
            case "GET", "/metrics":
                return Answer(body=exposition(status).encode(), content_type=_TEXT)
            case "POST", "/stop":
                return self._stop(status, asked)
        return refusal(404, "there are GET /status, GET /metrics and POST /stop")

    def _stop(self, status: Status, asked: Asked) -> Answer:
        if status.phase not in ("running", "stopping"):
            return refusal(409, f"nothing to stop: the run is {status.phase}")
        try:
            order = msgspec.json.decode(asked.body, type=_Order) if asked.body else _Order()
        except msgspec.DecodeError as error:
            return refusal(400, f'write it like {{"reason": "..."}}: {error}')
        try:
            self._order_stop(status.run, order.reason[:REASON_CHARS_MAX])
        except PremortemError as error:
            return refusal(503, str(error))
        said = {"run": status.run, "stopping": True, "reason": order.reason}
        return Answer(status=202, body=msgspec.json.encode(said))


def exposition(status: Status) -> str:
    """STATUS as a page of metrics (Prometheus text format 0.0.4)."""
    page = _Page()
    for phase in PHASES:
        page.sample("premortem_phase", float(status.phase == phase), phase=phase)
    tick = status.tick
    if tick is None:
        return page.text
    for outcome in ("answered", "faulted", "unknown"):
        count = float(getattr(tick, outcome))
        page.sample("premortem_requests_total", count, kind="counter", outcome=outcome)
    for name, count in tick.statuses.items():
        page.sample("premortem_answers_total", count, kind="counter", status=name)
    for name, count in tick.faults.items():
        page.sample("premortem_faults_total", count, kind="counter", fault=name)
    for name, value in tick.latency_ms.items():
        page.sample("premortem_latency_seconds", value / 1000, percentile=name)
    for name, count in tick.jobs.items():
        page.sample("premortem_jobs", count, status=name)
    for name, value in tick.target.items():
        page.sample("premortem_target", value, metric=name)
    page.sample("premortem_failed_total", tick.failed, kind="counter")
    page.sample("premortem_worker_cpu_seconds_total", tick.worker_cpu_s, kind="counter")
    for name, value in (
        ("elapsed_seconds", tick.elapsed_s),
        ("requests_planned", tick.planned),
        ("requests_in_flight", tick.in_flight),
        ("requests_backlog", tick.backlog),
        ("planned_per_second", tick.planned_per_second),
        ("sent_per_second", tick.sent_per_second),
        ("ended_per_second", tick.rate_per_second),
        ("lag_seconds", tick.lag_ms_p99 / 1000),
        ("workers", tick.workers),
        ("controllers", tick.controllers),
        ("speed", tick.speed),
        ("worker_rss_bytes", tick.worker_rss_bytes),
    ):
        page.sample(f"premortem_{name}", value)
    return page.text


class _Page:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._typed: set[str] = set()

    def sample(self, name: str, value: float, *, kind: str = "gauge", **labels: str) -> None:
        if name not in self._typed:
            self._typed.add(name)
            self._lines.append(f"# TYPE {name} {kind}")
        said = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        self._lines.append(f"{name}{{{said}}} {value}" if said else f"{name} {value}")

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
