"""A value of a kind that production never showed, in a field that the service alone fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from premortem.checks.check import Check, Known, succeeded
from premortem.checks.refusal import refuses
from premortem.checks.selecting import NOTHING, select
from premortem.checks.usual import FORMS
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Field

NAME = "unusual_value"


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """A 2xx answer to a realistic case: members of closed sets, signs and formats.

    Fields of whose name a request holds one are left alone: what stands there may have been sent.
    """
    response = sent.response
    learned = known.learned.get(response.status) if response is not None else None
    if response is None or learned is None or not learned.closed or not succeeded(response):
        return
    if case.intent.kind == "adversarial":
        return
    body = learned.bodies.of(response)
    if body is NOTHING or refuses(response):
        return
    for field in learned.closed:
        said = next(filter(None, (_off(v, field) for v in select(body, field.place))), "")
        if said:
            yield Verdict(
                check=NAME,
                title=f"`{field.place.name}` {said}",
                signature=f"{field.place.name} {said}",
                evidence=f"none of {field.seen} recorded values was like it",
                severity="low",
            )


def _off(value: Any, field: Field) -> str:
    """What is new about VALUE, without the value itself; empty: nothing."""
    if isinstance(value, str):
        if not value or holds_token(value) or "string" not in field.types:
            return ""
        if field.enumeration:
            known = msgspec.json.encode(value).decode() in dict(field.values)
            return "" if known else "is none of the values that it always was"
        form = FORMS.get(field.format)
        return f"is no {field.format}" if form is not None and not form.fullmatch(value) else ""
    if isinstance(value, bool) or not isinstance(value, int | float) or field.numbers is None:
        return ""
    return "is below zero" if value < 0 <= field.numbers.quantiles[0] else ""


CHECK = Check(
    name=NAME,
    description="a value that the service fills in is of a kind that production never showed",
    severity="low",
    judge=judge,
)
