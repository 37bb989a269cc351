"""All of what a request takes a part of: the amount after which nothing is left to take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from premortem.domain.bodies import at, leaves, read_body
from premortem.domain.places import Place
from premortem.domain.run import Case
from premortem.domain.traffic import Exchange, OperationProfile


def whole_amount(
    operation: OperationProfile, cases: Sequence[Case], exchanges: Mapping[str, Exchange]
) -> tuple[Place, int | float] | None:
    """The place in the last of CASES and the number of the same name that the thing which its path
    names had when it was made: an invoice's `amount`, where a payment says `amount`. None: nothing
    like that is known.
    """
    *before, last = cases
    makers = [b.step for b in last.bindings if b.place.part == "path" and b.step < len(before)]
    if not makers:
        return None
    answer = exchanges.get(next(iter(before[makers[-1]].origin.parents), ""))
    if answer is None:
        return None
    had = dict(_numbers(_value(answer.response)))
    asked = _value(last.request)
    for field in operation.fields:
        tokens = field.place.tokens
        if field.place.part != "body" or field.numbers is None or field.enumeration or not tokens:
            continue
        try:
            usual = at(asked, tokens)
        except (LookupError, TypeError):
            continue
        most = had.get(tokens[-1])
        if _is_number(usual) and most is not None and usual <= most:
            return field.place, most
    return None


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
