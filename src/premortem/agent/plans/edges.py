"""Which values a question about a field means: edges, nothing at all, another type, not on the
list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.plans.given import value_given
from premortem.agent.plans.ground import Ground
from premortem.agent.understanding.boundaries import EdgeValue, edge_value, fits, mode_of, wanted
from premortem.agent.understanding.inputs import InputField, resolved
from premortem.agent.understanding.said import (
    LESS,
    MORE,
    example,
    has_many_decimals,
    numbers,
    quoted,
)
from premortem.domain.bodies import text_of
from premortem.domain.proposal import FailureModeName
from premortem.domain.traffic import OperationProfile
from premortem.generate.texts import WRONG

TEXT_CHARACTERS_MAX = 10_000
"""Of a text that a question asks for by its length."""
ADDRESS_CHARACTERS_MAX = 5_000
"""Of a text in a path or query, which a step has to hold in one line."""
ITEMS_MAX = 200
_NUMERIC = frozenset({"number", "integer"})
_SHOWN_CHARACTERS_MAX = 30
"""Of a value that a title repeats."""
_SAID_BY_KIND = frozenset({"negative", "zero", "null", "wrong_type"})
"""Edges whose name says enough of a value that the asker set."""


class Aim(Struct, frozen=True, kw_only=True):
    """Where an edge value is to stand."""

    ground: Ground
    operation: OperationProfile
    field: InputField
    base: Any
    """What the request holds there otherwise."""

    @property
    def types(self) -> frozenset[str]:
        """The field's JSON types, or those of what it holds."""
        return self.field.types or types_of_value(self.base)


def edges(mode: FailureModeName, aim: Aim) -> Iterator[EdgeValue]:
    """The values of MODE that the question asks for at AIM, the one meant first; a value that the
    asker set stands for it, alone."""
    set_ = value_given(aim.ground.understood.given, aim.field)
    for edge in _MAKERS[mode](aim):
        if set_:
            kept = edge.boundary in _SAID_BY_KIND and not edge.absent
            says = edge.says if kept else text_of(set_[0])[:_SHOWN_CHARACTERS_MAX]
            yield EdgeValue(boundary=edge.boundary, says=says, value=set_[0])
            return
        long = isinstance(edge.value, str) and len(edge.value) > ADDRESS_CHARACTERS_MAX
        if long and aim.field.place.part != "body":
            edge = replace(edge, value=edge.value[:ADDRESS_CHARACTERS_MAX])
        yield edge


def asked_names(ground: Ground, mode: FailureModeName) -> tuple[str, ...]:
    """The edge values of MODE that the question names."""
    understood = ground.understood
    names = understood.values or wanted(understood.prompt)
    return tuple(name for name in names if mode_of(name) == mode)


def _boundary(aim: Aim) -> Iterator[EdgeValue]:
    prompt, types = aim.ground.understood.prompt, aim.types
    all_names = asked_names(aim.ground, "boundary")
    names = [name for name in all_names if not name.startswith("literal:")]
    said = list(_sizes(aim))
    if types & _NUMERIC and (not names or len(names) < len(all_names)):
        said += _numbers(prompt, aim.field, types)
    yield from said
    if not said and not names and not _sided(prompt) and types & _NUMERIC:
        # An amount that is strange may be anything that amounts are not.
        yield EdgeValue(boundary="zero", says="zero", value=0)
        yield from _decimals(aim)
        names = ["negative", "too_large"]
    for name in names or (() if said else _by_direction(prompt, types)):
        found = _edge(name, aim)
        if found is not None:
            yield found


def _sizes(aim: Aim) -> Iterator[EdgeValue]:
    """Lengths, counts and decimals that the question names."""
    prompt, types, base = aim.ground.understood.prompt, aim.types, aim.base
    for said in numbers(prompt):
        if said.unit == "characters" and "string" in types and not types & _NUMERIC:
            count = min(int(abs(said.value)), TEXT_CHARACTERS_MAX)
            says = f"of {count} characters"
            yield EdgeValue(boundary="length", says=says, value="x" * count)
        if said.unit == "items" and "array" in types:
            count = min(int(abs(said.value)), ITEMS_MAX)
            items = [_item(base)] * count
            yield EdgeValue(boundary="items", says=f"of {count} items", value=items)
    if has_many_decimals(prompt):
        yield from _decimals(aim)


def _decimals(aim: Aim) -> Iterator[EdgeValue]:
    """One decimal more than money has, where numbers need not be whole."""
    if "number" in aim.types:
        known = _number(aim.base)
        usual = 1 if known is None else known
        value = round(usual + 0.005, 3)
        yield EdgeValue(boundary="decimals", says="with three decimals", value=value)


def _sided(prompt: str) -> bool:
    low = prompt.lower()
    return bool(LESS.search(low) or MORE.search(low))


