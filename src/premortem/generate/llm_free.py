"""Which values of a request a model may make up, within which bounds, and how they go back in.

Identifiers, references, links, secrets and whatever has to fit a pattern are not invented: they
stay as the sampler drew them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from premortem.domain.references import says_reference
from premortem.domain.shape import Branch, Shape, type_of
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Field, OperationProfile

TEXT_MAX = 120
"""Longest text that is asked for, in characters."""
TEXT_MORE = 8
"""Characters by which it may be longer than all recorded ones."""
TEXT_UNSEEN = 40
"""Where neither traffic nor specification says how long."""
LEAVES_MAX = 24
"""Values asked for in one request; the first ones, in its order."""
ITEMS_MAX = 3
"""Items of one array that are asked for; the others stay as drawn."""
CHOICES_MAX = 30
PROSE_SHARE = 0.5
"""From this share of values with a space in them on, a text is prose: few were seen, but nobody
takes that for a closed set."""
LINES_MAX = 24
"""Fields described in a prompt."""
CONSTANT_SEEN = 5
"""Requests from which a value that was always the same counts as fixed."""

_OPAQUE = frozenset({"uuid", "hex", "digits", "token", "uri", "url", "ipv4"})
_ASKED_FORMATS = frozenset({"date", "date-time", "email"})
_YEAR = re.compile(r"(\d{4})-\d\d-\d\d")
Pointer = tuple[str, ...]
Ask = dict[str, Any]
"""A JSON Schema of the keywords that `models.grammar` knows."""


class FreePlaces:
    """What of one operation's body is free."""

    def __init__(
        self, operation: OperationProfile, shape: Shape | None, *, fixed: frozenset[Pointer]
    ) -> None:
        """FIXED: pointers (`*` for items) of values that name existing things."""
        self._shape, self._fixed = shape, fixed
        self._fields = {f.place.tokens: f for f in operation.fields if f.place.part == "body"}
        self._known: dict[tuple[Pointer, str], Ask | None] = {}

    def ask(self, value: Any, kept: frozenset[Pointer] = frozenset()) -> Ask | None:
        """What is to be asked for a body like VALUE; None when nothing in it is free but choices
        from closed sets, which the sampler draws as well.

        KEPT: concrete pointers that stay, with all below them.
        """
        left = [LEAVES_MAX]
        found = self._ask(value, (), (), kept, left)
        return found if _open(found) else None

    def _ask(
        self, value: Any, at: Pointer, generic: Pointer, kept: frozenset[Pointer], left: list[int]
    ) -> Ask | None:
        if at in kept:
            return None
        if isinstance(value, dict):
            inner = {
                name: found
                for name, item in value.items()
                if (found := self._ask(item, (*at, name), (*generic, name), kept, left))
            }
            return _object(inner) if inner else None
        if isinstance(value, list):
            if not value:
                return None
            items = self._ask(value[0], (*at, "0"), (*generic, "*"), kept, left)
            size = min(len(value), ITEMS_MAX)
            return items and {"type": "array", "items": items, "minItems": size, "maxItems": size}
        if left[0] <= 0:
            return None
        found = self.scalar(generic, value)
        left[0] -= found is not None
        return found

    def scalar(self, generic: Pointer, value: Any) -> Ask | None:
        """The bounds of a value like VALUE at GENERIC; None when it is not free."""
        key = (generic, type_of(value))
        if key not in self._known:
            self._known[key] = self._scalar(generic, value)
        return self._known[key]

    def _scalar(self, generic: Pointer, value: Any) -> Ask | None:
        field = self._fields.get(generic)
        name = next((token for token in reversed(generic) if token != "*"), "")  # noqa: S105
        if value is None or generic in self._fixed or says_reference(name):
            return None
        if field is not None and not _varies(field):
            return None
        shape = self._shape.at(generic) if self._shape is not None else None
        kind = type_of(value)
        branch = (shape.branch(kind) or {}) if shape is not None else {}
        return scalar_ask(kind, field, branch)


def _open(ask: Ask | None) -> bool:
    """Whether ASK leaves anything to make up."""
    if ask is None or "enum" in ask or ask["type"] == "boolean":
        return False
    if ask["type"] == "object":
        return any(_open(inner) for inner in ask["properties"].values())
    return _open(ask["items"]) if ask["type"] == "array" else True


def _varies(field: Field) -> bool:
    if field.redacted or field.format in _OPAQUE:
        return False
    return not (field.distinct == 1 and field.seen >= CONSTANT_SEEN)


def _object(properties: Mapping[str, Ask]) -> Ask:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def scalar_ask(kind: str, field: Field | None, branch: Branch) -> Ask | None:
    """A value of the JSON type KIND as FIELD saw and BRANCH declares it; None: not askable."""
    if "const" in branch or branch.get("pattern"):
        return None
    if kind == "boolean":
        return {"type": "boolean"}
    closed = _choices(kind, field, branch)
    if closed is not None:
        return {"enum": closed} if len(closed) > 1 else None
    if kind in ("integer", "number"):
        return _number(kind, field, branch)
    return _text(field, branch) if kind == "string" else None


