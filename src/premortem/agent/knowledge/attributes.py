"""The constraints that .NET's attributes state: `[Required]`, `[Range(1, 5)]`.

Source: System.ComponentModel.DataAnnotations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from premortem.agent.knowledge.csharp_tree import number_text
from premortem.domain.proposal import DtoRule

RuleKinds = Sequence[tuple[str, str]]


class CsAttribute(Struct, frozen=True, kw_only=True):
    """`[Range(1, 5, ErrorMessage = "...")]`."""

    name: str
    """Without `Attribute` at its end."""
    values: tuple[str, ...] = ()
    """The positional arguments: what strings say, the source text of others."""
    named: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """The named argument NAME; not given: empty."""
        return dict(self.named).get(name, "")


_FORMATS = {
    "EmailAddress": "email",
    "Url": "uri",
    "Phone": "phone",
    "CreditCard": "credit-card",
}


def attribute_rules(
    attributes: Sequence[CsAttribute],
    enum_values: Callable[[str], tuple[str, ...]],
    constants: Mapping[str, str],
    place: str,
) -> Iterator[DtoRule]:
    """The rules that ATTRIBUTES of one member state; PLACE is its file and line.

    ENUM_VALUES answers with an enum's names, of anything else with none; CONSTANTS holds what
    names stand for.
    """
    for attribute in attributes:
        values = tuple(constants.get(v, v) for v in attribute.values)
        for kind, value in _stated(attribute, values, enum_values):
            yield DtoRule(
                kind=kind,  # type: ignore[arg-type]
                value=value,
                message=_message(attribute.get("ErrorMessage")),
                source=f"{place} [{attribute.name}]",
            )


def _stated(
    attribute: CsAttribute, values: tuple[str, ...], enum_values: Callable[[str], tuple[str, ...]]
) -> RuleKinds:
    name = attribute.name
    if name in ("Required", "JsonRequired", "BindRequired"):
        return [("required", "")]
    if name in _FORMATS:
        return [("format", _FORMATS[name])]
    if name == "RegularExpression" and values:
        return [("pattern", values[0])]
    if name == "AllowedValues" and values:
        return [("one_of", "|".join(values))]
    if name == "EnumDataType" and values:
        names = enum_values(re.sub(r"typeof\((.+)\)", r"\1", values[0]))
        return [("one_of", "|".join(names))] if names else []
    return _sized(attribute, [number_text(v) for v in values if not v.startswith("typeof")])


def _sized(attribute: CsAttribute, numbers: Sequence[str | None]) -> RuleKinds:
    """The rules of attributes that count: numbers that are no literals state nothing."""
    found: list[tuple[str, str | None]] = []
    least = number_text(attribute.get("MinimumLength"))
    match attribute.name, list(numbers):
        case "StringLength", [most]:
            found = [("min_length", least), ("max_length", most)]
        case "MaxLength", [most]:
            found = [("max_length", most)]
        case "MinLength", [least]:
            found = [("min_length", least)]
        case "Length", [least, most]:
            found = [("min_length", least), ("max_length", most)]
        case "Range", [low, high]:
            exclusive = attribute.get("MinimumIsExclusive") == "true"
            found = [("greater_than" if exclusive else "minimum", low)]
            exclusive = attribute.get("MaximumIsExclusive") == "true"
            found.append(("less_than" if exclusive else "maximum", high))
        case _:
            pass
    return [(kind, value) for kind, value in found if value is not None]


def _message(said: str) -> str:
    """A message without placeholders; with `{0}` and the like it is not known."""
    return "" if re.search(r"\{\d", said) or said.startswith(("nameof", "$")) else said
