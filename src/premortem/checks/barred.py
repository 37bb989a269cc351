"""Who production always turned away from an operation: roles, and editions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import comb

from msgspec import Struct

from premortem.domain.run import Case
from premortem.domain.traffic import OperationProfile, Request

REFUSED_MIN = 3
"""Refusals (403) that one must have met with, and nothing else but them."""
CHANCE_MAX = 1e-3
"""Chance left that those refused were only unlucky: all of their requests among the refused ones
of everybody's, had the refusals been dealt out at random (hypergeometric)."""


class Barred(Struct, frozen=True, kw_only=True):
    """Why a request should have been turned away."""

    kind: str
    """`role` or `edition`."""
    name: str
    evidence: str


def barred(
    case: Case, request: Request, operation: OperationProfile | None, edition_header: str = ""
) -> Barred | None:
    """Whether production turned away everyone like the sender of CASE, sent as REQUEST; None: it
    did not, or not often enough. EDITION_HEADER: which tells editions; empty: none does."""
    if operation is None or case.intent.breaks.startswith("auth "):
        return None
    if case.role and operation.allowed_roles and case.role not in operation.allowed_roles:
        allowed = ", ".join(operation.allowed_roles)
        said = f"the specification allows it to {allowed} only"
        return Barred(kind="role", name=case.role, evidence=said)
    if case.role and (count := _refusals(case.role, operation.roles)):
        said = f"production refused the role {case.role} each time ({count} recorded)"
        return Barred(kind="role", name=case.role, evidence=said)
    edition = request.header(edition_header.lower()) if edition_header else None
    if edition and (count := _refusals(edition, operation.editions)):
        said = f"production refused the edition {edition} each time ({count} recorded)"
        return Barred(kind="edition", name=edition, evidence=said)
    return None


def bars_editions(operation: OperationProfile | None) -> bool:
    """Whether there is an edition that `barred` may name."""
    editions = operation.editions if operation is not None else {}
    return any(_refusals(name, editions) for name in editions)


def doors_of(
    operations: Iterable[OperationProfile | None],
) -> dict[str, Callable[[str], bool]]:
    """Operation id -> whether `barred` has nothing against a role; of those that bar any."""
    doors: dict[str, Callable[[str], bool]] = {}
    for operation in operations:
        if operation is None:
            continue
        shut = frozenset(role for role in operation.roles if _refusals(role, operation.roles))
        allowed = frozenset(operation.allowed_roles)
        if shut or allowed:
            doors[operation.id] = partial(_is_let_in, shut, allowed)
    return doors


def _is_let_in(shut: frozenset[str], allowed: frozenset[str], role: str) -> bool:
    return role not in shut and (not role or not allowed or role in allowed)


def _refusals(name: str, matrix: Mapping[str, Mapping[str, int]]) -> int:
    """How often NAME was refused, if that is all that ever came of it and no chance; else 0."""
    own = matrix.get(name, {})
    refused = own.get("403", 0)
    if refused < REFUSED_MIN or any(status.startswith("2") for status in own):
        return 0
    counts = [
        (m.get("403", 0), sum(n for s, n in m.items() if s.startswith("2")))
        for m in matrix.values()
    ]
    denied, passed = (sum(column) for column in zip(*counts, strict=True))
    chance = comb(denied, refused) / comb(denied + passed, refused)
    return refused if chance <= CHANCE_MAX else 0