def _choices(kind: str, field: Field | None, branch: Branch) -> list[Any] | None:
    """The closed set of values; None when it is open."""
    seen = [msgspec.json.decode(text) for text, _ in field.values] if field is not None else []
    seen = [value for value in seen if type_of(value) == kind]
    if "enum" in branch:
        declared = [value for value in branch["enum"] if type_of(value) == kind]
        return ([v for v in seen if v in declared] or declared)[:CHOICES_MAX]
    if field is not None and field.enumeration and not _prose(seen):
        return seen[:CHOICES_MAX]
    return None


def _prose(values: list[Any]) -> bool:
    spaced = sum(isinstance(value, str) and " " in value.strip() for value in values)
    return spaced > 0 and spaced >= PROSE_SHARE * len(values)


def _number(kind: str, field: Field | None, branch: Branch) -> Ask | None:
    numbers = field.numbers if field is not None else None
    lows: list[Any] = [branch.get("minimum"), branch.get("exclusiveMinimum")]
    highs: list[Any] = [branch.get("maximum"), branch.get("exclusiveMaximum")]
    if numbers is not None and numbers.quantiles:
        lows.append(numbers.quantiles[0])
        highs.append(numbers.quantiles[-1])
    low = max((v for v in lows if _is_number(v)), default=math.inf)
    high = min((v for v in highs if _is_number(v)), default=-math.inf)
    if not low < high:
        return None
    if kind == "integer" or (numbers is not None and numbers.integral):
        return {"type": "integer", "minimum": int(low), "maximum": int(high)}
    decimals = numbers.decimals if numbers is not None else 2
    step = branch.get("multipleOf") or 10.0**-decimals
    return {"type": "number", "minimum": low, "maximum": high, "multipleOf": step}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(field: Field | None, branch: Branch) -> Ask | None:
    form = branch.get("format") or (field.format if field is not None else "")
    seen = [msgspec.json.decode(text) for text, _ in field.values] if field is not None else []
    texts = [value for value in seen if isinstance(value, str)]
    if form in _ASKED_FORMATS:
        zoned = form != "date-time" or all(text.endswith("Z") for text in texts)
        return {"type": "string", "format": form, **_years(form, texts)} if zoned else None
    if form and form not in ("password", "byte", "binary", "text"):
        return None
    if form or any(holds_token(text) for text in texts):
        return None
    high = field.length_max + TEXT_MORE if field is not None and field.length_max else TEXT_UNSEEN
    high = min(high, branch.get("maxLength", high), TEXT_MAX)
    low = min(max(branch.get("minLength", 0), 1), high)
    if high < 1:
        return None
    ask: Ask = {"type": "string", "minLength": low, "maxLength": high}
    if all(text.isascii() for text in texts):
        ask["x-ascii"] = True
    return ask


def _years(form: str, texts: list[str]) -> Ask:
    years = [int(found[1]) for text in texts if (found := _YEAR.match(text))]
    return {"x-years": [min(years), max(years)]} if years and form != "email" else {}


def projected(value: Any, ask: Ask | None) -> Any:
    """What of VALUE has the places that ASK asks for; None: nothing."""
    if ask is None:
        return None
    if ask.get("type") == "object" and isinstance(value, dict):
        inner = {
            name: found
            for name, part in ask["properties"].items()
            if name in value and (found := projected(value[name], part)) is not None
        }
        return inner or None
    if ask.get("type") == "array" and isinstance(value, list):
        return [v for item in value[:ITEMS_MAX] if (v := projected(item, ask["items"])) is not None]
    if isinstance(value, dict | list) or (isinstance(value, str) and holds_token(value)):
        return None
    return value


def merged(value: Any, answer: Any) -> Any:
    """VALUE with what ANSWER holds at the same places."""
    if isinstance(value, dict) and isinstance(answer, dict):
        return {
            name: merged(item, answer[name]) if name in answer else item
            for name, item in value.items()
        }
    if isinstance(value, list) and isinstance(answer, list):
        paired = [merged(a, b) for a, b in zip(value, answer, strict=False)]
        return [*paired, *value[len(paired) :]]
    return answer


def described(ask: Ask) -> list[str]:
    """Lines that say in words what ASK's places are; at most LINES_MAX."""
    lines: list[str] = []
    _describe(ask, "", lines.append)
    return lines[:LINES_MAX]


def _describe(ask: Ask, at: str, say: Callable[[str], None]) -> None:
    if ask.get("type") == "object":
        for name, inner in ask["properties"].items():
            _describe(inner, f"{at}/{name}", say)
    elif ask.get("type") == "array":
        _describe(ask["items"], f"{at}/*", say)
    elif "enum" in ask:
        choices = ", ".join(msgspec.json.encode(value).decode() for value in ask["enum"][:8])
        say(f"{at}: one of {choices}")
    elif ask["type"] in ("integer", "number"):
        say(f"{at}: {ask['type']} from {ask['minimum']:g} to {ask['maximum']:g}")
    elif ask["type"] == "string":
        form = ask.get("format")
        say(f"{at}: {form}" if form else f"{at}: text, at most {ask['maxLength']} characters")
    else:
        say(f"{at}: {ask['type']}")
