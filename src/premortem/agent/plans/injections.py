"""Text that is code somewhere: kept and shown as text, or refused, never run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from premortem.agent.planning import titles
from premortem.agent.planning.draft import Draft
from premortem.agent.planning.expectation import (
    Expectation,
    captured,
    invalid_status,
    success_status,
)
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.readback import echo_of, read_back
from premortem.agent.plans.valued import (
    More,
    Put,
    allowed,
    as_login,
    fields_of,
    named_field,
    valued,
)
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.agent.understanding.inputs import InputField
from premortem.agent.understanding.words import is_action, stems
from premortem.domain.places import body_place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile

PAYLOADS_MAX = 2
"""Kinds of code that one question is planned for."""
_QUERIES = frozenset(stems("filter query expression where sort order orderby fields select"))
"""Words of parameters that are read as a language of their own."""
_PROSE = """
    description reason comment note message text title name subject summary content body label
    search
"""
_TEXTS = frozenset(stems(_PROSE))
"""Words of fields that hold what people write."""


class Payload(Struct, frozen=True, kw_only=True):
    """A harmless piece of code: run, it would show, and break nothing."""

    kind: str
    pattern: str
    """Regular expression over the question in lower case."""
    text: str


PAYLOADS: tuple[Payload, ...] = (
    Payload(
        kind="SQL",
        pattern=r"\bsql\b|drop table|\bor 1 ?= ?1|bobby|union select|database (?:command|query)",
        text="' OR '1'='1' --",
    ),
    Payload(
        kind="a template",
        pattern=r"\btemplates?\b|\bssti\b|\{\{|jinja|handlebars|placeholder",
        text="{{7*7}}",
    ),
    Payload(
        kind="a path",
        pattern=r"\btraversal|\.\./|dot dot|/etc/|file ?path|directory|folders? up",
        text="../../etc/passwd",
    ),
    Payload(
        kind="a header",
        pattern=r"\bcrlf\b|line ?breaks?|new ?lines?|header injection|response splitting",
        text="premortem\r\nX-Premortem: injected",
    ),
    Payload(
        kind="a command",
        pattern=r"\bshell\b|\bcommand (?:injection|line)|backtick|\brm -rf",
        text="premortem; echo injected",
    ),
    Payload(
        kind="a formula",
        pattern=r"\bformula|\bcsv injection|\bexcel\b|spreadsheet",
        text="=1+1",
    ),
    Payload(
        kind="a script",
        pattern=r"\bscript|\bhtml\b|\bxss\b|javascript|<|\btags?\b|markup|onerror",
        text="<script>alert('premortem')</script>",
    ),
)


def injection(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    """A text that is code, where the question puts it; then what became of it."""
    field = _field(ground, operation)
    if field is None:
        return
    for payload in islice(_payloads(ground, field), PAYLOADS_MAX):
        edge = EdgeValue(boundary="injection", says=f"holding {payload.kind}", value=payload.text)
        put = Put(field=field, edge=edge)
        expected = _expected(ground, operation, reached, put)
        after = None if expected.refused else _shown(ground, operation, put, payload)
        title = titles.with_value(operation, field.name, edge.says)
        yield valued(ground, operation, reached, [put], title=title, expected=expected, after=after)


def _payloads(ground: Ground, field: InputField) -> Iterator[Payload]:
    low = ground.understood.prompt.lower()
    asked = [payload for payload in PAYLOADS if re.search(payload.pattern, low)]
    usual = ("a path",) if field.place.part == "path" else ("SQL", "a script")
    if field.place.part == "body":
        usual = usual[::-1]
    yield from asked or [p for kind in usual for p in PAYLOADS if p.kind == kind]


def _field(ground: Ground, operation: OperationProfile) -> InputField | None:
    """Where the text goes: the field that is named, else what people write into, else any text."""
    named = named_field(ground, operation)
    if named is not None and "object" in named.types:
        return _inside(ground, operation, named)
    if named is not None:
        return named
    texts = [f for f in fields_of(operation) if "string" in f.types and not _is_closed(f)]
    reads = operation.operation.method in SAFE_METHODS

    def rank(field: InputField) -> tuple[bool, bool, bool]:
        words = set(field.stems)
        wanted = "query" if reads else "body"
        return field.place.part != wanted, not words & (_TEXTS | _QUERIES), not field.required

    found = sorted(texts, key=rank)
    if found and found[0].place.part != "path":
        return found[0]
    objects = [f for f in fields_of(operation) if f.place.part == "body" and "object" in f.types]
    if objects and not reads:
        return _inside(ground, operation, objects[0])
    return found[0] if found else None


def _is_closed(field: InputField) -> bool:
    return bool({"enum", "const", "format", "pattern"} & field.constraints.keys())


def _inside(ground: Ground, operation: OperationProfile, field: InputField) -> InputField:
    """A text inside the object FIELD: a member that is known, or one the question speaks of."""
    depth = len(field.place.tokens)
    inner = [
        f
        for f in fields_of(operation)
        if f.place.part == "body"
        and f.place.tokens[:depth] == field.place.tokens
        and len(f.place.tokens) == depth + 1
        and "string" in f.types
        and not _is_closed(f)
    ]
    said = set(stems(ground.understood.prompt))
    inner.sort(key=lambda f: (not set(f.stems) & said, not set(f.stems) & _TEXTS))
    if inner and set(inner[0].stems) & (said | _TEXTS):
        return inner[0]
    words = [w for w in ("title", "name", "text", "comment", "note") if set(stems(w)) & said]
    name = next(iter(words), "text")
    place = body_place(*field.place.tokens, name)
    return InputField(place=place, types=frozenset({"string"}), declared=field.declared)


def _expected(
    ground: Ground, operation: OperationProfile, reached: Reached, put: Put
) -> Expectation:
    status, how = invalid_status(operation, ground.profile)
    if allowed(operation, reached, [put]) is False:
        because = f"the specification forbids it; {how}"
        return Expectation(status=status, because=because, source="specification")
    words = set(put.field.stems)
    if put.field.place.part == "path":
        seen = captured(operation, 404) or 404 in operation.declared
        because = "convention: nothing is called like that (RFC 9110, 15.5.5)"
        return Expectation(status=404, because=because, source="convention", certain=bool(seen))
    if put.field.place.part == "query" and words & _QUERIES:
        because = f"convention: {put.field.name} takes expressions, and this is none; {how}"
        return Expectation(status=status, because=because, source="convention", certain=False)
    expected = Expectation(
        status=success_status(operation),
        because="text is text: nothing known forbids these characters, and nothing may run them "
        "(OWASP ASVS 4.0, 5.2)",
        source="specification" if put.field.declared else "convention",
        certain=not words & frozenset(stems("email url uri phone iban code token password")),
    )
    return as_login(ground, operation, expected)


def _shown(ground: Ground, operation: OperationProfile, put: Put, payload: Payload) -> More | None:
    """Steps that see the text as it was sent, in the answer (reflected) and read again (stored)."""
    if put.field.place.part != "body":
        return None
    template = split_template(operation.operation.template)
    if is_action(operation.operation.method, template):
        return None  # what is answered is the thing acted on, whose own members are called alike
    pointer = echo_of(operation, put.field.place.tokens)
    stored = read_back(ground, operation, put.field.place.tokens)
    if any(ord(character) < 32 for character in payload.text):
        return None  # a step cannot say a line break

    def see(draft: Draft) -> None:
        if pointer is not None:
            draft.add("Then", text("field", pointer, payload.text))
        if stored is not None:
            stored.look(draft)
            draft.add("Then", text("field", stored.pointer, payload.text))

    return see if pointer is not None or stored is not None else None
