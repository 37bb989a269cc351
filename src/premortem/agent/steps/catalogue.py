"""The step catalogue: every step that a scenario may use, as data.

Closed: what matches none of these expressions is undefined. Cucumber Expressions with
`{string}` and `{int}` only. Cucumber ignores keywords when it matches, so no text may match
two expressions, whatever keyword stands before it; a test holds that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Literal

from cucumber_expressions.expression import CucumberExpression
from cucumber_expressions.parameter_type_registry import ParameterTypeRegistry
from msgspec import Struct

from premortem.domain.scenario import Keyword

Area = Literal["actors", "world", "state", "HTTP", "capture", "SQL", "repeat", "race", "events"]
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
    means: str
    """What it does, or what must be so, in a line."""
    docstring: bool = False
    """It is followed by a docstring: JSON, where it can be."""
    table: bool = False
    """It is followed by a data table, or by its rows as a JSON docstring."""
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
        means="Who acts from now on, with the credentials that the role has in premortem.toml.",
    ),
    CatalogueStep(
        name="actor_anonymous",
        expression="the actor {string} is not signed in",
        keyword="Given",
        area="actors",
        example='the actor "visitor" is not signed in',
        means="Their requests carry no credentials.",
    ),
    CatalogueStep(
        name="token_claim",
        expression="the actor {string} presents a token with claim {string} set to {string}",
        keyword="Given",
        area="actors",
        example='the actor "ann" presents a token with claim "exp" set to "2020-01-01T00:00:00Z"',
        means="Their token says something else: signed anew; the claim `signature` breaks it.",
    ),
    CatalogueStep(
        name="sign_in",
        expression="the actor {string} signs in anew as {string}",
        keyword="Given",
        area="actors",
        example='the actor "ann" signs in anew as "Cashier"',
        means="With the login that the role has in premortem.toml; the session is theirs alone.",
    ),
    CatalogueStep(
        name="edition",
        expression="the edition is {string}",
        keyword="Given",
        area="world",
        example='the edition is "lite"',
        means="Requests from now on run in that edition.",
    ),
    CatalogueStep(
        name="time_set",
        expression="the time is {string}",
        keyword="Given",
        area="world",
        example='the time is "2028-02-29T23:59:59Z"',
        means="What the target takes for now.",
    ),
    CatalogueStep(
        name="service_status",
        expression="the service {string} answers with status {int}",
        keyword="Given",
        area="world",
        example='the service "payments" answers with status 503',
        means="A service behind the target fails so as long as the scenario runs.",
    ),
    CatalogueStep(
        name="state_set",
        expression="the {string} {string} is in state {string}",
        keyword="Given",
        area="state",
        example='the "invoice" "${invoice_id}" is in state "approved"',
        means="The thing with that id is brought into the state.",
    ),
    CatalogueStep(
        name="state_check",
        expression="the {string} {string} should be in state {string}",
        keyword="Then",
        area="state",
        example='the "invoice" "${invoice_id}" should be in state "approved"',
        means="The thing with that id is in the state.",
        checks=True,
    ),
    CatalogueStep(
        name="header_next",
        expression="the next request carries the header {string} set to {string}",
        keyword="Given",
        area="HTTP",
        example='the next request carries the header "if-match" set to "${version}"',
        means="The next request, and only that one, carries the header.",
    ),
    CatalogueStep(
        name="send",
        expression="{string} sends {string} to {string}",
        keyword="When",
        area="HTTP",
        example='"ann" sends "GET" to "/invoices/${invoice_id}"',
        means="One request without a body. Under Given it must succeed.",
        sends=True,
    ),
    CatalogueStep(
        name="send_body",
        expression="{string} sends {string} to {string} with:",
        keyword="When",
        area="HTTP",
        example='"ann" sends "POST" to "/invoices" with:',
        means="One request with what stands below as its body: JSON, a form, or text.",
        docstring=True,
        sends=True,
    ),
    CatalogueStep(
        name="status",
        expression="the response status is {int}",
        keyword="Then",
        area="HTTP",
        example="the response status is 409",
        means="Of the last answer.",
        checks=True,
    ),
    CatalogueStep(
        name="field",
        expression="the response field {string} equals {string}",
        keyword="Then",
        area="HTTP",
        example='the response field "/status" equals "approved"',
        means="A value in the last answer: a JSON pointer, or a name at the top.",
        checks=True,
    ),
    CatalogueStep(
        name="header",
        expression="the response header {string} equals {string}",
        keyword="Then",
        area="HTTP",
        example='the response header "content-type" equals "application/json"',
        means="Of the last answer.",
        checks=True,
    ),
    CatalogueStep(
        name="matches",
        expression="the response matches:",
        keyword="Then",
        area="HTTP",
        example="the response matches:",
        means="The last answer holds at least what stands below.",
        docstring=True,
        checks=True,
    ),
    CatalogueStep(
        name="holds",
        expression="in the response {string} holds",
        keyword="Then",
        area="HTTP",
        example='in the response "due == tax - tax_refunded" holds',
        means="A comparison of the last answer's fields, as invariants are written.",
        checks=True,
    ),
    CatalogueStep(
        name="time",
        expression="the response time is under {int} ms",
        keyword="Then",
        area="HTTP",
        example="the response time is under 500 ms",
        means="How long the last answer took.",
    ),
    CatalogueStep(
        name="save",
        expression="the response field {string} is saved as {string}",
        keyword="When",
        area="capture",
        example='the response field "/id" is saved as "invoice_id"',
        means="Later steps say it as `${name}`.",
    ),
    CatalogueStep(
        name="save_header",
        expression="the response header {string} is saved as {string}",
        keyword="When",
        area="capture",
        example='the response header "etag" is saved as "version"',
        means="Later steps say it as `${name}`.",
    ),
    CatalogueStep(
        name="table_contains",
        expression="the table {string} contains:",
        keyword="Given",
        area="SQL",
        example='the table "refunds" contains:',
        means="The rows below are in the table; one with the same key is replaced.",
        table=True,
    ),
    CatalogueStep(
        name="table_rows",
        expression="the table {string} has {int} rows",
        keyword="Then",
        area="SQL",
        example='the table "refunds" has 2 rows',
        means="In all.",
        checks=True,
    ),
    CatalogueStep(
        name="table_rows_where",
        expression="the table {string} has {int} rows where:",
        keyword="Then",
        area="SQL",
        example='the table "refunds" has 1 rows where:',
        means="Rows that hold all the values below; `null` is a missing one.",
        table=True,
        checks=True,
    ),
    CatalogueStep(
        name="table_unchanged",
        expression="nothing changed in the table {string}",
        keyword="Then",
        area="SQL",
        example='nothing changed in the table "refunds"',
        means="Since before the last request under When.",
        checks=True,
    ),
    CatalogueStep(
        name="repeat",
        expression="the last request is repeated {int} times",
        keyword="When",
        area="repeat",
        example="the last request is repeated 2 times",
        means="The same request again, each with an idempotency key of its own.",
        sends=True,
    ),
    CatalogueStep(
        name="repeat_key",
        expression="the last request is repeated with the same idempotency key",
        keyword="When",
        area="repeat",
        example="the last request is repeated with the same idempotency key",
        means="The same request once more, as a client does whose answer got lost.",
        sends=True,
    ),
    CatalogueStep(
        name="race",
        expression="{string} sends {string} to {string} {int} times at once",
        keyword="When",
        area="race",
        example='"ann" sends "POST" to "/invoices/${invoice_id}/approve" 5 times at once',
        means="Several equal requests, none waiting for another's answer.",
        sends=True,
    ),
    CatalogueStep(
        name="race_body",
        expression="{string} sends {string} to {string} {int} times at once with:",
        keyword="When",
        area="race",
        example='"ann" sends "POST" to "/invoices/${invoice_id}/payments" 5 times at once with:',
        means="Several equal requests, none waiting for another's answer.",
        docstring=True,
        sends=True,
    ),
    CatalogueStep(
        name="race_status",
        expression="exactly {int} responses have status {int}",
        keyword="Then",
        area="race",
        example="exactly 1 responses have status 201",
        means="Of those that the last step sent: at once, or one after the other.",
        checks=True,
    ),
    CatalogueStep(
        name="event",
        expression="the event {string} is recorded {int} times",
        keyword="Then",
        area="events",
        example='the event "RefundIssued" is recorded 1 times',
        means="Since before the first request under When.",
        checks=True,
    ),
)


class StepMatch(Struct, frozen=True, kw_only=True):
    """A text seen through the one expression it matches."""

    entry: CatalogueStep
    arguments: tuple[Argument, ...]
    """In order, unescaped."""


_registry = cache(ParameterTypeRegistry)


@cache
def _compiled(expression: str) -> CucumberExpression:
    return CucumberExpression(expression, _registry())


def matches(text: str) -> tuple[StepMatch, ...]:
    """Every expression that TEXT matches: one for a step of the catalogue, else none."""
    if len(text) > STEP_CHARACTERS_MAX:
        return ()
    # Compiling takes a hundred times as long as matching: most texts begin like a few of them.
    fitting = (e for e in CATALOGUE if text.startswith(e.expression.partition("{")[0]))
    found = ((entry, _compiled(entry.expression).match(text)) for entry in fitting)
    return tuple(
        StepMatch(entry=entry, arguments=tuple(argument.value for argument in arguments))
        for entry, arguments in found
        if arguments is not None
    )


def match(text: str) -> StepMatch | None:
    """The step of the catalogue that TEXT is, or None."""
    found = matches(text)
    return found[0] if found else None


def ranked(text: str) -> tuple[CatalogueStep, ...]:
    """All steps, the one that reads most like TEXT first."""
    return tuple(sorted(CATALOGUE, key=lambda step: -likeness(text, step.expression)))


def nearest(text: str) -> CatalogueStep:
    """The step of the catalogue that reads most like TEXT."""
    return ranked(text)[0]


def likeness(text: str, expression: str) -> float:
    """How much TEXT reads like EXPRESSION, whatever its arguments are; 1: the same words."""
    seen = _QUOTED.sub("{string}", text[:200]).lower()
    seen = _DIGITS.sub("{int}", seen)
    said, wanted = set(_WORDS.findall(seen)), set(_WORDS.findall(expression.lower()))
    shared = 2 * len(said & wanted) / max(1, len(said) + len(wanted))
    return (shared + SequenceMatcher(None, seen, expression.lower()).ratio()) / 2


_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|(?<!\w)'[^']*'(?!\w)")
_DIGITS = re.compile(r"(?<![\w{])-?\d+(?![\w}])")
_WORDS = re.compile(r"\{?\w+\}?:?")


_BY_NAME = {step.name: step for step in CATALOGUE}


def text(name: str, *arguments: Argument) -> str:
    """The text of the step NAME with ARGUMENTS, quoted as Cucumber reads it.

    Raises ValueError when an argument cannot be written into a step: line breaks, and a
    backslash at the end (Cucumber Expressions know no escape for it).
    """
    return text_of(_BY_NAME[name].expression, arguments)


def text_of(expression: str, arguments: Sequence[Argument]) -> str:
    """The text that EXPRESSION reads ARGUMENTS from. Raises ValueError as `text` does."""
    parts = expression.replace("{string}", "{}").replace("{int}", "{}")
    return parts.format(*(quoted(a) if isinstance(a, str) else str(a) for a in arguments))


def quoted(value: str) -> str:
    """VALUE as a `{string}`. Raises ValueError as `text` does."""
    if value.endswith("\\") or any(ord(character) < 32 for character in value):
        raise ValueError(f"cannot stand in a step: {value[:80]!r}")
    return '"' + value.replace('"', '\\"') + '"'
