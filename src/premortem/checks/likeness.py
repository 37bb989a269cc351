"""Two answers held against each other, what changes by itself left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from premortem.domain.places import body_place

NODES_MAX = 20_000
"""Of a pair of bodies that are compared; what lies beyond counts as equal."""
DEPTH_MAX = 32
ID_CHARS_MIN = 12
EPOCH_MIN = 1_000_000_000
"""Seconds since 1970 are larger since 2001; milliseconds and nanoseconds are larger still."""

_CLOCK = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?|\w{3}, \d\d \w{3} \d{4} .*")
_ID = re.compile(r"[\w.~+/=:-]+")
_NAMED = re.compile(
    r"(^|_)(e?tag|version|revision|rev|nonce|token|csrf|trace|span|timestamp|time|date|now|at|on|"
    r"updated|modified|generated|expires?|expiry|ttl|age|elapsed|duration|took|uptime|cursor|next|"
    r"seq|sequence|counter|hits|views|signature|took_ms|last_\w+)($|_)"
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Unlike(Struct, frozen=True, kw_only=True):
    """A place in which two answers differ."""

    place: str
    """`str(place)`; `*` for every item of an array."""
    was: str
    """JSON text, cut short."""
    now: str


def unlike(was: Any, now: Any, *, volatile: Collection[str] = ()) -> Iterator[Unlike]:
    """Where the JSON value NOW is not what WAS was.

    VOLATILE: places that may differ. So may what looks like a clock, a generated identifier or a
    counter in both. Arrays are compared without regard to the order of their items.
    """
    left = [NODES_MAX]
    yield from _unlike(was, now, (), frozenset(volatile), left)


def _unlike(
    was: Any, now: Any, at: tuple[str, ...], volatile: frozenset[str], left: list[int]
) -> Iterator[Unlike]:
    left[0] -= 1
    if left[0] < 0 or len(at) > DEPTH_MAX or was == now:
        return
    place = str(body_place(*at))
    if place in volatile:
        return
    if isinstance(was, dict) and isinstance(now, dict):
        for name in dict.fromkeys((*was, *now)):
            there = was.get(name, _ABSENT), now.get(name, _ABSENT)
            yield from _unlike(*there, (*at, str(name)), volatile, left)
    elif isinstance(was, list) and isinstance(now, list):
        yield from _lists(was, now, at, volatile, left)
    elif not changes_by_itself(at, was, now):
        yield Unlike(place=place, was=_text(was), now=_text(now))


def _lists(
    was: list[Any], now: list[Any], at: tuple[str, ...], volatile: frozenset[str], left: list[int]
) -> Iterator[Unlike]:
    if len(was) != len(now):
        if not changes_by_itself(at, len(was), len(now)):
            place = str(body_place(*at))
            yield Unlike(place=place, was=f"{len(was)} items", now=f"{len(now)} items")
        return
    if Counter(map(_text, was)) == Counter(map(_text, now)):
        return
    for one, other in zip(was, now, strict=True):
        yield from _unlike(one, other, (*at, "*"), volatile, left)


def changes_by_itself(at: tuple[str, ...], was: Any, now: Any) -> bool:
    """Whether what stands AT a place of a body looks like a clock, an id, a counter, a version."""
    names = [name for name in at if name != "*"]
    name = _WORDS.sub("_", names[-1]).lower().replace("-", "_") if names else ""
    if _NAMED.search(name):
        return True
    if isinstance(was, str) and isinstance(now, str):
        if _CLOCK.fullmatch(was) and _CLOCK.fullmatch(now):
            return True
        return _is_id(was) and _is_id(now) and abs(len(was) - len(now)) <= 2
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (was, now))
    return numbers and was >= EPOCH_MIN and now >= EPOCH_MIN


def _is_id(text: str) -> bool:
    mixed = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    return len(text) >= ID_CHARS_MIN and mixed and _ID.fullmatch(text) is not None


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


_ABSENT = _Absent()


def _text(value: Any) -> str:
    return "nothing" if value is _ABSENT else msgspec.json.encode(value).decode()
