"""How slices, jobs and their leases lie in rows, and what their rows are called."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Row

from premortem.domain.jobs import JobState
from premortem.domain.live import PlanSlice, SliceState
from premortem.domain.ranges import Ranges, size

NUMBER_BITS = 31
"""Of a job or a slice, below the number of its run."""
NUMBER_MAX = (1 << NUMBER_BITS) - 1
PART_BITS = 8
"""Rows for one second of a run, so that several controllers seldom wait for each other."""
SECOND_BITS = 32
SECOND_MAX = (1 << SECOND_BITS) - 1


def row_id(run: int, number: int) -> int:
    """The row of a run's job or slice NUMBER. Raises ValueError when that is out of range."""
    if not 0 <= number <= NUMBER_MAX:
        raise ValueError(f"number {number} is not in 0..{NUMBER_MAX}")
    return run << NUMBER_BITS | number


def count_ids(run: int) -> tuple[int, int]:
    """The first and the last row that counts of a run can have."""
    shift = SECOND_BITS + PART_BITS
    return run << shift, (run + 1 << shift) - 1


def count_id(run: int, second: int, part: int) -> int:
    """The row of what PART of the writers counted in SECOND; what is below 0 counts as 0."""
    second = min(max(0, second), SECOND_MAX)
    return (run << SECOND_BITS | second) << PART_BITS | part % (1 << PART_BITS)


def second_of(number: int) -> int:
    """The second of a row of counts."""
    return number >> PART_BITS & SECOND_MAX


def place_of_run(run_id: str) -> str:
    """What binds a live run's payload to it."""
    return f"live run {run_id}"


def place_of_controller(run: int, name: str) -> str:
    """Where a controller's standing is sealed for."""
    return f"controller {run} {name}"


def place_of_job(number: int) -> str:
    """What binds a job's payload to its row."""
    return f"job {number}"


def place_of_reason(number: int) -> str:
    """What binds the reason of a dead job to its row."""
    return f"dead job {number}"


def place_of_counts(number: int) -> str:
    """What binds counts to their row."""
    return f"counts {number}"


def packed(ranges: Ranges) -> bytes:
    """Ranges as little-endian 64-bit pairs."""
    return np.array(ranges, dtype="<i8").tobytes() if ranges else b""


def unpacked(data: bytes) -> Ranges:
    """What `packed` gave."""
    pairs = np.frombuffer(data, dtype="<i8").reshape(-1, 2).tolist()
    return tuple((low, high) for low, high in pairs)


def job_state(row: Row[Any], *, run_id: str, reason: str = "") -> JobState:
    """A row of `jobs`."""
    return JobState(
        job_id=f"{run_id}/{row.number}",
        first=row.first,
        count=row.cases,
        status=row.status,
        worker_id=row.worker,
        epoch=row.epoch,
        attempts=row.attempts,
        lease_until=row.lease_until,
        batches=row.batches,
        ended=unpacked(row.ended),
        skipped=unpacked(row.skipped),
        reason=reason,
    )


def job_values(state: JobState) -> dict[str, Any]:
    """The columns of `jobs` that transitions change."""
    return {
        "status": state.status,
        "worker": state.worker_id,
        "epoch": state.epoch,
        "attempts": state.attempts,
        "lease_until": state.lease_until,
        "batches": state.batches,
        "ended": packed(state.ended),
        "skipped": packed(state.skipped),
        "ended_count": size(state.ended),
    }


def slice_state(row: Row[Any]) -> SliceState:
    """A row of `slices`."""
    return SliceState(
        slice=PlanSlice(
            number=row.number,
            first=row.first,
            count=row.cases,
            start_s=row.start_s,
            end_s=row.end_s,
        ),
        status=row.status,
        controller_id=row.controller,
        lease_until=row.lease_until,
    )
