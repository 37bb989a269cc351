"""Which cases make up a run: exactly as many as planned, generated and replayed ones mixed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Many

from msgspec import Struct

from premortem.domain.run import SAFE_METHODS, Case, Plan, Sequence


class Arranged(Struct, frozen=True, kw_only=True):
    """The sequences of a run in the order in which they start.

    planned = dynamic + setup + replay + missing, and `sequences` holds all but `missing`.
    """

    sequences: tuple[Sequence, ...]
    planned: int
    planned_dynamic: int
    """Generated cases that were wanted; `dynamic` are there."""
    dynamic: int
    setup: int
    """Of the production part: sent to bring generated cases into their state."""
    replay: int
    missing: int
    """Cases that nothing was there for."""
    dropped: int
    """Generated cases left out because their setups did not fit."""
    cycles: float
    """How often the recorded flows are run through."""

    @property
    def shortfall(self) -> str:
        """What of the plan cannot be met, in words; empty: nothing."""
        parts: list[str] = []
        if self.dynamic < self.planned_dynamic:
            text = f"{self.dynamic} of {self.planned_dynamic} generated cases"
            if self.dropped:
                text += f" ({self.dropped} left out: with what they need first they do not fit)"
            parts.append(text)
        if self.missing:
            parts.append(f"{self.missing} requests have no recorded flow to replay")
        return "; ".join(parts)


class Share(Struct, frozen=True, kw_only=True):
    """The part of a plan that is made at a time."""

    planned: int
    planned_dynamic: int
    behind: int = 0
    """Cases of production that the parts before replay, about: this one goes on there."""


Again = Callable[[Sequence, int], Sequence]
"""A flow for its next cycle (1, 2, ...): under names of its own where a client chooses them."""


def arrange(
    plan: Plan,
    production: Many[Sequence],
    dynamic: Many[Sequence],
    *,
    again: Again = lambda flow, _cycle: flow,
    share: Share | None = None,
) -> Arranged:
    """The run that PLAN describes, or a SHARE of it, from recorded flows and generated sequences.

    PRODUCTION: replay sequences, run through from the first, again and again, as often as needed.
    DYNAMIC: cases with `setup` set, then generated ones; taken from the first. Generated cases
    number `planned_dynamic` or fewer; setups count as production; replay fills the rest.
    """
    share = share or Share(planned=plan.planned, planned_dynamic=plan.planned_dynamic)
    if plan.safe_methods_only:
        production = [s for s in map(safe_part, production) if s.cases]
        dynamic = [s for s in map(safe_part, dynamic) if s.cases]
    if plan.exclude_operations:
        excluded = frozenset(plan.exclude_operations)

        def allowed(case: Case) -> bool:
            return case.operation_id not in excluded

        production = [s for s in (part(s, allowed) for s in production) if s.cases]
        dynamic = [s for s in (part(s, allowed) for s in dynamic) if s.cases]
    if plan.operations:
        production = [s for s in (_wanted(s, plan.operations) for s in production) if s.cases]
    planned = share.planned
    generated, dropped = _generated(dynamic, finals=share.planned_dynamic, room=planned)
    finals = sum(_finals(sequence) for sequence in generated)
    setup = sum(len(sequence.cases) for sequence in generated) - finals
    replayed = _cycled(production, planned - finals - setup, again, share.behind)
    replay = sum(len(sequence.cases) for sequence in replayed)
    recorded = sum(len(sequence.cases) for sequence in production)
    return Arranged(
        sequences=_interleaved(replayed, generated),
        planned=planned,
        planned_dynamic=share.planned_dynamic,
        dynamic=finals,
        setup=setup,
        replay=replay,
        missing=planned - finals - setup - replay,
        dropped=dropped,
        cycles=replay / recorded if recorded else 0.0,
    )


def safe_part(sequence: Sequence) -> Sequence:
    """SEQUENCE without unsafe methods, and without what needs an answer to one of those."""
    return part(sequence, lambda case: case.request.method in SAFE_METHODS)


def part(sequence: Sequence, keep: Callable[[Case], bool]) -> Sequence:
    """The cases of SEQUENCE to KEEP, without those that need an answer to one left out."""
    kept: list[int] = []
    for index, case in enumerate(sequence.cases):
        if keep(case) and all(binding.step in kept for binding in case.bindings):
            kept.append(index)
    cases = list(sequence.only(kept).cases)
    # Setups at the end bring about what nothing needs any more.
    while cases and cases[-1].setup:
        cases.pop()
    return Sequence(cases=tuple(cases))


def _wanted(sequence: Sequence, operations: Many[str]) -> Sequence:
    """SEQUENCE up to its last case of OPERATIONS: what comes before may be needed."""
    last = max(
        (i for i, case in enumerate(sequence.cases) if case.operation_id in operations), default=-1
    )
    return sequence.upto(last)


def _finals(sequence: Sequence) -> int:
    return sum(not case.setup for case in sequence.cases)


def _generated(dynamic: Many[Sequence], *, finals: int, room: int) -> tuple[list[Sequence], int]:
    """Sequences with FINALS generated cases, and how many of those did not fit into ROOM."""
    taken: list[Sequence] = []
    left = finals
    for sequence in dynamic:
        if left <= 0:
            break
        count = _finals(sequence)
        if count > left:
            sequence = sequence.upto(_index_of_final(sequence, left))
            count = left
        if count:
            taken.append(sequence)
            left -= count
    dropped = 0
    size = sum(len(sequence.cases) for sequence in taken)
    while size > room:
        sequence = taken.pop()
        size -= len(sequence.cases)
        dropped += _finals(sequence)
    return taken, dropped


def _index_of_final(sequence: Sequence, number: int) -> int:
    """Index of the NUMBER-th generated case, counted from 1."""
    return [i for i, case in enumerate(sequence.cases) if not case.setup][number - 1]


def _cycled(production: Many[Sequence], count: int, again: Again, behind: int) -> list[Sequence]:
    """COUNT cases of PRODUCTION, from the first again when it ends; the last one cut to fit.

    BEHIND: cases that other shares replay before these; with any, no flow goes out as recorded.
    """
    taken: list[Sequence] = []
    flows = [sequence for sequence in production if sequence.cases]
    recorded = sum(len(flow.cases) for flow in flows)
    skipped = behind % recorded if recorded else 0
    cycle = 1 + behind // recorded if behind and recorded else 0
    while count > 0 and flows:
        for flow in flows:
            if skipped > 0:
                skipped -= len(flow.cases)
                continue
            sequence = again(flow, cycle) if cycle else flow
            if len(sequence.cases) > count:
                sequence = sequence.upto(count - 1)
            taken.append(sequence)
            count -= len(sequence.cases)
            if count <= 0:
                break
        cycle += 1
    return taken


def _interleaved(left: list[Sequence], right: list[Sequence]) -> tuple[Sequence, ...]:
    """Both lists in their order, mixed so that each is as far along as the other at any time."""
    total_left = sum(len(sequence.cases) for sequence in left) or 1
    total_right = sum(len(sequence.cases) for sequence in right) or 1
    mixed: list[Sequence] = []
    i = j = done_left = done_right = 0
    while i < len(left) or j < len(right):
        behind = done_left * total_right <= done_right * total_left
        if j >= len(right) or (i < len(left) and behind):
            mixed.append(left[i])
            done_left += len(left[i].cases)
            i += 1
        else:
            mixed.append(right[j])
            done_right += len(right[j].cases)
            j += 1
    return tuple(mixed)
