"""What can go wrong, as data: the words that name it and what an operation must have for it."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from premortem.agent.boundaries import BOUNDARIES, asked
from premortem.agent.words import tokens
from premortem.domain.run import SAFE_METHODS
from premortem.domain.traffic import OperationProfile

ModeName = Literal["duplicate", "forbidden_role", "boundary"]
ANONYMOUS = "anonymous"
"""The role of an actor who is not signed in, in an Understanding."""


class FailureMode(Struct, frozen=True, kw_only=True):
    """One way in which a service may be used wrongly."""

    name: ModeName
    meaning: str
    pattern: str
    """Regular expression over the question in lower case; boundaries bring their own."""
    examples: tuple[str, ...]
    """Words that name it, for messages."""
    needs: str
    """What the operation must have, in words; `possible` decides it."""
    plan: tuple[str, ...]
    """The planned steps, in words."""
    expectation: tuple[str, ...]
    """Where the expected outcome comes from, the strongest first."""
    tag: Literal["edge", "security"]


FAILURE_MODES: tuple[FailureMode, ...] = (
    FailureMode(
        name="duplicate",
        meaning="the same request is sent a second time",
        pattern=r"\b(?:twice|thrice|again|duplicat\w*|doubl(?:e|es|ed|y)|repeat\w*|repetition|"
        r"re-?(?:submit\w*|send\w*|sent|issu\w*|post\w*|play\w*|creat\w*|pa(?:y|id)\w*)|"
        r"re-?tr(?:y|ies|ied|ying)|(?:two|three|four|five|several|many|multiple|\d+) times|"
        r"more than once|(?:a )?second time|once more|already|idempoten\w*|two (?:identical|equal)|"
        r"back to back)\b",
        examples=("twice", "again", "duplicate"),
        needs="a method that changes data",
        plan=(
            "bring the state about as production does",
            "send the request, see it answered",
            "read what it changed",
            "send it again",
            "see the answer, and that nothing changed further",
        ),
        expectation=(
            "a repetition that was captured",
            "the 409 that was captured for the operation",
            "the 409 that the specification declares",
            "what sibling operations answer",
            "convention (RFC 9110, 9.2.2)",
        ),
        tag="edge",
    ),
    FailureMode(
        name="forbidden_role",
        meaning="somebody does what their role does not allow",
        pattern=r"\b(?:unauthori[sz]ed|forbidden|(?:not|isn't|aren't) (?:allowed|permitted)|"
        r"(?:without|no|lacks?|lacking|missing) (?:the )?(?:right )?permissions?|wrong role|"
        r"unprivileged|insufficient (?:rights|permissions?|privileges?))\b",
        examples=("a role's name before a verb", "not signed in", "without permission"),
        needs="nothing",
        plan=(
            "bring the state about as production does",
            "read what could change",
            "send the request as the role in question",
            "see the refusal, and that nothing changed",
        ),
        expectation=(
            "the role matrix that was captured",
            "the roles that the specification's summary names",
            "the 401 or 403 that the specification declares",
            "what the role was answered elsewhere",
            "convention (RFC 9110, 15.5)",
        ),
        tag="security",
    ),
    FailureMode(
        name="boundary",
        meaning="a field holds a value at or beyond the edge of what makes sense",
        pattern="",
        examples=("zero", "negative", "null", "missing", "empty", "too long", "too high"),
        needs="a field of a fitting type in body or query",
        plan=(
            "bring the state about as production does",
            "read what could change",
            "send the request with that one value changed",
            "see the refusal, and that nothing changed",
        ),
        expectation=(
            "an answer to the same value that was captured",
            "the specification's schema",
            "the shape of everything that was captured",
        ),
        tag="edge",
    ),
)
_BY_NAME = {mode.name: mode for mode in FAILURE_MODES}


def mode_named(name: str) -> FailureMode:
    """The failure mode NAME. Raises KeyError: names are ours, not the user's."""
    return _BY_NAME[name]  # type: ignore[index]


def modes_in(text: str) -> tuple[ModeName, ...]:
    """The failure modes that TEXT names by their words, the clearest first."""
    low = text.lower()
    found: list[ModeName] = []
    for mode in FAILURE_MODES:
        named = asked(text) if mode.name == "boundary" else re.search(mode.pattern, low)
        if named:
            found.append(mode.name)
    return tuple(found)


def mode_words(text: str) -> frozenset[str]:
    """The words of TEXT by which it names failure modes, lower case."""
    low = text.lower()
    patterns = [mode.pattern for mode in FAILURE_MODES if mode.pattern]
    patterns += [boundary.pattern for boundary in BOUNDARIES]
    found = (match.group() for p in patterns for match in re.finditer(p, low))
    return frozenset(word for phrase in found for word in tokens(phrase))


def possible(mode: str, operation: OperationProfile) -> bool:
    """Whether OPERATION has what the failure mode MODE needs."""
    method = operation.operation.method
    if mode == "duplicate":
        return method not in SAFE_METHODS
    if mode == "boundary":
        seen = any(field.place.part in ("query", "body") for field in operation.fields)
        queries = any(text.startswith("query:") for text in operation.parameter_schemas)
        return seen or queries or bool(operation.request_schema)
    return True


def offered() -> str:
    """All failure modes in one line, for messages."""
    return "; ".join(f"{mode.name} ({', '.join(mode.examples)})" for mode in FAILURE_MODES)
