"""What was learned of one operation's answers and may be held against a service.

A relation that production kept is no promise. It counts when the service itself works out what
it is about: where clients send all of the values, a new release is free to take others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from premortem.checks.selecting import Bodies
from premortem.checks.usual import FORMS
from premortem.domain.places import Place
from premortem.domain.relations import Echo, Rule, RuleKind, View
from premortem.domain.template import Matcher
from premortem.domain.traffic import Answer, Field, OperationProfile, Profile

SUPPORT_MIN: Mapping[RuleKind, int] = {
    "sum": 12,
    "product": 12,
    "count": 12,
    "order": 30,
    "equal": 30,
    "requires": 30,
}
"""Messages that must have shown a rule before it is held against a service. Calculations do not
hold by chance; that two values are equal, or one comes with the other, may be a matter of what
happened to be done in production."""


SEEN_MIN = 200
"""Values seen at a place before another kind of them is worth a word."""
ANSWERS_MIN = 50
"""Answers in which they must have been."""
EACH_MIN = 5
"""How often each member of a closed set must have come, so that none is likely to be missing
(Good 1953: the chance of a new one is about the share of those seen once)."""


class Learned(Struct, frozen=True, kw_only=True):
    """Of the answers of one operation with one status."""

    rules: tuple[Rule, ...]
    echoes: tuple[Echo, ...]
    views: tuple[View, ...]
    closed: tuple[Field, ...]
    """Fields that the service alone fills, and of which much was seen."""
    fields: Mapping[str, Field]
    """`str(place)` in the answer -> what was seen there."""
    asked: Mapping[str, Field]
    """The same of the operation's requests."""
    bodies: Bodies
    matcher: Matcher
    """Finds the parameters in a request's path."""

    @property
    def says_something(self) -> bool:
        """Whether there is anything to judge by."""
        return bool(self.rules or self.echoes or self.views or self.closed)


def supplied_names(profile: Profile) -> frozenset[str]:
    """Names of fields that some request sends: what stands under them may be a client's choice."""
    return frozenset(
        name
        for operation in profile.operations
        for field in operation.fields
        if field.place.part in ("body", "query") and (name := own_name(field.place))
    )


def own_name(place: Place) -> str:
    """The last name of PLACE: of `body:/lines/*/price` `price`; empty for the whole body."""
    return next((name for name in reversed(place.tokens) if name != "*"), "")


def learned_answers(
    operation: OperationProfile, *, supplied: frozenset[str], bodies: Bodies
) -> dict[int, Learned]:
    """Status (2xx) -> what may be held against answers of OPERATION with it; statuses of which
    nothing is known to say are left out."""
    found = {
        answer.status: _learned(operation, answer, supplied, bodies)
        for answer in operation.answers
        if 200 <= answer.status < 300 and answer.count
    }
    return {status: learned for status, learned in found.items() if learned.says_something}


def _learned(
    operation: OperationProfile, answer: Answer, supplied: frozenset[str], bodies: Bodies
) -> Learned:
    return Learned(
        rules=tuple(rule for rule in answer.rules if _counts(rule, supplied)),
        echoes=answer.echoes,
        views=answer.views,
        closed=_telling(answer, supplied),
        fields=_by_place(answer.fields),
        asked=_by_place(operation.fields),
        bodies=bodies,
        matcher=Matcher((operation.operation,)),
    )


def _by_place(fields: Iterable[Field]) -> dict[str, Field]:
    return {str(field.place): field for field in fields}


def _counts(rule: Rule, supplied: frozenset[str]) -> bool:
    if rule.failed or rule.support < SUPPORT_MIN[rule.kind]:
        return False
    own = [own_name(place) not in supplied for place in rule.places]
    if rule.kind in ("equal", "order"):
        return all(own)
    return any(own) if rule.kind != "count" else own[0]


def _telling(answer: Answer, supplied: frozenset[str]) -> tuple[Field, ...]:
    """Fields of ANSWER of which enough was seen for a new kind of value to be worth a word."""
    if answer.count < ANSWERS_MIN:
        return ()
    own = (f for f in answer.fields if own_name(f.place) not in supplied and not f.redacted)
    return tuple(f for f in own if f.seen >= SEEN_MIN and _is_closed(f))


def _is_closed(field: Field) -> bool:
    if field.enumeration:
        # Many items of few answers are one sight: who did it, in a log of one afternoon.
        return "*" not in field.place.tokens and all(n >= EACH_MIN for _, n in field.values)
    return field.format in FORMS or (field.numbers is not None and field.numbers.quantiles[0] >= 0)
