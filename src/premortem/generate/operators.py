"""Ways to break one value: each operator names the constraint it breaks, or says that it breaks
none and only asks for trouble.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from premortem.domain.shape import Branch, Shape, types_of
from premortem.domain.traffic import Field

LONG_TEXT = 10_000
"""Characters of a very long text where no limit is declared."""
DECLARED_LENGTH_MAX = 100_000
"""A declared limit above this is not exceeded: it would test the transport."""
ACCEPTED_MIN = 20
"""Requests from which a learned regularity counts as evidence of a constraint."""


class Broken(Struct, frozen=True, kw_only=True):
    """A value to put in a place, and what that breaks."""

    name: str
    """The schema keyword broken (`minimum`, `type`, `required`), or the operator's own name."""
    value: Any = None
    absent: bool = False
    """Take the value away instead."""
    extra: str = ""
    """Add a property of this name to the object at the place instead."""
    keyword: str = ""
    """The declared keyword that must fail; empty: the mutant must stay valid, or nothing is
    declared about it."""


WRONG_FORMAT = {
    "date": ("2024-13-45", "not-a-date"),
    "date-time": ("2024-13-45T99:00:00Z", "yesterday"),
    "uuid": ("not-a-uuid", "00000000-0000-0000-0000-00000000000g"),
    "email": ("no-at-sign", "@"),
    "ipv4": ("999.1.1.1",),
}
"""Formats whose violation a service is expected to notice; the rest are annotations."""

TROUBLE = (
    ("unicode", "Ünïcödé ✓ 中文 שלום"),
    ("emoji", "🧾💶👩‍🚀"),
    ("control characters", "a\u0001b\tc\u007f"),
    ("quotes", "' OR '1'='1\" -- ;"),
    ("markup", "<b>x</b>{{7*7}}${7}%s%n"),
    ("zero byte", "a\u0000b"),
    ("whitespace", "   "),
    ("decomposed accents", "Zoe\u0308 Cafe\u0301"),
    ("right to left", "\u202eabc\u202c\u2066x\u2069"),
    ("invisible characters", "a\u200b\ufeff\u00adb"),
    ("path", "../../etc/passwd"),
    ("digits", "0"),
)
"""Texts that break no constraint and still trip services."""

BY_FORMAT: dict[str, tuple[tuple[str, str], ...]] = {
    "date": (
        ("leap day", "2024-02-29"),
        ("last day of a year", "2024-12-31"),
        ("first day there is", "0001-01-01"),
        ("last day there is", "9999-12-31"),
    ),
    "date-time": (
        ("leap second", "2016-12-31T23:59:60Z"),
        ("widest zone", "2024-01-01T00:00:00+14:00"),
        ("hour that a clock change skips", "2024-03-31T02:30:00+01:00"),
        ("many decimals", "2024-01-01T00:00:00.123456789Z"),
        ("last moment there is", "9999-12-31T23:59:59Z"),
    ),
    "email": (
        ("tag", "a+b@example.com"),
        ("upper case", "ANN@EXAMPLE.COM"),
        ("long", f"{'a' * 64}@example.com"),
    ),
    "uuid": (
        ("nil", "00000000-0000-0000-0000-000000000000"),
        ("upper case", "7F9C24E5-2D3F-4F7E-9D0A-0B6F3B6F6C11"),
    ),
}
"""Valid texts by format that services still stumble over; what is declared is checked apart."""

EXTREMES: tuple[tuple[str, int | float], ...] = (
    ("largest exact float plus one", 2**53 + 1),
    ("largest 32-bit integer plus one", 2**31),
    ("largest 64-bit integer", 2**63 - 1),
    ("largest 64-bit integer plus one", 2**63),
)
FRACTIONS: tuple[tuple[str, float], ...] = (
    ("many decimals", 1.23456789),
    ("half a cent", 0.005),
    ("binary fraction", 0.1 + 0.2),
    ("negative zero", -0.0),
    ("smallest", 5e-324),
    ("largest", 1.7976931348623157e308),
)
"""Money and other fractions where rounding shows."""

# A lenient service reads `"12"` as 12 and `1` as true, so only values that no reading
# of the right type could mean are taken.
_OTHER_TYPES: dict[str, tuple[Any, ...]] = {
    "integer": ("not-a-number", [1], {"value": 1}),
    "number": ("not-a-number", [1], {"value": 1}),
    "boolean": ("neither", [True], {"value": True}),
    "string": ({"value": "x"}, ["x"], 12345),
    "array": ("not-a-list", {"0": 1}),
    "object": ("not-an-object", [1]),
    "null": ("x",),
}


def breaks_of(
    shape: Shape | None, field: Field | None, *, required: bool, original: Any
) -> Iterator[Broken]:
    """What can be done to ORIGINAL, which SHAPE declares and FIELD saw."""
    branches = shape.branches if shape is not None else ()
    types = shape.types if shape is not None else frozenset()
    kind = _kind(original)
    yield from _type_breaks(types, kind, field)
    if required:
        yield Broken(name="required", absent=True, keyword="required")
    elif shape is not None:
        yield Broken(name="absent", absent=True)
    for branch in branches:
        yield from _branch_breaks(branch, kind)
    yield from _trouble(kind, branches, field)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def _type_breaks(types: frozenset[str], kind: str, field: Field | None) -> Iterator[Broken]:
    declared = bool(types) and len(types) < 7
    evident = field is not None and field.seen >= ACCEPTED_MIN and len(field.types) == 1
    keyword = "type" if declared else ""
    if declared or evident:
        for value in _OTHER_TYPES[kind]:
            yield Broken(name="type", value=value, keyword=keyword)
    if "null" not in types:
        yield Broken(name="null", value=None, keyword=keyword)


