"""Slices and jobs hold every case and every slot of a plan once."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.live import PlanSlice
from premortem.domain.load import Scale
from premortem.domain.run import Case, Origin, Sequence
from premortem.domain.traffic import Request
from premortem.run.cutting import (
    JOB_CASES_MAX,
    SLICE_CASES_MAX,
    cut,
    cut_closed,
    sliced,
)


def sequence(length: int, name: str = "GET /a", number: int = 0) -> Sequence:
    return Sequence(
        cases=tuple(
            Case(
                request=Request(method="GET", origin="", path=f"/a/{number}/{index}"),
                operation_id=name,
                origin=Origin(source="replay"),
            )
            for index in range(length)
        )
    )


def part(count: int, first: int = 0) -> PlanSlice:
    return PlanSlice(number=0, first=first, count=count, start_s=0.0, end_s=1.0)


def slots_of(job) -> list[float]:
    return np.frombuffer(job.slots, dtype="<f8").tolist()


lengths = st.lists(st.integers(1, 12), min_size=1, max_size=60)


@given(lengths, st.floats(0.5, 500), st.floats(0.2, 5), st.floats(1, 200), st.integers(0, 9999))
def test_jobs_hold_every_sequence_and_every_slot_once(sizes, rate, job_s, per_worker, first):
    given_ = [sequence(size, number=index) for index, size in enumerate(sizes)]
    total = sum(sizes)
    slots = [index / rate for index in range(total)]
    scale = Scale(job_s=job_s, rate_per_worker_max=per_worker)
    jobs = cut(part(total, first), given_, slots, run_id="r", scale=scale, number=7)
    held = [s.id for job in jobs for s in job.sequences]
    assert sorted(held) == sorted(s.id for s in given_)
    assert sorted(slot for job in jobs for slot in slots_of(job)) == slots
    at = first
    for number, job in enumerate(jobs, 7):
        assert (job.number, job.first, job.id) == (number, at, f"r/{number}")
        assert len(slots_of(job)) == job.count
        assert slots_of(job) == sorted(slots_of(job))
        assert (job.start_s, job.end_s) == (slots_of(job)[0], slots_of(job)[-1])
        at += job.count


def test_no_job_asks_more_of_a_worker_than_allowed():
    given_ = [sequence(1, number=index) for index in range(4000)]
    slots = [index / 1000 for index in range(4000)]
    scale = Scale(job_s=2.0, rate_per_worker_max=250)
    jobs = cut(part(4000), given_, slots, run_id="r", scale=scale, number=0)
    assert len(jobs) == 8
    for job in jobs:
        assert job.count / (job.end_s - job.start_s) <= 250 * 1.01


def test_jobs_of_one_moment_have_the_same_mix():
    names = ["GET /a"] * 6 + ["POST /b"] * 3 + ["PUT /c"]
    given_ = [sequence(1, names[index % 10], index) for index in range(2000)]
    slots = [index / 1000 for index in range(2000)]
    scale = Scale(job_s=2.0, rate_per_worker_max=250)
    jobs = cut(part(2000), given_, slots, run_id="r", scale=scale, number=0)
    mixes = [Counter(s.cases[-1].operation_id for s in job.sequences) for job in jobs]
    assert len(jobs) == 4
    assert all(mix == Counter({"GET /a": 300, "POST /b": 150, "PUT /c": 50}) for mix in mixes)


def test_a_long_sequence_is_never_torn():
    jobs = cut(
        part(43),
        [sequence(1, number=1), sequence(41, number=2), sequence(1, number=3)],
        [index / 5 for index in range(43)],
        run_id="r",
        scale=Scale(job_s=1.0),
        number=0,
    )
    assert [len(s.cases) for job in jobs for s in job.sequences] == [1, 41, 1]


def test_cases_and_slots_that_differ_in_number_are_refused():
    with pytest.raises(ValueError, match="2 cases for 1 slots"):
        cut(part(2), [sequence(2)], [0.0], run_id="r", scale=Scale(), number=0)


@given(st.integers(1, 40_000), st.floats(0.05, 5000))
def test_slices_lie_end_to_end(total, rate):
    slices = list(sliced(total, at=lambda n: n / rate, duration_s=total / rate))
    assert slices[0].first == 0
    assert slices[0].start_s == 0
    assert slices[-1].end_s == total / rate
    assert sum(each.count for each in slices) == total
    for each, after in itertools.pairwise(slices):
        assert each.first + each.count == after.first
        assert each.end_s == after.start_s
    assert all(1 <= each.count <= SLICE_CASES_MAX for each in slices)
    assert all((each.count - 1) / rate <= 60.0001 or each.count == 1 for each in slices)


@given(lengths, st.integers(1, 64), st.integers(1, 8))
def test_closed_jobs_hold_every_sequence_once(sizes, connections, workers):
    given_ = [sequence(size, number=index) for index, size in enumerate(sizes)]
    jobs = cut_closed(
        part(sum(sizes)), given_, run_id="r", connections=connections, workers=workers, number=0
    )
    assert [s.id for job in jobs for s in job.sequences] == [s.id for s in given_]
    assert all(job.connections >= 1 and not job.slots for job in jobs)
    assert all(job.count <= JOB_CASES_MAX + 12 for job in jobs)
    assert [job.first for job in jobs] == [
        sum(j.count for j in jobs[:index]) for index in range(len(jobs))
    ]
