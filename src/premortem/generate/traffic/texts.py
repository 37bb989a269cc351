"""Texts like production's: which word follows which two, digits anew, rare words made up."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from numpy.random import Generator

from premortem.domain.tokens import MARK
from premortem.domain.traffic_model import TextModel
from premortem.generate.traffic.tokens import digest

PIECE = re.compile(r"\s+|\d+|[^\W\d_]+|[\W_]", re.UNICODE)
PIECES_MAX = 80
"""Words and marks of one text, read or written."""
SESSIONS_MIN = 2
"""Sessions that used a word before it is written again."""
STATES_MAX = 20_000
WORD_MAX = 24
TRIES_MAX = 6
RARE_MAX = 20_000
"""Words of one column that are never written."""
_ANY = "\0"
"""Stands for the first of two pieces when only the second counts."""
_NUMBER, _RARE, _RARE_NAME = "\0n", "\0w", "\0W"


def learned_texts(texts: Sequence[tuple[str, str]]) -> TextModel:
    """What TEXTS, (text, session), are like."""
    users: dict[str, set[str]] = defaultdict(set)
    for text, session in texts:
        for piece in _pieces(text):
            users[piece].add(session)
    follows: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    readers: dict[tuple[str, str], set[str]] = defaultdict(set)
    letters: dict[str, Counter[str]] = defaultdict(Counter)
    rare: dict[str, bytes] = {}
    for text, session in texts:
        one = two = ""
        for piece in [*_pieces(text), ""]:
            sign = _sign(piece, common=len(users[piece]) >= SESSIONS_MIN)
            if sign in (_RARE, _RARE_NAME):
                _spell(piece.lower(), letters)
                rare.setdefault(piece.lower(), digest(piece.lower()))
            for state in ((one, two), (_ANY, two)):
                if len(follows) < STATES_MAX or state in follows:
                    follows[state][sign] += 1
                    readers[state].add(session)
            one, two = two, sign
    return TextModel(
        follows=tuple(
            (state, tuple(c.most_common()))
            for state, c in follows.items()
            # After what one session alone wrote, one word tells the next: else its text came again.
            if state[0] == _ANY or len(readers[state]) >= SESSIONS_MIN
        ),
        letters=tuple((state, tuple(c.most_common())) for state, c in letters.items()),
        rare=tuple(rare.values())[:RARE_MAX],
    )


def _pieces(text: str) -> list[str]:
    return PIECE.findall(text)[:PIECES_MAX]


def _sign(piece: str, *, common: bool) -> str:
    """What stands for PIECE: a number's length, a rare word's look, else itself."""
    if piece.isdigit():
        return f"{_NUMBER}{len(piece)}"
    if piece.isalpha() and not common and not piece.lower().startswith(MARK):
        return _RARE_NAME if piece[:1].isupper() else _RARE
    return piece


def _spell(word: str, letters: dict[str, Counter[str]]) -> None:
    state = "^"
    for letter in [*word[:WORD_MAX], ""]:
        letters[state][letter] += 1
        letters[""].update(letter)
        state = (state + letter)[-2:]


class Writer:
    """Writes texts by a model."""

    def __init__(self, model: TextModel, is_seen: Callable[[str], bool]) -> None:
        """IS_SEEN: whether a text must not be written because one session alone sent it."""
        self._is_seen = is_seen
        self._follows = {state: _table(counts) for state, counts in model.follows}
        self._rare = frozenset(model.rare)
        self._letters = {state: _table(counts) for state, counts in model.letters}

    def write(self, rng: Generator, length_max: int) -> str:
        """One text of LENGTH_MAX characters at most; empty where there is nothing like that."""
        for _ in range(TRIES_MAX):
            text = "".join(self._written(rng))
            if text and len(text) <= length_max and not self._is_seen(text):
                return text
        return ""

    def _written(self, rng: Generator) -> Iterator[str]:
        one = two = ""
        for _ in range(PIECES_MAX):
            table = self._follows.get((one, two))
            if table is None:
                table = self._follows.get((_ANY, two))
            if table is None:
                return
            sign = _drawn(table, rng)
            if not sign:
                return
            one, two = two, sign
            if sign.startswith(_NUMBER):
                count = int(sign[len(_NUMBER) :])
                low = 10 ** (count - 1) if 1 < count < 16 else 0
                yield str(int(rng.integers(low, 10 ** min(count, 15)))).zfill(count)
            elif sign in (_RARE, _RARE_NAME):
                word = self._word(rng)
                yield word.capitalize() if sign == _RARE_NAME else word
            else:
                yield sign

    def _word(self, rng: Generator) -> str:
        for _ in range(TRIES_MAX):
            word = self._spelled(rng)
            if digest(word) not in self._rare:
                return word
        letters = self._letters.get("", (("x",), (1,)))
        return "".join(_drawn(letters, rng) for _ in word)

    def _spelled(self, rng: Generator) -> str:
        state, word = "^", ""
        while len(word) < WORD_MAX:
            table = self._letters.get(state)
            letter = _drawn(table, rng) if table is not None else ""
            if not letter:
                break
            word += letter
            state = (state + letter)[-2:]
        return word or "x"


Table = tuple[tuple[str, ...], tuple[int, ...]]
"""(texts, times of each or one before it)."""


def _table(counts: Sequence[tuple[str, int]]) -> Table:
    total, ends = 0, []
    for _, count in counts:
        total += count
        ends.append(total)
    return tuple(text for text, _ in counts), tuple(ends)


def _drawn(table: Table, rng: Generator) -> str:
    texts, ends = table
    if len(texts) == 1:
        return texts[0]
    point = float(rng.random()) * ends[-1]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if ends[middle] > point:
            high = middle
        else:
            low = middle + 1
    return texts[low]
