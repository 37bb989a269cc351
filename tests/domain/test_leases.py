"""The life of a job, without any store."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.domain.jobs import Count, Job, JobState, ResultBatch
from premortem.domain.leases import (
    Applied,
    Refusal,
    apply,
    bury,
    earliest_s,
    hand_back,
    is_expired,
    is_last,
    lose,
    renew,
    resumption,
    take,
)
from premortem.domain.live import Granted, LostLease, Word
from premortem.domain.packing import pack_job
from premortem.domain.ranges import merged, of_mask, overlapping, size, to_mask
from tests.store.queue_machine import RULES, QueueMachine
from tests.store.queue_values import a_count, a_job


class MemoryQueue:
    """The queue of one run: what the store's does, without a store."""

    def __init__(self, run, jobs: list[Job]) -> None:
        self.run = run
        self.jobs = {job.id: job for job in jobs}
        self.states = {
            job.id: JobState(job_id=job.id, first=job.first, count=job.count) for job in jobs
        }
        self.outcomes = {"answered": 0, "unknown": 0}

    def take_job(self, _run_id, worker_id, *, now, lease_s):
        for job_id, state in self.states.items():
            taken = take(state, worker_id=worker_id, now=now, lease_s=lease_s)
            if isinstance(taken, JobState):
                self.states[job_id] = taken
                return Granted(
                    job_id=job_id,
                    packed=pack_job(self.jobs[job_id]),
                    start_s=self.jobs[job_id].start_s,
                    count=taken.count,
                    worker_id=worker_id,
                    epoch=taken.epoch,
                    lease_until=taken.lease_until,
                    skip=taken.skipped,
                )
        return None

    def apply_batches(self, batches, *, now, lease_s):
        words = []
        for batch in batches:
            applied = apply(self.states[batch.job_id], batch, now=now, lease_s=lease_s)
            word = Word(
                job_id=batch.job_id,
                epoch=batch.epoch,
                sequence_number=batch.sequence_number,
                accepted=isinstance(applied, Applied),
            )
            if isinstance(applied, Applied):
                self.states[batch.job_id] = applied.state
                done = applied.state.status == "done"
                word = replace(word, fresh=applied.fresh, done=done)
                if applied.fresh:
                    self.outcomes["answered"] += size(batch.ended)
            words.append(word)
        return words

    def hand_back(self, job_id, worker_id, epoch):
        self._set(job_id, hand_back(self.states[job_id], worker_id=worker_id, epoch=epoch))

    def _set(self, job_id, state):
        if isinstance(state, Refusal):
            return False
        self.states[job_id] = state
        return True

    def expire(self, _run_id, *, now, lost_at_s):
        expired = [job_id for job_id, s in self.states.items() if is_expired(s, now=now)]
        return self._lose(expired, lost_at_s, "the lease ran out")

    def release_worker(self, _run_id, worker_id, *, lost_at_s, why):
        theirs = [job_id for job_id, s in self.states.items() if s.worker_id == worker_id]
        return self._lose(theirs, lost_at_s, why)

    def _lose(self, job_ids, lost_at_s, why):
        most = self.run.plan.scale.attempts_max
        lost = []
        for job_id in job_ids:
            state = self.states[job_id]
            resend = self.run.plan.resend_unsafe and not is_last(state, attempts_max=most)
            found = resumption(self.jobs[job_id], state, lost_at_s=lost_at_s, resend_unsafe=resend)
            lost += self._settled(
                state, found, lose(state, found, attempts_max=most, reason=why), why
            )
        return lost

    def bury(self, job_id, *, lost_at_s, why):
        state = self.states[job_id]
        found = resumption(self.jobs[job_id], state, lost_at_s=lost_at_s, resend_unsafe=False)
        return self._settled(state, found, bury(state, found, reason=why), why)

    def _settled(self, state, found, following, why):
        if not self._set(state.job_id, following):
            return []
        self.outcomes["unknown"] += size(found.unknown)
        return [
            LostLease(
                job_id=state.job_id,
                worker_id=state.worker_id,
                why=why,
                unknown=size(found.unknown),
                again=found.again,
                dead=following.status == "dead",
            )
        ]

    def job_states(self, _run_id):
        return list(self.states.values())

    def counts(self, _run_id, _by) -> list[Count]:
        return [a_count(n, outcome=outcome) for outcome, n in self.outcomes.items() if n]


class MemoryMachine(QueueMachine):
    def opened(self, run, part, jobs):
        return MemoryQueue(run, jobs), run.id, jobs


TestTransitions = MemoryMachine.TestCase
TestTransitions.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_long_storms_of_workers_networks_and_clocks():
    # Denser than what Hypothesis draws, for mistakes that need many things to go wrong together.
    for seed in range(400):
        machine = MemoryMachine()
        machine.begin(seed, resend_unsafe=False, attempts_max=4, rule_=RULES[seed % len(RULES)])
        for part in range(4):
            machine.storm(seed * 4 + part)
            machine.everything_adds_up()
        machine.teardown()


NOW, LEASE_S = 100.0, 10.0


def taken(job: Job, *ended: tuple[int, int], skipped=()) -> JobState:
    state = JobState(job_id=job.id, first=job.first, count=job.count, ended=merged(skipped))
    state = take(state, worker_id="w1", now=NOW, lease_s=LEASE_S)
    assert isinstance(state, JobState)
    return replace(state, ended=merged(state.ended, ended))


def batch(state: JobState, number: int, *ended: tuple[int, int], **more) -> ResultBatch:
    given = {
        "job_id": state.job_id,
        "worker_id": state.worker_id,
        "epoch": state.epoch,
        "sequence_number": number,
        "ended": ended,
        "counts": (a_count(size(ended)),) if ended else (),
    }
    return ResultBatch(**(given | more))


