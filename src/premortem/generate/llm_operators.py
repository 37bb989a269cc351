"""What a model may be asked to do to one value, and whether it did exactly that.

Each operator has words for the prompt, a schema for the answer, and a test of the result: a
model's word that it did as asked is not taken for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from premortem.domain.relations import Correlation
from premortem.domain.shape import Branch, type_of
from premortem.domain.traffic import Field

TEXT_MAX = 80
"""Characters of a text that a model puts in."""
NUMBER_MAX = 10**9
YEARS_AROUND = 10
"""Years before and after the recorded ones that a date may be moved by."""
PAIRS_MAX = 24
"""Pairs of fields offered for a swap."""

_SIGNS = re.compile(
    r"""['"`;<>{}$|\\]|--|\.\./|%[0-9a-f]{2}|\b(select|union|drop|script)\b""", re.I
)
_WORDS = re.compile(r"\w+")
_YEAR = re.compile(r"(\d{4})-\d\d-\d\d")
Pointer = tuple[str, ...]


class Spot(Struct, frozen=True, kw_only=True):
    """A value of one request that may be changed, with what is known of its place."""

    tokens: Pointer
    value: Any
    field: Field | None
    branch: Branch
    correlations: tuple[Correlation, ...] = ()
    """Of its operation."""

    @property
    def kind(self) -> str:
        """The value's JSON type, `date` for texts that begin like one."""
        if isinstance(self.value, str) and _YEAR.match(self.value):
            return "date"
        return type_of(self.value)

    @property
    def known(self) -> list[Any]:
        """Recorded values here."""
        return [msgspec.json.decode(t) for t, _ in self.field.values] if self.field else []

    @property
    def bounds(self) -> tuple[float, float]:
        """The declared range of a number, else the recorded one; of a text its length's."""
        branch, field = self.branch, self.field
        if self.kind in ("integer", "number"):
            low = branch.get("minimum", branch.get("exclusiveMinimum"))
            high = branch.get("maximum", branch.get("exclusiveMaximum"))
            seen = field.numbers.quantiles if field is not None and field.numbers else ()
            low = low if low is not None else seen[0] if seen else -math.inf
            return low, high if high is not None else seen[-1] if seen else math.inf
        longest = field.length_max if field is not None else 0
        return branch.get("minLength", 0), branch.get("maxLength", longest or math.inf)


Schema = dict[str, Any]


class Operator(Struct, frozen=True, kw_only=True):
    """One way to change a request."""

    name: str
    explanation: str
    value: Callable[[Spot], Schema | None]
    """What the new value may be; None: it does not apply here."""
    holds: Callable[[Spot, Any, dict[Pointer, Any]], bool]
    """(what was changed, its new value, all values of the request) -> whether that is it."""


def _any(spot: Spot) -> Schema | None:
    """Any value of the same type, in its range or not."""
    if spot.kind in ("integer", "number"):
        step = {"multipleOf": 0.01} if spot.kind == "number" else {}
        return {"type": spot.kind, "minimum": -NUMBER_MAX, "maximum": NUMBER_MAX, **step}
    if spot.kind == "date":
        return _moved(spot)
    if spot.kind == "string":
        return {"type": "string", "minLength": 0, "maxLength": TEXT_MAX}
    return {"type": "boolean"} if spot.kind == "boolean" else None


def _moved(spot: Spot) -> Schema | None:
    year = int(spot.value[:4])
    form = "date-time" if len(spot.value) > len("2024-01-01") else "date"
    return {
        "type": "string",
        "format": form,
        "x-years": [year - YEARS_AROUND, year + YEARS_AROUND],
    }


def _text(spot: Spot) -> Schema | None:
    return {"type": "string", "minLength": 3, "maxLength": TEXT_MAX} if _is_text(spot) else None


def _is_text(spot: Spot) -> bool:
    return spot.kind == "string"


def _other(spot: Spot) -> Schema | None:
    """Another number, or another member of a closed set."""
    if spot.kind in ("integer", "number"):
        return _any(spot)
    members = spot.branch.get("enum") or (
        spot.known if spot.field is not None and spot.field.enumeration else []
    )
    others = [v for v in members if v != spot.value and type_of(v) == type_of(spot.value)]
    return {"enum": others[:PAIRS_MAX]} if others else None


