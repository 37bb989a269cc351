"""What exchanges show of numbers: readings, and what changes were sent and answered.

A number goes by the words that an invariant has for it: `paid`, `stock.free`, `count(items)`,
`sum(items.amount)`, `at("/net-price")`. Identifiers and times are none: nobody calculates with
them.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from premortem.domain.bodies import goes_on
from premortem.domain.invariant import ROOTS
from premortem.domain.moments import epoch_seconds
from premortem.domain.places import body_place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import Match
from premortem.domain.traffic import Exchange
from premortem.learn.bodies import Body
from premortem.learn.lexical import CACHE_MAX
from premortem.learn.rows import key_of, names_things

LOOKS_MAX = 60_000
"""Exchanges that are remembered, the latest ones: about 1 KB each without their numbers."""
CELLS_MAX = 600_000
"""Numbers kept over all exchanges, about 120 bytes each; later exchanges are not looked at."""
PART_CELLS_MAX = 200_000
"""Numbers of items among them; of later lists only sums are kept."""
NUMBERS_MAX = 40
"""Numbers of one message."""
TEXTS_MAX = 40
"""Values of one request that may name a thing."""
TEXT_CHARS_MAX = 100
ITEMS_MAX = 200
"""Items of a list that are added up."""
PARTS_MAX = 60
"""Items of a list whose own values are remembered."""
DEPTH_MAX = 3
"""Names of a number, from the outside in."""
REFUSED = frozenset({400, 402, 403, 409, 412, 422, 423})
"""Statuses by which something was not done, and of which that could be learned."""
_OWN = ("id", "uuid", "key", "name")
"""What the identifier of a thing is called in what shows it."""

Numbers = dict[str, float]


@dataclass(slots=True)
class Shown:
    """Numbers of one object."""

    numbers: Numbers = field(default_factory=dict)
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    """`sum(items.stock)` -> identifier of an item -> its number."""
    name: str = ""
    """The thing's own identifier; empty: it shows none."""
    digest: bytes = b""
    """Of the whole answer."""


@dataclass(slots=True)
class Look:
    """What effects need of one exchange."""

    operation_id: str
    began: float
    ended: float
    session: str
    setting: tuple[str, str]
    """Role and edition."""
    safe: bool
    status: int
    params: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]
    shown: Shown
    sent: Numbers = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """`sent.from` -> what it holds."""
    inner: tuple[Shown, ...] = ()
    """Things within what a change answered."""


class Looks:
    """Readings and changes by exchange; add all exchanges. EXPECTED: how many will come."""

    def __init__(self, expected: int = 0) -> None:
        self._skip = max(0, expected - LOOKS_MAX)
        self._left, self._parts_left = CELLS_MAX, PART_CELLS_MAX
        self.kept: dict[str, Look] = {}

    def add(
        self, exchange_id: str, exchange: Exchange, match: Match, asked: Body, answered: Body
    ) -> None:
        """Take in one exchange."""
        if self._skip:
            self._skip -= 1
            return
        request, status = exchange.request, exchange.response.status
        safe = request.method in SAFE_METHODS
        if self._left <= 0 or len(self.kept) >= LOOKS_MAX:
            return
        if safe and (status != 200 or answered.kind != "json"):
            return
        told = answered.kind == "json" and status // 100 == 2
        look = Look(
            operation_id=match.operation.id,
            began=exchange.started_at,
            ended=exchange.started_at + exchange.duration_ms / 1000,
            session=exchange.tags.session,
            setting=(exchange.tags.role, exchange.tags.edition),
            safe=safe,
            status=status,
            params=tuple(match.params.items()),
            query=request.query,
            shown=shown_in(answered.value, request.query) if told else Shown(),
        )
        if told:
            look.shown.digest = blake2b(exchange.response.body, digest_size=8).digest()
        if not safe:
            look.sent = _sent(asked)
            look.texts = dict(_texts(asked))
            look.inner = tuple(_inner(answered.value)) if told else ()
        for shown in (look.shown, *look.inner):
            self._spend(shown)
        self._left -= len(look.sent)
        self.kept[exchange_id] = look

    def _spend(self, shown: Shown) -> None:
        parts = sum(map(len, shown.parts.values()))
        if parts > self._parts_left:
            shown.parts, parts = {}, 0
        self._parts_left -= parts
        self._left -= parts + len(shown.numbers)


