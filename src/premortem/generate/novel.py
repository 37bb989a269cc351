"""Texts that production never sent twice: what is made is called something new each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.conform import compiled
from premortem.domain.places import body_place
from premortem.domain.references import says_reference
from premortem.domain.run import Case
from premortem.domain.shape import Branch, Shape
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Field, OperationProfile
from premortem.generate.columns import leaf
from premortem.generate.filler import NOTHING
from premortem.generate.fresh import Draw
from premortem.generate.payload import read_value, write_value
from premortem.generate.walk import put

CONFLICT = 409
SEEN_MIN = 2
SEEN_UNDECLARED_MIN = 10
"""Where no specification says that a text is free, more of them have to differ."""
_FORMATS = frozenset({"", "email", "token", "digits"})
"""Of these, a new one may name what is made. The other formats are no names."""
_LIMITS = frozenset({"enum", "const", "pattern", "format"})

Pointer = tuple[str, ...]


def novel_places(
    operation: OperationProfile,
    bodies: Sequence[Any],
    *,
    reused: frozenset[Pointer] = frozenset(),
) -> frozenset[Pointer]:
    """Pointers of texts that BODIES, all that production got a 2xx for, never share.

    Only of a POST; not what names things that are there (REUSED, or by its own name), nor closed
    sets.
    """
    # A service that may say `conflict` (409) minds names; one request is enough to go by then.
    least = 1 if CONFLICT in operation.declared else SEEN_MIN
    if operation.operation.method != "POST" or len(bodies) < least:
        return frozenset()
    texts: dict[Pointer, list[str]] = {}
    for body in bodies:
        for at, text in _texts(body, ()):
            texts.setdefault(at, []).append(text)
    fields = {f.place.tokens: f for f in operation.fields if f.place.part == "body"}
    document = operation.request_schema if operation.request_source == "spec" else ""
    conformance = compiled(document)
    shape = conformance.shape if conformance is not None else None
    return frozenset(
        at
        for at, seen in texts.items()
        if least <= len(seen) == len(set(seen))
        and at not in reused
        and _is_name(fields.get(at), _free(shape, at), len(seen))
    )


def _texts(value: Any, at: Pointer) -> Iterator[tuple[Pointer, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, (*at, name))
    elif isinstance(value, str) and not holds_token(value):
        yield at, value


def _free(shape: Shape | None, at: Pointer) -> Branch | None:
    place = shape.at(at) if shape is not None else None
    return place.branch("string") if place is not None else None


def _is_name(field: Field | None, declared: Branch | None, seen: int) -> bool:
    if field is None or field.redacted or field.enumeration or field.format not in _FORMATS:
        return False
    if set(field.types) != {"string"} or says_reference(field.place.tokens[-1]):
        return False
    if declared is None:
        return seen >= SEEN_UNDECLARED_MIN
    return not _LIMITS & declared.keys()


class Renewal(Struct, frozen=True, kw_only=True):
    """Gives requests that share a base new names."""

    draws: tuple[tuple[Pointer, Draw], ...]
    shape: Shape | None
    seed: int

    def apply(self, case: Case, base: Case) -> Case:
        """CASE with new names where it has those of BASE."""
        if not self.draws or not case.request.body:
            return case
        try:
            value = read_value(case.request, self.shape)
            before = read_value(base.request, self.shape)
        except ValueError:
            return case
        rng = np.random.default_rng([self.seed, int(case.id[:8], 16)])
        changed = value
        for at, draw in self.draws:
            own = _at(value, at)
            if own is not NOTHING and own == _at(before, at):
                changed = put(changed, [(at, draw(rng, 1)[0], True)])
        if changed == value:
            return case
        body = write_value(changed, case.request.media_type, case.request)
        return case if body is None else replace(case, request=replace(case.request, body=body))


def renewal(
    operation: OperationProfile, places: frozenset[Pointer], kept: Mapping[Pointer, Any], seed: int
) -> Renewal:
    """New names for PLACES of OPERATION's bodies, but for what is KEPT as it is."""
    conformance = compiled(operation.request_schema)
    shape = conformance.shape if conformance is not None else None
    fields = {f.place: f for f in operation.fields}
    draws: list[tuple[Pointer, Draw]] = []
    for at in sorted(places):
        inner = shape.at(at) if shape is not None else None
        draw = leaf(fields.get(body_place(*at)), inner, novel=True)
        if draw is not None and not any(at[: len(k)] == k for k in kept):
            draws.append((at, draw))
    return Renewal(draws=tuple(draws), shape=shape, seed=seed)


def _at(value: Any, at: Pointer) -> Any:
    for key in at:
        if not isinstance(value, dict) or key not in value:
            return NOTHING
        value = value[key]
    return value