def _at_boundary(spot: Spot, new: Any, _all: dict[Pointer, Any]) -> bool:
    if spot.kind in ("integer", "number"):
        low, high = spot.bounds
        return new <= low or new >= high or new in (0, -1)
    if spot.kind == "date":
        return _beyond_dates(spot, new)
    if spot.kind == "string":
        low, high = spot.bounds
        return len(new) <= low or len(new) >= high or not new
    return False


def _beyond_dates(spot: Spot, new: str) -> bool:
    dates = [v for v in spot.known if isinstance(v, str) and _YEAR.match(v)]
    return bool(dates) and not min(dates) <= new <= max(dates)


def _means_otherwise(spot: Spot, new: Any, _all: dict[Pointer, Any]) -> bool:
    """Out of what was recorded: numbers and dates beyond, texts without a word of any."""
    if spot.kind in ("integer", "number"):
        seen = spot.field.numbers.quantiles if spot.field and spot.field.numbers else ()
        return bool(seen) and not seen[0] <= new <= seen[-1]
    if spot.kind == "date":
        return _beyond_dates(spot, new)
    words = {w.lower() for v in spot.known if isinstance(v, str) for w in _WORDS.findall(v)}
    found = {w.lower() for w in _WORDS.findall(new)} if isinstance(new, str) else set()
    return bool(words) and bool(found) and not words & found


def _in_other_unit(spot: Spot, new: Any, _all: dict[Pointer, Any]) -> bool:
    """A number by a power of ten, or another member of the closed set."""
    if spot.kind not in ("integer", "number"):
        return bool(new != spot.value)
    if not spot.value or not new or new == spot.value:
        return False
    power = math.log10(abs(new / spot.value))
    return math.isclose(power, round(power), abs_tol=1e-9) and round(power) != 0


def _contradicts(spot: Spot, new: Any, everything: dict[Pointer, Any]) -> bool:
    """Together with another field's value it makes a pair that production never sent, of two
    whose values go together."""
    for correlation in spot.correlations:
        places = (correlation.first.tokens, correlation.second.tokens)
        if correlation.kind != "set" or spot.tokens not in places:
            continue
        pair = tuple(
            msgspec.json.encode(new if place == spot.tokens else everything.get(place)).decode()
            for place in places
        )
        if pair not in {(a, b) for a, b, _ in correlation.pairs}:
            return True
    return False


def _injects(spot: Spot, new: Any, _all: dict[Pointer, Any]) -> bool:
    before = spot.value if isinstance(spot.value, str) else ""
    return isinstance(new, str) and bool(_SIGNS.search(new)) and not _SIGNS.search(before)


OPERATORS = (
    Operator(
        name="boundary",
        explanation="Set one value to its limit or just beyond it: zero, the largest number, an "
        "empty text, a very long text.",
        value=_any,
        holds=_at_boundary,
    ),
    Operator(
        name="wrong meaning",
        explanation="Set one value to something that has the right form but makes no sense there.",
        value=_any,
        holds=_means_otherwise,
    ),
    Operator(
        name="unit switch",
        explanation="Switch one value to another unit or currency, like cents for whole ones: "
        "multiply or divide a number by 100 or 1000, or name another unit.",
        value=_other,
        holds=_in_other_unit,
    ),
    Operator(
        name="contradiction",
        explanation="Change one value so that it contradicts another one of the same request.",
        value=lambda spot: (_other(spot) or _any(spot)) if spot.correlations else None,
        holds=_contradicts,
    ),
    Operator(
        name="injection",
        explanation="Put a text into one value that attacks: SQL like ' OR 1=1 --, a script tag, "
        "a template like {{7*7}}, a path like ../../etc/passwd.",
        value=_text,
        holds=_injects,
    ),
)
"""`swap` is the sixth: it changes two values at once, see `llm_mutate`."""
SWAP = "swap"
SWAP_EXPLANATION = "Swap the values of two fields, so that each has the other's."
