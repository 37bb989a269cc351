"""Finds the operations that words speak of, by the profile's own words.

BM25's idea (Robertson and Zaragoza 2009): rare words decide. Where a word stands matters too:
the last literal segment of a template says what an operation is about, the segments before it
only where. What a template says and a question does not counts against it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from msgspec import Struct

from premortem.agent.inputs import InputField, input_fields
from premortem.agent.words import METHODS, VERSION_SEGMENT, VerbClass, is_plural, stems, tokens
from premortem.domain.template import parameter_names, split_template
from premortem.domain.traffic import OperationProfile, Profile

_HEAD, _SUMMARY, _CONTEXT, _FIELD, _PARAMETER = 3.0, 1.4, 1.2, 0.6, 0.5
_UNSAID_HEAD, _UNSAID_CONTEXT = 1.1, 0.2
_VERB_FITS, _VERB_MISSES = 3.0, 2.0
_NUMBER = 1.0
"""For one thing meant and one thing taken, or many and many."""
_SEEN = 0.1
TYPO_LIKENESS = 0.84


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

    @property
    def words(self) -> frozenset[str]:
        """All of them."""
        named = frozenset(self.head) | frozenset(self.context)
        return named | self.summary | self.fields | self.parameters


class Asked(Struct, frozen=True, kw_only=True):
    """The words of a question that may speak of an operation."""

    words: tuple[str, ...]
    """Stems, in order."""
    plurals: frozenset[str] = frozenset()
    """Those of them that stood in the plural."""
    classes: tuple[VerbClass, ...] = ()
    """What its verbs do."""
    preferred: Mapping[str, float] = {}
    """Method -> how likely it is meant where no verb says; those left out hardly are."""


class Scored(Struct, frozen=True, kw_only=True):
    """An operation and how well it fits; `matched` are the words that say what it is about."""

    operation: OperationProfile
    score: float
    matched: frozenset[str]
    at_head: bool
    """One of them names the last literal segment."""
    verb: float
    """Positive: the method does what a verb says; 0: no verb says anything."""
    number: float
    """Positive: one thing meant and one taken, or many and many; negative: not so."""


class Index:
    """The words of a profile's operations."""

    def __init__(self, profile: Profile) -> None:
        self.entries = tuple(_entry(operation) for operation in profile.operations)
        counts = Counter(word for entry in self.entries for word in entry.words)
        total = len(self.entries)
        self._idf = {w: math.log(1 + (total - n + 0.5) / (n + 0.5)) for w, n in counts.items()}
        self.named = frozenset(w for e in self.entries for w in (*e.head, *e.context))
        """Words of templates."""
        self.fields = frozenset(word for entry in self.entries for word in entry.fields)
        self.heads = frozenset(word for entry in self.entries for word in entry.head)

    def known(self, word: str) -> str:
        """WORD's stem as the profile has it, one slip of the pen forgiven; empty: unknown."""
        if word in self._idf:
            return word
        if len(word) < 5:
            return ""
        close = get_close_matches(word, self._idf, n=1, cutoff=TYPO_LIKENESS)
        return close[0] if close else ""

    def rank(self, asked: Asked, *, among: Iterable[Entry] | None = None) -> list[Scored]:
        """The operations of AMONG (all, if None), best first; ties: shorter, then more used."""
        scored = [self._score(e, asked) for e in (self.entries if among is None else among)]
        return sorted(
            scored,
            key=lambda s: (
                -round(s.score, 3),
                len(split_template(s.operation.operation.template)),
                -s.operation.count,
                s.operation.id,
            ),
        )

    def _score(self, entry: Entry, asked: Asked) -> Scored:
        score = 0.0
        matched: set[str] = set()
        for word in dict.fromkeys(asked.words):
            weight = _weight(word, entry)
            score += weight * self._idf.get(word, 0.0)
            if weight:
                matched.add(word)
        score -= _UNSAID_HEAD * self._unsaid(entry.head, asked.words)
        score -= _UNSAID_CONTEXT * self._unsaid(entry.context, asked.words)
        verb = _verb_score(entry.operation.operation.method, asked)
        score += verb
        number = _number_score(entry, asked)
        score += number
        score += _SEEN * math.log1p(entry.operation.count)
        return Scored(
            operation=entry.operation,
            score=score,
            matched=frozenset(matched),
            at_head=bool(matched & set(entry.head)),
            verb=verb if asked.classes else 0.0,
            number=number,
        )

    def _unsaid(self, words: Sequence[str], said: Sequence[str]) -> float:
        return sum(self._idf[word] for word in words if word not in said)


def _weight(word: str, entry: Entry) -> float:
    places: tuple[tuple[float, Iterable[str]], ...] = (
        (_HEAD, entry.head),
        (_SUMMARY, entry.summary),
        (_CONTEXT, entry.context),
        (_FIELD, entry.fields),
        (_PARAMETER, entry.parameters),
    )
    found = [weight for weight, words in places if word in words]
    # Each further place says the same again, so it counts for little.
    return max(found) + 0.15 * (sum(found) - max(found)) if found else 0.0


def _verb_score(method: str, asked: Asked) -> float:
    if asked.classes:
        fit = max(METHODS[verb].get(method, 0.0) for verb in asked.classes)
        return _VERB_FITS * fit if fit else -_VERB_MISSES
    return asked.preferred.get(method, -_VERB_MISSES)


CHANGING: Mapping[str, float] = {"POST": 1.2, "PUT": 0.7, "PATCH": 0.7, "DELETE": 0.3}
"""What changes data, creating first."""
READING: Mapping[str, float] = {"GET": 1.2, "POST": 0.2, "PUT": 0.1, "PATCH": 0.1, "DELETE": 0.0}
ANY: Mapping[str, float] = {"POST": 0.3, "PUT": 0.3, "PATCH": 0.3, "DELETE": 0.3, "GET": 0.0}


def _number_score(entry: Entry, asked: Asked) -> float:
    """Deleting `a bucket` is not deleting `all buckets`."""
    meant = [word for word in entry.head if word in asked.words]
    if not meant:
        return 0.0
    if entry.operation.operation.method == "POST":
        return _NUMBER  # it makes one of them, or does one thing
    many = any(word in asked.plurals for word in meant)
    fits = many != entry.one
    return _NUMBER if fits else -_NUMBER


def _entry(operation: OperationProfile) -> Entry:
    segments = split_template(operation.operation.template)
    inputs = input_fields(operation)
    literal = [s for s in segments if "{" not in s and not VERSION_SEGMENT.fullmatch(s)]
    head = literal[-1] if literal else ""
    return Entry(
        operation=operation,
        head=tuple(stems(head)),
        context=tuple(word for segment in literal[:-1] for word in stems(segment)),
        summary=frozenset(stems(operation.summary)),
        parameters=frozenset(
            word for name in parameter_names(operation.operation.template) for word in stems(name)
        ),
        fields=frozenset(word for field in inputs for word in field.stems),
        inputs=inputs,
        one=bool(segments) and ("{" in segments[-1] or not any(map(is_plural, tokens(head)))),
    )
