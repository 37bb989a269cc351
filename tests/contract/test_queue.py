"""The queue on both backends: what is given to whom, what counts, and how often."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from premortem.domain.latency import Latency
from premortem.errors import InputError
from premortem.store import open_store, tables
from premortem.store import queue as store_queue
from tests.store.queue_machine import QueueMachine, renamed
from tests.store.queue_values import (
    RUN,
    a_batch,
    a_count,
    a_job,
    a_live_run,
    a_slice,
)
from tests.store.values import a_result

NOW, LEASE_S = 1000.0, 10.0
OURS = (
    tables.live_runs,
    tables.controllers,
    tables.slices,
    tables.jobs,
    tables.job_payloads,
    tables.dead_jobs,
    tables.counts,
)


@pytest.fixture(scope="module")
def place(backend, tmp_path_factory):
    """One database for all tests here: making its tables takes longer than most of them."""
    return backend.config(), tmp_path_factory.mktemp("queue")


@pytest.fixture
def store(place):
    config, folder = place
    with open_store(config, folder, environment={}) as opened:
        yield opened
        with opened._database.writing() as connection:
            for table in (*OURS, tables.results):
                connection.execute(table.delete())


@pytest.fixture
def queue(store):
    return store.queue


def begun(queue, *jobs, **more):
    """A run with one slice, cut into JOBS."""
    last = max(job.first + job.count for job in jobs)
    queue.begin_run(a_live_run(planned=last, **more), [a_slice(count=last)])
    claim(queue)
    assert queue.cut_slice(RUN, 0, "c1", jobs) == "cut"


def claim(queue, controller="c1", now=NOW, **more):
    return queue.claim_slice(RUN, controller, now=now, lease_s=LEASE_S, **more)


def take(queue, worker="w1", now=NOW, **more):
    return queue.take_job(RUN, worker, now=now, lease_s=LEASE_S, **more)


def apply(queue, *batches, now=NOW):
    return queue.apply_batches(batches, now=now, lease_s=LEASE_S)


def outcomes(queue):
    return {c.outcome: c.count for c in queue.counts(RUN, ["outcome"])}


def test_a_job_goes_from_the_slice_to_a_worker_and_is_done(queue):
    job = a_job(count=10)
    begun(queue, job)
    granted = take(queue)
    assert granted.job == job
    assert (granted.epoch, granted.skip, granted.lease_until) == (1, (), NOW + LEASE_S)
    assert take(queue, "w2") is None
    (word,) = apply(queue, a_batch(granted, 1, (0, 3)))
    assert (word.accepted, word.fresh, word.done) == (True, True, False)
    (word,) = apply(queue, a_batch(granted, 2, (6, 9), (4, 5), final=True))
    assert (word.accepted, word.fresh, word.done) == (True, True, True)
    stats = queue.stats(RUN)
    assert (stats.done, stats.ended, stats.payload_bytes, stats.cut) == (1, 10, 0, 10)
    assert outcomes(queue) == {"answered": 10}


def test_a_batch_that_comes_again_is_accepted_and_counts_once(queue, store):
    begun(queue, a_job(count=10))
    granted = take(queue)
    batch = a_batch(granted, 1, (0, 9), results=[a_result(1)], final=True)
    first, second = apply(queue, batch, batch)
    assert (first.fresh, second.accepted, second.fresh) == (True, True, False)
    (third,) = apply(queue, batch)
    assert (third.accepted, third.fresh, third.done) == (True, False, True)
    assert outcomes(queue) == {"answered": 10}
    assert store.results(RUN) == [a_result(1)]


def test_many_batches_are_one_transaction_and_each_gets_its_word(queue):
    begun(queue, a_job(0), a_job(1), a_job(2))
    one, two = take(queue, "w1"), take(queue, "w2")
    words = apply(
        queue,
        a_batch(one, 1, (0, 4)),
        a_batch(two, 1, (10, 19), final=True),
        a_batch(one, 3, (5, 6)),
        a_batch(one, 2, (0, 1)),
        a_batch(one, 2, (5, 5)),
    )
    assert [word.accepted for word in words] == [True, True, False, False, True]
    assert words[2].reason == "batch 3 came and 2 is due"
    assert words[3].reason == "case 0 ended before"
    assert outcomes(queue) == {"answered": 16}
    assert [state.ended for state in queue.job_states(RUN)] == [((0, 5),), ((10, 19),), ()]
    assert [state.status for state in queue.job_states(RUN)] == ["taken", "done", "untaken"]


def test_a_lost_lease_goes_on_after_what_ended_and_in_doubt_is_unknown(queue, store):
    begun(queue, a_job(count=10, methods=["POST", "GET"] * 5))
    granted = take(queue)
    apply(queue, a_batch(granted, 1, (0, 3)))
    # Slots 4-7 were due at 0.7 s; POSTs are cases 4 and 6.
    assert queue.expire(RUN, now=NOW + LEASE_S, lost_at_s=0.7) == []
    (lost,) = queue.expire(RUN, now=NOW + LEASE_S + 0.1, lost_at_s=0.7)
    assert (lost.worker_id, lost.unknown, lost.again, lost.dead) == ("w1", 2, 4, False)
    (word,) = apply(queue, a_batch(granted, 2, (4, 5)))
    assert (word.accepted, word.reason) == (False, "the lease was lost")
    again = take(queue, "w2")
    assert (again.epoch, again.skip) == (2, ((0, 4), (6, 6)))
    apply(queue, a_batch(again, 1, (5, 5), (7, 9), final=True))
    assert outcomes(queue) == {"answered": 8, "unknown": 2}
    unknown = store.results(RUN)
    assert [r.outcome for r in unknown] == ["unknown"] * 2
    assert [r.case.request.path for r in unknown] == ["/invoices/4", "/invoices/6"]


def test_what_is_dead_says_why_and_the_rest_is_left(queue):
    begun(queue, a_job(count=10, methods="GET"), attempts_max=2)
    for epoch in (1, 2):
        granted = take(queue)
        assert granted.epoch == epoch
        (lost,) = queue.release_worker(RUN, "w1", lost_at_s=5.0, why="killed by signal 9")
    assert (lost.dead, lost.again) == (True, 10)
    assert take(queue) is None
    (state,) = queue.job_states(RUN)
    assert state.reason.startswith("2 leases in a row ended without its results; the last: killed")
    stats = queue.stats(RUN)
    assert (stats.dead, stats.ended) == (1, 0)


def test_a_job_can_be_buried_and_handed_back(queue):
    begun(queue, a_job(0), a_job(1))
    one, two = take(queue), take(queue)
    assert queue.hand_back(one.job.id, "w1", one.epoch)
    assert not queue.hand_back(one.job.id, "w1", one.epoch)
    (lost,) = queue.bury(two.job.id, lost_at_s=1.15, why="it cannot be read")
    assert (lost.unknown, lost.again, lost.dead) == (2, 8, True)
    assert queue.bury(two.job.id, lost_at_s=2.0, why="again") == []
    assert take(queue, "w3").job.number == 0


def test_leases_are_renewed_and_only_their_own(queue):
    begun(queue, a_job())
    granted = take(queue)
    assert queue.renew(granted.job.id, "w1", 1, now=NOW + 5, lease_s=LEASE_S)
    assert not queue.renew(granted.job.id, "w2", 1, now=NOW + 5, lease_s=LEASE_S)
    assert not queue.renew(granted.job.id, "w1", 2, now=NOW + 5, lease_s=LEASE_S)
    assert queue.expire(RUN, now=NOW + 12, lost_at_s=9.0) == []
    apply(queue, a_batch(granted, 1), now=NOW + 14)
    assert queue.expire(RUN, now=NOW + 20, lost_at_s=9.0) == []
    assert len(queue.expire(RUN, now=NOW + 25, lost_at_s=9.0)) == 1


def test_jobs_are_given_by_time_and_not_before_theirs(queue):
    begun(queue, a_job(2), a_job(0), a_job(1))
    assert take(queue, due_before_s=0.0) is None
    granted = queue.take_jobs(RUN, ["w1", "w1", "w2"], now=NOW, lease_s=LEASE_S, due_before_s=1.5)
    assert [(g.worker_id, g.job.number) for g in granted] == [("w1", 0), ("w1", 1)]
    assert queue.stats(RUN).earliest_s == 2.0


def test_several_controllers_share_the_slices_and_a_dead_ones_are_taken_over(queue):
    parts = [a_slice(n, first=n * 100, start_s=n * 10) for n in range(3)]
    queue.begin_run(a_live_run(planned=300), parts)
    queue.begin_run(a_live_run(planned=300), parts)
    assert claim(queue, "c1").number == 0
    assert claim(queue, "c1").number == 0
    assert claim(queue, "c2").number == 1
    assert claim(queue, "c3", due_before_s=20.0) is None
    assert claim(queue, "c3").number == 2
    assert claim(queue, "c4", now=NOW + 5) is None
    queue.heartbeat(RUN, "c2", now=NOW + 8, lease_s=LEASE_S)
    assert claim(queue, "c4", now=NOW + 11).number == 0
    queue.drop_controller(RUN, "c3")
    assert claim(queue, "c5").number == 2
    jobs = [a_job(0, first=100, slice_=1)]
    assert queue.cut_slice(RUN, 1, "c1", jobs) == "lost"
    assert queue.cut_slice(RUN, 1, "c2", jobs) == "cut"
    assert queue.cut_slice(RUN, 1, "c2", jobs) == "cut"
    assert queue.stats(RUN).untaken == 1
    assert [c.id for c in queue.controllers(RUN)] == ["c2"]
    assert [s.status for s in queue.slice_states(RUN)] == ["claimed", "cut", "claimed"]


def test_too_much_that_lies_ready_is_refused_until_some_is_taken(queue, monkeypatch):
    parts = [a_slice(n, first=n * 100) for n in range(2)]
    queue.begin_run(a_live_run(planned=200), parts)
    claim(queue)
    assert queue.cut_slice(RUN, 0, "c1", [a_job(0), a_job(1)]) == "cut"
    claim(queue)
    more = [a_job(n, first=n * 10 + 80, slice_=1) for n in (2, 3)]
    for name, most in (("JOBS_READY_MAX", 3), ("PAYLOAD_BYTES_MAX", 1000)):
        with monkeypatch.context() as patched:
            patched.setattr(store_queue, name, most)
            assert queue.cut_slice(RUN, 1, "c1", more) == "full"
    assert queue.stats(RUN).untaken == 2
    assert queue.cut_slice(RUN, 1, "c1", more) == "cut"


def test_jobs_that_are_not_of_their_slice_are_a_mistake(queue):
    queue.begin_run(a_live_run(), [a_slice(count=15)])
    claim(queue)
    for jobs in (
        [a_job(0, slice_=1)],
        [a_job(0), a_job(1)],
        [a_job(0), a_job(0)],
        [a_job(0), a_job(1, first=9, count=5)],
        [a_job(0, slots=[0.0])],
    ):
        with pytest.raises(ValueError, match=r"job|slots"):
            queue.cut_slice(RUN, 0, "c1", jobs)
    assert queue.stats(RUN).untaken == 0


def test_a_stop_is_seen_by_all_and_nothing_more_is_given(queue):
    parts = [a_slice(n, first=n * 100) for n in range(2)]
    queue.begin_run(a_live_run(planned=200), parts)
    claim(queue)
    queue.cut_slice(RUN, 0, "c1", [a_job(0), a_job(1)])
    granted = take(queue)
    assert queue.request_stop(RUN, reason="p99_ms > 250: 300").status == "stopping"
    assert queue.request_stop(RUN, reason="again").stop_reason == "p99_ms > 250: 300"
    assert queue.heartbeat(RUN, "c1", now=NOW, lease_s=LEASE_S).status == "stopping"
    assert take(queue) is None
    assert claim(queue) is None
    (word,) = apply(queue, a_batch(granted, 1, (0, 5)))
    assert word.accepted
    lost = queue.end_run(RUN, lost_at_s=0.65)
    assert [(item.unknown, item.again) for item in lost] == [(1, 3), (0, 10)]
    assert queue.end_run(RUN) == []
    assert queue.unended_runs() == []
    assert queue.stats(RUN).payload_bytes == 0
    assert queue.unended(RUN) == []
    assert outcomes(queue) == {"answered": 6, "unknown": 1}
    (word,) = apply(queue, a_batch(granted, 2, (7, 9)))
    assert not word.accepted


def test_the_pace_is_stored_and_shown(queue):
    queue.begin_run(a_live_run())
    assert queue.run(RUN).plan_s(NOW) == NOW
    queue.set_speed(RUN, 0.5, elapsed_s=20.0, now=NOW)
    assert queue.run(RUN).plan_s(NOW + 4) == 22.0
    assert [run.speed for run in queue.unended_runs()] == [0.5]
    with pytest.raises(InputError, match="no run 'nope'"):
        queue.run("nope")
    with pytest.raises(InputError, match="of another plan"):
        queue.begin_run(a_live_run(attempts_max=9))


def test_batches_of_no_such_job_are_refused(queue):
    begun(queue, a_job())
    granted = take(queue)
    batch = a_batch(granted, 1)
    for job_id in ("nope/0", f"{RUN}/99", "nope", f"{RUN}/x", f"{RUN}/{2**40}"):
        other = type(batch)(job_id=job_id, worker_id="w1", epoch=1, sequence_number=1)
        assert [word.accepted for word in apply(queue, other, batch)] == [False, True]


def test_counts_are_merged_by_second_and_asked_by_any_field(queue):
    begun(queue, a_job(count=12))
    granted = take(queue)
    counts = [
        a_count(2, second=0),
        a_count(1, second=1, status=500, latency=Latency({2000: 1}).packed()),
        a_count(1, second=1, operation_id="GET /x", status=0, outcome="faulted", fault="reset"),
    ]
    for number in range(1, 4):
        at = (number - 1) * 4
        apply(queue, a_batch(granted, number, (at, at + 3), counts=counts))
    found = queue.counts(RUN)
    assert [(c.second, c.operation_id, c.status, c.count) for c in found] == [
        (0, "POST /invoices/{id}", 201, 6),
        (1, "GET /x", 0, 3),
        (1, "POST /invoices/{id}", 500, 3),
    ]
    (all_of_it,) = queue.counts(RUN, ())
    assert (all_of_it.count, all_of_it.second) == (12, -1)
    assert Latency.unpacked(all_of_it.latency).counts() == [(1000, 6), (2000, 3)]
    by_status = {c.status: c for c in queue.counts(RUN, ["status"])}
    assert Latency.unpacked(by_status[500].latency).counts() == [(2000, 3)]
    assert by_status[0].latency == b""
    assert all(not c.latency for c in queue.counts(RUN, ["status"], latency=False))
    with pytest.raises(ValueError, match="counts cannot be asked by method"):
        queue.counts(RUN, ["method"])


def test_two_runs_do_not_touch_each_other(queue):
    begun(queue, a_job())
    other = "ffffffffffff"
    queue.begin_run(a_live_run(other), [a_slice()])
    queue.claim_slice(other, "c1", now=NOW, lease_s=LEASE_S)
    queue.cut_slice(other, 0, "c1", [a_job(run_id=other)])
    here = take(queue)
    there = queue.take_job(other, "w1", now=NOW, lease_s=LEASE_S)
    words = apply(queue, a_batch(here, 1, (0, 9)), a_batch(there, 1, (0, 4)))
    assert [word.done for word in words] == [True, False]
    queue.end_run(RUN)
    assert outcomes(queue) == {"answered": 10}
    assert queue.stats(other).taken == 1
    assert [c.count for c in queue.counts(other, ())] == [5]


def test_workers_networks_and_clocks_at_their_worst(queue):
    runs = (f"{number:012x}" for number in count(1))

    class StoreMachine(QueueMachine):
        def opened(self, run, part, jobs):
            run_id = next(runs)
            queue.begin_run(replace(run, id=run_id), [part])
            queue.claim_slice(run_id, "c1", now=NOW, lease_s=LEASE_S)
            named = renamed(jobs, run_id)
            assert queue.cut_slice(run_id, 0, "c1", named) == "cut"
            return queue, run_id, named

    run_state_machine_as_test(
        StoreMachine,
        settings=settings(max_examples=12, stateful_step_count=25, deadline=None),
    )
