"""What can be done to one place of a schema: candidates that break one keyword, and candidates
that stand at a limit and break none.

Candidates only: whether one breaks what it aims at, and nothing else, is for the validator to
say (`generate.breaks`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from premortem.domain.shape import Branch, Shape, type_of, types_of
from premortem.generate.filler import ITEMS_MAX, NOTHING, Filler, kinds_of, read_only, tidy
from premortem.generate.texts import FORMATS, TEXT_MAX, WRONG, padded, texts, unicode_text
from premortem.generate.walk import Spot

UNKNOWN_MEMBER = "unknownProperty"

OTHER_TYPES: dict[str, tuple[Any, ...]] = {
    "integer": ("not-a-number", 1.5, [1], {"value": 1}),
    "number": ("not-a-number", [1], {"value": 1}),
    "boolean": ("neither", [True], {"value": True}),
    "string": ({"value": "x"}, ["x"], 12345),
    "array": ("not-a-list", {"0": 1}),
    "object": ("not-an-object", [1]),
    "null": ("x",),
}
"""Values of another type that a lenient reader cannot mean: `"12"` may be read as 12."""


class Change(Struct, frozen=True, kw_only=True):
    """One thing done to a valid value."""

    at: tuple[str, ...]
    """The place changed; a member may be added there or taken away."""
    value: Any = None
    drop: bool = False
    keyword: str = ""
    """What it aims to break; empty: the value stays valid."""
    operator: str
    """What is done, in a word or two."""
    rank: int = 1
    """Lower ones are made first: 0 tells most, 2 least."""


def broken(spot: Spot, filler: Filler) -> Iterator[Change]:
    """Ways to break one keyword at SPOT."""
    kinds = kinds_of(spot.branch)
    yield from _types(spot, kinds)
    yield from _closed_sets(spot)
    if isinstance(spot.here, int | float) and not isinstance(spot.here, bool):
        yield from _numbers(spot)
    elif isinstance(spot.here, str):
        yield from _strings(spot)
    elif isinstance(spot.here, list):
        yield from _arrays(spot, filler)
    elif isinstance(spot.here, dict):
        yield from _objects(spot, filler)
    if len(spot.shape.branches) > 1:
        yield from _more_than_one(spot, filler)


def _change(spot: Spot, keyword: str, value: Any, operator: str = "", rank: int = 0) -> Change:
    return Change(at=spot.at, value=value, keyword=keyword, operator=operator or keyword, rank=rank)


def _types(spot: Spot, kinds: tuple[str, ...]) -> Iterator[Change]:
    allowed = spot.shape.types
    for index, value in enumerate(OTHER_TYPES[kinds[0] if kinds else "null"]):
        kind = type_of(value)
        if kind not in allowed and not (kind == "integer" and "number" in allowed):
            yield _change(spot, "type", value, f"type {kind}", rank=0 if index == 0 else 2)
    if "null" not in allowed:
        yield _change(spot, "type", None, "null", rank=1)


def _closed_sets(spot: Spot) -> Iterator[Change]:
    for keyword in ("enum", "const"):
        if keyword not in spot.branch:
            continue
        values = spot.branch["enum"] if keyword == "enum" else [spot.branch["const"]]
        strings = [v for v in values if isinstance(v, str)]
        numbers = [v for v in values if type_of(v) in ("integer", "number")]
        if strings:
            yield _change(spot, keyword, "none-of-them", f"{keyword} unknown")
            turned = strings[0].swapcase()
            if turned not in values:
                yield _change(spot, keyword, turned, f"{keyword} other case", rank=1)
            yield _change(spot, keyword, strings[0] + " ", f"{keyword} with a space", rank=2)
        if numbers:
            yield _change(spot, keyword, max(numbers) + 1, f"{keyword} unknown")
        if len(values) == 1 and isinstance(values[0], bool):
            yield _change(spot, keyword, not values[0], f"{keyword} other")


def _limit(branch: Branch, keyword: str) -> Any:
    value = branch.get(keyword)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _step(branch: Branch) -> Any:
    integral = "number" not in types_of(branch)
    return branch.get("multipleOf") or (1 if integral else 0.01)


def _numbers(spot: Spot) -> Iterator[Change]:
    branch, step = spot.branch, _step(spot.branch)
    for keyword, sign in (("minimum", -1), ("maximum", 1)):
        limit = _limit(branch, keyword)
        if limit is not None:
            yield _change(spot, keyword, tidy(limit + sign * step))
            yield _change(spot, keyword, _multiple(limit, step, sign), rank=1)
            yield _change(spot, keyword, tidy(limit + sign * 1000 * step), f"{keyword} far", 2)
    for keyword, sign in (("exclusiveMinimum", -1), ("exclusiveMaximum", 1)):
        limit = _limit(branch, keyword)
        if limit is not None:
            yield _change(spot, keyword, limit)
            yield _change(spot, keyword, _multiple(limit, step, sign), rank=1)
            yield _change(spot, keyword, tidy(limit + sign * step), f"{keyword} beyond", 1)
    if branch.get("multipleOf"):
        for part in (10, 2, 3):
            yield _change(spot, "multipleOf", tidy(spot.here + step / part))
            yield _change(spot, "multipleOf", tidy(spot.here - step / part))
        yield _change(spot, "multipleOf", spot.here + 1)


def _multiple(limit: Any, step: Any, sign: int) -> Any:
    """The next multiple of STEP beyond LIMIT."""
    return tidy((limit // step + (sign if sign > 0 else (-1 if limit % step == 0 else 0))) * step)


def _strings(spot: Spot) -> Iterator[Change]:
    branch = spot.branch
    low, high = branch.get("minLength", 0), branch.get("maxLength")
    if low > 0 and low <= TEXT_MAX:
        if low > 1:
            yield _change(spot, "minLength", "", "empty text", rank=2)
        for text in (spot.here[: low - 1], *texts(branch, low - 1)):
            if len(text) == low - 1:
                yield _change(spot, "minLength", text)
    if isinstance(high, int) and high < TEXT_MAX:
        longer = {**branch, "maxLength": high + 1}
        for text in (*texts(longer, high + 1), padded(spot.here, high + 1)):
            if len(text) > high:
                yield _change(spot, "maxLength", text)
    form = branch.get("format")
    for index, text in enumerate(WRONG.get(form, ()) if isinstance(form, str) else ()):
        fitted = text if len(text) >= low else padded(text + "-", low)
        yield _change(spot, "format", fitted[:high], f"format {form}", rank=0 if index == 0 else 2)
    if isinstance(branch.get("pattern"), str):
        yield from _off_pattern(spot, low, high)


def _off_pattern(spot: Spot, low: int, high: int | None) -> Iterator[Change]:
    """Texts of an allowed length, near one that fits."""
    here = spot.here
    tries = [here[:-1] + "§", "§" + here[1:], here.swapcase(), " " + here[1:], here + "!"]
    tries += ["§" * max(1, low), padded("!", max(low, 1)), "0" * max(1, low), ""]
    for text in tries:
        if len(text) >= low and (high is None or len(text) <= high):
            yield _change(spot, "pattern", text)


def _arrays(spot: Spot, filler: Filler) -> Iterator[Change]:
    branch, here = spot.branch, spot.here
    low, high = branch.get("minItems", 0), branch.get("maxItems")
    if low > 0:
        yield _change(spot, "minItems", here[: low - 1])
        yield _change(spot, "minItems", [], "empty array", rank=1)
    if isinstance(high, int) and high < ITEMS_MAX:
        for items in (here + _further(here, branch, spot, filler, high + 1 - len(here)),):
            yield _change(spot, "maxItems", items)
    if branch.get("uniqueItems"):
        items = here or _further([], branch, spot, filler, 1)
        if items:
            yield _change(spot, "uniqueItems", [*items, items[0]])
            yield _change(spot, "uniqueItems", [*items[:-1], items[0]], rank=1)
    if branch.get("items") is False or "prefixItems" in branch:
        yield _change(spot, "items", [*here, UNKNOWN_MEMBER], "item too many", rank=1)


def _further(here: list[Any], branch: Branch, spot: Spot, filler: Filler, count: int) -> list[Any]:
    """COUNT more items beside HERE, distinct where they have to be."""
    if count <= 0:
        return []
    if not branch.get("uniqueItems") and here:
        return [here[-1]] * count
    made = filler.items(branch, spot.at, count + len(here))
    if made is NOTHING:
        return []
    fresh: list[Any] = [item for item in made if item not in here]
    return fresh[:count]


def _objects(spot: Spot, filler: Filler) -> Iterator[Change]:
    branch, here = spot.branch, spot.here
    for name in branch.get("required", ()):
        if name in here:
            yield _member(spot, name, "required", drop=True)
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if branch.get(keyword) is False:
            yield _member(spot, UNKNOWN_MEMBER, keyword, "x", rank=1)
    if "propertyNames" in branch:
        extra = Shape(branch, filler.root).member(UNKNOWN_MEMBER)
        value = filler.value(extra, (*spot.at, UNKNOWN_MEMBER))
        for name in ("§ !", "0", "x" * 100, "") if value is not NOTHING else ():
            yield _member(spot, name, "propertyNames", value, rank=1)
    yield from _counts(spot, filler)
    yield from _dependent(spot, filler)


def _member(
    spot: Spot, name: str, keyword: str, value: Any = None, *, drop: bool = False, rank: int = 0
) -> Change:
    """A member added, or taken away."""
    at = (*spot.at, name)
    return Change(at=at, value=value, drop=drop, keyword=keyword, operator=keyword, rank=rank)


def _dependent(spot: Spot, filler: Filler) -> Iterator[Change]:
    here = spot.here
    for trigger, needed in (spot.branch.get("dependentRequired") or {}).items():
        for name in needed:
            if trigger in here and name in here:
                yield _member(spot, name, "dependentRequired", drop=True)
        own = Shape(spot.branch, filler.root).member(trigger)
        if trigger not in here and not read_only(own):
            value = filler.value(own, (*spot.at, trigger))
            if value is not NOTHING:
                yield _member(spot, trigger, "dependentRequired", value)


def _counts(spot: Spot, filler: Filler) -> Iterator[Change]:
    branch, here = spot.branch, spot.here
    required = branch.get("required", ())
    low, high = branch.get("minProperties", 0), branch.get("maxProperties")
    if low > 0:
        kept = [n for n in here if n in required]
        kept += [n for n in here if n not in required]
        fewer = {name: here[name] for name in kept[: low - 1]}
        yield _change(spot, "minProperties", fewer)
    if isinstance(high, int) and high < ITEMS_MAX:
        own = Shape(branch, filler.root)
        names = [n for n in own.names if n not in here] + [f"key{i}" for i in range(high + 1)]
        more = dict(here)
        for name in names:
            if len(more) > high:
                break
            value = filler.value(own.member(name), (*spot.at, name))
            if value is not NOTHING and name not in more:
                more[name] = value
        yield _change(spot, "maxProperties", more)


def _more_than_one(spot: Spot, filler: Filler) -> Iterator[Change]:
    """What several alternatives allow at once: `oneOf` forbids it."""
    if not isinstance(spot.here, dict):
        return
    for other in spot.shape.branches:
        if other is not spot.branch and "object" in types_of(other):
            value = filler.of(other, spot.at)
            if isinstance(value, dict):
                yield _change(spot, "oneOf", {**value, **spot.here}, "two alternatives", rank=1)


Level = Literal[0, 1, 2]


NEAR_ZERO = {"zero": 0, "negative": -1, "one": 1}
"""Operator -> number at what is a limit for many a service that does not say so."""


def at_limits(spot: Spot, filler: Filler) -> Iterator[Change]:
    """Valid values at the limits of SPOT."""
    branch = spot.branch

    def valid(value: Any, operator: str, rank: Level = 1) -> Change:
        return Change(at=spot.at, value=value, operator=operator, rank=rank)

    if spot.chosen:
        yield valid(spot.here, "alternative", 0)
    for value in branch.get("enum", ()):
        yield valid(value, "enum value", 0)
    kinds = types_of(branch)
    if "boolean" in kinds and "enum" not in branch and len(kinds) < 4:
        yield from (valid(True, "true"), valid(False, "false"))
    if spot.shape.types >= {"null"} and len(spot.shape.types) < 7:
        yield valid(None, "null")
    if spot.optional and spot.at:
        yield Change(at=spot.at, drop=True, operator="absent", rank=2)
        yield valid(spot.here, "present", 1)
    if "enum" in branch or "const" in branch:
        return
    if isinstance(spot.here, int | float) and not isinstance(spot.here, bool):
        yield from (valid(v, name, rank) for v, name, rank in _number_limits(branch))
    elif isinstance(spot.here, str):
        yield from (valid(v, name, rank) for v, name, rank in _string_limits(branch))
    elif isinstance(spot.here, list):
        low, high = branch.get("minItems", 0), branch.get("maxItems")
        yield valid(spot.here[:low], "minItems boundary")
        if isinstance(high, int) and high <= ITEMS_MAX:
            more = _further(spot.here, branch, spot, filler, high - len(spot.here))
            yield valid([*spot.here, *more], "maxItems boundary")


def _number_limits(branch: Branch) -> Iterator[tuple[Any, str, Level]]:
    step = _step(branch)
    for keyword, sign in (("minimum", 1), ("maximum", -1)):
        limit = _limit(branch, keyword)
        if limit is not None:
            yield limit, f"{keyword} boundary", 0
            yield tidy(limit + sign * step), f"{keyword} and a step", 1
            yield _multiple(limit, step, sign), f"{keyword} multiple", 2
    for keyword, sign in (("exclusiveMinimum", 1), ("exclusiveMaximum", -1)):
        limit = _limit(branch, keyword)
        if limit is not None:
            yield tidy(limit + sign * step), f"{keyword} boundary", 0
            yield _multiple(limit, step, sign), f"{keyword} multiple", 2
    if not any(name in branch for name in ("minimum", "exclusiveMinimum")) or (
        (_limit(branch, "minimum") or 0) < 0
    ):
        # Where nothing is said of the sign, both ends of nothing are boundaries.
        yield from ((value, name, 1) for name, value in NEAR_ZERO.items())


def _string_limits(branch: Branch) -> Iterator[tuple[Any, str, Level]]:
    low, high = branch.get("minLength", 0), branch.get("maxLength")
    form = branch.get("format")
    if isinstance(form, str):
        yield from ((text, f"format {form}", 1) for text in FORMATS.get(form, ()))
    if "pattern" in branch:
        yield from ((text, "pattern", 1) for text in list(texts(branch))[:2])
    if low > 0:
        fitting = (t for t in texts(branch, low) if len(t) == low)
        yield from ((text, "minLength boundary", 0) for text in list(fitting)[:2])
    if isinstance(high, int) and high <= TEXT_MAX:
        fitting = (t for t in texts(branch, high) if len(t) == high)
        yield from ((text, "maxLength boundary", 0) for text in list(fitting)[:2])
        if form is None and "pattern" not in branch:
            yield unicode_text(high), "maxLength in unicode", 1
