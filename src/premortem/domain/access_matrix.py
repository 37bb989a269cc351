"""Role by operation by edition: what is declared of each, what was tried, and what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from premortem.domain.access import NOBODY, AccessTable, Grant

Standing = Literal["allowed", "denied", "contradiction", "untested"]
Tried = Mapping[tuple[str, str, str], int]
"""(operation id, role, edition) -> how often it was sent."""
Unasked = Mapping[tuple[str, str, str], str]
"""The same -> why it could not be asked, or why the answer tells nothing."""
CELLS_MAX = 200_000


class AccessCell(Struct, frozen=True, kw_only=True, gc=False):
    """One operation by one role in one edition."""

    operation_id: str
    role: str
    """`NOBODY`: who is not signed in."""
    edition: str
    """Empty: there are none."""
    declared: Grant | Literal[""]
    """Empty: nobody declared it."""
    declared_by: str = ""
    """Where that stands, and in which words."""
    tested: int = 0
    """Requests of runs and scenarios."""
    observed: Grant | Literal[""] = ""
    """What they or recorded requests were answered; empty: nothing that tells."""
    observed_in: str = ""
    why_not: str = ""
    """Why it is not known though it was looked at; empty: it is, or nobody looked."""

    @property
    def standing(self) -> Standing:
        """What is known of it: what was seen, unless that is not what is declared."""
        if not self.observed:
            return "untested"
        if self.declared and self.declared != self.observed:
            return "contradiction"
        return self.observed


class AccessMatrix(Struct, frozen=True, kw_only=True):
    """All cells, by operation, edition and role in the order they are shown."""

    operations: tuple[str, ...]
    roles: tuple[str, ...]
    """`NOBODY` last."""
    editions: tuple[str, ...]
    """`("",)`: there are none."""
    cells: tuple[AccessCell, ...]

    def by_row(self, edition: str) -> Iterator[tuple[str, tuple[AccessCell, ...]]]:
        """Each operation with its cells in EDITION, in the order of `roles`."""
        rows: dict[str, list[AccessCell]] = {}
        for cell in self.cells:
            if cell.edition == edition:
                rows.setdefault(cell.operation_id, []).append(cell)
        yield from ((operation, tuple(cells)) for operation, cells in rows.items())

    @property
    def standings(self) -> Mapping[Standing, int]:
        """How many cells stand how."""
        counts: Counter[Standing] = Counter(cell.standing for cell in self.cells)
        return dict(counts)


def matrix_of(
    table: AccessTable,
    tried: Tried | None = None,
    *,
    operations: Iterable[str] = (),
    unasked: Unasked | None = None,
) -> AccessMatrix:
    """The matrix of TABLE. TRIED: what was sent; UNASKED: what was to be, and is not known.
    OPERATIONS: further ones, which nobody speaks of.

    At most CELLS_MAX cells, the operations that come first.
    """
    roles = (*table.roles, NOBODY)
    editions = table.editions or ("",)
    named = tuple(dict.fromkeys([*operations, *table.by_operation]))
    named = named[: max(1, CELLS_MAX // (len(roles) * len(editions)))]
    cells = (
        _cell(table, (operation, role, edition), tried or {}, unasked or {})
        for operation in named
        for edition in editions
        for role in roles
    )
    return AccessMatrix(operations=named, roles=roles, editions=editions, cells=tuple(cells))


def _cell(
    table: AccessTable, key: tuple[str, str, str], tried: Tried, unasked: Unasked
) -> AccessCell:
    operation, role, edition = key
    decision = table.decide(operation, role, edition)
    declared = decision.declared if decision is not None else None
    observed = decision.observed if decision is not None else None
    return AccessCell(
        operation_id=operation,
        role=role,
        edition=edition,
        declared=declared.grant if declared is not None else "",
        declared_by=declared.rule.words if declared is not None else "",
        tested=tried.get(key, 0),
        observed=observed.grant if observed is not None else "",
        observed_in=observed.rule.words if observed is not None else "",
        why_not="" if observed is not None else unasked.get(key, ""),
    )
