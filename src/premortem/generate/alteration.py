"""A case changed at one place: what the sources that break and stretch requests are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.run import Case, Intent

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


def on_live_things(case: Case) -> Case:
    """CASE, sent to things in a state that nobody knows: nothing is sure to be accepted."""
    if case.intent.kind != "realistic":
        return case
    intent = Intent(kind="adversarial", breaks=f"on live things: {case.origin.operator}")
    return replace(case, intent=intent)


def together(case: Case, base: Case, told: list[str]) -> Case:
    """CASE, of which only what holds of all its alterations is expected."""
    return replace(
        case,
        intent=Intent(
            kind="adversarial", breaks=f"several at once: {'; '.join(told)}", expects="answer"
        ),
        origin=replace(
            case.origin,
            source="mutate",
            parents=(base.id, *base.origin.parents)[:2],
            operator="several at once",
        ),
        recorded_status=0,
        recorded_reason="",
    )
