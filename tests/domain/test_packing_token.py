"""What is done to a case's credentials goes to the worker with it, and tells it from others."""

from __future__ import annotations

from msgspec.structs import replace

from premortem.domain.jobs import Job
from premortem.domain.packing import pack_job, unpack_job
from premortem.domain.run import Case, Origin, Sequence
from premortem.domain.token_change import TokenChange
from premortem.domain.traffic import Request

PLAIN = Case(
    request=Request(method="GET", origin="", path="/me"),
    operation_id="GET /me",
    origin=Origin(source="security"),
    role="ann",
)
FORGED = replace(PLAIN, token=TokenChange(forgery="expired", key="${KEY}"))


def test_two_forgeries_and_the_true_token_are_three_cases():
    other = replace(PLAIN, token=TokenChange(forgery="no signature"))
    assert len({case.id for case in (PLAIN, FORGED, other)}) == 3


def test_a_job_keeps_them():
    sequence = Sequence(cases=(PLAIN, FORGED))
    job = Job(
        id="r/1",
        run_id="r",
        number=1,
        slice=0,
        start_s=0.0,
        end_s=1.0,
        first=0,
        sequences=(sequence,),
    )
    (read,) = unpack_job(pack_job(job)).sequences
    assert read == sequence
