"""What a relation needs before it counts as a rule; fixed before any traffic was looked at."""

from __future__ import annotations

from dataclasses import dataclass

from premortem.domain.relations import RuleKind
from premortem.learn.rows import Table

SUPPORT_MIN = 12
"""Messages that must show a rule: 12 different values agree by chance once in 12! = 5e8."""
CHANCE_MAX = -8.0
"""log10 of the chance that is left to chance. A table of 64 places has 2,016 pairs; over a
thousand tables one false rule in fifty is expected where fields have nothing to do with each
other."""
VARYING_MIN = 3
"""Messages in which a term of a sum or product must make a difference."""


@dataclass(frozen=True, slots=True)
class Found:
    """A relation, before it becomes a Rule."""

    kind: RuleKind
    places: tuple[str, ...]
    support: int


def spread(table: Table, mask: int) -> int:
    """Messages among the rows of MASK: items of one message do not count apart."""
    if table.owners and table.owners[-1] == len(table) - 1:
        return mask.bit_count()
    return len({owner for row, owner in enumerate(table.owners) if mask >> row & 1})
