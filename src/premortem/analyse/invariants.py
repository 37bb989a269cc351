"""Invariants that the traffic suggests, as lines to paste into premortem.toml: what always held
within an answer, and what a change always did to what a reading shows."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from premortem.checks.learned import SUPPORT_MIN
from premortem.domain.invariant import ROOTS, parse_invariant
from premortem.domain.places import Place
from premortem.domain.relations import Rule
from premortem.domain.traffic import Profile

PROPOSED_MAX = 200
Z = 1.96
"""Of a 95 % interval."""


class ProposedInvariant(Struct, frozen=True, kw_only=True):
    """An invariant to accept."""

    text: str
    """The line, as `[checks] invariants` takes it."""
    why: str
    """Its grounds, in a line."""
    support: int
    """Answers, or pairs of readings around changes, that show it."""
    confidence: float
    """Lower end of the 95 % interval of the share of those that show it (Wilson 1927)."""
    operations: tuple[str, ...]
    """Ids of those that it is about."""


def proposed_invariants(profile: Profile) -> tuple[ProposedInvariant, ...]:
    """What PROFILE suggests: of answers first, then of changes, what most showed first; of each at
    most PROPOSED_MAX."""
    return (*_of_answers(profile), *_of_changes(profile))


def _of_changes(profile: Profile) -> Iterator[ProposedInvariant]:
    """What changes did; what a rule of entries in a log says is left out."""
    logged = {(log.listing, name) for log in profile.logs for name, _ in log.changes}
    ranked = sorted(profile.effects, key=lambda e: (-e.support, e.text))
    for effect in islice(filter(lambda e: _is_sound(e.text), ranked), PROPOSED_MAX):
        if (effect.read, effect.after) in logged and effect.holds.startswith("count("):
            continue
        tried = effect.support + effect.failed
        yield ProposedInvariant(
            text=effect.text,
            why=f"held in {effect.support:,} of {tried:,} pairs of readings, "
            f"{effect.things:,} {'things' if effect.things > 1 else 'thing'}, "
            f"{effect.sessions:,} {'sessions' if effect.sessions > 1 else 'session'}",
            support=effect.support,
            confidence=effect.confidence,
            operations=(effect.after, effect.read),
        )


def _of_answers(profile: Profile) -> Iterator[ProposedInvariant]:
    found: dict[str, int] = {}
    for operation in profile.operations:
        for answer in operation.answers:
            for rule in answer.rules:
                said = _spelled(rule)
                if not 200 <= answer.status < 300 or not said or rule.failed:
                    continue
                if rule.support < SUPPORT_MIN[rule.kind]:
                    continue
                text = f"{operation.id}: {said}"
                found[text] = max(rule.support, found.get(text, 0))
    ranked = sorted(found, key=lambda text: (-found[text], text))
    sound = [text for text in ranked if _is_sound(text)][:PROPOSED_MAX]
    for text in sound:
        count = found[text]
        yield ProposedInvariant(
            text=text,
            why=f"held in {count:,} answers",
            support=count,
            confidence=round(count / (count + Z * Z), 4),
            operations=(parse_invariant(text).read,),
        )


def _spelled(rule: Rule) -> str:
    """RULE as an expression; empty where it cannot be said, or is about each item for itself."""
    if all("*" in place.tokens for place in rule.places):
        return ""
    names = [_name(place) for place in rule.places]
    first, rest = names[0], names[1:]
    match rule.kind:
        case "sum":
            return f"{first} == {' + '.join(rest)}"
        case "product":
            return f"{first} == {' * '.join(rest)}"
        case "order":
            return f"{first} <= {rest[0]}"
        case "count":
            return f"{first} == count({rest[0]})"
        case "equal" if not any("*" in place.tokens for place in rule.places):
            return " == ".join(names)
    return ""


def _name(place: Place) -> str:
    """PLACE in an invariant's words; a place in a list stands for the sum over it."""
    plain = [name for name in place.tokens if name != "*"]
    words = all(t.isidentifier() and not keyword.iskeyword(t) for t in plain)
    dotted = ".".join(plain) if words and plain[0] not in ROOTS else f'at("{place.name}")'
    return f"sum({dotted})" if "*" in place.tokens else dotted


def _is_sound(text: str) -> bool:
    try:
        parse_invariant(text)
    except ValueError:
        return False
    return True
