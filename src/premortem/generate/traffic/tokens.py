"""The tokens of a column: found in training, looked up again when a request is given in part."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np

from premortem.domain.traffic_model import Token, TokenKind
from premortem.generate.traffic.rows import redacted

ATOMS_MAX = 300
"""Values of one column that are drawn as they are."""
SESSIONS_MIN = 2
"""Sessions that sent a value before it is drawn as it is."""
BINS_MAX = 24
BIN_MIN = 8
"""Numbers in a range, on average."""
DAYS_MAX = 90
"""Different distances in days that are each one of its own: in 14 days, in 30."""
STEPS = (1000.0, 100.0, 50.0, 10.0, 5.0, 1.0, 0.5, 0.1, 0.05, 0.01, 0.001, 0.0001, 0.000001)
DAYS = re.compile(r"(\d{4}-\d\d-\d\d)([Tt ].*)?")
DIGIT = "\0"
PATTERNS_MAX = 100
PATTERN_DIGITS_MAX = 8
_DIGIT = re.compile(r"[0-9]")
_NUMBERS = re.compile(r"[0-9]+")
DAY_FORMATS = frozenset({"date", "date-time"})
LENGTH_MAX = 20
SEEN_MAX = 20_000
"""Values of one column that are never written."""
NOTHING_THERE = "\0absent"
_encode = msgspec.json.Encoder().encode


def text_of(value: Any) -> str:
    """VALUE as JSON text; what stands for an absent one as itself."""
    return _encode(value).decode()


def digest(value: Any) -> bytes:
    """8 bytes that name VALUE."""
    return blake2b(text_of(value).encode("utf-8", "replace"), digest_size=8).digest()


def alone(values: Sequence[Any], sessions: Sequence[str]) -> tuple[bytes, ...]:
    """Digests of the numbers and texts in VALUES that one session alone sent."""
    users: dict[str, tuple[Any, set[str]]] = {}
    for value, session in zip(values, sessions, strict=True):
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            if isinstance(value, str) and (day_of(value) is not None or value is NOTHING_THERE):
                continue
            users.setdefault(text_of(value), (value, set()))[1].add(session)
    rare = [value for value, used in users.values() if len(used) < SESSIONS_MIN]
    return tuple(digest(value) for value in rare[:SEEN_MAX])


def day_of(text: str) -> int | None:
    """The day that TEXT begins with, counted from the epoch; None: it is no date."""
    found = DAYS.fullmatch(text)
    if found is None:
        return None
    try:
        return date.fromisoformat(found[1]).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return None


def day_at(seconds: float) -> int:
    """The day of a moment, UTC, counted from the epoch."""
    return datetime.fromtimestamp(seconds, UTC).date().toordinal() - date(1970, 1, 1).toordinal()


def day_text(day: int) -> str:
    """`2026-11-22`."""
    return date.fromordinal(max(1, day + date(1970, 1, 1).toordinal())).isoformat()


def found_tokens(
    values: Sequence[Any], sessions: Sequence[str], days: Sequence[int], *, dated: bool
) -> tuple[list[Token], list[int]]:
    """(tokens, which of them each of VALUES is). VALUES: scalars, lists, NOTHING_THERE.

    DAYS: when each was sent; DATED: texts that are dates are told from that.
    """
    users: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for value, session in zip(values, sessions, strict=True):
        if value is NOTHING_THERE or isinstance(value, list) or redacted(value):
            continue
        text = text_of(value)
        users[text].add(session)
        counts[text] += 1
    offsets = [
        found - day if dated and isinstance(v, str) and (found := day_of(v)) is not None else None
        for v, day in zip(values, days, strict=True)
    ]
    atoms = [
        text
        for text, _ in counts.most_common()
        if len(users[text]) >= SESSIONS_MIN or text in ("true", "false", "null", '""', "{}")
    ]
    if dated:
        atoms = [text for text in atoms if day_of(text.strip('"')) is None]
    kept = set(atoms[:ATOMS_MAX])
    numbers = [
        float(v)
        for v in values
        if isinstance(v, int | float) and not isinstance(v, bool) and text_of(v) not in kept
    ]
    tokens = _fixed(values, atoms[:ATOMS_MAX])
    tokens += _patterns(values, sessions, kept) if not dated else []
    tokens += _ranges("number", numbers)
    tokens += _ranges("day", [float(o) for o in offsets if o is not None])
    tokens += [Token(kind="new"), Token(kind="text")]
    lexicon = Lexicon(tokens)
    codes = [lexicon.of(value, offset) for value, offset in zip(values, offsets, strict=True)]
    return _used(tokens, codes)


def _fixed(values: Sequence[Any], atoms: Sequence[str]) -> list[Token]:
    tokens = [Token(kind="absent")]
    tokens += [Token(kind="atom", text=text) for text in atoms]
    lengths = sorted({min(len(v), LENGTH_MAX) for v in values if isinstance(v, list)})
    return tokens + [Token(kind="length", low=float(n), high=float(n)) for n in lengths]


def _patterns(values: Sequence[Any], sessions: Sequence[str], kept: set[str]) -> list[Token]:
    """Texts of which several sessions sent the same with other digits."""
    users: dict[str, set[str]] = defaultdict(set)
    numbers: dict[str, list[float]] = defaultdict(list)
    for value, session in zip(values, sessions, strict=True):
        if value is NOTHING_THERE or redacted(value) or not isinstance(value, str):
            continue
        pattern = pattern_of(value)
        if pattern and text_of(value) not in kept:
            users[pattern].add(session)
            found = _NUMBERS.findall(value)
            numbers[pattern].append(float(found[0]) if len(found) == 1 else 0.0)
    often = sorted(users, key=lambda text: (-len(users[text]), text))[:PATTERNS_MAX]
    return [
        Token(kind="pattern", text=p, low=min(numbers[p]), high=max(numbers[p]))
        for p in often
        if len(users[p]) >= SESSIONS_MIN
    ]


def pattern_of(text: str) -> str:
    """TEXT with DIGIT for each digit; empty: it has none, or so many that it is an identifier."""
    pattern = _DIGIT.sub(DIGIT, text)
    return pattern if 0 < pattern.count(DIGIT) <= PATTERN_DIGITS_MAX else ""


def _used(tokens: Sequence[Token], found: Sequence[int]) -> tuple[list[Token], list[int]]:
    """TOKENS that are used, with the indices in FOUND as they are then."""
    kept = sorted(set(found))
    where = {old: new for new, old in enumerate(kept)}
    return [tokens[old] for old in kept], [where[old] for old in found]


def _ranges(kind: TokenKind, numbers: Sequence[float]) -> list[Token]:
    if not numbers:
        return []
    bins = max(1, min(BINS_MAX, len(numbers) // BIN_MIN))
    different = np.unique(numbers)
    few = kind == "day" and len(different) <= DAYS_MAX
    shares = np.quantile(numbers, np.linspace(0, 1, bins + 1), method="lower")
    edges = np.unique(shares).tolist()
    lows = different.tolist() if few else edges[:-1] or edges
    tokens: list[Token] = []
    for index, low in enumerate(lows):
        last = index == len(lows) - 1
        inside = [n for n in numbers if n >= low and (last or n < lows[index + 1])]
        if not inside:
            continue
        steps = Counter(step_of(n) for n in inside)
        tokens.append(
            Token(
                kind=kind,
                low=min(inside),
                high=max(inside),
                steps=tuple(steps.most_common()),
            )
        )
    return tokens


def step_of(number: float) -> float:
    """The largest of STEPS that NUMBER is a multiple of."""
    for step in STEPS:
        if abs(number / step - round(number / step)) < 1e-6:
            return step
    return 0.0


class Lexicon:
    """Finds the token that stands for a value."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._atoms = {token.text: i for i, token in enumerate(tokens) if token.kind == "atom"}
        self._patterns = {t.text: i for i, t in enumerate(tokens) if t.kind == "pattern"}
        self._kinds: dict[str, list[int]] = defaultdict(list)
        for index, token in enumerate(tokens):
            self._kinds[token.kind].append(index)
        self._lows = {k: [tokens[i].low for i in found] for k, found in self._kinds.items()}

    def of(self, value: Any, offset: float | None = None) -> int:
        """The index of VALUE's token, the nearest where it was never seen. OFFSET: days from the
        day of the request, of a date."""
        if value is NOTHING_THERE:
            return self._any("absent")
        if isinstance(value, list):
            return self._nearest("length", float(min(len(value), LENGTH_MAX)))
        if redacted(value):
            return self._any("new")
        found = self._atoms.get(text_of(value))
        if found is not None:
            return found
        if offset is not None:
            return self._nearest("day", offset)
        if isinstance(value, str) and (at := self._patterns.get(pattern_of(value))) is not None:
            return at
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._nearest("number", float(value))
        return self._any("text")

    def _any(self, kind: str) -> int:
        for name in (kind, "other", "kept", "new"):
            if name in self._kinds:
                return self._kinds[name][0]
        return 0

    def _nearest(self, kind: str, number: float) -> int:
        if kind not in self._kinds:
            return self._any(kind)
        return self._kinds[kind][max(0, bisect_right(self._lows[kind], number) - 1)]
