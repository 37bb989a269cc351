"""What holds between the fields of an operation's answer: as its document says in words, and as
production kept it. Comparisons as invariants are written: `due == tax - tax_refunded`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from premortem.agent.planning.observation import good_answer
from premortem.domain.invariant import compared
from premortem.domain.places import Place
from premortem.domain.relations import Rule
from premortem.domain.shape import Shape, read_shape
from premortem.domain.traffic import Answer, OperationProfile

PROMISES_MAX = 3
"""Comparisons of one answer."""
RULE_SUPPORT_MIN = 30
"""Recorded answers that kept a calculation, from which a scenario asks for it."""
PROSE_CHARACTERS_MAX = 2_000
_NAME = r"`?([A-Za-z_]\w{0,60})`?"
_SIGN = r"(?:\+|-|−|–|\bplus\b|\bminus\b|\bless\b)"
_EQUALS = r"(?:==?|\bis\b|\bequals\b|\bis equal to\b)"
_CALCULATED = re.compile(rf"{_NAME}\s*{_EQUALS}\s*({_NAME}(?:\s*{_SIGN}\s*{_NAME})+)(?!\s*[*/%(])")
"""`` `due` = `tax` - `tax_refunded` ``, `net is gross minus tax`."""
_SIGNS = {"−": "-", "–": "-", "minus": "-", "less": "-", "plus": "+"}
_WORD = re.compile(rf"{_SIGN}|[A-Za-z_]\w*")


def promises_of(operation: OperationProfile) -> tuple[str, ...]:
    """Comparisons that every good answer of OPERATION has to keep, what is written first."""
    answer = good_answer(operation)
    if answer is None:
        return ()
    found = dict.fromkeys((*_written(operation, answer), *_kept(answer)))
    return tuple(text for text in found if _is_comparison(text))[:PROMISES_MAX]


def _is_comparison(text: str) -> bool:
    try:
        compared(text)
    except ValueError:
        return False
    return True


def _written(operation: OperationProfile, answer: Answer) -> Iterator[str]:
    """From prose about the answer: all names must be numbers at its top."""
    top = read_shape(answer.schema)
    if top is None:
        return
    members = {name: member for name in top.names if (member := top.member(name)) is not None}
    numbers = {name: member for name, member in members.items() if _is_number(member)}
    texts = [b.get("description") for b in top.branches]
    texts += [operation.description, operation.summary]
    texts += [f"{name} = {_sentence(member)}" for name, member in numbers.items()]
    for text in texts:
        if isinstance(text, str):
            yield from _calculations(" ".join(text[:PROSE_CHARACTERS_MAX].split()), numbers)


def _is_number(member: Shape) -> bool:
    return bool(member.types) and member.types <= {"number", "integer"}


def _sentence(member: Shape) -> str:
    """What is said of a field, as far as its first full stop."""
    said = next((b["description"] for b in member.branches if "description" in b), "")
    return str(said).partition(". ")[0].strip(" .").removeprefix("= ")


def _calculations(text: str, numbers: Collection[str]) -> Iterator[str]:
    for found in _CALCULATED.finditer(text):
        parts = _WORD.findall(found[2])
        terms = [part for part in parts if part not in _SIGNS and part not in "+-"]
        said = [found[1], *terms]
        if set(said) <= set(numbers) and found[1] not in terms:
            yield f"{found[1]} == {' '.join(_SIGNS.get(part, part) for part in parts)}"


def _kept(answer: Answer) -> Iterator[str]:
    """From what production always kept: sums, and numbers of items."""
    for rule in answer.rules:
        if rule.support >= RULE_SUPPORT_MIN and not rule.failed:
            said = _said(rule)
            if said:
                yield said


def _said(rule: Rule) -> str:
    names = [_spoken(place) for place in rule.places]
    if not all(names) or "*" in rule.places[0].tokens:
        return ""
    first, *rest = names
    if rule.kind == "sum":
        return f"{first} == {' + '.join(rest)}"
    if rule.kind == "count" and len(rest) == 1 and "sum(" not in rest[0]:
        return f"{first} == count({rest[0]})"
    return ""


def _spoken(place: Place) -> str:
    """PLACE in the language of invariants; empty: it cannot be said."""
    tokens = place.tokens
    plain = [part for part in tokens if part != "*"]
    if place.part != "body" or not plain or not all(part.isidentifier() for part in plain):
        return ""
    stars = tokens.count("*")
    if tokens[0] == "*" or stars > 1:
        return ""
    return f"sum({'.'.join(plain)})" if stars else ".".join(plain)
