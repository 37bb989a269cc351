"""What a request with a certain value is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from premortem.agent.planning.expectation import (
    INVALID,
    Evidence,
    Expectation,
    invalid_status,
    success_status,
)
from premortem.agent.understanding.inputs import InputField
from premortem.domain.bodies import at, read_body, readings
from premortem.domain.places import Place
from premortem.domain.traffic import Exchange, OperationProfile


def of_value(
    operation: OperationProfile,
    field: InputField,
    *,
    present: bool,
    value: Any,
    valid: bool | None,
    evidence: Evidence,
) -> Expectation:
    """What OPERATION should answer when FIELD holds VALUE, or is absent where not PRESENT.

    VALID: what the schema says of the request, None where there is none.
    """
    exchanges = evidence.of(operation)
    # What others left out they had something else in the place of.
    hollow = not present and valid is False
    captured = _captured_value(exchanges, field.place, present=present, value=value)
    if captured is not None and not hollow:
        return captured
    if valid and field.declared:
        return Expectation(
            status=success_status(operation),
            because="the specification allows it",
            source="specification",
        )
    status, how = invalid_status(operation, evidence.profile)
    if valid is False and (field.declared or operation.request_source == "spec"):
        because = f"the specification forbids it; {how}"
        return Expectation(status=status, because=because, source="specification")
    if not hollow and _is_usual(exchanges, field.place, present=present, value=value):
        return Expectation(
            status=success_status(operation),
            because="production was answered well with values like it",
            source="captured",
        )
    if valid and not _was_checked(exchanges, field.place):
        return Expectation(
            status=success_status(operation),
            because="convention: nothing known forbids it",
            source="convention",
        )
    because = f"convention: production never sends it; {how}"
    return Expectation(status=status, because=because, source="convention")


def _captured_value(
    exchanges: Iterable[Exchange], place: Place, *, present: bool, value: Any
) -> Expectation | None:
    alike = [e for e in exchanges if _holds(e, place, present=present, value=value)]
    answered = [e for e in alike if 200 <= e.response.status < 300]
    refused = [e for e in alike if e.response.status in (*INVALID, 409)]
    chosen = answered or refused
    if not chosen:
        return None
    status, count = Counter(e.response.status for e in chosen).most_common(1)[0]
    return Expectation(
        status=status,
        because=f"production answered {status} to the same value ({count} captured)",
        source="captured",
    )


def _is_usual(exchanges: Iterable[Exchange], place: Place, *, present: bool, value: Any) -> bool:
    """Whether requests that were answered well held values like this there, or none."""
    good = [e for e in exchanges if 200 <= e.response.status < 300]
    held = [found for e in good for found in values_at(e, place)]
    if not present:
        return len(held) < len(good)
    return _is_within(value, held)


def _was_checked(exchanges: Iterable[Exchange], place: Place) -> bool:
    """Whether production refused a request whose value there was like none that it took."""
    exchanges = list(exchanges)
    good = [e for e in exchanges if 200 <= e.response.status < 300]
    held = [found for e in good for found in values_at(e, place)]
    for exchange in exchanges:
        if exchange.response.status in INVALID:
            found = values_at(exchange, place)
            if not all(_is_within(value, held) for value in found):
                return True
    return False


def _is_within(value: Any, held: list[Any]) -> bool:
    """Whether VALUE is like one of HELD: a number between them, a text as long as them."""
    if isinstance(value, bool) or value is None:
        return value in held
    if isinstance(value, int | float):
        numbers = [v for v in held if isinstance(v, int | float) and not isinstance(v, bool)]
        return bool(numbers) and min(numbers) <= value <= max(numbers)
    if isinstance(value, str | list | dict):
        sizes = [len(v) for v in held if isinstance(v, type(value))]
        return bool(sizes) and min(sizes) <= len(value) <= max(sizes)
    return False


def values_at(exchange: Exchange, place: Place) -> list[Any]:
    """What the request of EXCHANGE holds at PLACE of its query or body."""
    if place.part == "query":
        texts = [text for name, text in exchange.request.query if name == place.name]
        return [readings(text)[0] for text in texts]
    try:
        return [at(read_body(exchange.request), place.tokens)]
    except (ValueError, LookupError, TypeError):
        return []


def _holds(exchange: Exchange, place: Place, *, present: bool, value: Any) -> bool:
    if place.part == "query":
        texts = [text for name, text in exchange.request.query if name == place.name]
        return (str(value) in texts) if present else not texts
    try:
        found = at(read_body(exchange.request), place.tokens)
    except ValueError:
        return False
    except (LookupError, TypeError):
        return not present
    return present and type(found) is type(value) and bool(found == value)
