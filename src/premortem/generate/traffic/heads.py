"""Headers of written requests: the recorded ones, those that vary drawn anew."""

from __future__ import annotations

from numpy.random import Generator

from premortem.domain.conform import compiled
from premortem.domain.run import Case
from premortem.domain.traffic import OperationProfile, Pairs, Profile
from premortem.generate.bindings import CONDITIONAL_HEADERS
from premortem.generate.kept import reused_places
from premortem.generate.sample import varies, without_tokens
from premortem.generate.sample_parameters import Member, drawn_pairs, parameter_draw


class Heads:
    """Draws what differs from request to request, such as idempotency keys."""

    def __init__(self, operation: OperationProfile, profile: Profile, final: Case) -> None:
        reused = reused_places(profile).get(operation.id, frozenset())
        bound = {b.place.name for b in final.bindings if b.place.part == "header"}
        members: list[Member] = []
        for field in operation.fields:
            name = field.place.name
            if field.place.part != "header" or name in bound or name in CONDITIONAL_HEADERS:
                continue
            if not (varies(field) or field.redacted):
                continue
            conformance = compiled(operation.parameter_schemas.get(str(field.place), ""))
            draw = parameter_draw(field, conformance, reused=("header", name) in reused)
            if draw is not None:
                members.append((name, draw, 1.0, conformance))
        self._members = tuple(members)

    def drawn(self, rng: Generator, rows: int) -> list[Pairs]:
        """The new values, row by row; none where one came out invalid."""
        return [pairs or () for pairs in drawn_pairs(self._members, (), rng, rows)]

    def joined(self, final: Case, new: Pairs) -> Pairs:
        """The headers of the recorded FINAL with those of the NEW values that have their name
        there; conditions that nothing live stands behind go."""
        bound = {b.place.name for b in final.bindings if b.place.part == "header"}
        recorded = [
            (name, value)
            for name, value in final.request.headers
            if name not in CONDITIONAL_HEADERS or name in bound or value == "*"
        ]
        values = dict(new)
        return tuple(
            (name, values[name] if name in values else without_tokens(value))
            for name, value in recorded
        )
