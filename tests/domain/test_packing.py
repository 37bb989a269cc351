"""A packed job is the same job; what its cases share is one object again."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.domain.jobs import Job
from premortem.domain.packing import Parcel, pack_job, unpack_job
from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Intent, Origin, Sequence
from premortem.domain.traffic import Request

words = st.text(max_size=6)
pairs = st.lists(st.tuples(words, words), max_size=3).map(tuple)
places = st.builds(Place, part=st.sampled_from(["body", "query"]), name=words)
bindings = st.builds(Binding, step=st.integers(0, 3), select=places, place=places, recorded=words)
cases = st.builds(
    Case,
    request=st.builds(
        Request,
        method=st.sampled_from(["GET", "POST"]),
        origin=words,
        path=words,
        query=pairs,
        headers=pairs,
        body=st.binary(max_size=9),
    ),
    operation_id=words,
    origin=st.builds(Origin, source=st.sampled_from(["replay", "sample"]), seed=st.integers(0, 9)),
    intent=st.builds(Intent, breaks=words, place=st.none() | places),
    role=words,
    bindings=st.lists(bindings, max_size=2).map(tuple),
    recorded_status=st.integers(0, 599),
    recorded_reason=words,
    setup=st.booleans(),
    together=st.integers(0, 2),
)
jobs = st.lists(st.lists(cases, min_size=1, max_size=4), max_size=5).map(
    lambda given_: Job(
        id="r/1",
        run_id="r",
        number=1,
        slice=0,
        start_s=0.5,
        end_s=2.5,
        first=7,
        sequences=tuple(Sequence(cases=tuple(each)) for each in given_),
        slots=b"12345678",
        connections=3,
    )
)


@given(jobs)
def test_what_was_packed_comes_out(job):
    assert unpack_job(pack_job(job)) == job


@given(jobs)
def test_a_case_and_the_likeness_of_its_kind_differ_in_path_query_body_bindings_and_origin(job):
    parcel = Parcel(pack_job(job))
    made = [case for sequence in job.sequences for case in sequence.cases]
    assert len(parcel) == len(made)
    for number, case in enumerate(made):
        assert parcel.case(number) == case
        assert parcel.sequence_of(number).cases == (case,)
        like = parcel.like(parcel.kind_of[number])
        request = replace(case.request, path="", query=(), body=b"")
        origin = Origin(source=case.origin.source)
        assert like == replace(case, request=request, bindings=(), origin=origin)


def test_cases_share_what_is_alike():
    headers = (("accept", "*/*"),)
    made = [
        Case(
            request=Request(method="GET", origin="", path=f"/{n}", headers=headers),
            operation_id="GET /{n}",
            origin=Origin(source="replay"),
        )
        for n in range(2)
    ]
    job = Job(
        id="r/1",
        run_id="r",
        number=1,
        slice=0,
        start_s=0,
        end_s=1,
        first=0,
        sequences=tuple(Sequence(cases=(case,)) for case in made),
    )
    one, other = (sequence.cases[0] for sequence in unpack_job(pack_job(job)).sequences)
    assert one.request.headers is other.request.headers
    assert one.operation_id is other.operation_id
    assert one.origin is other.origin


def test_other_bytes_are_refused():
    with pytest.raises(msgspec.DecodeError):
        unpack_job(b"\x01")
