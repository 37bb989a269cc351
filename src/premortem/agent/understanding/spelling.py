"""Slips of the pen in words that decide: the service's own, and those that name what goes wrong.

A word is mended where English, as far as it is known here, has no such word, and exactly one that
decides is a letter or two away (Damerau 1964).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from premortem.agent.understanding.tellings import stems_told, words_told
from premortem.agent.understanding.thesaurus import is_known
from premortem.agent.understanding.words import STOPWORDS, VERBS, stem

LENGTH_MIN = 5
"""Shorter words have too many neighbours."""
TWO_SLIPS_LENGTH_MIN = 8
_DECIDING = frozenset(
    [
        "negative",
        "duplicate",
        "twice",
        "missing",
        "empty",
        "blank",
        "expired",
        "invalid",
        "unknown",
        "parallel",
        "simultaneously",
        "concurrently",
        "anonymous",
        "unauthorized",
        "unauthorised",
        "malformed",
        "maximum",
        "minimum",
        "outdated",
        "deleted",
        "already",
        "another",
        "without",
        "currency",
        "password",
        "whitespace",
        "character",
        "characters",
        "unsupported",
        "nonexistent",
        "injection",
        "script",
        "timeout",
        "connection",
        "retries",
        "version",
        "unauthenticated",
        "permission",
    ]
)
"""Words that name what goes wrong, and are often written wrongly."""
_WORD = re.compile(r"(?<![\w'\"/-])[A-Za-z]{5,30}(?![\w'\"/])")


def mended(text: str, own: Collection[str]) -> str:
    """TEXT with slips of the pen put right; OWN: the service's words, in lower case.

    Names in CamelCase, in capitals and in quotes stay as they are.
    """
    known = own if isinstance(own, frozenset) else frozenset(own)

    def put_right(found: re.Match[str]) -> str:
        word = found[0]
        if not word[1:].islower():
            return word
        return _nearest(word.lower(), known) or word

    return _WORD.sub(put_right, text)


def _nearest(word: str, own: frozenset[str]) -> str:
    """The word that decides which WORD stands for; empty: WORD is one, or none is near."""
    if word in own or word in _DECIDING or _is_english(word):
        return ""
    slips = 2 if len(word) >= TWO_SLIPS_LENGTH_MIN else 1
    near: dict[int, set[str]] = {}
    for other in (*own, *_DECIDING):
        if other[:1] == word[0] and len(other) >= LENGTH_MIN:
            count = slips_between(word, other, most=slips)
            if count <= slips:
                near.setdefault(count, set()).add(other)
    closest = near[min(near)] if near else set()
    return min(closest, key=lambda one: (len(one), one)) if len(_stems(closest)) == 1 else ""


def _stems(words: Iterable[str]) -> set[str]:
    return {stem(word) for word in words}


def _is_english(word: str) -> bool:
    """Whether English has WORD, as far as it is known here."""
    base = stem(word)
    if word in STOPWORDS or word in words_told() or base in VERBS or is_known(base):
        return True
    return base != word and base in stems_told()  # `negativ` is a stem, and no word


def slips_between(one: str, other: str, *, most: int) -> int:
    """Letters put in, left out, changed or swapped with their neighbour between ONE and OTHER;
    more than MOST: MOST + 1."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        rows = [at]
        for to, their in enumerate(other, 1):
            cost = min(row[to] + 1, rows[to - 1] + 1, row[to - 1] + (letter != their))
            if at > 1 and to > 1 and letter == other[to - 2] and one[at - 2] == their:
                cost = min(cost, before[to - 2] + 1)
            rows.append(cost)
        if min(rows) > most:
            return most + 1
        before, row = row, rows
    return min(row[-1], most + 1)
