"""What decides about a run from outside: its target's metrics, and whoever may stop it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from premortem.config import MetricConfig
from premortem.domain.load import Hold, StopRule
from premortem.domain.run import Plan
from premortem.errors import ConfigError
from premortem.observe import Answer, Asked, Door, Watcher
from premortem.observe.exposition import points
from premortem.observe.selector import parse_selector
from premortem.pipeline.control import Control
from premortem.run.happenings import Steered, Stopping, Tick
from tests.conducting.rig import adds_up, events, finished, opened
from tests.conducting.target import target

RATE = 200.0
PLAN = Plan(dynamic="0%", rate_per_second=RATE, duration_s=30.0)


class Page:
    """A page of metrics that a test writes on; None: nobody answers."""

    def __init__(self) -> None:
        self.text: str | None = "cpu_percent 40"

    def __call__(self, _: Asked) -> Answer:
        return Answer(status=500) if self.text is None else Answer(body=self.text.encode())


@contextmanager
def watched(page: Page) -> Iterator[Watcher]:
    """The target's cpu, read ten times a second."""
    door = Door("127.0.0.1:0", page, what="page")
    cpu = MetricConfig(
        kind="scrape",
        url=f"http://{door.address}/metrics",
        series="cpu_percent",
        interval_s=0.1,
        stale_s=0.5,
    )
    watcher = Watcher({"cpu": cpu})
    try:
        yield watcher
    finally:
        watcher.close()
        door.close()


def test_a_rule_over_a_scraped_metric_ends_sending_within_a_second(tmp_path: Path) -> None:
    page, said, before = Page(), [], []

    def note(event: object) -> None:
        if isinstance(event, Stopping):
            said.append(event)
        if isinstance(event, Tick) and event.answered > 100 and not before:
            page.text = "cpu_percent 99"
            before.append(sum(service.seen().values()))

    with target() as service, opened(tmp_path) as store, watched(page) as watcher:
        plan = Plan(
            dynamic="0%",
            rate_per_second=RATE,
            duration_s=30.0,
            stop=(StopRule(when="target.cpu > 95"),),
        )
        summary = finished(events(plan, service.base, store, sight=watcher), note)
        seen = service.seen()
    assert [event.rule for event in said] == ["target.cpu > 95"]
    assert said[0].evidence.startswith("target.cpu was 99 (in the last ")
    assert summary.stopped.startswith("target.cpu > 95: target.cpu was 99")
    # What the plan has due within one second after the metric rose, and no more.
    assert sum(seen.values()) - before[0] <= RATE
    adds_up(summary, seen)


def test_a_run_that_requires_metrics_ends_when_they_are_lost(tmp_path: Path) -> None:
    page, targets = Page(), []

    def note(event: object) -> None:
        if isinstance(event, Tick):
            targets.append(dict(event.target))
            if event.answered > 100:
                page.text = None

    with target() as service, opened(tmp_path) as store, watched(page) as watcher:
        plan = Plan(dynamic="0%", rate_per_second=RATE, duration_s=30.0, require_metrics=True)
        summary = finished(events(plan, service.base, store, sight=watcher), note)
        seen = service.seen()
    assert {"cpu": 40.0} in targets
    assert summary.stopped.startswith("require_metrics: ")
    assert "it answers 500" in summary.stopped
    adds_up(summary, seen)


def test_a_held_metric_of_the_target_steers_the_rate(tmp_path: Path) -> None:
    page, steered = Page(), []

    def note(event: object) -> None:
        if isinstance(event, Steered):
            steered.append(event)
            page.text = f"cpu_percent {event.rate_per_second / 2}"

    with target() as service, opened(tmp_path) as store, watched(page) as watcher:
        plan = Plan(
            dynamic="0%",
            rate_per_second=RATE,
            duration_s=6.0,
            hold=Hold(metric="target.cpu", value=50.0, from_per_second=40.0, every_s=0.25),
        )
        summary = finished(events(plan, service.base, store, sight=watcher), note)
        seen = service.seen()
    assert steered[-1].rate_per_second == pytest.approx(100, rel=0.2)
    adds_up(summary, seen)


def asked(address: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """A POST with a BODY, or a GET."""
    request = urllib.request.Request(f"http://{address}{path}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_run_is_asked_and_stopped_over_http(tmp_path: Path) -> None:
    answers: dict[str, tuple[int, bytes]] = {}
    with target() as service, opened(tmp_path) as store:
        control = Control(
            "127.0.0.1:0", order_stop=lambda run, why: store.queue.request_stop(run, reason=why)
        )
        ask = partial(asked, control.address)
        answers["early"] = ask("/stop", b"{}")

        def note(event: object) -> None:
            if isinstance(event, Tick) and event.answered > 100 and "stop" not in answers:
                answers["status"] = ask("/status")
                answers["metrics"] = ask("/metrics")
                answers["broken"] = ask("/stop", b"[")
                answers["stop"] = ask("/stop", b'{"reason": "enough of it"}')

        summary = finished(control.follow(events(PLAN, service.base, store)), note)
        answers["late"] = ask("/status")
        control.close()
        seen = service.seen()
    assert answers["early"][0] == 409
    status = json.loads(answers["status"][1])
    assert (status["run"], status["phase"]) == (summary.id, "running")
    assert status["tick"]["answered"] > 100
    (answered,) = points(
        answers["metrics"][1].decode(),
        parse_selector('premortem_requests_total{outcome="answered"}'),
    )
    assert answered.value == status["tick"]["answered"]
    assert answers["broken"][0] == 400
    assert answers["stop"] == (
        202,
        json.dumps(
            {"run": summary.id, "stopping": True, "reason": "enough of it"}, separators=(",", ":")
        ).encode(),
    )
    late = json.loads(answers["late"][1])
    assert (late["phase"], late["stopped_by"]) == ("ended", "enough of it")
    assert summary.stopped == "enough of it"
    assert summary.left > 0
    adds_up(summary, seen)


def test_whoever_has_no_token_is_not_answered() -> None:
    control = Control(
        "0.0.0.0:0",
        order_stop=lambda *_: None,
        token="${CONTROL_TOKEN}",
        environment={"CONTROL_TOKEN": "s3cret"},
    )
    try:
        address = control.address.replace("0.0.0.0", "127.0.0.1")
        assert asked(address, "/status")[0] == 401
        assert asked(address, "/stop", b"{}", authorization="Bearer wrong")[0] == 401
        assert asked(address, "/status", authorization="Bearer s3cret")[0] == 200
        assert asked(address, "/nothing", authorization="Bearer s3cret")[0] == 404
    finally:
        control.close()


def test_a_page_in_a_browser_cannot_stop_a_run() -> None:
    control = Control("127.0.0.1:0", order_stop=lambda *_: None)
    try:
        assert asked(control.address, "/stop", b"{}", origin="http://evil.test")[0] == 403
        assert asked(control.address, "/status", host="evil.test")[0] == 403
    finally:
        control.close()


def test_an_address_that_others_reach_needs_a_token() -> None:
    with pytest.raises(ConfigError, match=r"--control 0\.0\.0\.0:0: other machines reach"):
        Control("0.0.0.0:0", order_stop=lambda *_: None)


def test_the_end_of_the_events_is_passed_on() -> None:
    control = Control("127.0.0.1:0", order_stop=lambda *_: None)
    try:
        assert list(control.follow(iter([1, 2]))) == [1, 2]
    finally:
        control.close()
