"""How often answers to replayed requests were what production had answered, place by place."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

EQUAL_MIN = 30
"""Answers in which a place has to be as recorded before another value there is suspicious."""
DIFFER_SHARE_MAX = 0.03
"""Places that differ more often hang on something that was not recorded."""
PLACES_MAX = 5_000


class Agreement(Struct, frozen=True, kw_only=True, order=True):
    """Of one place in the answers of one operation with one status."""

    operation_id: str
    status: int
    """The recorded one."""
    place: str
    """`*` for every item of an array; `status` stands for the status."""
    equal: int = 0
    differ: int = 0

    @property
    def key(self) -> tuple[str, int, str]:
        """What it is about."""
        return self.operation_id, self.status, self.place

    @property
    def holds(self) -> bool:
        """Whether the place is determined by what was recorded: a field that is not volatile."""
        total = self.equal + self.differ
        return self.equal >= EQUAL_MIN and self.differ <= DIFFER_SHARE_MAX * total


def agreed(parts: Iterable[Agreement]) -> tuple[Agreement, ...]:
    """PARTS added up, those that tell most if there are more than PLACES_MAX."""
    sums: dict[tuple[str, int, str], list[int]] = {}
    for part in parts:
        count = sums.setdefault(part.key, [0, 0])
        count[0] += part.equal
        count[1] += part.differ
    made = (
        Agreement(operation_id=o, status=s, place=p, equal=equal, differ=differ)
        for (o, s, p), (equal, differ) in sums.items()
    )
    ranked = sorted(made, key=lambda one: (-one.equal - one.differ, one))[:PLACES_MAX]
    return tuple(sorted(ranked))
