"""A case changed at one place: what the sources that break and stretch requests are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from premortem.domain.run import Case

Alter = Callable[[Case], Case | None]
"""Makes one case of a base; None when that base has nothing to change there."""


class Alteration(Struct, frozen=True, kw_only=True):
    """One way to alter the cases of an operation."""

    rank: int
    """Lower ones come first: 0 tells most, 2 least."""
    alter: Alter


def breadth_first(places: Iterable[Iterable[Alteration]]) -> Iterator[Alteration]:
    """The alterations of each of PLACES so that every place has had its first before any has its
    second. What can be done to a place is worked out when its first turn comes."""
    rest: list[list[Alteration]] = []
    for place in places:
        own = sorted(place, key=lambda alteration: alteration.rank)[::-1]
        if own:
            yield own.pop()
            rest.append(own)
    while rest:
        rest = [own for own in rest if own]
        for own in rest:
            yield own.pop()
