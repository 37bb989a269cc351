"""Rejected cases counted, so that it shows where a source, or a model, is weak."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from premortem.domain.rejection import Rejection, RejectionRule

By = Literal["rule", "operation", "source"]


class Weakness(Struct, frozen=True, kw_only=True):
    """Rejections of one rule, source and operation."""

    rule: RejectionRule
    source: str
    model: str
    """Engine and model; empty: no model made them."""
    operation_id: str
    count: int
    reason: str
    """Of the newest one."""
    case_id: str
    """Of the newest one."""


def weaknesses(rejections: Iterable[Rejection], *, by: By) -> list[Weakness]:
    """REJECTIONS, newest first, by rule, source and operation: those with most of one BY first,
    and within it the most frequent."""
    newest: dict[tuple[str, str, str, str], Rejection] = {}
    counts: dict[tuple[str, str, str, str], int] = {}
    for one in rejections:
        origin = one.case.origin
        key = (one.rule, origin.source, origin.model, one.case.operation_id)
        newest.setdefault(key, one)
        counts[key] = counts.get(key, 0) + 1
    found = [
        Weakness(
            rule=one.rule,
            source=key[1],
            model=key[2],
            operation_id=key[3],
            count=counts[key],
            reason=one.reason,
            case_id=one.case.id,
        )
        for key, one in newest.items()
    ]
    totals: dict[str, int] = {}
    for weakness in found:
        totals[_of(weakness, by)] = totals.get(_of(weakness, by), 0) + weakness.count
    return sorted(
        found, key=lambda w: (-totals[_of(w, by)], _of(w, by), -w.count, w.operation_id, w.rule)
    )


def _of(weakness: Weakness, by: By) -> str:
    if by == "rule":
        return weakness.rule
    return weakness.operation_id if by == "operation" else weakness.source
