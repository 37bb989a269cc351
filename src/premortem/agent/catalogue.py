"""The step catalogue: every step that a scenario may use, as data.

Closed: what matches none of these expressions is undefined. Cucumber Expressions with
`{string}` and `{int}` only. Cucumber ignores keywords when it matches, so no text may match
two expressions, whatever keyword stands before it; a test holds that.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import cache
from typing import Literal

from cucumber_expressions.expression import CucumberExpression
from cucumber_expressions.parameter_type_registry import ParameterTypeRegistry
from msgspec import Struct

from premortem.domain.scenario import Keyword

Area = Literal["actors", "state", "HTTP", "capture", "repeat"]
Argument = str | int

STEP_CHARACTERS_MAX = 8_000
"""Longer step texts match nothing: a limit on what the expressions have to look at."""


class CatalogueStep(Struct, frozen=True, kw_only=True):
    """One kind of step."""

    name: str
    """What the engine calls it."""
    expression: str
    keyword: Keyword
    """The one it is written with; matching ignores it."""
    area: Area
    example: str
    docstring: bool = False
    """It is followed by a JSON docstring."""
    checks: bool = False
    """It states what must be true."""
    sends: bool = False
    """It sends a request."""


CATALOGUE: tuple[CatalogueStep, ...] = (
    CatalogueStep(
        name="actor_role",
        expression="the actor {string} has role {string}",
        keyword="Given",
        area="actors",
        example='the actor "ann" has role "Cashier"',
    ),
    CatalogueStep(
        name="actor_anonymous",
        expression="the actor {string} is not signed in",
        keyword="Given",
        area="actors",
        example='the actor "visitor" is not signed in',
    ),
    CatalogueStep(
        name="state_set",
        expression="the {string} {string} is in state {string}",
        keyword="Given",
        area="state",
        example='the "invoice" "${invoice_id}" is in state "approved"',
    ),
    CatalogueStep(
        name="state_check",
        expression="the {string} {string} should be in state {string}",
        keyword="Then",
        area="state",
        example='the "invoice" "${invoice_id}" should be in state "approved"',
        checks=True,
    ),
    CatalogueStep(
        name="send",
        expression="{string} sends {string} to {string}",
        keyword="When",
        area="HTTP",
        example='"ann" sends "GET" to "/invoices/${invoice_id}"',
        sends=True,
    ),
    CatalogueStep(
        name="send_body",
        expression="{string} sends {string} to {string} with:",
        keyword="When",
        area="HTTP",
        example='"ann" sends "POST" to "/invoices" with:',
        docstring=True,
        sends=True,
    ),
    CatalogueStep(
        name="status",
        expression="the response status is {int}",
        keyword="Then",
        area="HTTP",
        example="the response status is 409",
        checks=True,
    ),
    CatalogueStep(
        name="field",
        expression="the response field {string} equals {string}",
        keyword="Then",
        area="HTTP",
        example='the response field "/status" equals "approved"',
        checks=True,
    ),
    CatalogueStep(
        name="header",
        expression="the response header {string} equals {string}",
        keyword="Then",
        area="HTTP",
        example='the response header "content-type" equals "application/json"',
        checks=True,
    ),
    CatalogueStep(
        name="matches",
        expression="the response matches:",
        keyword="Then",
        area="HTTP",
        example="the response matches:",
        docstring=True,
        checks=True,
    ),
    CatalogueStep(
        name="time",
        expression="the response time is under {int} ms",
        keyword="Then",
        area="HTTP",
        example="the response time is under 500 ms",
    ),
    CatalogueStep(
        name="save",
        expression="the response field {string} is saved as {string}",
        keyword="When",
        area="capture",
        example='the response field "/id" is saved as "invoice_id"',
    ),
    CatalogueStep(
        name="repeat",
        expression="the last request is repeated {int} times",
        keyword="When",
        area="repeat",
        example="the last request is repeated 2 times",
        sends=True,
    ),
    CatalogueStep(
        name="repeat_key",
        expression="the last request is repeated with the same idempotency key",
        keyword="When",
        area="repeat",
        example="the last request is repeated with the same idempotency key",
        sends=True,
    ),
)


class StepMatch(Struct, frozen=True, kw_only=True):
    """A text seen through the one expression it matches."""

    entry: CatalogueStep
    arguments: tuple[Argument, ...]
    """In order, unescaped."""


@cache
def _expressions() -> tuple[tuple[CatalogueStep, CucumberExpression], ...]:
    registry = ParameterTypeRegistry()
    return tuple((entry, CucumberExpression(entry.expression, registry)) for entry in CATALOGUE)


def matches(text: str) -> tuple[StepMatch, ...]:
    """Every expression that TEXT matches: one for a step of the catalogue, else none."""
    if len(text) > STEP_CHARACTERS_MAX:
        return ()
    found = ((entry, expression.match(text)) for entry, expression in _expressions())
    return tuple(
        StepMatch(entry=entry, arguments=tuple(argument.value for argument in arguments))
        for entry, arguments in found
        if arguments is not None
    )


def match(text: str) -> StepMatch | None:
    """The step of the catalogue that TEXT is, or None."""
    found = matches(text)
    return found[0] if found else None


def nearest(text: str) -> CatalogueStep:
    """The step of the catalogue that reads most like TEXT."""
    seen = text[:200].lower()

    def likeness(entry: CatalogueStep) -> float:
        return SequenceMatcher(None, seen, entry.example.lower()).ratio()

    return max(CATALOGUE, key=likeness)


def entry(name: str) -> CatalogueStep:
    """The step of that name. Raises KeyError: names are ours, not the user's."""
    return _BY_NAME[name]


_BY_NAME = {step.name: step for step in CATALOGUE}


def text(name: str, *arguments: Argument) -> str:
    """The text of the step NAME with ARGUMENTS, quoted as Cucumber reads it.

    Raises ValueError when an argument cannot be written into a step: line breaks, and a
    backslash at the end (Cucumber Expressions know no escape for it).
    """
    parts = _BY_NAME[name].expression.replace("{string}", "{}").replace("{int}", "{}")
    return parts.format(*(quoted(a) if isinstance(a, str) else str(a) for a in arguments))


def quoted(value: str) -> str:
    """VALUE as a `{string}`. Raises ValueError as `text` does."""
    if value.endswith("\\") or any(ord(character) < 32 for character in value):
        raise ValueError(f"cannot stand in a step: {value[:80]!r}")
    return '"' + value.replace('"', '\\"') + '"'
