"""Whether a value is such as production had at its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from premortem.domain.bodies import readings
from premortem.domain.moments import moment_of
from premortem.domain.shape import type_of
from premortem.domain.traffic import Field

FORMS: Mapping[str, re.Pattern[str]] = {
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*"),
    "digits": re.compile(r"\d+"),
}
"""Formats whose breach can be told for sure."""
DECIMALS_MAX = 9


def is_usual(value: Any, field: Field | None) -> bool:
    """Whether VALUE, a JSON scalar, lies within what FIELD saw: type, range, set, length, form.

    False where nothing is known of the place.
    """
    if field is None:
        return False
    kind = type_of(value)
    if isinstance(value, bool) or value is None:
        return kind in field.types
    if isinstance(value, int | float):
        return _is_usual_number(value, field)
    if not isinstance(value, str) or "string" not in field.types:
        return False
    if field.redacted:
        return True
    if field.enumeration:
        return msgspec.json.encode(value).decode() in dict(field.values)
    form = FORMS.get(field.format)
    if form is not None and not form.fullmatch(value):
        return False
    plain = value == value.strip() and value.isprintable()
    return plain and field.length_min <= len(value) <= field.length_max


def is_usual_text(text: str, field: Field | None) -> bool:
    """The same for TEXT of a path or query, which is typed by what it says."""
    return any(is_usual(value, field) for value in readings(text))


def _is_usual_number(value: float, field: Field) -> bool:
    numbers = field.numbers
    if numbers is None or not numbers.quantiles:
        return False
    low, high = numbers.quantiles[0], numbers.quantiles[-1]
    return low <= value <= high and decimals(value) <= numbers.decimals


def decimals(value: float) -> int:
    """Digits after the point of VALUE's shortest spelling, at most DECIMALS_MAX."""
    text = repr(value)
    if "e" in text or "." not in text or text.endswith(".0"):
        return 0
    return min(DECIMALS_MAX, len(text) - text.index(".") - 1)


def same(one: Any, other: Any) -> bool:
    """Whether two scalars mean the same, however they are spelled: case, spaces around, `1.0` and
    `1`, one moment in two zones."""
    first, second = _plain(one), _plain(other)
    if first == second:
        return True
    if isinstance(first, str) and isinstance(second, str):
        moments = moment_of(first), moment_of(second)
        return None not in moments and moments[0] == moments[1]
    return False


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        text = value.strip().casefold()
        try:
            return float(text)
        except ValueError:
            return text
    if isinstance(value, bool):
        return "true" if value else "false"
    return float(value) if isinstance(value, int | float) else value
