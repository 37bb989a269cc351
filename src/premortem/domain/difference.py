"""What changed between two profiles of one service."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ChangeKind = Literal[
    "operation_added",
    "operation_removed",
    "status_added",
    "status_removed",
    "status_share",
    "role",
    "field_added",
    "field_removed",
    "type",
    "presence",
    "values",
    "range",
    "distribution",
    "rule_added",
    "rule_removed",
    "link_added",
    "link_removed",
    "timing",
    "volume",
]


class Change(Struct, frozen=True, kw_only=True):
    """One thing that is different."""

    kind: ChangeKind
    operation_id: str
    where: str = ""
    """`request body:/amount`, `201 body:/total`, `403`; empty: the operation as a whole."""
    before: str = ""
    """What the earlier profile shows, in words."""
    after: str = ""
    weight: int
    """How much it matters to a tester, within [0, 100]."""
    support: int = 0
    """Messages that show it."""


class Difference(Struct, frozen=True, kw_only=True):
    """All changes from one profile to another, what matters most first."""

    before: str
    """Version."""
    after: str
    exchanges: tuple[int, int]
    operations: tuple[int, int]
    """Seen in traffic or declared."""
    changes: tuple[Change, ...]
    omitted: int = 0
    """Changes beyond `CHANGES_MAX`, which matter least."""


CHANGES_MAX = 5_000
