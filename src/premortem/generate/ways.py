"""What can be done to the requests of one operation, by place and by name: what is aimed at."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Many
from itertools import islice

from msgspec import Struct

from premortem.domain.coverage import Cell, Gap, ValueClass
from premortem.domain.run import Case
from premortem.domain.traffic import OperationProfile
from premortem.domain.value_class import cells_of
from premortem.generate.alteration import Alter

ALTERS_MAX = 1_500
"""Ways to alter the requests of one operation that are looked through."""
BASES_TRIED_MAX = 3
"""Requests on which it is found out what a way does."""
TRIES_MAX = 4
"""Requests that a way is tried on before it counts as impossible there."""


class Aim(Struct, frozen=True, kw_only=True, gc=False):
    """Something that a source can do to an operation's requests when it is told to."""

    place: str
    """`str(Place)`; empty: the request as such."""
    operator: str
    """Its name, the same for all operations: what is learned of it goes for all of them."""
    value_class: ValueClass = "typical"
    """What stands in the place afterwards."""


class Ways:
    """The ways of one source to alter requests of OPERATION, found by trying each once."""

    def __init__(
        self, operation: OperationProfile, bases: Many[Case], alters: Iterable[Alter]
    ) -> None:
        """BASES: requests that are altered in turn; none: there are no ways."""
        self._bases = bases
        self._alters: dict[Aim, list[Alter]] = {}
        self._next: dict[Aim, int] = {}
        for alter in islice(alters, ALTERS_MAX if bases else 0):
            made = next(filter(None, map(alter, bases[:BASES_TRIED_MAX])), None)
            if made is not None:
                self._alters.setdefault(aim_of(made, operation), []).append(alter)

    @property
    def aims(self) -> tuple[Aim, ...]:
        """Everything that can be aimed at."""
        return tuple(self._alters)

    def aimed(self, gap: Gap, count: int, bases: Many[Case] = ()) -> list[Case]:
        """Up to COUNT cases that do what GAP says, to BASES or else the source's own requests.

        The same gap again goes on with other values and other requests.
        """
        found: list[Case] = []
        for aim in self._fitting(gap):
            if len(found) >= count:
                break
            found += self._made(aim, count - len(found), bases or self._bases)
        return found

    def _fitting(self, gap: Gap) -> list[Aim]:
        cell = gap.cell
        return [
            aim
            for aim in self._alters
            if (not cell.place or aim.place == cell.place)
            and (aim.operator == gap.operator if gap.operator else _meets(aim, cell))
        ]

    def _made(self, aim: Aim, count: int, bases: Many[Case]) -> list[Case]:
        alters = self._alters[aim]
        found: list[Case] = []
        for _ in range(count):
            turn = self._next.get(aim, 0)
            self._next[aim] = turn + 1
            alter = alters[turn % len(alters)]
            tried = (bases[(turn + i) % len(bases)] for i in range(min(TRIES_MAX, len(bases))))
            made = next(filter(None, map(alter, tried)), None)
            if made is not None:
                found.append(made)
        return found


def _meets(aim: Aim, cell: Cell) -> bool:
    return not cell.place or aim.value_class == cell.value_class


def aim_of(made: Case, operation: OperationProfile) -> Aim:
    """What was done to the request that became MADE."""
    operator, _, at = made.origin.operator.partition(" at ")
    place = str(made.intent.place) if made.intent.place is not None else at
    value_class: ValueClass = "typical"
    if place:
        general = "/".join("*" if token.isdigit() else token for token in place.split("/"))
        for cell in cells_of(made, operation):
            if cell.place in (place, general):
                value_class = cell.value_class
                break
    return Aim(place=place, operator=operator, value_class=value_class)
