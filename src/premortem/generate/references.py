"""References that a declared request has to hold, and which answers bring such values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from premortem.domain.places import Place
from premortem.domain.references import says_reference
from premortem.domain.shape import Shape, read_shape
from premortem.domain.traffic import Link, OperationProfile, Profile

DEPTH_MAX = 4
"""Levels of a body in which references are looked for."""


def needed_references(operation: OperationProfile) -> list[Place]:
    """Places of OPERATION's body and query that must hold the name of something that is there, as
    far as their own names tell. Items of arrays are named by the index 0."""
    shape = read_shape(operation.request_schema)
    found = list(_in_body(shape, ())) if shape is not None else []
    places = [Place(part="body", name="/" + "/".join(at)) for at in found]
    for name in operation.required:
        part, _, rest = name.partition(":")
        if part == "query" and says_reference(rest):
            places.append(Place(part="query", name=rest))
    return places


def _in_body(shape: Shape, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if len(at) > DEPTH_MAX:
        return
    items = shape.items if "array" in shape.types else None
    if items is not None:
        yield from _in_body(items, (*at, "0"))
    name = next((key for key in reversed(at) if key != "0"), "")
    scalar = shape.types & {"string", "integer"} and not shape.types & {"object", "array"}
    closed = any("enum" in b or "const" in b for b in shape.branches)
    if scalar and says_reference(name) and not closed:
        yield at
    for member in sorted(shape.required):
        inner = shape.member(member)
        if inner is not None:
            yield from _in_body(inner, (*at, member))


def producers(profile: Profile) -> Mapping[str, Link]:
    """Name of a place -> the best supported link that leads to a place of that name.

    Not from lists: what stood first in production may not be there in a fresh state.
    """
    found: dict[str, Link] = {}
    for link in profile.links:
        if "*" in link.select.tokens:
            continue
        name = next((t for t in reversed(link.place.tokens) if t != "*"), "")
        if name and (name not in found or link.support > found[name].support):
            found[name] = link
    return found


def name_of(place: Place) -> str:
    """The member or parameter that PLACE is."""
    return next((t for t in reversed(place.tokens) if not t.isdigit()), "")


def skeleton(values: Mapping[Place, Any]) -> Any:
    """The smallest body that holds VALUES at their places."""
    root: dict[str, Any] = {}
    for place, value in values.items():
        here: Any = root
        tokens = place.tokens
        for index, token in enumerate(tokens):
            last = index == len(tokens) - 1
            following: Any = value if last else ([] if tokens[index + 1] == "0" else {})
            if isinstance(here, list):
                if not here:
                    here.append(following)
                here = here[0]
            else:
                here = here.setdefault(token, following)
    return root
