"""Operators about whose a thing is: others ask for it, by its id wherever that stands.

Whose a thing is no document says. So it is looked up: who made it finds it in their list, and who
asks for it does not find it in theirs. What is not shown to somebody is not theirs to read, to
change or to delete. (OWASP API Security 2023, API1: broken object level authorization)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from premortem.checks.foreign_thing import OBJECT
from premortem.domain.run import Case, Sequence
from premortem.generate.order_kit import Kit, loose
from premortem.generate.replay import UNKNOWN
from premortem.generate.starts import Start
from premortem.generate.steps import Row, tried, unkeyed

STRANGERS_MAX = 3
LISTS_MAX = 2


def others_things(kit: Kit, start: Start, *, roles: tuple[str, ...]) -> Iterator[Sequence | None]:
    """Made by one, listed by both, then the request by the other: refused, where the other's list
    did not show it."""
    steps = sorted({b.step for b in start.final.bindings})
    for step in steps:
        maker = start.setup[step]
        if maker.request.method not in ("POST", "PUT") or not maker.role:
            continue
        for listing in islice(_lists(kit, start, step), LISTS_MAX):
            for stranger in islice(_strangers(kit, listing, maker, roles), STRANGERS_MAX):
                row = kit.row(start)
                own = row.add(loose(replace(listing, role=maker.role)))
                theirs = row.add(loose(replace(listing, role=stranger)))
                yield row.ending(
                    unkeyed(
                        tried(
                            replace(start.final, role=stranger),
                            kit.origin,
                            operator="another's thing",
                            breaks=f"{OBJECT} {maker.operation_id}",
                            expects="denied",
                            against=own,
                            if_passed=theirs,
                        )
                    )
                )


def _strangers(kit: Kit, listing: Case, maker: Case, roles: tuple[str, ...]) -> Iterator[str]:
    """Roles that are shown such a list, and may do nothing that MAKER's role may not: whoever
    stands above it may well get at what it made."""
    known = {role for o in kit.profile.operations for role in o.roles} - {"", UNKNOWN}
    listed = kit.operations[listing.operation_id]
    for role in sorted(known & set(roles) if roles else known):
        above = any(
            kit.passes(role, o) and "403" in o.roles.get(maker.role, {})
            for o in kit.profile.operations
        )
        if role != maker.role and kit.passes(role, listed) and not above:
            yield role


def _lists(kit: Kit, start: Start, step: int) -> Iterator[Case]:
    """Readings of the collection that the thing of STEP was made in."""
    made = start.setup[step]
    template = made.operation_id.split(" ")[1]
    if made.request.method == "PUT":
        template = template.rpartition("/")[0]
    for operation in kit.profile.operations:
        if operation.id != f"GET {template}":
            continue
        reading = kit.recorded(operation.id)
        if reading is None:
            continue
        case = Row(kit.starts, start.setup).on_same(reading, through=made)
        if case is not None and all(b.step < len(start.setup) for b in case.bindings):
            yield replace(case, request=replace(case.request, query=()))
