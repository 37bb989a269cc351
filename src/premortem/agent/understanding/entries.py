"""One operation's words, by where they stand: what questions are compared with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.understanding.inputs import InputField, input_fields
from premortem.agent.understanding.tellings import stems_told
from premortem.agent.understanding.words import (
    STOPWORDS,
    VERSION_SEGMENT,
    is_action,
    is_plural,
    spoken_segments,
    stems,
    tokens,
)
from premortem.domain.template import parameter_names, split_template
from premortem.domain.traffic import OperationProfile

_BY = re.compile(r"\b(?:filtered )?by\b.*", re.IGNORECASE)
"""`Delete a project by ID or name`: how it is told which one."""
_HOW_IT_IS = re.compile(r"\b(?:an?|the) \w+ed(?= \w)", re.IGNORECASE)
"""`Take a payment for an approved invoice`: nothing is approved by it."""
_KIN = frozenset({"POST", "PUT", "PATCH"})
_DOES = {"POST": "create", "GET": "read", "PUT": "change", "PATCH": "change", "DELETE": "delete"}
TEXT_CHARACTERS_MAX = 300
"""Of an operation's text, which an encoder compares with questions."""
PART_CHARACTERS_MIN = 3


class Entry(Struct, frozen=True, kw_only=True):
    """One operation's words by where they stand."""

    operation: OperationProfile
    head: tuple[str, ...]
    """Of the last literal segment."""
    context: tuple[str, ...]
    summary: frozenset[str]
    parameters: frozenset[str]
    fields: frozenset[str]
    """Words of the names below."""
    inputs: tuple[InputField, ...]
    one: bool
    """It is about one thing: its template ends in a parameter."""
    acts: bool
    """It does something to a thing: `POST /invoices/{id}/approve`."""
    texts: tuple[str, str, str]
    """What it does, what it takes, how it is described: in words."""

    @property
    def field_names(self) -> frozenset[str]:
        """The names of its fields and of its path's parameters, as they are written."""
        names = parameter_names(self.operation.operation.template)
        return frozenset((*(field.name for field in self.inputs), *names))

    @property
    def words(self) -> frozenset[str]:
        """All of them."""
        named = frozenset(self.head) | frozenset(self.context)
        return named | self.summary | self.fields | self.parameters


def entry_of(operation: OperationProfile) -> Entry:
    """The words of OPERATION."""
    segments = spoken_segments(operation.operation.template)
    inputs = input_fields(operation)
    literal = [s for s in segments if "{" not in s and not VERSION_SEGMENT.fullmatch(s)]
    head = literal[-1] if literal else ""
    return Entry(
        operation=operation,
        head=tuple(stems(head)),
        context=tuple(word for segment in literal[:-1] for word in stems(segment)),
        summary=frozenset(stems(_HOW_IT_IS.sub(" ", _BY.sub("", operation.summary)))),
        parameters=frozenset(
            word for name in parameter_names(operation.operation.template) for word in stems(name)
        ),
        fields=frozenset(word for field in inputs for word in field.stems),
        inputs=inputs,
        acts=is_action(operation.operation.method, segments),
        texts=_told(operation, literal, inputs),
        one=bool(segments) and ("{" in segments[-1] or not any(map(is_plural, tokens(head)))),
    )


def with_fields_of_kin(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """ENTRIES with the fields of a thing's making and changing said of both: it is one thing."""
    fields: dict[tuple[tuple[str, ...], tuple[str, ...]], frozenset[str]] = {}
    for entry in entries:
        if entry.operation.operation.method in _KIN and not entry.acts:
            kin = (entry.context, entry.head)
            fields[kin] = fields.get(kin, frozenset()) | entry.fields
    return tuple(
        replace(entry, fields=entry.fields | fields[entry.context, entry.head])
        if entry.operation.operation.method in _KIN and not entry.acts
        else entry
        for entry in entries
    )


def _told(
    operation: OperationProfile, literal: Sequence[str], inputs: Sequence[InputField]
) -> tuple[str, str, str]:
    """What OPERATION does, as its summary says, else as its method and path do; what it takes; how
    it is described."""
    method = operation.operation.method
    path = " ".join(word for segment in literal for word in tokens(segment))
    said = operation.summary or _DOES.get(method, method.lower())
    does = f"{said}: {path}"[:TEXT_CHARACTERS_MAX]
    names = dict.fromkeys(" ".join(tokens(field.name)) for field in inputs)
    takes = f"{path}: {', '.join(names)}"[:TEXT_CHARACTERS_MAX]
    described = operation.description[:TEXT_CHARACTERS_MAX]
    return does, takes if names else does, described or does


def spelled(entry: Entry) -> Iterator[str]:
    """The words of an operation as its specification writes them, in lower case."""
    for segment in split_template(entry.operation.operation.template):
        yield from tokens(segment)
    yield from tokens(entry.operation.summary)
    for field in entry.inputs:
        yield from tokens(field.name)


def compounds_of(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Last part of a compound -> the compounds: `slip` -> `payslip`; both parts are words."""
    english = stems_told()
    found: dict[str, tuple[str, ...]] = {}
    for word in sorted(set(words)):
        for at in range(PART_CHARACTERS_MIN, len(word) - PART_CHARACTERS_MIN + 1):
            first, last = word[:at], word[at:]
            if first in english and last in english and last not in STOPWORDS:
                found[last] = (*found.get(last, ()), word)
    return found
