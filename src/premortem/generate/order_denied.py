"""Operators about who may do something at all: a denial is a denial, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from premortem.domain.denial import ACCESS
from premortem.domain.run import SAFE_METHODS, Case, Intent, Sequence
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import Kit, is_own, loose
from premortem.generate.replay import UNKNOWN
from premortem.generate.starts import Start
from premortem.generate.steps import Row, tried, unkeyed

ROLES_MAX = 4
"""Roles that are tried on one operation."""
REFUSED_MIN = 2
"""Refusals (403), and nothing let through, from which a role counts as one that may not."""
WITNESSES_MAX = 1
OVERRIDES = ("x-http-method-override", "x-method-override", "x-http-method")


def denied(kit: Kit, start: Start, *, roles: tuple[str, ...]) -> Iterator[Sequence | None]:
    """Each role that may not, and nobody, tries; what is there was read before and is read after.

    The try is judged for itself; what a denial left as it was is only seen by reading.
    """
    if start.final.request.method in SAFE_METHODS:
        for who, intent in _intruders(kit, start.operation, roles):
            yield _ending(kit, kit.row(start), start.final, who, intent)
        return
    readings = list(islice(_readings(kit, start), WITNESSES_MAX))
    for who, intent in _intruders(kit, start.operation, roles):
        if not readings:
            yield _ending(kit, kit.row(start), unkeyed(start.final), who, intent)
        for read in readings:
            row = kit.row(start)
            before = row.add(loose(read))
            case = replace(unkeyed(start.final), role=who, intent=intent)
            refused = row.add(replace(case, recorded_status=0, recorded_reason=""))
            yield row.ending(
                tried(
                    read,
                    kit.origin,
                    operator="read around a denial",
                    breaks=f"{ACCESS}{start.operation.id} denied to {who or 'nobody'}",
                    expects="same",
                    against=before,
                    if_refused=refused,
                )
            )


def _ending(kit: Kit, row: Row, case: Case, who: str, intent: Intent) -> Sequence | None:
    made = tried(case, kit.origin, operator="denied", breaks=intent.breaks)
    return row.ending(replace(made, role=who, intent=intent))


def _intruders(
    kit: Kit, operation: OperationProfile, roles: tuple[str, ...]
) -> Iterator[tuple[str, Intent]]:
    """(role, what to expect) of those who may not."""
    if not operation.secured:
        return
    declared = operation.in_spec and bool({401, 403, -4} & set(operation.declared))
    seen = any("401" in statuses for statuses in operation.roles.values())
    yield (
        "",
        Intent(
            kind="adversarial",
            breaks="auth missing",
            expects="refusal",
            certain=declared or seen,
        ),
    )
    for role in islice(_barred(kit, operation, roles), ROLES_MAX):
        yield role, Intent(kind="adversarial", breaks=f"role {role}", expects="refusal")


def _barred(kit: Kit, operation: OperationProfile, roles: tuple[str, ...]) -> Iterator[str]:
    """Roles that may not, by the specification or as production showed: who may do least last,
    for a step up from just below is what is forgotten."""
    known = {role for o in kit.profile.operations for role in o.roles} - {"", UNKNOWN}
    passing = {role: sum(kit.passes(role, o) for o in kit.profile.operations) for role in known}
    for role in sorted(known & set(roles) if roles else known, key=lambda r: (-passing[r], r)):
        if operation.allowed_roles:
            if role not in operation.allowed_roles:
                yield role
            continue
        statuses = operation.roles.get(role, {})
        refused = statuses.get("403", 0)
        if refused >= REFUSED_MIN and not any(status < "4" for status in statuses):
            yield role


def _readings(kit: Kit, start: Start) -> Iterator[Case]:
    """Readings of what START's operation would change, the nearest first."""
    template = start.operation.operation.template
    found: list[tuple[bool, int, Case]] = []
    for other in kit.profile.operations:
        if other.operation.method != "GET" or "{" not in other.operation.template:
            continue
        reading = kit.recorded(other.id)
        if reading is None or not template.startswith(other.operation.template):
            continue
        case = Row(kit.starts, start.setup).on_same(reading, through=start.final)
        if case is None or not is_own(case):
            continue
        if any(b.step >= len(start.setup) for b in case.bindings):
            continue
        found.append((other.operation.template != template, -len(other.operation.template), case))
    yield from (case for *_, case in sorted(found, key=lambda one: one[:2]))


def overridden(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A reading that a header calls a deletion or a change (RFC 9110, 9.2.1): nothing changes."""
    if start.final.request.method != "GET" or not is_own(start.final):
        return
    template = start.operation.operation.template
    methods = [
        o.operation.method
        for o in kit.profile.operations
        if o.operation.template == template and o.operation.method not in SAFE_METHODS
    ]
    for method in dict.fromkeys([*methods, "DELETE"]):
        row = kit.row(start)
        before = row.add(loose(start.final))
        named = tuple((name, method) for name in OVERRIDES)
        request = start.final.request
        request = replace(request, headers=(*request.headers, *named))
        row.add(loose(replace(start.final, request=request)))
        yield row.ending(
            tried(
                start.final,
                kit.origin,
                operator="method override",
                breaks=f"{ACCESS}{method} by a header",
                expects="same",
                against=before,
            )
        )
