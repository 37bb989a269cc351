"""What else must be so of an answer, or afterwards: promises between fields, entries in a log."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from premortem.agent.planning.declared import usual_role
from premortem.agent.planning.draft import Draft, pretty
from premortem.agent.planning.promised import promises_of
from premortem.agent.planning.traces import Trace, trace_of
from premortem.agent.plans.ground import Ground
from premortem.agent.steps.catalogue import text
from premortem.domain.places import Place
from premortem.domain.traffic import OperationProfile


def say_promises(draft: Draft, operation: OperationProfile) -> None:
    """Steps that ask the last answer, a good one of OPERATION, for what it always keeps."""
    for promise in promises_of(operation):
        draft.add("Then", text("holds", promise))


def say_trace(ground: Ground, operation: OperationProfile, draft: Draft) -> None:
    """Steps that find exactly one entry of what the last case of DRAFT, of OPERATION, did; none
    where no list is known to keep such entries, or others of the thing may be in it."""
    if ground.understood.edition:
        return  # whether the list is there in that edition is another question
    last = draft.cases[-1]
    about = {(b.place, b.step) for b in last.bindings if b.place.part == "path"}
    for case in draft.cases[:-1]:
        same = {(b.place, b.step) for b in case.bindings if b.place.part == "path"} == about
        if case.operation_id == operation.id and same:
            return
    named = draft.params(len(draft.cases) - 1, operation.operation.template)
    thing = list(named.values())[-1] if named else ""
    trace = trace_of(operation, ground.evidence) if "${" in thing else None
    role = _reader(ground, draft, trace) if trace is not None else None
    if trace is None or role is None:
        return
    query = f"{trace.subject}={thing}&{trace.word}={quote(trace.value, safe='')}"
    path = f"{trace.listing.operation.template}?{query}"
    draft.add("Then", text("send", draft.actor(role), "GET", path))
    found: Any = [{}]
    for token in reversed(Place(part="body", name=trace.pointer).tokens):
        found = {token: found}
    draft.add("Then", text("matches"), pretty(found))


def _reader(ground: Ground, draft: Draft, trace: Trace) -> str | None:
    """Who reads the list: somebody who is there already, else who was let through most."""
    counts = trace.listing.roles
    good = [r for r in counts if r in ground.roles and any(s[0] == "2" for s in counts[r])]
    present = [case.role for case in draft.cases if case.role in good]
    if present or good:
        return next(iter((*present, *good)))
    return usual_role(trace.listing, ground.profile, ground.roles) or None
