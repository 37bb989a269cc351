"""Cases that go out at once, and sequences that remember, in a worker on real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from premortem.domain.jobs import ResultBatch
from premortem.domain.run import Before, Case, Intent, Sent, Sequence, Verdict
from premortem.domain.traffic import Response
from premortem.run.course import REMEMBERED_BYTES_MAX
from premortem.run.messages import Stop
from tests.run.controlling import Controller, job, setup_of, singles, work
from tests.send.cases import binding, case, get, post
from tests.send.server import answering, ok

WAIT_S = 5.0


class Noting:
    """A judge that notes what it is given and has nothing to say."""

    def __init__(self) -> None:
        self.before: dict[str, Before] = {}

    def quick(self, case: Case, response: Response, duration_ms: float) -> bool:
        return True

    def check(self, case: Case, sent: Sent, before: Before = ()) -> tuple[Verdict, ...]:
        self.before[case.request.path] = before
        return ()


class Meeting:
    """Answers nobody of a group before all of its SIZE members have been read."""

    def __init__(self, size: int) -> None:
        self._barrier = threading.Barrier(size)
        self.met = 0

    def __call__(self, request: bytes) -> bytes:
        if b"/at-once" in request:
            self._barrier.wait(WAIT_S)
            self.met += 1
        return ok(b'{"id": "i7"}')


def racing(size: int, *, name: str = "", ahead: int = 0) -> Sequence:
    """SIZE cases at once behind AHEAD others."""
    first = [case(post(f"/ahead{name}{n}"), setup=True) for n in range(ahead)]
    group = [case(post(f"/at-once{name}{n}"), together=1, setup=n < size - 1) for n in range(size)]
    return Sequence(cases=(*first, *group))


def sent(reply: Callable[[bytes], bytes], sequences: list[Sequence], **job_: Any) -> Controller:
    settings = {"in_flight_max": job_.pop("in_flight_max", 16)}
    with answering(reply) as server:
        granted = job(sequences, **job_)
        setup = setup_of(server.url, **settings)
        return work(lambda: Controller(setup, [granted]), open_judge=lambda _: Noting())


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_group_is_under_way_at_once_though_slots_are_far_apart(ahead):
    meeting = Meeting(4)
    sequences = [*singles(3), racing(4, ahead=ahead), *singles(3)]
    heard = sent(meeting, sequences, rate=50.0)
    assert meeting.met == 4
    assert heard.adds_up() == {"answered": 10 + ahead}


def test_no_member_of_a_group_goes_out_before_its_slot_and_all_are_due_together():
    heard = sent(Meeting(3), [racing(3), *singles(2)], rate=50.0)
    assert heard.adds_up() == {"answered": 5}
    due = {r.case.request.path: r.sent.intended_at for r in heard.results}
    group = [due[f"/at-once{n}"] for n in range(3)]
    assert max(group) - min(group) < 1e-9
    assert due["/0"] - group[0] == pytest.approx(1 / 50, abs=1e-6)


def test_two_groups_one_after_the_other_do_not_mix():
    first, second = racing(3, name="-a"), racing(3, name="-b")
    later = tuple(msgspec.structs.replace(c, together=2) for c in second.cases)
    meeting = Meeting(3)
    heard = sent(meeting, [Sequence(cases=(*first.cases, *later))])
    assert meeting.met == 6
    assert heard.adds_up() == {"answered": 6}


def test_a_closed_job_sends_a_group_at_once_on_more_connections_than_it_has():
    meeting = Meeting(3)
    heard = sent(meeting, [*singles(4), racing(3), *singles(4)], connections=1)
    assert meeting.met == 3
    assert heard.adds_up() == {"answered": 11}


def test_a_group_larger_than_what_may_be_under_way_goes_out_in_parts_and_ends():
    heard = sent(lambda _: ok(), [racing(5, ahead=1), *singles(3)], in_flight_max=2)
    assert heard.adds_up() == {"answered": 9}


def test_many_groups_and_sequences_side_by_side_all_end_once():
    sequences = [racing(n % 4 + 1, name=f"-{n}-", ahead=n % 3) for n in range(60)]
    sequences += singles(100)
    count = sum(len(s.cases) for s in sequences)
    heard = sent(lambda _: ok(), sequences, rate=2000.0, in_flight_max=8)
    assert heard.adds_up() == {"answered": count}
    assert heard.ended == list(range(count))


def test_the_case_after_a_group_waits_for_all_of_it_and_takes_values_from_it():
    group = racing(2)
    after = case(get("/things/old"), binding("body:/id", "path:1", "old", step=1))
    meeting = Meeting(2)
    heard = sent(meeting, [Sequence(cases=(*group.cases, after))])
    assert heard.adds_up() == {"answered": 3}
    paths = {result.sent.request.path for result in heard.results}
    assert "/things/i7" in paths


def judged(reply: Callable[[bytes], bytes], sequence: Sequence, **more: Any) -> dict[str, Before]:
    judge = Noting()
    with answering(reply) as server:
        granted = job([sequence])
        work(
            lambda: Controller(setup_of(server.url), [granted], **more),
            open_judge=lambda _: judge,
        )
    return judge.before


def statuses(before: Before) -> list[int | None]:
    return [one.response.status if one and one.response else None for one in before]


def remembering(*paths: str) -> Sequence:
    intent = Intent(kind="adversarial", breaks="order repeated", expects="same", against=0)
    *first, last = paths
    cases = [case(get(path), setup=True) for path in first]
    return Sequence(cases=(*cases, case(get(last), intent=intent)))


def test_a_remembering_sequence_tells_the_judge_what_came_of_earlier_cases():
    before = judged(lambda _: ok(b'{"n": 1}'), remembering("/a", "/b", "/c"))
    assert statuses(before["/c"]) == [200, 200]
    assert before["/c"][0].response.body == b'{"n": 1}'
    assert statuses(before["/b"]) == [200]


def test_each_of_a_group_is_judged_with_all_the_others():
    before = judged(Meeting(3), racing(3, ahead=1))
    assert statuses(before["/at-once0"]) == [200, None, 200, 200]
    assert statuses(before["/at-once2"]) == [200, 200, 200]


def test_other_sequences_are_judged_without():
    judge = Noting()
    judge.quick = lambda case, response, duration_ms: False  # type: ignore[method-assign]
    plain = Sequence(cases=(case(get("/a"), setup=True), case(get("/b"))))
    with answering(lambda _: ok()) as server:
        granted = job([plain])
        work(lambda: Controller(setup_of(server.url), [granted]), open_judge=lambda _: judge)
    assert judge.before == {"/a": (), "/b": ()}


def test_what_is_remembered_has_a_limit():
    body = b'"' + b"x" * (REMEMBERED_BYTES_MAX // 2) + b'"'
    before = judged(lambda _: ok(body), remembering("/a", "/b", "/c", "/d"))
    assert statuses(before["/d"]) == [200, None, None]


def test_what_ended_under_an_earlier_lease_is_not_remembered():
    before = judged(lambda _: ok(), remembering("/a", "/b", "/c"), skip=((0, 0),))
    assert set(before) == {"/b", "/c"}
    assert statuses(before["/c"]) == [None, 200]


def test_members_of_a_group_that_ended_under_an_earlier_lease_are_not_sent_again():
    meeting = Meeting(2)
    with answering(meeting) as server:
        granted = job([racing(4), *singles(1)])
        setup = setup_of(server.url)
        heard = work(lambda: Controller(setup, [granted], skip=((0, 0), (2, 2))))
    assert meeting.met == 2
    assert heard.ended == [1, 3, 4]


def test_a_stop_amid_a_group_tells_of_each_member_once():
    def reply(request: bytes) -> bytes:
        if b"/at-once" in request and b"/at-once0" not in request:
            time.sleep(2)
        return ok()

    def said(controller: Controller, message: Any) -> None:
        if isinstance(message, ResultBatch):
            controller.tell(Stop(why="enough", grace_s=0.3))

    with answering(reply) as server:
        granted = job([racing(3), *singles(2000)], rate=200)
        heard = work(lambda: Controller(setup_of(server.url), [granted], said=said))
    outcomes = heard.adds_up()
    assert {0, 1, 2} <= set(heard.ended)
    assert outcomes["unknown"] == 2
