"""Invariants that the traffic suggests, as lines to paste into premortem.toml."""

from __future__ import annotations

import keyword

from premortem.checks.learned import SUPPORT_MIN
from premortem.domain.invariant import ROOTS, parse_invariant
from premortem.domain.places import Place
from premortem.domain.relations import Rule
from premortem.domain.traffic import Profile

PROPOSED_MAX = 200


def proposed_invariants(profile: Profile) -> dict[str, int]:
    """What always held in the successful answers of PROFILE: an invariant's text -> the answers
    that showed it. What most showed first, at most PROPOSED_MAX."""
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
    return {text: found[text] for text in sound}


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