def _numbers(prompt: str, field: InputField, types: frozenset[str]) -> Iterator[EdgeValue]:
    """The numbers of the question, those beyond the declared range first."""
    said = [n.value for n in numbers(prompt) if n.unit == ""]
    whole = "number" not in types
    values = [int(v) if whole and float(v).is_integer() else v for v in dict.fromkeys(said)]
    ordered = sorted(values, key=lambda value: _within(value, field.constraints))
    for value in ordered[:2]:
        yield EdgeValue(boundary=f"literal:{value}", says=str(value), value=value)


def _within(value: float, schema: Mapping[str, Any]) -> bool:
    names = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    low, high, above, below = (_number(schema.get(name)) for name in names)
    return not (
        (low is not None and value < low)
        or (high is not None and value > high)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
    )


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _by_direction(prompt: str, types: frozenset[str]) -> tuple[str, ...]:
    """Edges on the side that the question speaks of; on both where it does not say."""
    numeric = bool(types & _NUMERIC) or not types
    low = ("zero", "negative", "too_small") if numeric else ("too_small",)
    high = ("too_large", "maximum") if numeric else ("too_long", "maximum")
    said = prompt.lower()
    if LESS.search(said) and not MORE.search(said):
        return low[::-1]
    return high if MORE.search(said) else (*high, *low)


def _missing(aim: Aim) -> Iterator[EdgeValue]:
    names = asked_names(aim.ground, "missing_value") or ("missing", "null", "empty")
    for name in names:
        # In a query there is no null.
        unsaid = name == "null" and aim.field.place.part != "body"
        if not unsaid and (aim.types or name != "empty"):
            found = _edge(name, aim)
            if found is not None:
                yield found


def _wrong_type(aim: Aim) -> Iterator[EdgeValue]:
    types, field = aim.types, aim.field
    said = quoted(aim.ground.understood.prompt)
    schema = field.constraints
    form = str(schema.get("format", "")) or _learned_format(aim)
    value: Any
    says = "of the wrong type"
    if types & _NUMERIC:
        value, says = said if said and not _reads_number(said) else "not a number", "as text"
    elif "boolean" in types:
        value, says = said or "maybe", "as text"
    elif "array" in types:
        value, says = said or "one, two, three", "as text instead of a list"
    elif "object" in types:
        value, says = said or "plain text", "as text instead of an object"
    elif form in WRONG:
        value, says = said or WRONG[form][0], "malformed"
    elif "pattern" in schema:
        value, says = said or "?", "malformed"
    elif field.place.part == "body":
        value = {"unexpected": True}
    else:
        return
    yield EdgeValue(boundary="wrong_type", says=says, value=value)


def _reads_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _learned_format(aim: Aim) -> str:
    return next((f.format for f in aim.operation.fields if f.place == aim.field.place), "")


def _unknown(aim: Aim) -> Iterator[EdgeValue]:
    known = closed_list(aim.field)
    understood = aim.ground.understood
    said = example(understood.prompt, understood.not_understood)
    texts = [text for text in known if isinstance(text, str)]
    capital = bool(texts) and all(text.isupper() for text in texts)
    default = "unknown" if not capital else "XXX" if _short(texts) else "UNKNOWN"
    other = default if default not in known else f"NOT-{default}" if capital else f"not-{default}"
    value: Any = said if said and said not in known else other
    if known and not texts:
        value = 999
    shown = str(value)[:_SHOWN_CHARACTERS_MAX]
    yield EdgeValue(boundary="unknown_value", says=shown, value=value)


def _short(texts: list[str]) -> bool:
    return all(len(text) == 3 for text in texts)


def closed_list(field: InputField) -> tuple[Any, ...]:
    """The values that FIELD may have; empty: no specification says that the list is closed."""
    schema = {**resolved(field.schema, field.root), **field.constraints}
    if isinstance(schema.get("enum"), list):
        return tuple(schema["enum"])
    if "const" in schema:
        return (schema["const"],)
    items = schema.get("items")
    if isinstance(items, dict) and isinstance(items.get("enum"), list):
        return tuple(items["enum"])
    return ()


def _edge(name: str, aim: Aim) -> EdgeValue | None:
    if not fits(name, aim.types):
        return None
    found = edge_value(name, schema=aim.field.constraints, types=aim.types, usual=aim.base)
    bound = {"too_large": "aximum", "too_small": "inimum"}.get(name)
    if found is None or bound is None or not isinstance(found.value, int | float):
        return found
    if any(bound in key for key in aim.field.constraints):
        return found
    return replace(found, says=f"of {text_of(found.value)[:_SHOWN_CHARACTERS_MAX]}")


def types_of_value(value: Any) -> frozenset[str]:
    """The JSON types that a field with VALUE in it has, as far as that tells."""
    if isinstance(value, bool) or value is None:
        return frozenset()
    if isinstance(value, int | float):
        return frozenset({"number"})
    return frozenset({"string"}) if isinstance(value, str) else frozenset()


def _item(base: Any) -> Any:
    return base[0] if isinstance(base, list) and base else "one"


_Maker = Callable[[Aim], Iterator[EdgeValue]]
_MAKERS: Mapping[FailureModeName, _Maker] = {
    "boundary": _boundary,
    "missing_value": _missing,
    "wrong_type": _wrong_type,
    "unknown_value": _unknown,
}
