"""A plan cut into slices, and a slice into jobs: by time, by rate and by mix together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Many
from math import ceil

import numpy as np

from premortem.domain.jobs import Job
from premortem.domain.live import PlanSlice
from premortem.domain.load import Scale
from premortem.domain.run import Sequence

SLICE_CASES_MAX = 5_000
"""Cases made and held at a time by one controller: some 50 MB with their requests of 2 KB."""
SLICE_S_MAX = 60.0
"""Slow plans are cut by time, too, so that what is made stays near to when it is sent."""
CLOSED_JOB_CASES = 500
"""Cases of a closed model's job for each of its connections, at most."""
JOB_CASES_MAX = 5_000


def sliced(
    total: int,
    *,
    at: Callable[[int], float],
    duration_s: float,
    seconds_max: float = SLICE_S_MAX,
    cases_max: int = SLICE_CASES_MAX,
) -> Iterator[PlanSlice]:
    """TOTAL cases in slices of at most CASES_MAX cases and about SECONDS_MAX.

    AT: plan second of the slot with that number. A plan that fits is one slice.
    """
    first = number = 0
    start_s = 0.0
    while first < total:
        count = min(cases_max, total - first)
        if at(first + count - 1) - at(first) > seconds_max:
            low, high = 1, count  # at least one case, however slow
            while low < high:
                middle = (low + high + 1) // 2
                if at(first + middle - 1) - at(first) <= seconds_max:
                    low = middle
                else:
                    high = middle - 1
            count = low
        last = first + count >= total
        end_s = duration_s if last else at(first + count)
        yield PlanSlice(number=number, first=first, count=count, start_s=start_s, end_s=end_s)
        first, number, start_s = first + count, number + 1, end_s


def cut(
    part: PlanSlice,
    sequences: Many[Sequence],
    slots: Many[float],
    *,
    run_id: str,
    scale: Scale,
    number: int,
) -> list[Job]:
    """The jobs of PART, from NUMBER on; together they hold SEQUENCES and SLOTS, each once.

    SLOTS: plan seconds, ascending, one for each case of SEQUENCES. Sequences keep their order
    within `scale.job_s` seconds; within these they are dealt out to as many jobs as the rate
    needs (`scale.rate_per_worker_max`), every job with a like share of each operation.
    Raises ValueError when cases and slots differ in number.
    """
    total = sum(len(sequence.cases) for sequence in sequences)
    if total != len(slots):
        raise ValueError(f"{total} cases for {len(slots)} slots")
    jobs: list[Job] = []
    first, used = part.first, 0
    for window in _windows(sequences, slots, job_s=scale.job_s):
        count = sum(len(sequence.cases) for sequence in window)
        theirs = slots[used : used + count]
        used += count
        seconds = max(theirs[-1] - theirs[0], scale.job_s) if count else scale.job_s
        hands = max(ceil(count / seconds / scale.rate_per_worker_max), ceil(count / JOB_CASES_MAX))
        for dealt, own in _dealt(window, theirs, hands=min(hands, len(window))):
            jobs.append(
                Job(
                    id=f"{run_id}/{number + len(jobs)}",
                    run_id=run_id,
                    number=number + len(jobs),
                    slice=part.number,
                    start_s=own[0],
                    end_s=own[-1],
                    first=first,
                    sequences=tuple(dealt),
                    slots=np.asarray(own, dtype="<f8").tobytes(),
                )
            )
            first += len(own)
    return jobs


def cut_closed(
    part: PlanSlice,
    sequences: Many[Sequence],
    *,
    run_id: str,
    connections: int,
    workers: int,
    number: int,
) -> list[Job]:
    """The jobs of PART when CONNECTIONS in all, over WORKERS, send back to back."""
    share = max(1, ceil(connections / workers))
    size = min(JOB_CASES_MAX, share * CLOSED_JOB_CASES)
    jobs: list[Job] = []
    first = part.first
    group: list[Sequence] = []
    held = 0
    for index, sequence in enumerate(sequences):
        group.append(sequence)
        held += len(sequence.cases)
        if held < size and index + 1 < len(sequences):
            continue
        jobs.append(
            Job(
                id=f"{run_id}/{number + len(jobs)}",
                run_id=run_id,
                number=number + len(jobs),
                slice=part.number,
                start_s=part.start_s,
                end_s=part.end_s,
                first=first,
                sequences=tuple(group),
                connections=share,
            )
        )
        first += held
        group, held = [], 0
    return jobs


def _windows(
    sequences: Many[Sequence], slots: Many[float], *, job_s: float
) -> Iterator[list[Sequence]]:
    """SEQUENCES in their order, in groups whose cases have slots within about JOB_S seconds."""
    window: list[Sequence] = []
    begun, used = 0, 0
    for sequence in sequences:
        if window and slots[used] - slots[begun] >= job_s:
            yield window
            window, begun = [], used
        window.append(sequence)
        used += len(sequence.cases)
    if window:
        yield window


def _dealt(
    window: list[Sequence], slots: Many[float], *, hands: int
) -> Iterator[tuple[list[Sequence], list[float]]]:
    """WINDOW dealt to HANDS with like shares of every operation, SLOTS in proportion."""
    if hands <= 1:
        yield window, list(slots)
        return
    dealt: list[list[Sequence]] = [[] for _ in range(hands)]
    sizes = [0] * hands
    mixes: list[Counter[str]] = [Counter() for _ in range(hands)]
    for sequence in window:
        name = sequence.cases[-1].operation_id
        hand = min(range(hands), key=lambda i: (mixes[i][name], sizes[i], i))
        dealt[hand].append(sequence)
        sizes[hand] += len(sequence.cases)
        mixes[hand][name] += len(sequence.cases)
    owed = [0.0] * hands
    own: list[list[float]] = [[] for _ in range(hands)]
    shares = [size / len(slots) for size in sizes]
    for slot in slots:
        owed = [debt + share for debt, share in zip(owed, shares, strict=True)]
        hand = max((i for i in range(hands) if len(own[i]) < sizes[i]), key=lambda i: owed[i])
        own[hand].append(slot)
        owed[hand] -= 1
    for sequences, times in zip(dealt, own, strict=True):
        if sequences:
            yield sequences, times
