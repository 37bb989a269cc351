"""Operators about states: something else is done first, a step is left out, comes too early."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.generate.order_kit import Kit, is_own, loose
from premortem.generate.starts import Start
from premortem.generate.steps import Row, tried, unkeyed

SKIPPED_MAX = 8
"""Steps of one setup that are left out in turn."""
MOVES_MAX = 16
"""Other operations that one thing is brought into another state by."""
ROLES_MAX = 3
"""Further roles that try what a state forbids."""
FORBIDDEN_MAX = 8
"""Refusals around which one thing is read."""


def transitions(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """Something else is done to the same thing first; where production refused this in the state
    that it leads to, and never let it through, it is to be refused."""
    if start.final.request.method in SAFE_METHODS:
        return
    found: list[tuple[str, int, Case]] = []
    for other in kit.changing():
        if other.operation.id == start.operation.id or len(found) >= MOVES_MAX:
            continue
        row = kit.row(start)
        move = row.on_same(other, through=start.final)
        if move is None or not move.bindings:
            continue
        if any(b.step >= len(row) for b in move.bindings):
            continue
        found.append((_forbidden(kit, other, start), len(found), move))
    # What production knows to be forbidden first.
    for word, _, move in sorted(found, key=lambda one: (not one[0], one[1])):
        row = kit.row(start)
        moved = row.add(loose(unkeyed(move)))
        final = tried(
            unkeyed(start.final),
            kit.origin,
            operator="transition",
            breaks=f"order after {word or move.operation_id}",
            expects="refusal" if word else "answer",
            certain=bool(word),
            if_passed=moved if word else -1,
        )
        yield row.ending(final)
        for role in kit.others(start)[:ROLES_MAX] if word else ():
            yield row.ending(replace(final, role=role))


def unmoved(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A thing read, then what its state forbids, then read again: what was refused has changed
    nothing."""
    if start.final.request.method != "GET" or not is_own(start.final):
        return
    for move, forbidden in islice(_bans(kit), FORBIDDEN_MAX):
        row = kit.row(forbidden)
        moved = row.on_same(move, through=forbidden.final)
        if moved is None or any(b.step >= len(row) for b in moved.bindings):
            continue
        row.add(loose(unkeyed(moved)))
        read = row.on_same(start)
        if read is None or not is_own(read):
            continue
        first = row.add(loose(read))
        refused = row.add(loose(unkeyed(forbidden.final)))
        yield row.ending(
            tried(
                read,
                kit.origin,
                operator="read around a ban",
                breaks=f"order {forbidden.operation.id} refused after {move.operation.id}",
                expects="same",
                against=first,
                if_refused=refused,
            )
        )


def _bans(kit: Kit) -> Iterator[tuple[Start, Start]]:
    """(what leads to a state, what production refused in it)."""
    starts = list(kit.changing())
    for forbidden in starts:
        for move in starts:
            if move is not forbidden and _forbidden(kit, move, forbidden):
                yield move, forbidden


def _forbidden(kit: Kit, move: Start, start: Start) -> str:
    """The state, as `status=cancelled`, that MOVE leads to and in which production refused
    START's operation; empty: it is not known to be refused there."""
    for machine in kit.profile.machines:
        state = machine.leads_to(move.operation.id)
        if state and machine.forbids(start.operation.id, state):
            return f"{machine.field.rpartition('/')[2]}={state}"
    return ""


def premature(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """The request before the last step that it needs, then that step, then the request."""
    if not start.setup or start.setup[-1].request.method in SAFE_METHODS:
        return
    last = len(start.setup) - 1
    row = Row(kit.starts, start.setup[:last])
    early = tuple(b for b in start.final.bindings if b.step != last)
    row.add(loose(replace(start.final, bindings=early)))
    # The step itself stays where its answers are looked for; the early request goes first.
    step, final = (_shifted(case, last, 1) for case in (start.setup[-1], start.final))
    row.add(step)
    yield row.ending(tried(final, kit.origin, operator="swap", breaks="order swapped"))


def skipped(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """One changing step left out, on whose answer no other step of the setup relies."""
    done = 0
    for index, step in enumerate(start.setup):
        names = any(b.step == index for c in start.setup for b in c.bindings)
        if names or step.request.method in SAFE_METHODS or done >= SKIPPED_MAX:
            continue
        done += 1
        lost = [b for b in start.final.bindings if b.step == index]
        row = Row(kit.starts, start.setup[:index])
        for case in start.setup[index + 1 :]:
            row.add(loose(_without(case, index)))
        yield row.ending(
            tried(
                _without(start.final, index),
                kit.origin,
                operator="skip",
                breaks=f"order without {step.operation_id}",
                expects="refusal" if any(b.place.part == "path" for b in lost) else "answer",
            )
        )


def _shifted(case: Case, start: int, by: int) -> Case:
    """CASE after BY more cases came in before step START."""
    bindings = tuple(replace(b, step=b.step + by) if b.step >= start else b for b in case.bindings)
    return replace(case, bindings=bindings)


def _without(case: Case, step: int) -> Case:
    """CASE after STEP was left out; what came from it stays as recorded."""
    bindings = tuple(
        replace(b, step=b.step - 1) if b.step > step else b for b in case.bindings if b.step != step
    )
    return replace(case, bindings=bindings)
