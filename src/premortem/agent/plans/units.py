"""Another currency or unit than the one used before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from premortem.agent.outcomes.value import values_at
from premortem.agent.planning.draft import DoesNotApply
from premortem.agent.planning.expectation import (
    INVALID,
    Expectation,
    captured,
    facts_of,
    invalid_status,
    success_status,
)
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.edges import closed_list
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.valued import (
    Put,
    allowed,
    base_of,
    expectation,
    named_field,
    takes_body,
    valued,
)
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.agent.understanding.inputs import InputField, input_fields
from premortem.agent.understanding.preconditions import UNITS
from premortem.agent.understanding.words import stems, tokens
from premortem.domain.bodies import read_body, text_of
from premortem.domain.places import body_place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile

SWITCHES_MAX = 1
"""Units that one question is planned for: any other is as unexpected."""
_SAID = {
    "USD": r"\b(?:us )?dollars?\b|\busd\b|\$",
    "EUR": r"\beuros?\b|\beur\b|€",
    "GBP": r"\bpounds?\b|\bsterling\b|\bgbp\b|£",
    "JPY": r"\byen\b|\bjpy\b",
    "CHF": r"\bfrancs?\b|\bchf\b",
}
"""Currency codes (ISO 4217) and how people say them."""


def unit_switch(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request with another unit than the thing it is about has."""
    field = _field(ground, operation)
    if field is None:
        raise DoesNotApply("it takes no currency and no unit")
    usual = _usual(reached, field)
    for value in islice(_others(ground, field, usual), SWITCHES_MAX):
        edge = EdgeValue(boundary="unit_switch", says=text_of(value), value=value)
        put = Put(field=field, edge=edge)
        expected = _in_edition(ground, operation, put) or _expected(
            ground, operation, reached, put, alone=not _within_one(reached)
        )
        yield valued(
            ground, operation, reached, [put], title=_title(ground, field), expected=expected
        )


def _title(ground: Ground, field: InputField) -> str:
    """`Unexpected currency switch`, `Lite edition currency mismatch`."""
    name = " ".join(tokens(field.name))
    edition = ground.understood.edition
    if edition:
        return f"{edition.capitalize()} edition {name} mismatch"
    return f"Unexpected {name} switch"


def _field(ground: Ground, operation: OperationProfile) -> InputField | None:
    """Where the unit stands; where the operation has no place for it, what a client would try."""
    named = named_field(ground, operation)
    found = [f for f in input_fields(operation) if set(f.stems) & UNITS]
    if named is not None and named in found:
        return named
    if found:
        return found[0]
    said = [word for word in tokens(ground.understood.prompt) if set(stems(word)) & UNITS]
    name = ground.understood.field or next(iter(said), "currency")
    if operation.operation.method in SAFE_METHODS or not takes_body(operation):
        return None
    return InputField(
        place=body_place(name), types=frozenset({"string"}), declared=bool(operation.request_schema)
    )


def _usual(reached: Reached, field: InputField) -> Any:
    """The unit that was used before: by the request itself, or in what it is about."""
    own = base_of(reached.cases[-1], field)
    for case in reached.cases[-2::-1] if len(reached.cases) > 1 else ():
        try:
            body = read_body(case.request)
        except ValueError:
            continue
        if isinstance(body, dict) and isinstance(body.get(field.name), str):
            return body[field.name]
    return own if own is not None else field.constraints.get("default")


def _others(ground: Ground, field: InputField, usual: Any) -> Iterator[Any]:
    """Units other than USUAL, the one that the question names last first."""
    low = ground.understood.prompt.lower()
    known = [v for v in closed_list(field) if isinstance(v, str)]
    said = {
        code: max(found.start() for found in re.finditer(pattern, low))
        for code, pattern in _SAID.items()
        if re.search(pattern, low)
    }
    named = sorted(said, key=lambda code: -said[code])
    money = "currency" in field.name.lower()
    pool = [*(named if money else ()), *known, *(("USD", "EUR") if money else ("other",))]
    yield from (v for v in dict.fromkeys(pool) if v != usual and (v in known or not known))


def _in_edition(ground: Ground, operation: OperationProfile, put: Put) -> Expectation | None:
    """What production answered to the same unit in the edition that the question names."""
    edition = ground.understood.edition
    alike = [
        exchange.response
        for exchange in ground.evidence.of(operation)
        if edition
        and exchange.tags.edition == edition
        and put.edge.value in values_at(exchange, put.field.place)
    ]
    refused = [answer for answer in alike if 400 <= answer.status < 500]
    if not refused or len(refused) < len(alike):
        return None
    return Expectation(
        status=refused[0].status,
        because=f"production answered {refused[0].status} to it in {edition} ({len(refused)} "
        "captured)",
        source="captured",
        facts=facts_of(refused),
    )


def _within_one(reached: Reached) -> bool:
    """Whether the request is about a thing that was made before."""
    return any(binding.place.part == "path" for binding in reached.cases[-1].bindings)


def _expected(
    ground: Ground, operation: OperationProfile, reached: Reached, put: Put, *, alone: bool
) -> Expectation:
    valid = allowed(operation, reached, [put])
    status, how = invalid_status(operation, ground.profile)
    if valid is False:
        because = f"the specification forbids it; {how}"
        return Expectation(status=status, because=because, source="specification")
    found = expectation(ground, operation, reached, [put])
    if found.source == "captured":
        return found
    reads = operation.operation.method in SAFE_METHODS
    if reads or alone:
        return Expectation(
            status=success_status(operation),
            because="the specification allows it" if valid else "convention: any unit will do",
            source="specification" if valid else "convention",
            certain=bool(valid),
        )
    # A unit is a value: it is refused as one, unless production says otherwise.
    conflicts = captured(operation, 409) or not (set(INVALID) & set(operation.declared))
    conflicts = conflicts and bool(captured(operation, 409) or 409 in operation.declared)
    return Expectation(
        status=409 if conflicts else status,
        because="convention: what belongs to one thing is in one unit"
        + ("" if conflicts else f"; {how}"),
        source="convention",
        certain=False,
    )