def shown_in(value: Any, query: tuple[tuple[str, str], ...] = ()) -> Shown:
    """The numbers of VALUE, an answer to who asked for QUERY; of lists that are cut off none."""
    found = Shown(name=_name(value))
    if isinstance(value, list):
        value = {"items": value}  # as invariants call it
    limits = {text for _, text in query}
    whole = not goes_on(value)
    for tokens, item in _walk(value, ()):
        if isinstance(item, list):
            if whole and str(len(item)) not in limits:
                _add_list(found, tokens, item)
        elif _is_number(tokens, item):
            found.numbers[spelled(tokens)] = float(item)
        if len(found.numbers) >= NUMBERS_MAX:
            break
    return found


def _walk(value: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(value, dict) or len(at) >= DEPTH_MAX:
        return
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _walk(item, (*at, name))
        else:
            yield (*at, name), item


def _add_list(found: Shown, tokens: tuple[str, ...], items: list[Any]) -> None:
    words = spelled(tokens)
    if len(items) > ITEMS_MAX or words.startswith("at("):
        return
    found.numbers[f"count({words})"] = float(len(items))
    if not items or not all(isinstance(item, dict) for item in items):
        return
    for name, first in items[0].items():
        values = [item.get(name) for item in items]
        if not _is_word(name) or not _is_number((*tokens, name), first):
            continue
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            continue
        text = f"sum({words}.{name})"
        found.numbers[text] = float(sum(values))
        if len(items) <= PARTS_MAX:
            named = {_name(item): float(v) for item, v in zip(items, values, strict=True)}
            found.parts[text] = named if len(named) == len(items) else {}


def _is_number(tokens: tuple[str, ...], item: Any) -> bool:
    if isinstance(item, bool) or not isinstance(item, int | float) or abs(item) >= 1e15:
        return False
    return epoch_seconds(item) is None and not names_things(key_of(tokens))


def _is_word(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


@lru_cache(maxsize=CACHE_MAX)
def spelled(tokens: tuple[str, ...]) -> str:
    """The pointer TOKENS, without lists, in an invariant's words."""
    if all(map(_is_word, tokens)) and tokens[0] not in ROOTS:
        return ".".join(tokens)
    return f'at("{body_place(*tokens).name}")'


def _name(value: Any) -> str:
    """What VALUE calls itself; empty: nothing."""
    for key in _OWN if isinstance(value, dict) else ():
        named = value.get(key)
        if isinstance(named, str | int) and not isinstance(named, bool):
            return str(named)
    return ""


def _inner(value: Any) -> Iterator[Shown]:
    """Things with a name of their own at the top of VALUE's members."""
    for item in value.values() if isinstance(value, dict) else ():
        if _name(item):
            yield shown_in(item)


def _sent(body: Body) -> Numbers:
    """Numbers of a request's body, without `sent.`; those that have no word are left out, and so
    are forms, which hold texts."""
    found = shown_in(body.value).numbers if body.kind == "json" else {}
    return {words: n for words, n in found.items() if "at(" not in words}


def _texts(body: Body) -> Iterator[tuple[str, str]]:
    """(`sent.from`, text) of what may name a thing."""
    left = TEXTS_MAX
    for tokens, item in _walk(body.value if body.kind in ("json", "form") else None, ()):
        if isinstance(item, bool) or not isinstance(item, str | int) or not left:
            continue
        text = str(item)
        if 0 < len(text) <= TEXT_CHARS_MAX and all(name.isidentifier() for name in tokens):
            left -= 1
            yield "sent." + ".".join(tokens), text
