"""What a request copies of earlier answers beside references: the amount that is due, the name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from premortem.domain.traffic_model import Token
from premortem.generate.traffic.situations import Situation
from premortem.generate.traffic.tokens import NOTHING_THERE

SUPPORT_MIN = 5
SHARE_MIN = 0.1
"""Of the requests in which both are there, how many copy."""
LIFT_MIN = 3.0
"""Times as often as the same with the answer of another request."""
COPIES_MAX = 3
"""Places that one column copies from."""
WITHIN_SHARE = 0.98
"""Of the requests in which both are there, how many stay within what the answer said."""
THERE_SHARE = 0.9
LIMIT_MIN = 20
NEAR_SHARE = 0.05
"""Of those, how many use the limit up exactly: else it is none."""


def told(found: Sequence[Situation]) -> list[Mapping[str, Any]]:
    """What earlier answers said, request by request."""
    return [{key: value for key, (value, _, _) in s.told.items()} for s in found]


def with_copies(
    tokens: list[Token], found: list[int], values: Sequence[Any], known: Sequence[Mapping[str, Any]]
) -> tuple[list[Token], list[int]]:
    """TOKENS with those for copies, and FOUND where a value is one."""
    out, codes = list(tokens), list(found)
    for key in sources(values, known):
        index = len(out)
        out.append(Token(kind="copy", text=key))
        for row, (value, said) in enumerate(zip(values, known, strict=True)):
            if out[codes[row]].kind != "copy" and key in said and _same(value, said[key]):
                codes[row] = index
    used = sorted(set(codes))
    where = {old: new for new, old in enumerate(used)}
    return [out[i] for i in used], [where[code] for code in codes]


def sources(values: Sequence[Any], known: Sequence[Mapping[str, Any]]) -> list[str]:
    """Places of earlier answers that VALUES copy, most often copied first."""
    both: Counter[str] = Counter()
    same: Counter[str] = Counter()
    chance: Counter[str] = Counter()
    rows = [(v, k) for v, k in zip(values, known, strict=True) if _copied(v)]
    for index, (value, said) in enumerate(rows):
        other = rows[(index + len(rows) // 2) % len(rows)][1]
        for key, told_value in said.items():
            both[key] += 1
            same[key] += _same(value, told_value)
            chance[key] += key in other and _same(value, other[key])
    good = [
        key
        for key, times in same.items()
        if times >= SUPPORT_MIN
        and times >= SHARE_MIN * both[key]
        and times >= LIFT_MIN * chance[key]
    ]
    return sorted(good, key=lambda key: (-same[key], key))[:COPIES_MAX]


def _copied(value: Any) -> bool:
    if isinstance(value, bool) or value is None or value is NOTHING_THERE:
        return False
    return isinstance(value, int | float | str) and value not in ("", 0)


def _same(value: Any, other: Any) -> bool:
    return value == other and isinstance(value, str) == isinstance(other, str)


def limit(values: Sequence[Any], known: Sequence[Mapping[str, Any]]) -> str:
    """The place in earlier answers whose number is never exceeded and often used up; empty:
    there is none."""
    both: Counter[str] = Counter()
    within: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    there = 0
    for value, said in zip(values, known, strict=True):
        if not _positive(value):
            continue
        there += 1
        for key, other in said.items():
            if _positive(other):
                both[key] += 1
                within[key] += value <= other
                exact[key] += value == other
    good = [
        key
        for key, times in both.items()
        if times >= max(LIMIT_MIN, THERE_SHARE * there)
        and within[key] >= WITHIN_SHARE * times
        and exact[key] >= max(SUPPORT_MIN, NEAR_SHARE * times)
    ]
    return min(good, key=lambda key: (-exact[key], key), default="")


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def shares(values: Sequence[Any], known: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    """VALUES as shares of what the answer said at KEY: of all of it where it said nothing."""
    out: list[Any] = []
    for value, said in zip(values, known, strict=True):
        other = said.get(key)
        if not _positive(value):
            out.append(value)
        else:
            out.append(round(value / other, 6) if _positive(other) else 1.0)
    return out
