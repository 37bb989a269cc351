"""What of a request has to stay as it was recorded: values that name things that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from premortem.domain.bodies import general, leaves, text_of
from premortem.domain.conform import Conformance
from premortem.domain.places import Place
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Field, OperationProfile, Profile
from premortem.generate.bindings import sent_texts
from premortem.generate.starts import LINK_CONFIDENCE, Start

NAME_LENGTH_MIN = 3
"""Shorter texts are equal by chance."""
CREATED = 201
CONFLICTS = frozenset({409, 412, 423, 428})
"""RFC 9110, 15.5.10 and 15.5.13; RFC 4918, 11.3; RFC 6585, 3."""
KNOWN_PER_NAME_MAX = 20
NAMES_MAX = 20_000
"""Member names whose values are remembered."""


def reused_places(profile: Profile) -> dict[str, frozenset[tuple[str, ...]]]:
    """Operation -> body pointers and (part, name) of values that links lead to."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for link in profile.links:
        if link.confidence < LINK_CONFIDENCE:
            continue
        place = link.place
        key = place.tokens if place.part == "body" else (place.part, place.name)
        found.setdefault(link.consumer, set()).add(key)
    return {consumer: frozenset(keys) for consumer, keys in found.items()}


def kept_values(body: Any, places: Iterable[Place]) -> dict[tuple[str, ...], Any]:
    """What of BODY stays as recorded because the values at PLACES must.

    Inside an array the whole array stays: its other items may not be there otherwise.
    """
    kept: dict[tuple[str, ...], Any] = {}
    for place in places:
        value = body
        at: tuple[str, ...] = ()
        for token in place.tokens:
            if not isinstance(value, dict) or token not in value:
                break
            value, at = value[token], (*at, token)
        kept[at] = value
    return {
        at: value for at, value in kept.items() if not any(at[:i] in kept for i in range(len(at)))
    }


def named_before(body: Any, start: Start, operation: OperationProfile) -> Iterator[Place]:
    """Places of BODY that name what the setup made under a name of the client's choice."""
    if not start.setup:
        return
    known = {text for case in start.setup for text in sent_texts(case.request)}
    closed = {f.place.tokens for f in operation.fields if f.enumeration}
    for place, value in leaves(body):
        named = isinstance(value, str) and len(value) >= NAME_LENGTH_MIN and " " not in value
        if (
            named
            and value in known
            and not holds_token(value)
            and general(place).tokens not in closed
        ):
            yield place


def presents_credentials(operation: OperationProfile) -> bool:
    """Whether OPERATION takes secrets that have to be known already, as a login does: it works
    for callers without credentials, and makes nothing that a new secret could be for."""
    passed = {a.status for a in operation.answers if a.count and 200 <= a.status < 300}
    if operation.operation.method != "POST" or not passed or CREATED in passed:
        return False
    if any(role for role in operation.roles):
        return False
    secrets = (f for f in operation.fields if f.place.part == "body" and f.redacted)
    return any(f.presence >= 1 and f.types.keys() == {"string"} for f in secrets)


def knows_conflicts(operation: OperationProfile) -> bool:
    """Whether what OPERATION may do depends on the state things are in, as far as its answers and
    its specification say."""
    told = {answer.status for answer in operation.answers} | set(operation.declared)
    return not CONFLICTS.isdisjoint(told)


def state_limits(
    operation: OperationProfile, start: Start, body: Any
) -> dict[tuple[str, ...], Any]:
    """Pointer -> number in BODY that worked in the state that START's setup brings about: a
    greater one may be too much there."""
    if not start.setup or not knows_conflicts(operation):
        return {}
    closed = {f.place.tokens for f in operation.fields if f.enumeration}
    found = ((place.tokens, value) for place, value in leaves(body))
    return {
        at: value
        for at, value in found
        if isinstance(value, int | float) and not isinstance(value, bool) and at not in closed
    }


def contradicted(field: Field | None, conformance: Conformance | None) -> bool:
    """Whether nothing that production sent there satisfies what is declared."""
    if field is None or conformance is None or not field.values or field.redacted:
        return False
    texts = (text_of(msgspec.json.decode(value)) for value, _ in field.values)
    return not any(conformance.reads_valid([text]) for text in texts)


def known_values(profile: Profile) -> Mapping[str, Sequence[Any]]:
    """Member name -> values that production sent or got under it, whatever the operation.

    What stands under the same name elsewhere is the nearest to a value that exists. Redacted
    ones are left out.
    """
    found: dict[str, dict[str, int]] = {}
    for operation in profile.operations:
        answered = (f for a in operation.answers if 200 <= a.status < 300 for f in a.fields)
        for field in (*operation.fields, *answered):
            name = _last_name(field)
            if not name or field.redacted or (name not in found and len(found) >= NAMES_MAX):
                continue
            counts = found.setdefault(name, {})
            for text, count in field.values[:KNOWN_PER_NAME_MAX]:
                counts[text] = counts.get(text, 0) + count
    return {name: _decoded(counts) for name, counts in found.items() if counts}


def _last_name(field: Field) -> str:
    return next((t for t in reversed(field.place.tokens) if t != "*"), "")


def _decoded(counts: Mapping[str, int]) -> list[Any]:
    texts = sorted(counts, key=lambda text: (-counts[text], text))[:KNOWN_PER_NAME_MAX]
    values = (msgspec.json.decode(text) for text in texts)
    return [v for v in values if not (isinstance(v, str) and holds_token(v))]


def recorded_at(
    operation: OperationProfile, elsewhere: Mapping[str, Sequence[Any]]
) -> Callable[[tuple[str, ...]], Sequence[Any]]:
    """Pointer (`*` for items) of OPERATION's body -> recorded values, else those ELSEWHERE under
    the same name."""
    own: dict[tuple[str, ...], list[Any]] = {}
    for field in operation.fields:
        if field.place.part == "body" and not field.redacted:
            own[field.place.tokens] = _decoded(dict(field.values))

    def known(at: tuple[str, ...]) -> Sequence[Any]:
        if own.get(at):
            return own[at]
        name = next((key for key in reversed(at) if key != "*"), "")
        return elsewhere.get(name, ())

    return known
