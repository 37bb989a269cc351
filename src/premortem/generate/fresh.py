"""New texts that look like recorded ones, drawn a column at a time.

Each function makes a Draw: (generator, rows) -> that many values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.random import Generator

from premortem.domain.tokens import MARK, holds_token

Bytes = np.ndarray[Any, Any]
"""Character codes, shape (rows, width)."""
Draw = Callable[[Generator, int], list[Any]]
"""Values of one column: (generator, rows) -> list of that length."""

PATTERN_VALUES_MAX = 200
"""Recorded texts whose look is imitated."""
EXACT_FORMATS = frozenset({"uuid", "date", "date-time", "email", "ipv4"})
"""Formats whose new texts always satisfy them; the others follow the recorded texts' look."""
WIDTH_MAX = 128
"""Longest text that is imitated character by character."""
NAME_DIGITS_MIN = 5
"""Names with fewer digits are soon used up by changing those alone."""
WORDS_MAX = 400
"""Words that new sentences are made of."""
TEXT_WORDS_MAX = 60
NUMBERED_BELOW = 100_000
NUMBERED_SHORT_BELOW = 1000
"""Numbers behind a word; the smaller ones where there is no room for more."""
RANDOM_LENGTH_MAX = 4096
"""Longest text of random characters."""

_HEX = b"0123456789abcdef"
_HEX_GAP = 39
"""From the character after `9` to `a`."""
_ALPHABET = np.frombuffer(b"abcdefghijkmnopqstuvwxyz23456789", dtype=np.uint8)
"""32 characters that are hard to mix up; none starts a redaction token."""
_DAYS_MAX = 4096
_SENTENCES = 256
"""New texts made ahead, whose halves are combined: 65,536 different ones."""

_PLAIN_WORDS = ("alpha", "bravo", "delta", "echo", "golf", "hotel", "india", "kilo", "lima", "mike")
_DEFAULT_DAYS = (np.datetime64("2024-01-01"), np.datetime64("2025-12-31"))


class _Look(Struct, frozen=True, kw_only=True):
    """How texts are varied, position by position; arrays of shape (texts, width)."""

    base: Bytes
    span: Bytes
    """Each character is `base` plus a random number below `span`; 0: there is none."""
    gap: Bytes
    """Added from the tenth step on: leads from `9` to `a` in hexadecimal texts."""
    lengths: tuple[int, ...]

    def draw(self, rng: Generator, rows: int) -> list[Any]:
        """ROWS texts."""
        count, width = self.base.shape
        random = np.frombuffer(rng.bytes(rows * width), dtype=np.uint8).reshape(rows, width)
        if count == 1:
            steps = (random.astype(np.uint16) * self.span[0]) >> 8
            out = self.base[0] + steps + self.gap[0] * (steps > 9)
            return _texts(out, None)
        picked = rng.integers(count, size=rows)
        steps = (random.astype(np.uint16) * self.span[picked]) >> 8
        out = self.base[picked] + steps
        if self.gap.any():
            out += self.gap[picked] * (steps > 9)
        if min(self.lengths) == width:
            return _texts(out, None)
        return _texts(out, np.array(self.lengths)[picked])


def _look(values: Sequence[str], spans: Callable[[str], tuple[int, int, int]]) -> Draw:
    """Texts like VALUES; SPANS: character -> its base, span and gap."""
    chosen = values[:PATTERN_VALUES_MAX]
    width = max(1, *(len(value) for value in chosen))
    cells = np.zeros((3, len(chosen), width), dtype=np.uint16)
    for row, value in enumerate(chosen):
        for column, char in enumerate(value):
            cells[:, row, column] = spans(char)
    look = _Look(base=cells[0], span=cells[1], gap=cells[2], lengths=tuple(len(v) for v in chosen))
    return look.draw


def _same_class(char: str) -> tuple[int, int, int]:
    if "0" <= char <= "9":
        return 48, 10, 0
    if "a" <= char <= "z":
        return 97, 26, 0
    if "A" <= char <= "Z":
        return 65, 26, 0
    return ord(char), 0, 0


def _digits_only(char: str) -> tuple[int, int, int]:
    return (48, 10, 0) if "0" <= char <= "9" else (ord(char), 0, 0)


def _hexadecimal(char: str) -> tuple[int, int, int]:
    return (48, 16, _HEX_GAP) if char.isalnum() else (ord(char), 0, 0)


def _upper_hexadecimal(char: str) -> tuple[int, int, int]:
    return (48, 16, 7) if char.isalnum() else (ord(char), 0, 0)


def imitation(values: Sequence[str]) -> Draw:
    """Texts with the same classes of characters, position by position, as one of VALUES (ASCII)."""
    return _look(values, _same_class)


def digits_varied(values: Sequence[str]) -> Draw:
    """VALUES (ASCII) with their digits redrawn and everything else kept."""
    return _look(values, _digits_only)


def hexadecimal(values: Sequence[str]) -> Draw:
    """Hexadecimal texts as long as one of VALUES (ASCII), separators kept."""
    upper = any(char.isupper() for value in values for char in value)
    return _look(values, _upper_hexadecimal if upper else _hexadecimal)


