"""Values that a question names: numbers in digits or words, lengths, quoted texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from decimal import Decimal, InvalidOperation
from typing import Literal

from msgspec import Struct

from premortem.agent.understanding.words import STOPWORDS

NUMBERS_MAX = 10
"""Numbers looked at in one question."""
_UNITS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty
"""
_TENS = "thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_UNITS.split())} | {
    word: 10 * value for value, word in enumerate(_TENS.split(), 3)
}
_GREAT = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_PIECE = re.compile(
    rf"(?P<digits>(?<![\w.])\d{{1,18}}(?:,\d{{3}})*(?:\.\d{{1,9}})?(?![\w]|\.\d))|"
    rf"\b(?P<word>{'|'.join([*_SMALL, *_GREAT])}|an?)\b"
)
_GAP = re.compile(r"[\s-]*(?:and\s+)?")
_MINUS = re.compile(r"(?:\bminus\s+|\bnegative\s+|(?<![\w)])-\s?)$")
_STEPS = re.compile(
    r"\b(?P<step>(?:one|a|1) cent|half a cent|(?:one|1))\s+(?P<way>more|above|over|beyond|too many|"
    r"less|below|under|fewer|short)(?:\s+(?:than|of))?\s+$"
)
_LENGTH = re.compile(r"[\s-]*(?:characters?|chars|letters|signs|symbols|digits)\b")
_ITEMS = re.compile(r"[\s-]*(?:items|entries|elements|members|tags|lines|rows|things)\b")
_DECIMALS = re.compile(
    r"\b(?:(?:three|four|five|six|more than two|too many|3|4|5|6) (?:decimals?(?: places)?|digits "
    r"(?:after|behind) the (?:point|comma|dot))|half a cent|fractions? of a cent|sub-?cents?|"
    r"tenth of a cent|decimal places|thousandths?)\b"
)
_QUOTED = re.compile(r"[\"“”]([^\"“”]{1,200})[\"“”]|(?<!\w)['‘]([^'‘’]{1,200})['’](?!\w)")
_CAPITALS = re.compile(r"(?<![\w-])[A-Z][A-Z_]{2,19}(?![\w-])")
_BEHIND = re.compile(
    r"\b(?:by|as|called|like|in|to|with|of|into|named|says?|is)\s+(?:an?\s+|the\s+|just\s+|some\s+)?"
    r"([a-z][a-z_]{2,29})\b"
)
LESS = re.compile(
    r"\b(?:less|below|under|beneath|too (?:small|low|short|little|few)|fewer|minimum|smallest|"
    r"shortest|lowest|tiny)\b"
)
MORE = re.compile(
    r"\b(?:more|above|over|beyond|exceed\w*|too (?:large|big|high|long|much|many|great)|maximum|"
    r"largest|longest|highest|huge|enormous|gigantic|long|big|large|high|million|billion|"
    r"thousands?|absurd\w*|ridiculous\w*|insane\w*)\b"
)


class Number(Struct, frozen=True, kw_only=True):
    """A number that a question names."""

    value: int | float
    start: int
    """Where it begins in the question."""
    unit: Literal["characters", "items", ""] = ""
    """What it counts; empty: nothing that it says."""


def numbers(text: str) -> tuple[Number, ...]:
    """The numbers that TEXT names, in order: `-5`, `5,000`, `one cent more than a million`."""
    low = text.lower()
    found: list[Number] = []
    for start, end, value in _runs(low):
        before = low[:start]
        if _MINUS.search(before):
            value = -value
        step = _STEPS.search(before)
        if step is not None:
            value += _step(step)
            if found and found[-1].start >= step.start():
                found.pop()  # the step's own `one`
        behind = low[end:]
        found.append(Number(value=_plain(value), start=start, unit=_unit(behind)))
    return tuple(found[:NUMBERS_MAX])


def _unit(behind: str) -> Literal["characters", "items", ""]:
    if _LENGTH.match(behind):
        return "characters"
    return "items" if _ITEMS.match(behind) else ""


def has_many_decimals(text: str) -> bool:
    """Whether TEXT speaks of more decimals than money has."""
    return _DECIMALS.search(text.lower()) is not None


def quoted(text: str) -> str:
    """The first text in quotes; empty: there is none."""
    found = _QUOTED.search(text)
    return (found[1] or found[2]).strip() if found else ""


def example(text: str, unknown: Collection[str]) -> str:
    """A value that TEXT names as one that should not be: quoted, in capitals, or a word that
    nothing explains (one of UNKNOWN) where a value would stand. Empty: there is none."""
    said = quoted(text)
    if said:
        return said
    capitals = _CAPITALS.search(text)
    if capitals is not None:
        return capitals[0]
    for found in _BEHIND.finditer(text.lower()):
        if found[1] in unknown and found[1] not in STOPWORDS:
            return found[1]
    return ""


def _runs(low: str) -> Iterator[tuple[int, int, Decimal]]:
    """Pieces that belong to one number: `five hundred and one`, `2 million`."""
    pieces = list(_PIECE.finditer(low))
    index = 0
    while index < len(pieces):
        row = [pieces[index]]
        while index + 1 < len(pieces):
            gap = low[row[-1].end() : pieces[index + 1].start()]
            following = pieces[index + 1]
            joined = _GAP.fullmatch(gap) is not None and _joins(row[-1], following)
            if not joined:
                break
            row.append(following)
            index += 1
        index += 1
        value = _value(row)
        if value is not None:
            yield row[0].start(), row[-1].end(), value


def _joins(before: re.Match[str], after: re.Match[str]) -> bool:
    word = after["word"]
    if word in _GREAT:
        return True
    last = before["word"]
    if word is None or word in ("a", "an") or last is None or last in ("a", "an"):
        return False
    return last in _GREAT or (_SMALL[last] >= 20 and 0 < _SMALL[word] < 10)


def _value(row: list[re.Match[str]]) -> Decimal | None:
    if row[0]["word"] in ("a", "an") and len(row) == 1:
        return None
    total, part = Decimal(0), Decimal(0)
    for piece in row:
        word = piece["word"]
        if word is None:
            try:
                part += Decimal(piece["digits"].replace(",", ""))
            except InvalidOperation:
                return None
        elif word in ("a", "an"):
            part += 1
        elif word in _SMALL:
            part += _SMALL[word]
        elif word == "hundred":
            part = (part or Decimal(1)) * 100
        else:
            total += (part or 1) * _GREAT[word]
            part = Decimal(0)
    return total + part


def _step(found: re.Match[str]) -> Decimal:
    size = Decimal("0.005") if "half" in found["step"] else Decimal("0.01")
    if "cent" not in found["step"]:
        size = Decimal(1)
    return -size if found["way"] in ("less", "below", "under", "fewer", "short") else size


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
