"""Whole runs against real local servers."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest
from msgspec import Struct

from premortem.config import Config, RoleConfig, TargetConfig
from premortem.domain.run import Case, Plan, Sent, Sequence, Verdict
from premortem.errors import ConfigError, UnsafeTarget
from premortem.run import Paused, ResultBatch, RunEnded, RunStarted, Tick, run_plan
from premortem.run.pacing import ACCEPTED_REST_S, retry_after_s
from premortem.send.line import open_line
from tests.send.cases import binding, case, get, post
from tests.send.server import Peer, answering, ok, serving, unused_port


class Arrangement(Struct, frozen=True, kw_only=True):
    sequences: tuple[Sequence, ...]
    planned: int
    planned_dynamic: int = 0
    shortfall: str = ""


def singles(count: int, **changes: Any) -> Arrangement:
    sequences = tuple(Sequence(cases=(case(get(f"/{n}"), **changes),)) for n in range(count))
    return Arrangement(sequences=sequences, planned=count)


def no_check(case: Case, sent: Sent) -> tuple[Verdict, ...]:
    return ()


def go(
    url: str,
    arranged: Arrangement,
    *,
    rate: float = 1000,
    checker: Any = no_check,
    stop: threading.Event | None = None,
    seen: Any = None,
    disposable: bool = True,
    target: dict[str, Any] | None = None,
    roles: dict[str, RoleConfig] | None = None,
    **fields: Any,
) -> list[Any]:
    """All events of a run; SEEN is called with each as it comes."""
    settings: dict[str, Any] = {"rate_per_second_max": 1e5} | (target or {})
    config = Config(
        target=TargetConfig(base_url=url, disposable=disposable, **settings), roles=roles or {}
    )
    plan = Plan(**({"rate_per_second": rate, "in_flight_max": 16, "timeout_s": 2.0} | fields))
    events = []
    with open_line(
        config, connections_max=plan.in_flight_max, timeout_s=plan.timeout_s, environment={}
    ) as line:
        stop = stop or threading.Event()
        for event in run_plan(arranged, plan, line=line, checker=checker, stop=stop):
            events.append(event)
            if seen is not None:
                seen(event)
    return events


def results(events: list[Any]) -> list[Any]:
    return [r for e in events if isinstance(e, ResultBatch) for r in e.results]


def adds_up(events: list[Any]) -> Any:
    """The summary, once its numbers are those of the results."""
    summary = events[-1].summary
    outcomes = Counter(r.outcome for r in results(events))
    assert outcomes["answered"] == summary.answered
    assert outcomes["faulted"] == summary.faulted
    assert outcomes["unknown"] == summary.unknown
    assert summary.planned == (summary.answered + summary.faulted + summary.unknown + summary.left)
    return summary


def test_a_run_is_told_in_events():
    with answering(lambda _: ok()) as server:
        events = go(server.url, singles(1200))
    kinds = [type(event) for event in events]
    assert kinds[0] is RunStarted
    assert kinds[-1] is RunEnded
    assert kinds.count(Tick) >= 2
    batches = [e for e in events if isinstance(e, ResultBatch)]
    assert all(0 < len(batch.results) <= 500 for batch in batches)
    summary = adds_up(events)
    assert (summary.answered, summary.left, summary.stopped) == (1200, 0, "")
    assert summary.id == events[0].run_id
    assert summary.statuses == {"2xx": 1200}
    assert summary.by_source == {"replay": 1200}
    assert 0 < summary.latency_ms["p50"] <= summary.latency_ms["p99"] <= summary.latency_ms["max"]
    assert {r.case.request.path for r in results(events)} == {f"/{n}" for n in range(1200)}


def test_the_rate_is_kept():
    with answering(lambda _: ok()) as server:
        summary = adds_up(go(server.url, singles(100), rate=100))
    assert 0.9 < summary.duration_s < 1.6


def test_the_target_s_limit_is_lower_than_the_plan_s_rate():
    with answering(lambda _: ok()) as server:
        events = go(server.url, singles(40), target={"rate_per_second_max": 50.0})
    assert events[0].rate_per_second == 50
    assert adds_up(events).duration_s > 0.7


def test_a_slow_target_is_measured_from_the_intended_moment():
    """10 at once, 50 ms each: 200 a second are possible where 1,000 are planned."""

    def slow(request: bytes) -> bytes:
        time.sleep(0.05)
        return ok()

    with answering(slow) as server:
        events = go(server.url, singles(100), in_flight_max=10)
    summary = adds_up(events)
    assert max(r.sent.duration_ms for r in results(events)) < 300
    assert summary.latency_ms["p99"] > 300
    assert summary.lag_ms_p99 > 250


def test_never_more_under_way_than_allowed():
    under_way, most, lock = 0, 0, threading.Lock()

    def count(request: bytes) -> bytes:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        with lock:
            under_way -= 1
        return ok()

    with answering(count) as server:
        adds_up(go(server.url, singles(60), in_flight_max=4))
    assert most == 4


def test_cases_of_a_sequence_go_one_after_the_other_and_sequences_side_by_side():
    def reply(request: bytes) -> bytes:
        time.sleep(0.02)
        return ok(json.dumps({"id": request.split(b" ")[1].decode().strip("/")}).encode())

    def chain(n: int) -> Sequence:
        first = case(post(f"/{n}"))
        later = case(get("/x/old"), binding("body:/id", "path:1", "old"))
        return Sequence(cases=(first, later, later))

    arranged = Arrangement(sequences=tuple(chain(n) for n in range(8)), planned=24)
    with answering(reply) as server:
        events = go(server.url, arranged)
    assert adds_up(events).answered == 24
    assert events[-1].summary.duration_s < 0.4, "side by side"
    for n in range(8):
        mine = [r.sent for r in results(events) if r.sequence_id == chain(n).id]
        assert [s.request.path for s in mine] == [f"/{n}", f"/x/{n}", f"/x/{n}"]
        ends = [s.intended_at + (s.lag_ms + s.duration_ms) / 1000 for s in mine]
        begins = [s.intended_at + s.lag_ms / 1000 for s in mine]
        assert ends[0] <= begins[1] + 0.001
        assert ends[1] <= begins[2] + 0.001


def test_waiting_for_an_answer_of_its_own_sequence_is_no_lag():
    cases = tuple(case(get(f"/{n}")) for n in range(10))

    def slow(request: bytes) -> bytes:
        time.sleep(0.03)
        return ok()

    with answering(slow) as server:
        events = go(server.url, Arrangement(sequences=(Sequence(cases=cases),), planned=10))
    assert adds_up(events).answered == 10
    assert all(r.sent.lag_ms < 25 for r in results(events))


def test_after_accepted_a_sequence_rests_while_others_go_on():
    """202: what was asked for is not done yet, so what comes next would not find it."""
    accepted = Sequence(cases=(case(post("/queue")), case(get("/queued"))))
    others = tuple(Sequence(cases=(case(get(f"/{n}")),)) for n in range(5))

    def reply(request: bytes) -> bytes:
        return ok(b"{}", status="202 Accepted") if request.startswith(b"POST") else ok()

    with answering(reply) as server:
        events = go(server.url, Arrangement(sequences=(accepted, *others), planned=7))
    assert adds_up(events).answered == 7
    begun = {r.sent.request.path: r.sent.intended_at for r in results(events)}
    assert begun["/queued"] - begun["/queue"] >= ACCEPTED_REST_S
    assert max(begun[f"/{n}"] for n in range(5)) - begun["/queue"] < ACCEPTED_REST_S
    assert all(r.sent.lag_ms < 100 for r in results(events))


def test_a_case_whose_value_never_came_is_faulted_and_not_sent_while_others_are():
    setup = case(post("/things"), setup=True)
    bound = case(get("/things/old"), binding("body:/id", "path:1", "old"))
    free = case(get("/free"))
    arranged = Arrangement(sequences=(Sequence(cases=(setup, bound, free)),), planned=3)
    broken = ok(b"{}", status="500 Internal Server Error")
    with answering(lambda _: broken) as server:
        events = go(server.url, arranged)
    summary = adds_up(events)
    assert (summary.answered, summary.faulted, summary.setup) == (2, 1, 1)
    assert [r.sent.fault and r.sent.fault.kind for r in results(events)] == [None, "unbound", None]
    assert len(server.requests) == 2


def test_verdicts_are_kept_with_their_results():
    verdict = Verdict(check="server_error", title="t", signature="s")

    def odd_fails(case: Case, sent: Sent) -> tuple[Verdict, ...]:
        return (verdict,) if int(case.request.path[1:]) % 2 else ()

    with answering(lambda _: ok()) as server:
        events = go(server.url, singles(10), checker=odd_fails)
    assert sum(r.verdicts == (verdict,) for r in results(events)) == 5


def test_recorded_status_classes_are_compared():
    cases = [case(get(f"/{s}"), recorded_status=s) for s in (200, 204, 404, 0)]
    arranged = Arrangement(sequences=tuple(Sequence(cases=(c,)) for c in cases), planned=4)
    with answering(lambda _: ok(status="201 Created")) as server:
        summary = adds_up(go(server.url, arranged))
    assert (summary.recorded_class_matched, summary.recorded_class_total) == (2, 3)


# Ends before the end.


def test_a_stop_ends_sending_within_a_second_and_keeps_every_result():
    stop, stopped_at = threading.Event(), 0.0

    def hang_sometimes(request: bytes) -> bytes:
        if b"/7 " in request or b"/8 " in request:
            time.sleep(3)
        return ok()

    def seen(event: Any) -> None:
        nonlocal stopped_at
        if isinstance(event, Tick) and not stop.is_set():
            stop.set()
            stopped_at = time.monotonic()

    unsafe = Sequence(cases=(case(post("/8")),))
    arranged = singles(5000)
    arranged = Arrangement(
        sequences=(*arranged.sequences[:8], unsafe, *arranged.sequences[9:]), planned=5000
    )
    with answering(hang_sometimes) as server:
        events = go(server.url, arranged, rate=100, stop=stop, seen=seen, timeout_s=10.0)
        took_s = time.monotonic() - stopped_at
        arrived = len(server.requests)
    assert took_s < 1.5
    summary = adds_up(events)
    assert summary.stopped == "stopped by the user"
    assert (summary.faulted, summary.unknown) == (1, 1), "GET /7 and POST /8 had no answer yet"
    assert summary.answered >= 80
    assert arrived == len(results(events))


def test_a_consumer_that_walks_away_ends_the_run():
    with answering(lambda _: ok()) as server:
        config = Config(target=TargetConfig(base_url=server.url))
        stop = threading.Event()
        with open_line(config) as line:
            events = run_plan(singles(5000), Plan(), line=line, checker=no_check, stop=stop)
            next(events)
            next(events)
            events.close()
            assert stop.is_set()
            time.sleep(0.1)
            arrived = len(server.requests)
            time.sleep(0.2)
        assert len(server.requests) == arrived < 200


def test_ctrl_c_is_a_stop_and_the_results_still_come():
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    with answering(lambda _: ok()) as server:
        summary = adds_up(
            go(
                server.url,
                singles(5000),
                rate=100,
                seen=lambda event: timer.start() if isinstance(event, RunStarted) else None,
            )
        )
    assert summary.stopped == "stopped by the user"
    assert 10 <= summary.answered <= 150


def test_a_target_that_goes_away_ends_the_run_and_says_so():
    url = f"http://127.0.0.1:{unused_port()}"
    summary = adds_up(go(url, singles(5000), rate=2000))
    assert "no answer 200 times in a row" in summary.stopped
    assert 200 <= summary.faulted < 1000
    assert summary.left == 5000 - summary.faulted


def test_timeouts_and_resets_are_faults_and_unknowns():
    def handle(peer: Peer) -> None:
        while request := peer.request():
            if b"/reset" in request:
                return
            if b"/hang" not in request:
                peer.send(ok())

    def both(path: str) -> list[Sequence]:
        return [Sequence(cases=(case(request),)) for request in (get(path), post(path))]

    sequences = (*both("/reset"), *both("/hang"), *both("/fine"))
    with serving(handle) as server:
        arranged = Arrangement(sequences=sequences, planned=6)
        summary = adds_up(go(server.url, arranged, timeout_s=0.3))
    assert (summary.answered, summary.faulted, summary.unknown) == (2, 2, 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_add_up_whatever_the_target_does_and_whenever_it_is_stopped(seed):
    chance, stop = random.Random(seed), threading.Event()

    def handle(peer: Peer) -> None:
        while peer.request():
            kind = chance.choice(["ok"] * 6 + ["close", "reset", "hang", "garbage", "half", "busy"])
            if kind == "ok":
                peer.send(ok(b'{"id":1}'))
            elif kind == "busy":
                peer.send(ok(status="503 Busy", headers="retry-after: 0\r\n"))
            elif kind == "garbage":
                peer.send(b"what?\r\n\r\n")
            elif kind == "half":
                peer.send(ok(b'{"id":1}')[:-3])
                return
            elif kind == "hang":
                time.sleep(0.5)
            elif kind == "reset":
                peer.reset()
            else:
                return

    def chain(n: int) -> Sequence:
        bound = binding("body:/id", "path:1", "old")
        cases = [case(post(f"/{n}")), case(get(f"/{n}/old"), bound), case(post(f"/{n}/x"))]
        return Sequence(cases=tuple(cases))

    arranged = Arrangement(sequences=tuple(chain(n) for n in range(200)), planned=600)
    timer = threading.Timer(chance.uniform(0.2, 0.8), stop.set)
    timer.start()
    with serving(handle) as server:
        events = go(server.url, arranged, stop=stop, rate=2000, timeout_s=0.25)
    summary = adds_up(events)
    steps = [(r.sequence_id, r.position) for r in results(events)]
    assert len(steps) == len(set(steps)) == summary.planned - summary.left
    assert events[-2].sent == len(steps)


def test_a_check_that_raises_is_a_bug_and_is_raised():
    def broken(case: Case, sent: Sent) -> tuple[Verdict, ...]:
        if case.request.path == "/5":
            raise ZeroDivisionError
        return ()

    with answering(lambda _: ok()) as server, pytest.raises(ZeroDivisionError):
        go(server.url, singles(50), checker=broken)


def test_a_slow_consumer_slows_the_run_and_loses_nothing():
    with answering(lambda _: ok(b"x" * 1_000_000)) as server:
        events = go(
            server.url,
            singles(400),
            seen=lambda event: time.sleep(0.01) if isinstance(event, ResultBatch) else None,
        )
    assert adds_up(events).answered == 400
    assert max(len(e.results) for e in events if isinstance(e, ResultBatch)) <= 9


# What the target asks for.


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_retry_after_pauses_the_whole_run_and_is_counted(status):
    arrivals: list[float] = []

    def reply(request: bytes) -> bytes:
        arrivals.append(time.monotonic())
        return ok(status=status, headers="retry-after: 1\r\n") if len(arrivals) == 5 else ok()

    with answering(reply) as server:
        events = go(server.url, singles(30), rate=100)
    pauses = [e for e in events if isinstance(e, Paused)]
    assert [(p.status, p.pauses) for p in pauses] == [(int(status[:3]), 1)]
    assert pauses[0].pause_s == pytest.approx(1, abs=0.05)
    gaps = sorted(b - a for a, b in itertools.pairwise(arrivals))
    assert gaps[-1] > 0.9
    assert gaps[-2] < 0.2
    summary = adds_up(events)
    assert summary.answered == 30
    assert summary.lag_ms_p99 < 300, "slots move back: a pause is no lag"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("9" * 400, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_s(value, now=60.0) == seconds


# Refused before anything is sent.


def test_unsafe_methods_on_a_target_that_is_not_disposable_are_refused():
    arranged = Arrangement(
        sequences=(*singles(3).sequences, Sequence(cases=(case(post("/pay")),))), planned=4
    )
    with answering(lambda _: ok()) as server:
        with pytest.raises(UnsafeTarget, match=r"POST /pay sends POST .*--safe-methods"):
            go(server.url, arranged, disposable=False)
        assert not server.requests
        assert adds_up(go(server.url, singles(3), disposable=False)).answered == 3


def test_a_role_that_nobody_configured_is_refused():
    with answering(lambda _: ok()) as server:
        with pytest.raises(ConfigError, match=r"\[roles\.boss\]"):
            go(server.url, singles(3, role="boss"))
        assert not server.requests


def test_nothing_to_send_is_a_run_that_ends():
    with answering(lambda _: ok()) as server:
        summary = adds_up(go(server.url, Arrangement(sequences=(), planned=5)))
    assert (summary.left, summary.answered, summary.latency_ms) == (5, 0, {})