def _texts(matrix: Bytes, lengths: Bytes | None) -> list[Any]:
    """Rows of ASCII codes, shape (rows, width), as texts, cut to LENGTHS."""
    rows, width = matrix.shape
    text = matrix.astype(np.uint8).tobytes().decode("ascii")
    if lengths is None:
        return [text[start : start + width] for start in range(0, rows * width, width)]
    starts = range(0, rows * width, width)
    return [text[start : start + n] for start, n in zip(starts, lengths.tolist(), strict=True)]


def uuids() -> Draw:
    """Version 4 UUIDs (RFC 9562)."""
    digits = np.frombuffer(_HEX, dtype=np.uint8)

    def draw(rng: Generator, rows: int) -> list[Any]:
        random = np.frombuffer(rng.bytes(rows * 16).hex().encode(), dtype=np.uint8)
        random = random.reshape(rows, 32)
        out = np.full((rows, 36), ord("-"), dtype=np.uint8)
        for start, end, shift in ((0, 8, 0), (9, 13, 1), (14, 18, 2), (19, 23, 3), (24, 36, 4)):
            out[:, start:end] = random[:, start - shift : end - shift]
        out[:, 14] = ord("4")
        out[:, 19] = digits[8 + (random[:, 16] & 3)]
        return _texts(out, None)

    return draw


def characters(length_min: int, length_max: int) -> Draw:
    """Random letters and digits; never starting like a redaction token."""
    low = max(1, min(length_min, RANDOM_LENGTH_MAX))
    high = max(low, min(length_max, RANDOM_LENGTH_MAX))

    def draw(rng: Generator, rows: int) -> list[Any]:
        random = np.frombuffer(rng.bytes(rows * high), dtype=np.uint8).reshape(rows, high)
        lengths = None if low == high else rng.integers(low, high + 1, size=rows)
        return _texts(_ALPHABET[random & 31], lengths)

    return draw


def days(values: Sequence[str]) -> Draw:
    """Dates (RFC 3339 full-date) between the first and the last of VALUES."""
    low, high = _DEFAULT_DAYS
    known = [day for value in values if (day := _day(value)) is not None]
    if known:
        low, high = min(known), max(known)
    texts = _objects(_day_texts(low, high))

    def draw(rng: Generator, rows: int) -> list[Any]:
        out: list[Any] = texts[rng.integers(len(texts), size=rows)].tolist()
        return out

    return draw


def _day_texts(low: np.datetime64, high: np.datetime64) -> list[str]:
    """The days from LOW to HIGH, thinned evenly to _DAYS_MAX."""
    span = int((high - low).astype(int))
    steps = np.unique(np.linspace(0, span, min(span + 1, _DAYS_MAX)).astype(int))
    texts: list[str] = np.datetime_as_string(low + steps.astype("timedelta64[D]")).tolist()
    return texts


def _objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    items = np.empty(len(values), dtype=object)
    items[:] = values
    return items


def _day(value: str) -> np.datetime64 | None:
    try:
        return np.datetime64(datetime.strptime(value[:10], "%Y-%m-%d").date())
    except ValueError:
        return None


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([Tt ])\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?")


def moments(values: Sequence[str], *, zone_required: bool = False) -> Draw:
    """Moments (RFC 3339 date-time) in the range of VALUES, written as the most of them are."""
    low, high = _DEFAULT_DAYS
    known = [day for value in values if _MOMENT.fullmatch(value) and (day := _day(value))]
    if known:
        low, high = min(known), max(known)
    separator, fraction, zone = "T", "", "Z"
    for value in values:
        found = _MOMENT.fullmatch(value)
        if found is not None and (found[3] or not zone_required):
            separator, fraction, zone = found[1], found[2] or "", found[3] or ""
            break
    dates = np.array([list(text.encode()) for text in _day_texts(low, high)], dtype=np.uint8)
    pattern = f"0000-00-00{separator}00:00:00{fraction}{zone}".encode()
    template = np.frombuffer(pattern, dtype=np.uint8)

    def draw(rng: Generator, rows: int) -> list[Any]:
        out = np.repeat(template[None, :], rows, axis=0)
        out[:, :10] = dates[rng.integers(len(dates), size=rows)]
        for at, below in ((11, 24), (14, 60), (17, 60)):
            number = rng.integers(below, size=rows, dtype=np.uint8)
            out[:, at] = 48 + number // 10
            out[:, at + 1] = 48 + number % 10
        for at in range(20, 19 + len(fraction)):
            out[:, at] = 48 + rng.integers(10, size=rows, dtype=np.uint8)
        return _texts(out, None)

    return draw


def emails(values: Sequence[str]) -> Draw:
    """Addresses of new people at the recorded domains."""
    domains = [v.rpartition("@")[2] for v in values if "@" in v and not holds_token(v)]
    tails = _objects([f"@{domain}" for domain in domains[:WORDS_MAX] or ["example.com"]])
    local = characters(9, 9)

    def draw(rng: Generator, rows: int) -> list[Any]:
        picked = tails[rng.integers(len(tails), size=rows)].tolist()
        return [name + tail for name, tail in zip(local(rng, rows), picked, strict=True)]

    return draw


