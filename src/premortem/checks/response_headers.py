"""A header of an answer that is missing, or is not what was promised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from premortem.checks.check import Check, Known, is_foreign
from premortem.domain.conform import Conformance, compiled
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import DeclaredHeader, Document, Response

NAME = "response_headers"
SCHEMAS_MAX = 1024
"""Compiled at once."""
VALUES_MAX = 4096
"""Values whose verdict is remembered: answers repeat them."""
EVIDENCE_CHARS_MAX = 200
_ANNOTATIONS = frozenset({"$schema", "type", "description", "title", "example", "examples"})


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """Headers against those declared for the status (OpenAPI 3.1, 4.8.21).

    Guard: 5xx are not judged; an undeclared header is nobody's promise; a value is held to be
    wrong only when no reading of it (as text, number, boolean, list) satisfies the schema.
    """
    response = sent.response
    if response is None or response.status >= 500 or is_foreign(case):
        return
    answer = known.answer(response.status)
    for header in answer.headers if answer is not None else ():
        wrong = _wrong(header, response)
        if wrong:
            title, signature, evidence = wrong
            yield Verdict(
                check=NAME,
                title=title,
                signature=signature,
                evidence=f"answered {response.status}; {evidence}",
                severity="medium" if signature.endswith("missing") else "low",
            )


def _wrong(header: DeclaredHeader, response: Response) -> tuple[str, str, str] | None:
    """(title, signature, evidence) of what is wrong with HEADER in RESPONSE."""
    name = header.name
    values = [value for key, value in response.headers if key == name]
    if not values:
        if not header.required:
            return None
        evidence = f"the specification requires the header `{name}`"
        return f"lacks the header `{name}`", f"{name} missing", evidence
    if not header.schema or _fits(header.schema, tuple(values)):
        return None
    shown = ", ".join(values)[:EVIDENCE_CHARS_MAX]
    evidence = f"`{name}: {shown}` is not what the specification declares"
    return f"gives the header `{name}` a value that is not declared", f"{name} value", evidence


def telling(headers: Iterable[DeclaredHeader]) -> tuple[DeclaredHeader, ...]:
    """Those of HEADERS that an answer can fail to keep: not the optional ones of any text."""
    return tuple(h for h in headers if h.required or (h.schema and not _takes_any(h.schema)))


def are_kept(headers: Iterable[DeclaredHeader], response: Response) -> bool:
    """Whether RESPONSE keeps all of HEADERS."""
    return all(_wrong(header, response) is None for header in headers)


def _takes_any(document: Document) -> bool:
    said = msgspec.json.decode(document)
    if not isinstance(said, dict):
        return said is True
    return not said.keys() - _ANNOTATIONS and said.get("type", "string") == "string"


@lru_cache(maxsize=VALUES_MAX)
def _fits(document: Document, values: tuple[str, ...]) -> bool:
    schema = _compiled(document)
    return schema is None or schema.reads_valid(values) or schema.reads_valid([", ".join(values)])


@lru_cache(maxsize=SCHEMAS_MAX)
def _compiled(document: Document) -> Conformance | None:
    return compiled(document)


CHECK = Check(
    name=NAME,
    description="a header that the specification requires of the answer is missing, "
    "or a declared one has a value it does not allow",
    severity="medium",
    judge=judge,
)
