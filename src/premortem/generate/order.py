"""Whole sequences in which the order of the requests is what is tried.

Each starts from how production brings an operation about: its setup, then the request itself.
One thing is done to that order, and the last case says what should come of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from premortem.domain.run import Sequence
from premortem.domain.traffic import Exchange, Profile
from premortem.generate.order_access import revoked
from premortem.generate.order_again import (
    at_once,
    repeated,
    repeated_in_part,
    repeated_with_key,
    stale,
)
from premortem.generate.order_closed import closed
from premortem.generate.order_kit import Kit, Operator
from premortem.generate.order_pages import both_kept, paged
from premortem.generate.order_states import premature, skipped, transitions, unmoved
from premortem.generate.order_things import (
    deleted_and_used,
    interleaved,
    made_and_read,
    read_after_work,
    read_around,
    read_around_retry,
)
from premortem.generate.starts import Start, Starts

STEPS_MAX = 40
"""A setup longer than this is left alone."""

OPERATORS: tuple[Operator, ...] = (
    revoked,
    stale,
    repeated_with_key,
    closed,
    read_around_retry,
    repeated_in_part,
    at_once,
    repeated,
    read_after_work,
    interleaved,
    paged,
    both_kept,
    transitions,
    deleted_and_used,
    read_around,
    unmoved,
    made_and_read,
    premature,
    skipped,
)
"""Those whose last case says the most first."""


class OrderMutator:
    """Repeats, hurries, delays, leaves out and joins requests of a profile's operations."""

    def __init__(
        self, profile: Profile, exchanges: Mapping[str, Exchange], seed: int, *, starts: Starts
    ) -> None:
        self._kit = Kit(profile, exchanges, seed, starts=starts)
        self._works: dict[str, Iterator[Sequence]] = {}

    def sequences(self, operation_id: str, count: int) -> list[Sequence]:
        """Up to COUNT distinct sequences that end with a case of OPERATION_ID, the only one that
        is no setup; each call goes on where the last one ended."""
        start = self._kit.starts.of(operation_id)
        if start is None or len(start.setup) > STEPS_MAX or count <= 0:
            return []
        if operation_id not in self._works:
            self._works[operation_id] = self._all(start)
        work = self._works[operation_id]
        return [sequence for sequence, _ in zip(work, range(count), strict=False)]

    def _all(self, start: Start) -> Iterator[Sequence]:
        """One of each operator, then another one of each."""
        seen: set[str] = set()
        left = [operator(self._kit, start) for operator in OPERATORS]
        while left:
            turns = [(work, next(work, _END)) for work in left]
            left = [work for work, made in turns if made is not _END]
            for _, made in turns:
                if isinstance(made, Sequence) and made.id not in seen:
                    seen.add(made.id)
                    yield made


_END = object()