def addresses() -> Draw:
    """IPv4 addresses reserved for documentation (RFC 5737)."""

    def draw(rng: Generator, rows: int) -> list[Any]:
        return [f"203.0.113.{last}" for last in rng.integers(1, 255, size=rows).tolist()]

    return draw


def uris(values: Sequence[str]) -> Draw:
    """Recorded addresses with a new last segment."""
    bases = [v.rstrip("/").rpartition("/")[0] for v in values[:WORDS_MAX] if v.count("/") > 2]
    bases = bases or ["https://example.com"]
    local = characters(8, 8)

    def draw(rng: Generator, rows: int) -> list[Any]:
        picked = rng.integers(len(bases), size=rows).tolist()
        return [f"{bases[i]}/{n}" for n, i in zip(local(rng, rows), picked, strict=True)]

    return draw


def sentences(values: Sequence[str]) -> Draw:
    """Texts with as many words as one of VALUES, of the words all of them use."""
    split = [value.split(" ")[:TEXT_WORDS_MAX] for value in values[:PATTERN_VALUES_MAX]]
    words = [w for words in split for w in words if w and not w.startswith(MARK)][:WORDS_MAX]
    words = words or list(_PLAIN_WORDS)
    counts = np.array([len(parts) for parts in split] or [3])
    rng = np.random.default_rng(len(words))
    lengths = counts[rng.integers(len(counts), size=_SENTENCES)].tolist()
    picked = iter(rng.integers(len(words), size=sum(lengths)).tolist())
    made = [[words[next(picked)] for _ in range(length)] for length in lengths]
    heads = [" ".join(parts[: len(parts) // 2]) for parts in made]
    tails = [" ".join(["", *parts[len(parts) // 2 :]]) for parts in made]
    firsts, seconds = _objects(heads), _objects(tails)

    def draw(rng: Generator, rows: int) -> list[Any]:
        head = firsts[rng.integers(_SENTENCES, size=rows)].tolist()
        tail = seconds[rng.integers(_SENTENCES, size=rows)].tolist()
        return [(a + b).strip() for a, b in zip(head, tail, strict=True)]

    return draw


def names(values: Sequence[str], length_max: int) -> Draw:
    """Single words of VALUES with a number behind them, where LENGTH_MAX allows."""
    below, digits = NUMBERED_BELOW, len(str(NUMBERED_BELOW)) - 1
    chosen = [v for v in values if len(v) + digits <= length_max][:PATTERN_VALUES_MAX]
    if not chosen:
        below = NUMBERED_SHORT_BELOW
        chosen = [v for v in values if len(v) + 3 <= length_max][:PATTERN_VALUES_MAX]
    if not chosen:
        return imitation([v for v in values if v] or ["abcd"])

    def draw(rng: Generator, rows: int) -> list[Any]:
        picked = rng.integers(len(chosen), size=rows).tolist()
        numbers = rng.integers(1, below, size=rows).tolist()
        return [f"{chosen[i]}{number}" for i, number in zip(picked, numbers, strict=True)]

    return draw


def named(values: Sequence[str], form: str, length_min: int, length_max: int) -> Draw:
    """New names like VALUES, hardly ever the same twice; else as `like`."""
    plain = [v for v in values if v and v.isascii() and " " not in v and not holds_token(v)]
    digits = [sum(c.isdigit() for c in v) for v in plain]
    if form or len(plain) * 2 <= len(values) or min(digits, default=0) >= NAME_DIGITS_MIN:
        return like(values, form, length_min, length_max)
    return names([v.rstrip("0123456789") or "n" for v in plain], length_max)


def like(values: Sequence[str], form: str, length_min: int, length_max: int) -> Draw:
    """New texts like VALUES, all of format FORM (as `Field.format`), 0 or more of them."""
    known = [v for v in values if v and not holds_token(v)]
    fixed: dict[str, Callable[[], Draw]] = {
        "uuid": uuids,
        "date": lambda: days(known),
        "date-time": lambda: moments(known, zone_required=True),
        "email": lambda: emails(known),
        "uri": lambda: uris(known),
        "url": lambda: uris(known),
        "ipv4": addresses,
    }
    if form == "date-time" and known:
        return moments(known)
    if form in fixed:
        return fixed[form]()
    plain = [v for v in known if v.isascii() and len(v) <= WIDTH_MAX and "\0" not in v]
    if not plain:
        return sentences(known) if known else _unknown(length_min, length_max)
    if form == "hex":
        return hexadecimal(plain)
    if form in ("digits", "token"):
        return imitation(plain)
    spaced = [v for v in plain if " " in v]
    if len(spaced) * 2 >= len(plain):
        return sentences(known)
    numbered = [v for v in plain if any(c.isdigit() for c in v)]
    if len(numbered) * 2 >= len(plain):
        return digits_varied(numbered)
    return names([v for v in plain if " " not in v], length_max)


def _unknown(length_min: int, length_max: int) -> Draw:
    if length_max <= 0:
        return characters(4, 12)
    return characters(length_min, length_max)
