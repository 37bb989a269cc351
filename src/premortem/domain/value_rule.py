"""What kind of value stands in one place: equivalence classes and boundaries of a declared schema
or of what was learned (ISO/IEC/IEEE 29119-4, 5.2.1 and 5.2.3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jsonschema_rs

from premortem.domain.bodies import text_of
from premortem.domain.coverage import ValueClass
from premortem.domain.shape import TYPES, Branch, Shape, types_of
from premortem.domain.traffic import Field

CLASSES: tuple[ValueClass, ...] = (
    "absent",
    "typical",
    "enum",
    "boundary",
    "empty",
    "null",
    "out_of_range",
    "wrong_type",
)
"""From the most ordinary to the least: of many values in one place the last one counts."""
ABSENT, TYPICAL, ENUM, BOUNDARY, EMPTY, NULL, OUT_OF_RANGE, WRONG_TYPE = range(8)
OBSERVED_MIN = 20
"""Values seen before the smallest and the largest of them count as limits: the next value lies
beyond n of its kind with a chance of 2 / (n + 1)."""
OBSERVED_WIDTH_MIN = 4
"""The shortest and the longest text seen are limits only where they are so far apart; else most
texts would stand at one."""
IDENTIFIER_GROWTH = 2.0
"""An identifier in a path may be so many times the largest that was seen: numbers are given out
in order, and those that come later are larger."""
IDENTIFIER_GROWTH_MIN = 1000.0
"""It may lie at least this far above it."""
ENUM_MAX = 1000
"""Members of a closed set that are remembered."""

_INTEGER = re.compile(r"[+-]?\d{1,400}")
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,3})?")
_DIGITS = re.compile(r"\d+")
_FORMATS: Mapping[str, re.Pattern[str]] = {
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "date-time": re.compile(
        r"\d{4}-[01]\d-[0-3]\d[Tt ][0-2]\d:[0-5]\d(:[0-6]\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?"
    ),
    "date": re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"),
    "email": re.compile(r"[^@\s]+@[^@\s]+"),
    "ipv4": re.compile(r"\d{1,3}(\.\d{1,3}){3}"),
    "uri": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+"),
    "digits": _DIGITS,
    "hex": re.compile(r"[0-9a-fA-F]+"),
}
_BOOLEANS = {"true": True, "false": False}


class _Limits:
    """Smallest and largest, and whether anything says so."""

    __slots__ = ("high", "high_out", "low", "low_out")

    def __init__(self) -> None:
        self.low: float | None = None
        self.high: float | None = None
        self.low_out = self.high_out = False
        """The limit itself is not allowed."""

    def __bool__(self) -> bool:
        return self.low is not None or self.high is not None

    def rank(self, number: float, step: float) -> int:
        """TYPICAL, BOUNDARY or OUT_OF_RANGE. STEP: what lies next to an excluded limit."""
        low, high = self.low, self.high
        if low is None and high is None:
            return TYPICAL
        if low is not None:
            if number < low or (self.low_out and number == low):
                return OUT_OF_RANGE
            if number == low or (self.low_out and number <= low + step):
                return BOUNDARY
        if high is not None:
            if number > high or (self.high_out and number == high):
                return OUT_OF_RANGE
            if number == high or (self.high_out and number >= high - step):
                return BOUNDARY
        return TYPICAL


class Rule:
    """Ranks the values of one place (the index in CLASSES)."""

    __slots__ = (
        "_allowed",
        "_format",
        "_identifier",
        "_items",
        "_lengths",
        "_members",
        "_numbers",
        "_pattern",
        "_redacted",
        "_step",
        "textual",
    )

    def __init__(self, shape: Shape | None, field: Field | None, *, part: str) -> None:
        """From the declared SHAPE, the learned FIELD, or both; what is declared goes first."""
        branches = shape.branches if shape is not None else ()
        learned = frozenset(field.types) if field is not None else frozenset()
        declared = shape.types if shape is not None else frozenset()
        self._allowed = declared if declared and declared != frozenset(TYPES) else learned
        if not self._allowed:
            self._allowed = frozenset(TYPES)
        self.textual = part != "body"
        self._identifier = part == "path"
        """What was seen of it is where it was, not a limit to stand at."""
        self._redacted = field is not None and field.redacted
        self._members = _members(branches, field)
        self._numbers, self._lengths, self._items = _Limits(), _Limits(), _Limits()
        self._step = 1.0
        self._pattern: Callable[[str], bool] | None = None
        self._format: re.Pattern[str] | None = None
        self._declare(branches)
        if field is not None and not field.redacted:
            self._learn(field)

    def _declare(self, branches: Iterable[Branch]) -> None:
        numbers = [b for b in branches if {"number", "integer"} & set(types_of(b))]
        texts = [b for b in branches if "string" in types_of(b)]
        arrays = [b for b in branches if "array" in types_of(b)]
        # With several alternatives a value is outside of one and inside of another.
        if len(numbers) == 1:
            _bound(self._numbers, numbers[0], "minimum", "maximum")
            self._step = _step(numbers[0])
        if len(texts) == 1:
            _bound(self._lengths, texts[0], "minLength", "maxLength")
            self._pattern = _compiled(texts[0].get("pattern"))
            self._format = _FORMATS.get(str(texts[0].get("format", "")))
        if len(arrays) == 1:
            _bound(self._items, arrays[0], "minItems", "maxItems")

    def _learn(self, field: Field) -> None:
        if self._format is None and self._pattern is None and set(field.types) <= {"string"}:
            self._format = _FORMATS.get(field.format)
        if field.seen < OBSERVED_MIN:
            return
        if field.numbers is not None and field.numbers.quantiles:
            low, high = field.numbers.quantiles[0], field.numbers.quantiles[-1]
            if self._identifier:
                high = max(high * IDENTIFIER_GROWTH, high + IDENTIFIER_GROWTH_MIN)
            _widen(self._numbers, low, high)
        if "array" in field.types:
            _widen(self._items, field.length_min, field.length_max)
            return
        formed = self._format is not None or self._identifier
        wide = field.length_max - field.length_min >= OBSERVED_WIDTH_MIN
        if "string" in field.types and wide and not formed:
            _widen(self._lengths, field.length_min, field.length_max)

    @property
    def possible(self) -> tuple[ValueClass, ...]:
        """The classes that a value here can be of, `absent` left to the caller."""
        allowed = self._allowed
        found: list[ValueClass] = []
        closed = bool(self._members) or allowed <= {"boolean", "null"}
        found.append("enum" if closed else "typical")
        limited = any((self._numbers, self._lengths, self._items)) and not closed
        if limited and not self._identifier:
            found.append("boundary")
        if self.textual or allowed & {"string", "array", "object"}:
            found.append("empty")
        if "null" in allowed or not self.textual:
            found.append("null")
        if limited or self._members or self._format or self._pattern:
            found.append("out_of_range")
        if allowed != frozenset(TYPES) and not (self.textual and "string" in allowed):
            found.append("wrong_type")
        return tuple(found)

    def of_text(self, text: str) -> int:
        """The rank of TEXT in a path, query, header, cookie or form."""
        if not text:
            return EMPTY
        allowed = self._allowed
        if self._members is not None and text in self._members:
            return ENUM
        if text == "null" and "null" in allowed:
            return NULL
        if "integer" in allowed or "number" in allowed:
            number = _number(text, whole="number" not in allowed)
            if number is not None:
                return self._number(number)
        if "boolean" in allowed and text.lower() in _BOOLEANS:
            return ENUM
        if "string" in allowed:
            return self._string(text)
        if "array" in allowed:
            return self._items.rank(1, 1.0) if self._items else TYPICAL
        return TYPICAL if "object" in allowed else WRONG_TYPE

    def of_texts(self, texts: list[str]) -> int:
        """The same for a name that repeats."""
        if len(texts) == 1:
            return self.of_text(texts[0])
        if "array" in self._allowed:
            return self._items.rank(len(texts), 1.0)
        return max((self.of_text(text) for text in texts), default=ABSENT)

    def of_value(self, value: Any) -> int:
        """The rank of VALUE in a JSON body."""
        kind, allowed = type(value), self._allowed
        if value is None:
            return NULL
        if kind is str:
            if "string" not in allowed:
                return WRONG_TYPE
            return self._string(value) if value else EMPTY
        if kind is bool:
            return ENUM if "boolean" in allowed else WRONG_TYPE
        if kind is int or kind is float:
            whole = kind is int or value.is_integer()
            if "number" not in allowed and not (whole and "integer" in allowed):
                return WRONG_TYPE
            return self._number(value)
        if ("array" if kind is list else "object") not in allowed:
            return WRONG_TYPE
        if not value:
            return EMPTY
        return self._items.rank(len(value), 1.0) if kind is list else TYPICAL

    def _number(self, number: float) -> int:
        if self._redacted:
            return TYPICAL
        if self._members is not None:
            return ENUM if text_of(number) in self._members else OUT_OF_RANGE
        rank = self._numbers.rank(number, self._step)
        return TYPICAL if rank == BOUNDARY and self._identifier else rank

    def _string(self, text: str) -> int:
        if self._redacted:
            return TYPICAL
        if self._members is not None:
            return ENUM if text in self._members else OUT_OF_RANGE
        if self._format is not None and not self._format.fullmatch(text):
            return OUT_OF_RANGE
        if self._pattern is not None and not self._pattern(text):
            return OUT_OF_RANGE
        return self._lengths.rank(len(text), 1.0)


def _members(branches: Iterable[Branch], field: Field | None) -> frozenset[str] | None:
    """The texts of a closed set; None: it is open."""
    declared: list[Any] = []
    for branch in branches:
        if "enum" in branch:
            declared += branch["enum"]
        elif "const" in branch:
            declared.append(branch["const"])
        elif set(types_of(branch)) - {"null"}:
            declared = []
            break
    if declared:
        return frozenset(text_of(value) for value in declared[:ENUM_MAX])
    if field is None or not field.enumeration or field.redacted:
        return None
    return frozenset(text_of(json.loads(text)) for text, _ in field.values)


def _bound(limits: _Limits, branch: Branch, low: str, high: str) -> None:
    for name, side in ((low, "low"), (high, "high")):
        inside = branch.get(name)
        outside = branch.get(f"exclusive{name[:1].upper()}{name[1:]}")
        if isinstance(outside, int | float):
            setattr(limits, f"{side}_out", True)
            inside = outside
        if isinstance(inside, int | float):
            setattr(limits, side, float(inside))


def _widen(limits: _Limits, low: float, high: float) -> None:
    """What was seen, where nothing is declared."""
    if limits.low is None and low < high:
        limits.low = float(low)
    if limits.high is None and low < high:
        limits.high = float(high)


def _step(branch: Branch) -> float:
    multiple = branch.get("multipleOf")
    if isinstance(multiple, int | float):
        return float(multiple)
    return 1.0 if "number" not in types_of(branch) else 0.01


def _number(text: str, *, whole: bool) -> float | None:
    if text[0] not in "+-.0123456789":
        return None
    if _INTEGER.fullmatch(text) or (not whole and _NUMBER.fullmatch(text)):
        return float(text)
    return None


def _compiled(pattern: Any) -> Callable[[str], bool] | None:
    if not isinstance(pattern, str) or not pattern:
        return None
    try:
        # Not Python's expressions: some of theirs take for ever, and the dialect is another one.
        return jsonschema_rs.Draft202012Validator({"pattern": pattern}).is_valid
    except jsonschema_rs.ValidationError:
        return None
