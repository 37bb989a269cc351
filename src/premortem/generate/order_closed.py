"""An operator about states that close a thing: what is let through where all else is refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from premortem.domain.kinship import changes_thing, names_state, touches
from premortem.domain.relations import StateMachine
from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.generate.order_kit import Kit, loose
from premortem.generate.starts import Start
from premortem.generate.steps import Row, tried, unkeyed

SIBLINGS_MIN = 3
SIBLINGS_MAX = 6
"""Other operations that are tried in the state first."""
CLOSED = "order closed "
"""Begins `breaks` of a case that is tried where its siblings are refused; the word of their
refusals follows."""


def closed(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A thing is brought into a state in which production refused something for that state alone
    (`InvoiceLocked`); then its siblings are tried, and then this. Where all of them are refused for
    that word, and this is let through, nobody said that it may: a suspicion."""
    if start.final.request.method in SAFE_METHODS:
        return
    for machine in kit.profile.machines:
        if not touches(kit.profile, start.operation, machine.maker):
            continue
        for move, state, word in _closing(machine):
            known = {t.operation_id for t in machine.transitions if t.before == state}
            if start.operation.id in known | {move}:
                continue
            yield _tried(kit, start, machine, move, state, word)


def _closing(machine: StateMachine) -> Iterator[tuple[str, str, str]]:
    """(what leads to a state, the state, the word by which something was refused for it alone)."""
    for move in dict.fromkeys(t.operation_id for t in machine.transitions if t.passed):
        state = machine.leads_to(move)
        words = {t.reason for t in machine.transitions if t.before == state and t.refused}
        words -= {t.reason for t in machine.transitions if t.before != state}
        for word in sorted(w for w in words if w and _named(machine, w, state)) if state else ():
            yield move, state, word


def _named(machine: StateMachine, word: str, state: str) -> bool:
    return names_state(word, maker=machine.maker, field=machine.field, state=state)


def _tried(
    kit: Kit, start: Start, machine: StateMachine, move: str, state: str, word: str
) -> Sequence | None:
    row = kit.row(start)
    leading = kit.recorded(move)
    moved = _on_same(row, leading, start.final)
    if moved is None:
        return None
    led = row.add(loose(unkeyed(moved)))
    first = len(row)
    for case in islice(_siblings(kit, row, start, machine, move, state), SIBLINGS_MAX):
        row.add(loose(unkeyed(case)))
    if len(row) - first < SIBLINGS_MIN:
        return None
    return row.ending(
        tried(
            unkeyed(start.final),
            kit.origin,
            operator="closed state",
            breaks=CLOSED + word,
            expects="refusal",
            against=first,
            if_passed=led,
        )
    )


def _siblings(
    kit: Kit, row: Row, start: Start, machine: StateMachine, move: str, state: str
) -> Iterator[Case]:
    """What else changes the thing, but for what was let through in STATE."""
    passed = {t.operation_id for t in machine.transitions if t.before == state and t.passed}
    for other in kit.changing():
        operation = other.operation
        if operation.id in passed | {move, start.operation.id}:
            continue
        if changes_thing(operation, machine.maker):
            case = _on_same(row, other, start.final)
            if case is not None:
                yield case


def _on_same(row: Row, other: Start | None, final: Case) -> Case | None:
    """OTHER's request on the thing that ROW is about, without values that are still to come."""
    case = row.on_same(other, through=final) if other is not None else None
    if case is None or not case.bindings or any(b.step >= len(row) for b in case.bindings):
        return None
    return case
