"""A worker against real local servers: slots, sequences, batches, stops, leases."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest

from premortem.domain.jobs import ResultBatch
from premortem.domain.run import Before, Case, Sent, Sequence, Verdict
from premortem.domain.traffic import Response
from premortem.run.messages import Ask, Drain, Hello, Left, Pace, Refused, Rested, Stop
from premortem.run.resting import ACCEPTED_REST_S, SILENT_MAX
from premortem.run.worker import UNACKNOWLEDGED_MAX
from tests.run.controlling import Controller, job, jobs_of, setup_of, singles, told_by, work
from tests.send.cases import binding, case, get, post
from tests.send.server import Peer, Server, answering, ok, serving, unused_port


class Objecting:
    """A judge that objects to what FAILS says, and never passes anything quickly."""

    def __init__(self, fails: Any = lambda given: False) -> None:
        self._fails = fails

    def quick(self, case: Case, response: Response, duration_ms: float) -> bool:
        return False

    def check(self, case: Case, sent: Sent, before: Before = ()) -> tuple[Verdict, ...]:
        return (Verdict(check="c", title="t", signature="s"),) if self._fails(case) else ()


def paths_of(server: Server) -> list[str]:
    return [request.split(b" ", 2)[1].decode() for request in server.requests]


def test_a_worker_greets_asks_sends_everything_once_and_leaves_when_drained():
    with answering(lambda _: ok()) as server:
        jobs = jobs_of(singles(600), size=150)
        heard = work(lambda: Controller(setup_of(server.url), jobs))
    assert isinstance(heard.heard[0], Hello)
    assert isinstance(heard.heard[1], Ask)
    assert heard.left.error == heard.left.stop == ""
    assert heard.adds_up() == {"answered": 600}
    assert heard.ended == list(range(600))
    assert [batch.job_id for batch in heard.batches if batch.final] == [f"r/{n}" for n in range(4)]
    assert sorted(paths_of(server)) == sorted(f"/{n}" for n in range(600))


def test_it_holds_a_job_beyond_those_that_are_due_and_no_more():
    granted_at_first: list[int] = []

    def said(controller: Controller, message: Any) -> None:
        if isinstance(message, ResultBatch) and not granted_at_first:
            granted_at_first.append(sum(isinstance(m, Ask) and m.jobs for m in controller.heard))

    with answering(lambda _: ok()) as server:
        jobs = jobs_of(singles(900), size=300, rate=300)
        heard = work(lambda: Controller(setup_of(server.url), jobs, said=said))
    assert heard.adds_up() == {"answered": 900}
    assert granted_at_first == [2], "the one that is due, and one beyond"


def test_cases_are_due_at_their_slots_whatever_the_jobs_are():
    sequences = singles(60)
    jobs = [
        job(sequences[:20], rate=100, number=0),
        job(sequences[20:40], rate=100, start_s=0.005, number=1, first=20),
        job(sequences[40:], rate=100, start_s=0.3, number=2, first=40),
    ]
    with answering(lambda _: ok()) as server:
        heard = work(lambda: Controller(setup_of(server.url, elapsed_s=-0.2), jobs))
    assert heard.adds_up() == {"answered": 60}
    due = {path: r.sent.intended_at for path, r in told_by(heard).items()}
    wanted = [*(n / 100 for n in range(20)), *(0.005 + n / 100 for n in range(20))]
    wanted += [0.3 + n / 100 for n in range(20)]
    start = due["/0"]
    assert [due[f"/{n}"] - start for n in range(60)] == pytest.approx(wanted, abs=1e-6)
    sent = told_by(heard)["/30"].sent
    assert sent.lag_ms >= 0


def test_half_the_speed_makes_the_slots_that_follow_twice_as_far_apart():
    def said(controller: Controller, message: Any) -> None:
        if isinstance(message, Hello):
            controller.tell(Pace(elapsed_s=0.0, speed=0.5))

    with answering(lambda _: ok()) as server:
        jobs = [job(singles(20), rate=100)]
        heard = work(lambda: Controller(setup_of(server.url), jobs, said=said))
    assert heard.adds_up() == {"answered": 20}
    due = sorted(r.sent.intended_at for r in heard.results)
    gaps = [b - a for a, b in itertools.pairwise(due)]
    assert gaps == pytest.approx([0.02] * 19, abs=1e-6)


def test_a_closed_job_keeps_so_many_under_way_and_sends_back_to_back():
    busy, most, lock = 0, 0, threading.Lock()

    def reply(request: bytes) -> bytes:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.005)
        with lock:
            busy -= 1
        return ok()

    with answering(reply) as server:
        jobs = [
            job(singles(60), number=0, connections=3),
            job(singles(60), number=1, first=60, connections=3),
        ]
        setup = setup_of(server.url, connections=3)
        heard = work(lambda: Controller(setup, jobs))
    assert heard.adds_up() == {"answered": 120}
    assert most == 3


def test_cases_of_one_sequence_wait_for_each_other_and_their_slots_move_back():
    cases = (case(post("/a")), case(get("/x/old"), binding("body:/id", "path:1", "old")))
    slow = tuple(case(get(f"/{n}")) for n in range(5))

    def reply(request: bytes) -> bytes:
        time.sleep(0.03)
        return ok(b'{"id":"new"}')

    with answering(reply) as server:
        jobs = [job([Sequence(cases=cases), Sequence(cases=slow)], rate=1000)]
        heard = work(lambda: Controller(setup_of(server.url), jobs))
        assert "/x/new" in paths_of(server)
    assert heard.adds_up() == {"answered": 7}
    assert all(result.sent.lag_ms < 25 for result in heard.results)
    mine = {r.position: r.sent for r in heard.results if r.sequence_id == Sequence(cases=slow).id}
    for earlier, later in itertools.pairwise(mine[n] for n in range(5)):
        ended = earlier.intended_at + (earlier.lag_ms + earlier.duration_ms) / 1000
        assert ended <= later.intended_at + later.lag_ms / 1000 + 0.001


def test_a_job_whose_last_case_ends_while_the_one_before_is_taken_ends_once():
    made, bound = case(post("/a")), case(get("/x/old"), binding("body:/id", "path:1", "old"))
    given = Sequence(cases=(made, bound))
    with answering(lambda _: ok(b"{}")) as server:
        jobs = [job([given], connections=1), job([given], number=1, first=2, connections=1)]
        heard = work(lambda: Controller(setup_of(server.url, connections=1), jobs))
    assert heard.adds_up() == {"answered": 2, "faulted": 2}
    assert [m.error for m in heard.heard if isinstance(m, Left)] == [""]


def test_after_accepted_a_sequence_rests_while_others_go_on():
    accepted = Sequence(cases=(case(post("/queue")), case(get("/queued"))))

    def reply(request: bytes) -> bytes:
        return ok(b"{}", status="202 Accepted") if request.startswith(b"POST") else ok()

    with answering(reply) as server:
        jobs = [job([accepted, *singles(5)])]
        heard = work(lambda: Controller(setup_of(server.url), jobs))
    assert heard.adds_up() == {"answered": 7}
    due = {path: r.sent.intended_at for path, r in told_by(heard).items()}
    assert due["/queued"] - due["/queue"] >= ACCEPTED_REST_S
    assert max(due[f"/{n}"] for n in range(5)) - due["/queue"] < ACCEPTED_REST_S


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_retry_after_rests_all_jobs_is_said_and_is_no_lag(status):
    arrivals: list[float] = []

    def reply(request: bytes) -> bytes:
        arrivals.append(time.monotonic())
        return ok(status=status, headers="retry-after: 1\r\n") if len(arrivals) == 5 else ok()

    with answering(reply) as server:
        jobs = jobs_of(singles(40), size=20, rate=100)
        heard = work(lambda: Controller(setup_of(server.url), jobs))
    rests = [m for m in heard.heard if isinstance(m, Rested)]
    assert [rest.status for rest in rests] == [int(status[:3])]
    assert rests[0].pause_s == pytest.approx(1, abs=0.05)
    gaps = sorted(b - a for a, b in itertools.pairwise(arrivals))
    assert gaps[-1] > 0.9
    assert gaps[-2] < 0.5
    assert heard.adds_up() == {"answered": 40}
    assert heard.lag.percentile_ms(99) < 300


def test_what_ended_under_an_earlier_lease_is_not_sent_again_and_what_needs_it_is_a_fault():
    made = case(post("/things"))
    bound = case(get("/things/old"), binding("body:/id", "path:1", "old"))
    lost = Sequence(cases=(made, bound, case(get("/free"))))
    whole = Sequence(cases=(case(post("/again")), bound))
    jobs = [job([*singles(3), lost, whole], first=10)]
    skip = ((10, 10), (12, 13))
    with answering(lambda _: ok(b'{"id":"new"}')) as server:
        heard = work(lambda: Controller(setup_of(server.url), jobs, skip=skip))
        paths = sorted(paths_of(server))
    assert paths == ["/1", "/again", "/free", "/things/new"]
    assert heard.ended == [11, 14, 15, 16, 17]
    assert heard.adds_up() == {"answered": 4, "faulted": 1}
    assert {c.fault for batch in heard.batches for c in batch.counts} == {"", "unbound"}
    positions = {r.case.request.path: r.position for r in heard.results}
    assert (positions["/free"], positions["/again"]) == (2, 0)


def test_a_job_of_which_all_ended_is_final_at_once():
    with answering(lambda _: ok()) as server:
        jobs = [job(singles(3), first=7)]
        heard = work(lambda: Controller(setup_of(server.url), jobs, skip=((7, 9),)))
    assert [(b.ended, b.final) for b in heard.batches] == [((), True)]
    assert not server.requests


# Ends before the end.


def test_a_stop_ends_sending_at_once_and_tells_what_was_under_way():
    stopped_at = 0.0
    hanging = [Sequence(cases=(case(method(f"/hang{n}")),)) for n, method in enumerate([get, post])]

    def reply(request: bytes) -> bytes:
        if b"/hang" in request:
            time.sleep(3)
        return ok()

    def said(controller: Controller, message: Any) -> None:
        nonlocal stopped_at
        if isinstance(message, ResultBatch) and not stopped_at:
            stopped_at = time.monotonic()
            controller.tell(Stop(why="enough", grace_s=0.3))

    with answering(reply) as server:
        jobs = [job([*hanging, *singles(5000)], rate=200)]
        heard = work(lambda: Controller(setup_of(server.url), jobs, said=said))
        took_s = time.monotonic() - stopped_at
        arrived = len(server.requests)
    assert took_s < 1
    outcomes = heard.adds_up()
    assert (outcomes["faulted"], outcomes["unknown"]) == (1, 1)
    assert arrived == outcomes.total() < 500
    assert not any(batch.final for batch in heard.batches)


def test_a_worker_that_drains_finishes_what_it_holds_and_takes_nothing_further():
    def said(controller: Controller, message: Any) -> None:
        if isinstance(message, ResultBatch):
            controller.tell(Drain())

    with answering(lambda _: ok()) as server:
        jobs = jobs_of(singles(2000), size=100, rate=200)
        heard = work(lambda: Controller(setup_of(server.url), jobs, said=said))
    assert heard.adds_up() == {"answered": 200}, "the job that was due, and the one beyond"
    assert heard.left.error == ""


def test_a_worker_without_a_controller_leaves():
    def said(controller: Controller, message: Any) -> None:
        if isinstance(message, Hello):
            controller.tell(Stop(why="the controller is gone", grace_s=0.0))

    heard = work(lambda: Controller(setup_of("http://127.0.0.1:1"), [], said=said))
    assert heard.left.error == ""


def test_a_target_that_goes_away_ends_the_worker_and_is_told():
    jobs = [job(singles(5000), rate=2000)]
    url = f"http://127.0.0.1:{unused_port()}"
    heard = work(lambda: Controller(setup_of(url), jobs))
    assert f"no answer {SILENT_MAX} times in a row" in heard.left.stop
    assert heard.left.error == ""
    assert SILENT_MAX <= heard.adds_up()["faulted"] < 1000


def test_a_check_that_raises_is_told_with_its_place_and_nothing_more_is_sent():
    class Broken(Objecting):
        def check(self, case: Case, sent: Sent, before: Before = ()) -> tuple[Verdict, ...]:
            if case.request.path == "/5":
                raise ZeroDivisionError("a bug")
            return ()

    with answering(lambda _: ok()) as server:
        jobs = [job(singles(500), rate=200)]
        heard = work(lambda: Controller(setup_of(server.url), jobs), open_judge=lambda _: Broken())
        assert len(server.requests) < 100
    assert heard.left.error.startswith("ZeroDivisionError: a bug (test_worker.py:")


def test_unsafe_methods_never_reach_a_target_that_is_not_disposable():
    from premortem.config import Config, TargetConfig

    with answering(lambda _: ok()) as server:
        config = Config(target=TargetConfig(base_url=server.url))
        jobs = [job([*singles(3), Sequence(cases=(case(post("/pay")),))])]
        heard = work(lambda: Controller(setup_of(server.url, config=config), jobs))
        assert not server.requests
    assert "POST /pay" in heard.left.error


# Leases and batches.


def test_a_job_whose_lease_is_not_renewed_is_not_sent_any_more():
    answered_at: list[float] = []

    def reply(request: bytes) -> bytes:
        answered_at.append(time.monotonic())
        return ok()

    def said(controller: Controller, message: Any) -> None:
        if answered_at and time.monotonic() - answered_at[0] > 1.5:
            controller.tell(Stop(why="seen enough", grace_s=0.1))

    with answering(reply) as server:
        jobs = [job(singles(5000), rate=100)]
        heard = work(
            lambda: Controller(
                setup_of(server.url), jobs, acknowledges=False, lease_s=0.6, said=said
            )
        )
    assert answered_at[-1] - answered_at[0] < 0.6
    assert heard.adds_up()["answered"] == len(answered_at)


def test_a_refused_job_is_given_up_and_others_go_on():
    def said(controller: Controller, message: Any) -> None:
        if isinstance(message, ResultBatch) and message.job_id == "r/0":
            controller.tell(Refused(job_id="r/0", epoch=1))
            controller.tell(Drain())

    with answering(lambda _: ok()) as server:
        jobs = [
            job(singles(3000), rate=100, number=0),
            job(singles(50), rate=50, number=1, start_s=0.1, first=3000),
        ]
        heard = work(lambda: Controller(setup_of(server.url), jobs, said=said))
    heard.adds_up()
    assert set(range(3000, 3050)) <= set(heard.ended)
    assert len([n for n in heard.ended if n < 3000]) < 200


def test_without_acknowledgements_sending_of_the_job_stops_before_memory_grows():
    """Failures are told in full, so batches fill up; a controller that is silent holds them up."""

    def said(controller: Controller, message: Any) -> None:
        if len(controller.batches) == UNACKNOWLEDGED_MAX:
            timer = threading.Timer(1.0, lambda: None)
            timer.start()
            controller.tell(Stop(why="seen enough", grace_s=1.0))

    with answering(lambda _: ok(b"x" * 1_000_000)) as server:
        jobs = [job(singles(400), rate=1e6)]
        heard = work(
            lambda: Controller(setup_of(server.url), jobs, acknowledges=False, said=said),
            open_judge=lambda _: Objecting(lambda given: True),
        )
    under_way = 16
    assert max(len(batch.results) for batch in heard.batches) <= 9 + under_way
    assert len(heard.results) <= 9 * (UNACKNOWLEDGED_MAX + 1) + under_way
    heard.adds_up()


def test_a_job_that_was_held_up_goes_on_when_its_batches_are_acknowledged():
    late: list[ResultBatch] = []

    def said(controller: Controller, message: Any) -> None:
        if isinstance(message, ResultBatch):
            late.append(message)
            if len(late) >= UNACKNOWLEDGED_MAX:
                for batch in late:
                    controller.acknowledge(batch)
                late.clear()

    with answering(lambda _: ok(b"x" * 1_000_000)) as server:
        jobs = [job(singles(150), rate=1e6)]
        heard = work(
            lambda: Controller(setup_of(server.url), jobs, acknowledges=False, said=said),
            open_judge=lambda _: Objecting(lambda given: True),
        )
    assert heard.adds_up() == {"answered": 150}
    assert len(heard.results) == 150


def test_failures_are_told_in_full_and_of_what_passes_a_few_and_a_sample():
    with answering(lambda _: ok()) as server:
        jobs = [job(singles(1000, operation_id="GET /{n}"), rate=5000)]
        odd = Objecting(lambda given: int(given.request.path[1:]) % 10 == 1)
        heard = work(lambda: Controller(setup_of(server.url), jobs), open_judge=lambda _: odd)
    assert heard.adds_up() == {"answered": 1000}
    failed = [r for r in heard.results if r.verdicts]
    passed = [r for r in heard.results if not r.verdicts]
    assert len(failed) == 100
    assert 100 <= len(passed) <= 1000 // 10 + 3


def test_timeouts_and_resets_are_faults_and_unknowns():
    def handle(peer: Peer) -> None:
        while request := peer.request():
            if b"/reset" in request:
                return
            if b"/hang" not in request:
                peer.send(ok())

    paths = ("/reset", "/hang", "/fine")
    both = [Sequence(cases=(case(m(path)),)) for path in paths for m in (get, post)]
    with serving(handle) as server:
        setup = setup_of(server.url, timeout_s=0.3)
        heard = work(lambda: Controller(setup, [job(both)]))
    assert heard.adds_up() == {"answered": 2, "faulted": 2, "unknown": 2}


def test_vitals_tell_what_the_worker_uses_and_how_far_it_is():
    with answering(lambda _: ok()) as server:
        jobs = [job(singles(300), rate=1000)]
        heard = work(lambda: Controller(setup_of(server.url), jobs))
    vitals = heard.batches[-1].vitals
    assert vitals.cpu_s > 0
    assert vitals.rss_bytes > 1_000_000
    assert (vitals.sent, vitals.in_flight) == (300, 0)
    assert heard.lag.count == heard.latency.count == 300
