"""All of what a request takes a part of: the amount after which nothing is left to take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from premortem.agent.understanding.inputs import input_fields
from premortem.agent.understanding.words import stems
from premortem.domain.bodies import at, leaves, read_body
from premortem.domain.places import Place
from premortem.domain.run import Case
from premortem.domain.traffic import Exchange, OperationProfile

_WHOLES = frozenset(
    stems("total balance stock capacity limit credit available remaining budget allowance quota")
)
"""Words for how much there is of something."""


def whole_amount(
    operation: OperationProfile, cases: Sequence[Case], exchanges: Mapping[str, Exchange]
) -> tuple[Place, int | float] | None:
    """The place in the last of CASES and the number of the same name that the thing which its path
    names had when it was made: an invoice's `amount`, where a payment says `amount`, or the one
    number that is called a whole: `balance`. None: nothing like that is known.
    """
    *before, last = cases
    makers = [b.step for b in last.bindings if b.place.part == "path" and b.step < len(before)]
    if not makers:
        return None
    maker = before[makers[-1]]
    answer = exchanges.get(next(iter(maker.origin.parents), ""))
    # Without an answer, what it was made with.
    had = dict(_numbers(_value(answer.response if answer is not None else maker.request)))
    asked = _value(last.request)
    for place in _amounts(operation):
        try:
            usual = at(asked, place.tokens)
        except (LookupError, TypeError):
            continue
        most = had.get(place.tokens[-1]) or _other_whole(had)
        if _is_number(usual) and most is not None and usual <= most:
            return place, most
    return None


def _amounts(operation: OperationProfile) -> Iterator[Place]:
    """Places of numbers in the body: those seen, else those declared."""
    seen = [f for f in operation.fields if f.place.part == "body" and f.place.tokens]
    yield from (f.place for f in seen if f.numbers is not None and not f.enumeration)
    for declared in () if seen else input_fields(operation):
        numeric = bool(declared.types & {"number", "integer"}) and "enum" not in declared.schema
        if numeric and declared.place.part == "body" and "*" not in declared.place.tokens:
            yield declared.place


def _other_whole(had: Mapping[str, int | float]) -> int | float | None:
    """What HAD calls a whole by another name; None: nothing, or several things."""
    found = [most for name, most in had.items() if set(stems(name)) & _WHOLES]
    return found[0] if len(found) == 1 else None


def _value(message: Any) -> Any:
    try:
        return read_body(message)
    except ValueError:
        return None


def _numbers(value: Any) -> Iterator[tuple[str, int | float]]:
    """The numbers in VALUE by their keys, outer ones last, so that they win."""
    found = [(place, leaf) for place, leaf in leaves(value) if place.tokens and _is_number(leaf)]
    for place, leaf in sorted(found, key=lambda pair: -len(pair[0].tokens)):
        yield place.tokens[-1], leaf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