def refused(state: JobState, given: ResultBatch) -> str:
    said = apply(state, given, now=NOW, lease_s=LEASE_S)
    assert isinstance(said, Refusal)
    return said.reason


def test_a_batch_has_to_fit_its_job():
    state = taken(a_job(1, count=10), (10, 12))
    assert refused(state, batch(state, 1, (9, 13))) == "cases 9-13 are not all of 10-19"
    assert refused(state, batch(state, 1, (14, 13))) == "cases 14-13 are not all of 10-19"
    assert refused(state, batch(state, 1, (12, 13))) == "case 12 ended before"
    assert refused(state, batch(state, 1, (13, 15), (15, 16))) == "case 15 ended before"
    assert refused(state, batch(state, 2, (13, 14))) == "batch 2 came and 1 is due"
    assert refused(state, batch(state, 0)) == "batch 0 came and 1 is due"
    assert refused(state, batch(state, 1, worker_id="w2")) == "the lease was lost"
    assert refused(state, batch(state, 1, epoch=2)) == "the lease was lost"
    assert "2 cases are counted" in refused(state, batch(state, 1, (13, 15), counts=(a_count(2),)))
    assert "3 cases have not ended" in refused(state, batch(state, 1, (13, 16), final=True))
    assert "more than 10000 ranges" in refused(state, batch(state, 1, *[(13, 13)] * 10_001))


def test_a_lease_that_ran_out_unnoticed_still_counts():
    state = taken(a_job())
    applied = apply(state, batch(state, 1, (0, 4)), now=NOW + 60, lease_s=LEASE_S)
    assert isinstance(applied, Applied)
    assert applied.state.lease_until == NOW + 60 + LEASE_S
    assert not is_expired(applied.state, now=NOW + 70)
    assert is_expired(applied.state, now=NOW + 70.1)


def test_only_the_holder_of_a_lease_renews_it():
    state = taken(a_job())
    for worker, epoch in (("w2", 1), ("w1", 2)):
        said = renew(state, worker_id=worker, epoch=epoch, now=NOW, lease_s=LEASE_S)
        assert isinstance(said, Refusal)
    renewed = renew(state, worker_id="w1", epoch=1, now=NOW + 3, lease_s=LEASE_S)
    assert isinstance(renewed, JobState)
    assert renewed.lease_until == NOW + 3 + LEASE_S


def test_what_was_due_and_is_unsafe_is_unknown_and_the_rest_is_sent_again():
    job = a_job(count=10, methods=["POST", "GET"] * 5)
    state = taken(job, (0, 3))
    found = resumption(job, state, lost_at_s=0.65, resend_unsafe=False)
    assert (found.unknown, found.again) == (((4, 4), (6, 6)), 4)
    assert resumption(job, state, lost_at_s=0.65, resend_unsafe=True).again == 6
    assert resumption(job, state, lost_at_s=-1.0, resend_unsafe=False).unknown == ()
    untaken = JobState(job_id=job.id, count=10)
    assert resumption(job, untaken, lost_at_s=9.0, resend_unsafe=False).again == 10


def test_in_a_closed_model_every_unsafe_case_may_have_gone_out():
    job = a_job(count=6, methods=["POST", "GET"] * 3, connections=2)
    found = resumption(job, taken(job, (0, 1)), lost_at_s=0.0, resend_unsafe=False)
    assert (found.unknown, found.again) == (((2, 2), (4, 4)), 2)


def test_a_case_may_go_out_in_the_slot_of_another_that_waits():
    # Two sequences of three: the second begins in slot 1 at the earliest.
    job = a_job(count=6, length=3, slots=range(6))
    assert earliest_s(job, ()).tolist() == [0, 1, 2, 1, 2, 3]
    assert earliest_s(job, ((0, 1),)).tolist() == [0, 0, 0, 1, 2, 3]
    assert earliest_s(job, ((0, 2), (4, 4))).tolist() == [0, 0, 0, 0, 1, 1]


def test_a_job_that_ends_by_what_is_unknown_is_done():
    job = a_job(count=3)
    state = taken(job, (0, 0))
    found = resumption(job, state, lost_at_s=5.0, resend_unsafe=False)
    done = lose(state, found, attempts_max=1, reason="killed")
    assert isinstance(done, JobState)
    assert (done.status, done.ended, done.reason) == ("done", ((0, 2),), "")


@pytest.mark.parametrize("status", ["done", "dead", "untaken"])
def test_what_no_worker_holds_cannot_be_lost(status):
    state = JobState(job_id="run/0", count=3, status=status)
    found = resumption(a_job(count=3), state, lost_at_s=1.0, resend_unsafe=False)
    assert isinstance(lose(state, found, attempts_max=3, reason=""), Refusal)
    assert isinstance(bury(state, found, reason=""), Refusal) == (status != "untaken")
    assert isinstance(hand_back(state, worker_id="", epoch=0), Refusal)


RANGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 5)).map(lambda pair: (pair[0], sum(pair))),
    max_size=12,
)


def numbers(ranges) -> list[int]:
    return [n for low, high in ranges for n in range(low, high + 1)]


@given(RANGES, RANGES)
def test_ranges_are_sets_of_numbers(one, two):
    both = merged(one, two)
    assert numbers(both) == sorted(set(numbers(one)) | set(numbers(two)))
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(both))
    assert of_mask(to_mask(both, 0, 80), 0) == both
    assert of_mask(to_mask(both, 3, 80), 3) == merged((max(3, a), b) for a, b in both if b >= 3)
    given = numbers(one) + numbers(two)
    assert (overlapping(one, two) is None) == (len(given) == len(set(given)))
    assert size(both) == int(np.count_nonzero(to_mask(both, 0, 80)))
