"""What scenarios and features are called."""

from __future__ import annotations

import re

from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import (
    VERBS,
    VERSION_SEGMENT,
    article,
    is_action,
    participle,
    singular,
    spoken_segments,
    stem,
    third_person,
    tokens,
)
from premortem.domain.traffic import OperationProfile

TITLE_CHARACTERS_MAX = 90

_OPENING = re.compile(
    r"^(?:so |and |but )?(?:what (?:if|happens (?:if|when|to)|would happen (?:if|when))|"
    r"suppose(?: that)?|imagine(?: that)?|if|when)\s+",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_ADJECTIVES = frozenset({"negative", "null", "missing", "empty"})
_PARTICLED = frozenset({"pay", "check", "log", "sign", "roll", "hold", "lay", "cash", "opt"})
"""What `out`, `in` and the like make other verbs of."""
_METHOD_VERBS = {
    "POST": "create",
    "PUT": "replace",
    "PATCH": "change",
    "DELETE": "delete",
    "GET": "read",
    "HEAD": "read",
}


def entity(operation: OperationProfile) -> str:
    """The thing OPERATION is about, in the singular: `refund`, `content version`."""
    literal = _literal(operation)
    return _spoken(literal[-1] if literal and not _is_action(operation) else _owner(literal))


def verb(operation: OperationProfile) -> str:
    """What OPERATION does to it: `approve`, `create`."""
    if _is_action(operation):
        return " ".join(tokens(_literal(operation)[-1]))
    return _METHOD_VERBS.get(operation.operation.method, operation.operation.method.lower())


def feature(operation: OperationProfile) -> str:
    """The feature that scenarios about OPERATION belong to: `Refunds`."""
    literal = _literal(operation)
    if not literal:
        return "Service"
    name = literal[-1] if not _is_action(operation) else (literal[:-1] or literal)[-1]
    return " ".join(tokens(name)).capitalize() or "Service"


def from_prompt(prompt: str) -> str:
    """A title in the asker's own words, or empty when the question is no plain statement."""
    opening = _OPENING.match(prompt)
    if opening is None:
        return ""
    text = _ARTICLE.sub("", prompt[opening.end() :].strip().rstrip("?!. "))
    if not text or len(text) > TITLE_CHARACTERS_MAX or not re.fullmatch(r"[\w\s,'$%./-]+", text):
        return ""
    return text[0].upper() + text[1:]


def repeated(operation: OperationProfile) -> str:
    """`Refund is created twice`."""
    return _cut(f"{entity(operation).capitalize()} is {done(operation)} twice")


def retried(operation: OperationProfile) -> str:
    """`Refund is created again with the same idempotency key`."""
    said = f"{entity(operation).capitalize()} is {done(operation)} again"
    return _cut(f"{said} with the same idempotency key")


def happens(operation: OperationProfile) -> str:
    """`Refund is created`."""
    return _cut(f"{entity(operation).capitalize()} is {done(operation)}")


def by_role(operation: OperationProfile, role: str) -> str:
    """`Guest approves an invoice`."""
    thing = entity(operation)
    doing = verb(operation)
    first, *rest = doing.split(" ")
    who = "Nobody signed in" if role == ANONYMOUS else role[:1].upper() + role[1:]
    return _cut(f"{who} {' '.join([third_person(first), *rest])} {article(thing)} {thing}")


def with_value(operation: OperationProfile, field: str, says: str) -> str:
    """`Refund with amount zero`, `Refund with negative amount`, `Negative refund amount`; changing
    it is said."""
    name = " ".join(tokens(field)) or field
    value = f"{says} {name}" if says in _ADJECTIVES else f"{name} {says}"
    thing = entity(operation)
    if operation.operation.method == "POST" and not _is_action(operation):
        if name.startswith(f"{thing} "):
            return _cut(value.capitalize())
        return _cut(f"{thing.capitalize()} with {value}")
    return _cut(f"{thing.capitalize()} is {done(operation)} with {value}")


def done(operation: OperationProfile) -> str:
    """What OPERATION makes of a thing: `approved`, `paid out`, `given a late fee`."""
    words = verb(operation).split(" ")
    if len(words) > 1 and stem(words[0]) not in VERBS:
        return f"given {article(words[0])} {' '.join(words)}"
    first = words[0]
    for particle in ("out", "off", "up", "in", "back", "down"):
        base = first.removesuffix(particle)
        if base != first and (stem(base) in VERBS or base in _PARTICLED):
            return " ".join([participle(base), particle, *words[1:]])
    return " ".join([participle(first), *words[1:]])


def _literal(operation: OperationProfile) -> list[str]:
    segments = spoken_segments(operation.operation.template)
    return [s for s in segments if "{" not in s and not VERSION_SEGMENT.fullmatch(s)]


def _is_action(operation: OperationProfile) -> bool:
    """`POST /invoices/{id}/approve`: its last segment is a verb, not a collection."""
    return is_action(operation.operation.method, spoken_segments(operation.operation.template))


def _owner(literal: list[str]) -> str:
    return literal[-2] if len(literal) > 1 else (literal or ["service"])[-1]


def _spoken(segment: str) -> str:
    words = tokens(segment)
    if not words:
        return "service"
    return " ".join([*words[:-1], singular(words[-1])])


def _cut(title: str) -> str:
    return title[:TITLE_CHARACTERS_MAX]
