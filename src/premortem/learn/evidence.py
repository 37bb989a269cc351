"""Which texts the traffic uses as identifiers: what a path segment must be held against."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from premortem.domain.template import split_path
from premortem.domain.traffic import Exchange
from premortem.learn.bodies import leaves, read_body
from premortem.learn.lexical import CACHE_MAX, identifier, singular, words_in
from premortem.learn.trie import KEYS_MAX, NOT_THERE, Tree

TEXTS_MAX = 200_000
"""Distinct texts remembered; later ones are not."""
KEYS_PER_TEXT_MAX = 6
TEXT_LENGTH_MAX = 80
BELOW_MAX = 2
"""Segments below one at which an answer may still be expected to name it."""

_NAME = re.compile(r"[^\s/?#{}\[\]<>]+")
_IDENTIFYING = frozenset(
    {
        *("id", "ids", "uid", "uuid", "guid", "name", "names", "key", "keys", "slug", "code"),
        *("login", "username", "user", "handle", "identifier", "number", "sku", "ref"),
        *("reference", "symbol", "email", "fullname", "title"),
    }
)
"""Last words of keys whose values name something."""


@lru_cache(maxsize=CACHE_MAX)
def identifying(key: str) -> bool:
    """Whether values under KEY (`id`, `userName`, `invoice_id`) name things."""
    words = words_in(key)
    return bool(words) and words[-1] in _IDENTIFYING


class Names:
    """Texts seen as values, and under which keys."""

    def __init__(self) -> None:
        self._keys: dict[str, set[str]] = {}
        self._listed: dict[str, set[str]] = {}
        self._proven: dict[str, set[str]] = {}

    def add(self, text: str, key: str, below: str) -> None:
        """TEXT stood under KEY in an answer (or request) of a path whose last word is BELOW."""
        keys = self._keys.get(text)
        if keys is None:
            if len(self._keys) >= TEXTS_MAX:
                return
            keys = self._keys[text] = set()
        if len(keys) < KEYS_PER_TEXT_MAX:
            keys.add(key)
        if below and identifying(key):
            listed = self._listed.setdefault(text, set())
            if len(listed) < KEYS_PER_TEXT_MAX:
                listed.add(below)

    def known(self, text: str) -> bool:
        """Whether TEXT was ever a value at all."""
        return text in self._keys

    def prove(self, text: str, collection: str) -> None:
        """Remember that TEXT was found to be a value behind the segment COLLECTION."""
        self._proven.setdefault(text, set()).add(collection)

    def proven(self, text: str) -> bool:
        """Whether TEXT was found to be a value anywhere."""
        return text in self._proven

    def names_one_of(self, text: str, collection: str) -> bool:
        """Whether TEXT names a member of COLLECTION, the segment before it.

        It does when a message of the collection's own path gave it as an identifier, or when it
        stood under a key made of the collection's singular (`invoice_id` for `invoices`).
        """
        if not collection:
            return False
        if collection in self._listed.get(text, ()) or collection in self._proven.get(text, ()):
            return True
        one = singular(words_in(collection)[-1]) if words_in(collection) else ""
        return any(
            one in words and (words[-1] == one or words[-1] in _IDENTIFYING)
            for key in self._keys.get(text, ())
            if (words := words_in(key))
        )


def observe(exchange: Exchange, tree: Tree, names: Names) -> None:
    """Put EXCHANGE's path into TREE and the names in its bodies into NAMES."""
    segments = split_path(exchange.request.path)
    trail, seen = tree.insert(exchange.request.method, segments)
    status = exchange.response.status
    answered = status < 400  # of an answer that was not recorded (0) the best is assumed
    seen.answered += answered
    seen.not_there += status in NOT_THERE
    request = read_body(exchange.request).value
    answer = read_body(exchange.response).value
    _add_keys(seen.request_keys, request, levels=1)
    if answered:
        _add_keys(seen.answer_keys, answer, levels=2)
    last = next((s for s in reversed(segments) if not identifier(s)), "")
    at = {segment: index for index, segment in enumerate(segments)}
    echoed: set[int] = set()
    for value in (request, answer) if answered else (request,):
        for tokens, leaf in leaves(value):
            if type(leaf) is not str or not 0 < len(leaf) <= TEXT_LENGTH_MAX:
                continue
            if identifier(leaf) or not _NAME.fullmatch(leaf):
                continue
            key = next((t for t in reversed(tokens) if t != "*"), "")
            names.add(leaf, key, last if answered else "")
            if answered and leaf in at and "*" not in tokens and identifying(key):
                # a list holds many names: one that equals a segment proves nothing
                echoed.add(at[leaf])
    told = exchange.recorded == "all"
    for index, node in enumerate(trail):
        below = len(trail) - 1 - index
        node.answered += answered
        # an answer that was not recorded does not show that it names nothing
        if below <= BELOW_MAX and told:
            node.passed[below] += answered
            node.echoes[below] += index in echoed


def _add_keys(keys: set[str], value: Any, *, levels: int, prefix: str = "") -> None:
    """Add the keys of an object (or of an array's first objects) and of what lies below."""
    for item in value[:3] if isinstance(value, list) else (value,):
        if not isinstance(item, dict):
            continue
        for key, child in item.items():
            if len(keys) >= KEYS_MAX:
                return
            keys.add(prefix + str(key))
            if levels > 1:
                _add_keys(keys, child, levels=levels - 1, prefix=f"{prefix}{key}/")
