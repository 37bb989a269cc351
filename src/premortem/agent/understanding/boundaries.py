"""Values at and beyond the edge: which words ask for them and what they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from premortem.agent.understanding.said import numbers
from premortem.domain.proposal import FailureModeName

LONG_TEXT_CHARACTERS = 10_000
LARGE_NUMBER = 10**12
_UNSET: Any = object()


class Boundary(Struct, frozen=True, kw_only=True):
    """One kind of edge value."""

    name: str
    says: str
    """How a title says it: `amount zero`."""
    pattern: str
    """Regular expression over the question in lower case."""
    types: tuple[str, ...]
    """JSON types of the fields it makes sense for; empty: any."""
    mode: FailureModeName = "boundary"
    """The failure mode that it is a case of."""


BOUNDARIES: tuple[Boundary, ...] = (
    Boundary(
        name="negative",
        says="negative",
        pattern=r"\b(?:negative|minus|(?:below|less than|under|smaller than) (?:zero|0))\b",
        types=("number", "integer"),
    ),
    Boundary(
        name="zero",
        says="zero",
        pattern=r"\b(?:zero|nought|(?<![\d.-])0(?:\.0+)?)\b(?!\.\d)",
        types=("number", "integer"),
    ),
    Boundary(name="null", says="null", pattern=r"\b(?:null|nil)\b", types=(), mode="missing_value"),
    Boundary(
        name="missing",
        says="missing",
        pattern=r"\b(?:missing|omitted|absent|left out|left off|not (?:given|provided|sent|set)|"
        r"unspecified|lack(?:s|ing)?)\b|\{ ?\}(?!\})",
        types=(),
        mode="missing_value",
    ),
    Boundary(
        name="empty",
        says="empty",
        pattern=r"\b(?:empty|blank)\b|\[ ?\]|(?<![\w'])''(?![\w'])|(?<![\w\"])\"\"(?![\w\"])",
        types=("string", "array", "object"),
        mode="missing_value",
    ),
    Boundary(
        name="too_long",
        says="too long",
        pattern=r"\b(?:(?:too|very|extremely|really|overly|absurdly) long|overlong|"
        r"(?:thousands?|millions?) of characters|huge (?:text|string))\b",
        types=("string",),
    ),
    Boundary(
        name="maximum",
        says="at its maximum",
        pattern=r"\b(?:maximum|max|largest|highest|upper (?:limit|bound)|"
        r"too (?:large|big|high|much|great))\b",
        types=("number", "integer", "string"),
    ),
    Boundary(
        name="too_large",
        says="above its maximum",
        pattern=r"\b(?:too (?:large|big|high|much|great|many)|huge|enormous|gigantic|exceed\w*|"
        r"(?:above|over|beyond|past|more than|higher than) (?:what |the |its |our |a )?"
        r"(?:\w+ ){0,2}(?:max\w*|limit|allow\w*|permit\w*|highest|largest|most|cap|ceiling)|"
        r"overflow\w*|astronomical)\b",
        types=("number", "integer", "string"),
    ),
    Boundary(
        name="too_small",
        says="below its minimum",
        pattern=r"\b(?:too (?:small|low|little|short)|below (?:the |its )?min\w*|minimum|min)\b",
        types=("number", "integer", "string"),
    ),
    Boundary(
        name="wrong_type",
        says="of the wrong type",
        pattern=r"\b(?:wrong type|not a number|(?:a )?(?:text|string|word|letters?) "
        r"(?:instead of|rather than|for|as)|non-?numeric|an? (?:object|array|list) instead)\b",
        types=(),
        mode="wrong_type",
    ),
)
_BY_NAME = {boundary.name: boundary for boundary in BOUNDARIES}
_LITERAL = re.compile(r"(?:\bis|\bof|\bto|\bat|=|\bwith)\s+(-?\d{1,15}(?:\.\d{1,6})?)(?![\w.])")


_BELOW_ZERO = re.compile(r"(?<![\w.-])(-\d{1,15}(?:\.\d{1,6})?)(?![\w.-])")
_WITHOUT = re.compile(r"\bwith(?:out| no) (?:an? |any |the |its |their )?([a-z_]+)")


class EdgeValue(Struct, frozen=True, kw_only=True):
    """What to put into a field, or `absent` to leave the field out."""

    boundary: str
    says: str
    value: Any = None
    absent: bool = False


def asked(text: str) -> tuple[str, ...]:
    """Names of the boundaries that TEXT asks for, the clearest first; `literal:5` for a number."""
    low = text.lower()
    found = [b.name for b in BOUNDARIES if re.search(b.pattern, low)]
    # `below zero` is about negative numbers; `too high` about the far side before the edge.
    if "negative" in found and "zero" in found:
        found.remove("zero")
    if "too_large" in found and "maximum" in found:
        found.remove("maximum")
        found.append("maximum")
    below = [n.value for n in numbers(low) if n.value < 0 and not n.unit]
    if below and "negative" in found and "negative" not in low:
        found[found.index("negative")] = f"literal:{below[0]}"  # `minus three hundred`
        return tuple(found)
    literal = _LITERAL.search(low) or _BELOW_ZERO.search(low)
    if literal is not None and float(literal[1]) != 0:
        found.append(f"literal:{literal[1]}")
    return tuple(found)


def mode_of(name: str) -> FailureModeName:
    """The failure mode that the boundary NAME is a case of."""
    return "boundary" if name.startswith("literal:") else _BY_NAME[name].mode


def left_out(text: str) -> str:
    """What TEXT says something is without, a field perhaps: `refund without a reason`."""
    found = _WITHOUT.search(text.lower())
    return found[1] if found else ""


def wanted(text: str) -> tuple[str, ...]:
    """`asked`, or else `missing` for what is left out."""
    return asked(text) or (("missing",) if left_out(text) else ())


def fits(name: str, types: frozenset[str]) -> bool:
    """Whether the boundary NAME makes sense for a field of TYPES; unknown types: it may."""
    if name.startswith("literal:"):
        return not types or bool(types & {"number", "integer"})
    wanted = _BY_NAME[name].types
    return not types or not wanted or bool(types & set(wanted))


def words_of(name: str) -> str:
    """How a title says the boundary NAME."""
    return name.removeprefix("literal:") if ":" in name else _BY_NAME[name].says


def edge_value(
    name: str, *, schema: Mapping[str, Any], types: frozenset[str], usual: Any
) -> EdgeValue | None:
    """The value that the boundary NAME is, for a field of TYPES under SCHEMA.

    USUAL is what production sends there. None when it cannot be made: no maximum is declared,
    say, for a value at the maximum.
    """
    value = _value(name, schema=schema, types=types, usual=usual)
    if name == "missing":
        return EdgeValue(boundary=name, says=words_of(name), absent=True)
    if value is _UNSET:
        return None
    return EdgeValue(boundary=name, says=words_of(name), value=value)


def _value(name: str, *, schema: Mapping[str, Any], types: frozenset[str], usual: Any) -> Any:
    if name.startswith("literal:"):
        text = name.removeprefix("literal:")
        return float(text) if "." in text else int(text)
    numeric = bool(types & {"number", "integer"}) or not types
    match name:
        case "zero":
            return 0
        case "negative":
            return -usual if _is_positive(usual) else -1
        case "empty":
            return [] if "array" in types else {} if "object" in types else ""
        case "too_long":
            return "x" * (int(schema.get("maxLength", LONG_TEXT_CHARACTERS - 1)) + 1)
        case "maximum":
            return _at_maximum(schema, numeric=numeric)
        case "too_large":
            return _above(schema, numeric=numeric)
        case "too_small":
            return _below(schema, numeric=numeric)
        case "wrong_type":
            return "not a number" if types & {"number", "integer"} else {"unexpected": True}
    return None


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _at_maximum(schema: Mapping[str, Any], *, numeric: bool) -> Any:
    if numeric and isinstance(schema.get("maximum"), int | float):
        return schema["maximum"]
    if not numeric and isinstance(schema.get("maxLength"), int):
        return "x" * min(schema["maxLength"], LONG_TEXT_CHARACTERS)
    return _UNSET


def _above(schema: Mapping[str, Any], *, numeric: bool) -> Any:
    if not numeric:
        return "x" * (int(schema.get("maxLength", LONG_TEXT_CHARACTERS - 1)) + 1)
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        return schema["exclusiveMaximum"]
    if isinstance(schema.get("maximum"), int | float):
        return schema["maximum"] + 1
    return LARGE_NUMBER


def _below(schema: Mapping[str, Any], *, numeric: bool) -> Any:
    if not numeric:
        least = int(schema.get("minLength", 1))
        return "x" * (least - 1)
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        return schema["exclusiveMinimum"]
    if isinstance(schema.get("minimum"), int | float):
        return schema["minimum"] - 1
    return -1
