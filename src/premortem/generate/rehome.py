"""A request to things that were there in mid-run, put behind a setup that makes such things."""

from __future__ import annotations

from msgspec.structs import replace

from premortem.domain.run import Case, Sequence
from premortem.domain.template import split_path
from premortem.generate.starts import Starts


def rehomed(case: Case, starts: Starts) -> Sequence | None:
    """CASE behind its operation's setup, sent to what that makes instead of what it named.

    From a fresh state nothing is there that was named by its id in the middle of a run. None
    where the operation needs no setup, or none is known.
    """
    start = starts.of(case.operation_id)
    if start is None or start.hollow or not start.setup:
        return None
    ours, theirs = start.final.request, case.request
    if ours.method != theirs.method:
        return None
    if len(split_path(ours.path)) != len(split_path(theirs.path)):
        return None
    bindings = tuple(binding for binding in start.final.bindings if binding.place.part == "path")
    moved = replace(
        case,
        request=replace(theirs, path=ours.path),
        bindings=bindings,
        intent=replace(case.intent, live=False),
    )
    return Sequence(cases=(*start.setup, moved))
