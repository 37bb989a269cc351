"""JSON Schema, as far as we ask models for it, as a grammar in llama.cpp's notation (GBNF).

The engine has a converter of its own. Ours allows no white space between tokens (a small model
runs away in it), bounds numbers by digits and texts by characters, and refuses what it cannot
bound, so that nothing unlimited is ever asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from premortem.domain.traffic import Document

TEXT_LENGTH_MAX = 200
"""Characters of one text that a model writes."""
ITEMS_MAX = 8
RANGE_SPELLED_MAX = 24
"""Whole numbers in a range that is spelled out value by value."""
DIGITS_MAX = 12
RULES_MAX = 500

_ASCII_FIRST = r"[!#-\[\]-~]"
_ASCII = r"[ !#-\[\]-~]"
"""Printable, but for the quote and the backslash, which JSON would want escaped."""
_ANY_FIRST = r"[^\"\\\x00-\x20\x7F-\x9F]"
_ANY = r"[^\"\\\x00-\x1F\x7F-\x9F]"
_DAY = '"-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])'
_YEARS = (2020, 2029)
"""Of dates whose years nothing tells."""
_TIME = r'("0" [0-9] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9]'
_EMAIL = (
    r'"\"" [a-z] [a-z0-9.]{2,16} [a-z0-9] "@" [a-z] [a-z0-9]{2,14} "." '
    r'("com" | "org" | "net" | "example") "\""'
)
OWN_KEYWORDS = frozenset({"x-ascii", "x-years"})
KEYWORDS = OWN_KEYWORDS | frozenset(
    {
        *("type", "enum", "const", "anyOf", "properties", "required", "additionalProperties"),
        *("items", "minItems", "maxItems", "minLength", "maxLength", "format"),
        *("minimum", "maximum", "multipleOf", "description"),
    }
)
"""All that is understood. `x-ascii`: the text keeps to printable ASCII. `x-years`: the first and
the last year of a date."""


def grammar_of(schema: Document) -> str:
    """SCHEMA as GBNF with `root`. Raises ValueError, naming the place, for what it cannot bound.

    Objects have exactly their properties, in order. Integers within a small range are spelled
    out; other numbers are bounded by their digits, so the caller checks the range.
    """
    return _Grammar().text(msgspec.json.decode(schema))


class _Grammar:
    def __init__(self) -> None:
        self._rules: dict[str, str] = {}

    def text(self, schema: Any) -> str:
        root = self._rule(schema, "")
        lines = [f"root ::= {root}", *(f"{name} ::= {rule}" for name, rule in self._rules.items())]
        return "\n".join(lines) + "\n"

    def _named(self, rule: str) -> str:
        """A name for RULE; the same rule is named once."""
        for name, known in self._rules.items():
            if known == rule:
                return name
        if len(self._rules) >= RULES_MAX:
            raise ValueError(f"the schema needs more than {RULES_MAX} grammar rules")
        name = f"r{len(self._rules)}"
        self._rules[name] = rule
        return name

    def _rule(self, schema: Any, at: str) -> str:
        if not isinstance(schema, Mapping):
            raise ValueError(f"{at or '/'}: nothing bounds what stands here")  # noqa: TRY004
        unknown = set(schema) - KEYWORDS
        if unknown:
            raise ValueError(f"{at or '/'}: no grammar for `{min(unknown)}`")
        if "const" in schema:
            return _literal(schema["const"])
        if "enum" in schema:
            return self._named(" | ".join(_literal(value) for value in schema["enum"]))
        if "anyOf" in schema:
            parts = [self._rule(part, f"{at}/anyOf/{i}") for i, part in enumerate(schema["anyOf"])]
            return self._named(" | ".join(parts))
        made = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
        }
        kind = schema.get("type")
        if kind in made:
            return made[kind](schema, at)
        if kind == "boolean":
            return self._named('"true" | "false"')
        if kind == "null":
            return '"null"'
        raise ValueError(f"{at or '/'}: no grammar for the type {kind!r}")

    def _object(self, schema: Mapping[str, Any], at: str) -> str:
        parts: list[str] = []
        for name, inner in schema.get("properties", {}).items():
            key = _quoted(("," if parts else "{") + msgspec.json.encode(name).decode() + ":")
            parts += [key, self._rule(inner, f"{at}/{name}")]
        if not parts:
            return '"{}"'
        return self._named(" ".join([*parts, '"}"']))

    def _array(self, schema: Mapping[str, Any], at: str) -> str:
        low, high = schema.get("minItems", 0), schema.get("maxItems")
        if high is None or high > ITEMS_MAX:
            raise ValueError(f"{at or '/'}: an array needs maxItems of at most {ITEMS_MAX}")
        item = self._rule(schema.get("items"), f"{at}/*")
        if high == 0:
            return '"[]"'
        more = f'("," {item}){{{max(low - 1, 0)},{high - 1}}}'
        filled = f'"[" {item} {more} "]"'
        return self._named(filled if low else f'"[]" | {filled}')

    def _string(self, schema: Mapping[str, Any], at: str) -> str:
        form = schema.get("format", "")
        if form:
            return self._named(_formatted(form, schema.get("x-years", _YEARS), at))
        low, high = schema.get("minLength", 0), schema.get("maxLength")
        if high is None or high > TEXT_LENGTH_MAX:
            raise ValueError(f"{at or '/'}: a text needs maxLength of at most {TEXT_LENGTH_MAX}")
        first, rest = (_ASCII_FIRST, _ASCII) if schema.get("x-ascii") else (_ANY_FIRST, _ANY)
        if high <= 0:
            return r'"\"\""'
        body = f"{first} {rest}{{{max(low - 1, 0)},{high - 1}}}"
        return self._named(rf'"\"" {body} "\""' if low else rf'"\"" ({body})? "\""')

    def _integer(self, schema: Mapping[str, Any], at: str) -> str:
        low, high = _range(schema, at)
        low, high = math.ceil(low), math.floor(high)
        if high - low < RANGE_SPELLED_MAX:
            return self._named(" | ".join(f'"{n}"' for n in range(low, high + 1)))
        digits = min(DIGITS_MAX, max(len(str(abs(low))), len(str(abs(high)))))
        sign = '"-"? ' if low < 0 else ""
        zero = '"0" | ' if low <= 0 <= high else ""
        return self._named(f"{zero}{sign}[1-9] [0-9]{{0,{digits - 1}}}")

    def _number(self, schema: Mapping[str, Any], at: str) -> str:
        low, high = _range(schema, at)
        digits = min(DIGITS_MAX, max(len(str(int(abs(low)))), len(str(int(abs(high))))))
        decimals = _decimals(schema.get("multipleOf", 0.01))
        sign = '"-"? ' if low < 0 else ""
        whole = f'("0" | [1-9] [0-9]{{0,{digits - 1}}})'
        fraction = f' ("." [0-9]{{1,{decimals}}})?' if decimals else ""
        return self._named(sign + whole + fraction)


def _formatted(form: str, years: tuple[int, int], at: str) -> str:
    if form == "email":
        return _EMAIL
    if form not in ("date", "date-time"):
        raise ValueError(f"{at or '/'}: no grammar for the format {form}")
    first, last = years
    last = min(last, first + RANGE_SPELLED_MAX - 1)
    year = " | ".join(f'"{n:04d}"' for n in range(first, last + 1))
    time = f' "T" {_TIME} "Z"' if form == "date-time" else ""
    return rf'"\"" ({year}) {_DAY}{time} "\""'


def _range(schema: Mapping[str, Any], at: str) -> tuple[float, float]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None or high is None or not low <= high:
        raise ValueError(f"{at or '/'}: a number needs minimum and maximum")
    return low, high


def _decimals(step: float) -> int:
    """Digits after the point that multiples of STEP have, at most 9."""
    return max(0, min(9, -math.floor(math.log10(step)))) if 0 < step < 1 else 0


def _literal(value: Any) -> str:
    return _quoted(msgspec.json.encode(value).decode())


def _quoted(text: str) -> str:
    """TEXT as a GBNF literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{escaped}"'