def _branch_breaks(branch: Branch, kind: str) -> Iterator[Broken]:
    allowed = types_of(branch)
    if kind in ("integer", "number") and {"integer", "number"} & set(allowed):
        yield from _number_breaks(branch, integral="number" not in allowed)
    if kind == "string" and "string" in allowed:
        yield from _string_breaks(branch)
    if "enum" in branch and kind == "string":
        yield Broken(name="enum", value="none-of-them", keyword="enum")
    if kind == "array" and "array" in allowed and branch.get("minItems", 0) > 0:
        yield Broken(name="minItems", value=[], keyword="minItems")
    if kind == "object" and branch.get("additionalProperties") is False:
        yield Broken(
            name="additionalProperties", extra="unknownProperty", keyword="additionalProperties"
        )


def _number_breaks(branch: Branch, *, integral: bool) -> Iterator[Broken]:
    step = branch.get("multipleOf") or (1 if integral else 0.01)
    for keyword, sign in (("minimum", -1), ("maximum", 1)):
        if keyword in branch:
            limit = branch[keyword]
            yield Broken(name=f"{keyword} boundary", value=limit)
            yield Broken(name=keyword, value=_tidy(limit + sign * step), keyword=keyword)
            if keyword == "minimum" and limit >= 0:
                yield Broken(name=keyword, value=_tidy(limit - 1 - limit), keyword=keyword)
    for keyword, sign in (("exclusiveMinimum", -1), ("exclusiveMaximum", 1)):
        limit = branch.get(keyword)
        if isinstance(limit, int | float) and not isinstance(limit, bool):
            yield Broken(name=keyword, value=limit, keyword=keyword)
            yield Broken(name=keyword, value=_tidy(limit + sign), keyword=keyword)
            yield Broken(name=f"{keyword} boundary", value=_tidy(limit - sign * step))
    if "multipleOf" in branch:
        value = _tidy(branch["multipleOf"] * 3 + branch["multipleOf"] / 10)
        yield Broken(name="multipleOf", value=value, keyword="multipleOf")
    if integral:
        yield Broken(name="type", value=1.5, keyword="type")


def _tidy(value: float) -> float:
    return value if isinstance(value, int) else round(value, 9)


def _string_breaks(branch: Branch) -> Iterator[Broken]:
    if "minLength" in branch and branch["minLength"] > 0:
        short = "x" * (branch["minLength"] - 1)
        yield Broken(name="minLength", value=short, keyword="minLength")
        yield Broken(name="minLength boundary", value="x" * branch["minLength"])
    if "maxLength" in branch and branch["maxLength"] <= DECLARED_LENGTH_MAX:
        yield Broken(name="maxLength", value="x" * (branch["maxLength"] + 1), keyword="maxLength")
        yield Broken(name="maxLength boundary", value="x" * branch["maxLength"])
    for value in WRONG_FORMAT.get(branch.get("format", ""), ()):
        yield Broken(name="format", value=value, keyword="format")
    if "pattern" in branch:
        yield Broken(name="pattern", value="\u00a7 breaks the pattern \u00a7", keyword="pattern")


def _trouble(kind: str, branches: tuple[Branch, ...], field: Field | None) -> Iterator[Broken]:
    """What breaks no declared constraint; a correct service answers without a server error."""
    if kind == "string":
        if not any("enum" in b or "const" in b for b in branches):
            yield from _text_trouble(branches, field)
    elif kind in ("integer", "number"):
        yield Broken(name="zero", value=0)
        yield Broken(name="negative", value=-1)
        yield Broken(name="huge number", value=10**18)
        yield from (Broken(name=name, value=number) for name, number in EXTREMES)
        fractions = field is not None and field.numbers and not field.numbers.integral
        if kind == "number" or fractions:
            yield from (Broken(name=name, value=fraction) for name, fraction in FRACTIONS)
    elif kind == "array":
        yield Broken(name="empty array", value=[])


def _text_trouble(branches: tuple[Branch, ...], field: Field | None) -> Iterator[Broken]:
    if not any(b.get("minLength", 0) > 0 for b in branches):
        yield Broken(name="empty text", value="")
    yield from (Broken(name=name, value=text) for name, text in TROUBLE)
    yield Broken(name="very long text", value="x" * LONG_TEXT)
    form = next((b["format"] for b in branches if "format" in b), field.format if field else "")
    for name, text in BY_FORMAT.get(form, ()):
        yield Broken(name=f"{form} {name}", value=text)
    if not any("format" in b for b in branches):
        # Only traffic says what it is: whether it has to be one, nobody knows.
        yield from (Broken(name=f"no {form}", value=text) for text in WRONG_FORMAT.get(form, ()))
    if field is not None and field.enumeration:
        yield Broken(name="value never seen", value="none-of-them")
