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
)
"""Texts that break no constraint and still trip services."""

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
        closed = any("enum" in b or "const" in b for b in branches)
        if closed:
            return
        if not any(b.get("minLength", 0) > 0 for b in branches):
            yield Broken(name="empty text", value="")
        for name, text in TROUBLE:
            yield Broken(name=name, value=text)
        yield Broken(name="very long text", value="x" * LONG_TEXT)
        if field is not None and field.enumeration:
            yield Broken(name="value never seen", value="none-of-them")
    elif kind in ("integer", "number"):
        yield Broken(name="zero", value=0)
        yield Broken(name="negative", value=-1)
        yield Broken(name="huge number", value=10**18)
        if kind == "number" or (field is not None and field.numbers and not field.numbers.integral):
            yield Broken(name="many decimals", value=1.23456789)
    elif kind == "array":
        yield Broken(name="empty array", value=[])
