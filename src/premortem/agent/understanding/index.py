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
from itertools import pairwise

from msgspec import Struct

from premortem.agent.understanding.entries import (
    Entry,
    compounds_of,
    entry_of,
    spelled,
    with_fields_of_kin,
)
from premortem.agent.understanding.meaning import Meaning
from premortem.agent.understanding.thesaurus import ALIKE, alike, is_known
from premortem.agent.understanding.words import (
    METHODS,
    VERBS,
    VerbClass,
)
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile, Profile

_AGAIN = 0.15
_SHARES = {"summary": 0.47, "context": 0.4, "field": 0.2, "parameter": 0.17}
"""What a word counts that stands in a further place, in comparison with the last segment."""
_VERB_MISSES = 2.0
_EVERYDAY_ACTION = 0.4
"""What an action is worth that is an everyday verb, where the thing it is done to is not named."""
_ACTION_FITS = 0.5
COMPOUND = 0.6
"""What the last part of a compound counts for all of it: a slip for a payslip."""
TYPO_LIKENESS = 0.84
TYPO_CHARACTERS_MIN = 4
TYPO_SURENESS = 0.85


_RELATED_WITHIN = 2
"""Nouns that may stand between two that are related, and the other of them."""
_TENTHS = 10


class Parts(Struct, frozen=True, kw_only=True):
    """What speaks for an operation, each by itself; WEIGHTS say what each is worth."""

    head: float = 0.0
    """Words that name the last literal segment, rare ones more."""
    summary: float = 0.0
    context: float = 0.0
    field: float = 0.0
    parameter: float = 0.0
    covers: float = 0.0
    """Words of the question that it explains."""
    unsaid_head: float = 0.0
    """Words of the last segment that the question does not say."""
    unsaid_context: float = 0.0
    verb: float = 0.0
    """How well its method does what the verbs say."""
    against: float = 0.0
    """How clearly the verbs say something else."""
    preferred: float = 0.0
    """How likely its method is where the verbs leave it open."""
    number: float = 0.0
    """1: one thing meant and one taken, or many and many; -1: not so."""
    seen: float = 0.0
    related: float = 0.0
    """`a label on a dataset`: things named as its path has them."""
    compound: float = 0.0
    """`a dataset label`: two words of its last segment side by side."""
    near: float = 0.0
    """How much less near what it does is to what the question says than that of the nearest
    operation, by a sentence encoder, in tenths of a cosine; 0: it is the nearest, or there is no
    encoder."""
    near_fields: float = 0.0
    """The same of what it takes."""
    near_described: float = 0.0
    """The same of how it is described."""

    @property
    def score(self) -> float:
        """All together."""
        return sum(weight * float(getattr(self, name)) for name, weight in WEIGHTS.items())


WEIGHTS: dict[str, float] = {
    "head": 3.0,
    "summary": 1.4,
    "context": 1.2,
    "field": 0.6,
    "parameter": 0.5,
    "covers": 1.2,
    "unsaid_head": -1.4,
    "unsaid_context": -0.2,
    "verb": 3.0,
    "against": -3.0,
    "preferred": 1.0,
    "number": 1.0,
    "seen": 0.05,
    "related": 2.5,
    "compound": 1.0,
    "near": 1.5,
    "near_fields": 0.5,
    "near_described": 0.5,
}


class Said(Struct, frozen=True, kw_only=True):
    """One word of a question, as the profile has it."""

    means: Mapping[str, float]
    """The profile's stems that it may stand for -> how surely, in [0, 1]."""
    share: float
    """How much it counts, in [0, 1]."""
    plural: bool = False
    noun: bool = True
    """It names a thing rather than what is done to it."""
    acting: bool = False
    """It says what is done: `pay an invoice`."""
    at: int = 0
    """Where it stands among the words of the question."""


class Asked(Struct, frozen=True, kw_only=True):
    """The words of a question that may speak of an operation."""

    words: tuple[Said, ...]
    verbs: Mapping[VerbClass, float] = {}
    """What its verbs do -> how much that counts, in [0, 1]."""
    preferred: Mapping[str, float] = {}
    """Method -> how likely it is meant where no verb says; those left out hardly are."""
    relating: frozenset[int] = frozenset()
    """Where words stand that relate two things: a label `on` a dataset."""
    text: str = ""
    """The question itself."""

    @property
    def said(self) -> dict[str, float]:
        """Every stem that is said or meant -> how much it counts."""
        found: dict[str, float] = {}
        for word in self.words:
            for base, sureness in word.means.items():
                found[base] = max(found.get(base, 0.0), word.share * sureness)
        return found


class Scored(Struct, frozen=True, kw_only=True):
    """An operation and how well it fits; `matched` are the words that say what it is about."""

    operation: OperationProfile
    score: float
    parts: Parts = Parts()
    matched: frozenset[str]
    nouns: frozenset[str]
    """Those of them that name a thing."""
    at_head: bool
    """One of them names the last literal segment."""
    verb: float
    """Positive: the method does what a verb says; 0: no verb says anything."""
    number: float
    """Positive: one thing meant and one taken, or many and many; negative: not so."""


class Index:
    """The words of a profile's operations."""

    def __init__(self, profile: Profile, meaning: Meaning | None = None) -> None:
        self.meaning = meaning
        """What a sentence encoder makes of texts; None: there is none."""
        self.entries = with_fields_of_kin([entry_of(o) for o in profile.operations])
        if meaning is not None:
            meaning.remember([text for entry in self.entries for text in entry.texts])
        self._by_id = {entry.operation.id: entry for entry in self.entries}
        counts = Counter(word for entry in self.entries for word in entry.words)
        total = len(self.entries)
        self._idf = {w: math.log(1 + (total - n + 0.5) / (n + 0.5)) for w, n in counts.items()}
        self.named = frozenset(w for e in self.entries for w in (*e.head, *e.context))
        """Words of templates."""
        self.fields = frozenset(word for entry in self.entries for word in entry.fields)
        self.actions = frozenset(
            word for e in self.entries if e.acts for word in e.head if word not in VERBS
        )
        """Words of what operations do to things: approve, lock."""
        self.heads = frozenset(word for entry in self.entries for word in entry.head)
        self._compounds = compounds_of((*self.named, *self.fields))
        self.spelled = frozenset(word for entry in self.entries for word in spelled(entry))
        """Its words as they are written."""

    def entry(self, operation_id: str) -> Entry:
        """The words of one operation. Raises KeyError for others."""
        return self._by_id[operation_id]

    def known(self, word: str) -> Mapping[str, float]:
        """The profile's stems that WORD's stem may stand for -> how surely, in [0, 1].

        Itself, else what means the same, else a slip of the pen.
        """
        means = dict.fromkeys(self._compounds.get(word, ()), COMPOUND)
        means |= {other: ALIKE for other in alike(word) if other in self._idf}
        if word in self._idf:
            return {**means, word: 1.0}
        if means or len(word) < TYPO_CHARACTERS_MIN or is_known(word) or word in VERBS:
            return means
        close = get_close_matches(word, self._idf, n=1, cutoff=TYPO_LIKENESS)
        if not close or close[0][0] != word[0]:
            return {}
        # Of a short word only a missing letter: `chek`, not `link`, which is a word itself.
        slip = len(word) > TYPO_CHARACTERS_MIN or len(close[0]) > len(word)
        return {close[0]: TYPO_SURENESS} if slip else {}

    def rank(self, asked: Asked, *, among: Iterable[Entry] | None = None) -> list[Scored]:
        """The operations of AMONG (all, if None), best first; ties: shorter, then more used."""
        said = asked.said
        plurals = frozenset(b for word in asked.words if word.plural for b in word.means)
        entries = list(self.entries if among is None else among)
        near = zip(
            *(
                self._near(asked.text, texts)
                for texts in zip(*(entry.texts for entry in entries), strict=True)
            ),
            strict=True,
        )
        scored = [
            self._score(entry, asked, said, plurals, near=shares)
            for entry, shares in zip(entries, near, strict=True)
        ]
        return sorted(
            scored,
            key=lambda s: (
                -round(s.score, 3),
                len(split_template(s.operation.operation.template)),
                -s.operation.count,
                s.operation.id,
            ),
        )

    def likeness(self, text: str) -> float:
        """How near TEXT is to the nearest text of an operation: a cosine; 0 without an encoder."""
        if self.meaning is None or not text or not self.entries:
            return 0.0
        return max(self.meaning.near(text, [one for entry in self.entries for one in entry.texts]))

    def _near(self, text: str, texts: Sequence[str]) -> list[float]:
        """`Parts.near` of each of TEXTS."""
        if self.meaning is None or not text:
            return [0.0] * len(texts)
        found = self.meaning.near(text, texts)
        return [_TENTHS * (one - max(found)) for one in found]

    def _score(
        self,
        entry: Entry,
        asked: Asked,
        said: Mapping[str, float],
        plurals: frozenset[str],
        *,
        near: tuple[float, ...],
    ) -> Scored:
        told: dict[str, float] = dict.fromkeys(("head", *_SHARES), 0.0)
        covers = 0.0
        matched: set[str] = set()
        nouns: set[str] = set()
        for word in asked.words:
            place, worth, base = self._word_score(word, entry, said)
            if base:
                told[place] += worth * word.share
                matched.add(base)
                if word.noun:
                    about = base not in entry.fields or base in entry.head or base in entry.context
                    covers += word.share if about else 0.0
                    nouns.add(base)
        verb, against, preferred = _verb_parts(entry, asked, said)
        parts = Parts(
            **told,
            covers=covers,
            unsaid_head=self._unsaid(entry.head, said),
            unsaid_context=self._unsaid(entry.context, said),
            verb=verb,
            against=against,
            preferred=preferred,
            number=_number_score(entry, said, plurals),
            seen=math.log1p(entry.operation.count),
            related=_related(entry, asked),
            compound=_compound(entry, asked),
            near=near[0],
            near_fields=near[1],
            near_described=near[2],
        )
        return Scored(
            operation=entry.operation,
            score=parts.score,
            parts=parts,
            matched=frozenset(matched),
            nouns=frozenset(nouns),
            at_head=bool(matched & set(entry.head)),
            verb=verb - against if asked.verbs else 0.0,
            number=parts.number,
        )

    def _word_score(
        self, word: Said, entry: Entry, said: Mapping[str, float]
    ) -> tuple[str, float, str]:
        """Where WORD speaks for ENTRY, how much, and the stem of ENTRY's that it stands for.

        An empty stem: nowhere. What only means the same is worth no more than the word itself,
        however rare it is.
        """
        own = max((self._idf[b] for b, sure in word.means.items() if sure == 1.0), default=None)
        best, place, worth, found = 0.0, "head", 0.0, ""
        unsaid_thing = entry.acts and not any(base in said for base in entry.context)
        for base, sureness in word.means.items():
            at, share = _place(base, entry, noun=word.noun)
            if not at:
                continue
            if unsaid_thing and base in VERBS and base in entry.head:
                share *= _EVERYDAY_ACTION
            idf = self._idf[base] if own is None else min(own, self._idf[base])
            if WEIGHTS[at] * share * idf * sureness > best:
                best = WEIGHTS[at] * share * idf * sureness
                place, worth, found = at, share * idf * sureness, base
        return place, worth, found

    def _unsaid(self, words: Sequence[str], said: Mapping[str, float]) -> float:
        return sum(self._idf[word] * (1 - said.get(word, 0.0)) for word in words)


def _place(word: str, entry: Entry, *, noun: bool) -> tuple[str, float]:
    """Where ENTRY has WORD that counts most, and how often it says it besides; empty: nowhere."""
    found = [
        place
        for place, words in (
            ("head", entry.head),
            ("summary", entry.summary),
            ("context", entry.context),
            ("field", entry.fields if noun else ()),
            ("parameter", entry.parameters if noun else ()),
        )
        if word in words
    ]
    if not found:
        return "", 0.0
    # Each further place says the same again, so it counts for little.
    return found[0], 1.0 + _AGAIN * sum(_SHARES[place] for place in found[1:])


def _verb_parts(
    entry: Entry, asked: Asked, said: Mapping[str, float]
) -> tuple[float, float, float]:
    """How well the method does what the verbs say, how clearly they say something else, and how
    likely it is anyway; an action that is named says it all."""
    method = entry.operation.operation.method
    done = {base for word in asked.words if word.acting for base in word.means}
    action = max((said.get(word, 0.0) for word in entry.head), default=0.0)
    doing = max((said.get(word, 0.0) for word in entry.head if word in done), default=0.0)
    preferred = asked.preferred.get(method, -_VERB_MISSES)
    if entry.acts and (doing or not asked.verbs):
        return action, 0.0, 0.0
    if method == "POST" and doing:
        return doing, 0.0, 0.0  # to pay is to make a payment
    if not asked.verbs:
        return 0.0, 0.0, preferred
    fit = max(METHODS[v].get(method, 0.0) * share for v, share in asked.verbs.items())
    share = max(asked.verbs.values())
    if entry.acts and (fit < _ACTION_FITS or action < _ACTION_FITS):
        fit = 0.0  # `issued after cancellation`: nothing is cancelled
    # What is done in a subordinate clause only hints at what is meant.
    return fit, 0.0 if fit else share, (1 - share) * preferred


def _related(entry: Entry, asked: Asked) -> float:
    """1 where the question says `<head> on <context>`: a label on a dataset; -1 where both are
    one thing here: a dataset label."""
    places = [(word.at, frozenset(word.means)) for word in asked.words if word.noun]
    head, context = frozenset(entry.head), frozenset(entry.context) - frozenset(entry.head)
    for index, (one, means) in enumerate(places):
        # `the transcript of another user's session`: whose it is may stand in between.
        for other, others in places[index + 1 : index + 1 + _RELATED_WITHIN]:
            joined = asked.relating & frozenset(range(one + 1, other)) and means & head
            if joined and others & context:
                return 1.0
            if joined and others & (head - means):
                return -1.0
    return 0.0


def _compound(entry: Entry, asked: Asked) -> float:
    """1 where two words of the last segment stand side by side in the question."""
    pairs = set(pairwise(entry.head))
    for one, other in pairwise(asked.words):
        if other.at == one.at + 1 and any((a, b) in pairs for a in one.means for b in other.means):
            return min(one.share, other.share)
    return 0.0


CHANGING: Mapping[str, float] = {"POST": 1.2, "PUT": 0.7, "PATCH": 0.7, "DELETE": 0.3}
"""What changes data, creating first."""
READING: Mapping[str, float] = {"GET": 1.2, "POST": 0.2, "PUT": 0.1, "PATCH": 0.1, "DELETE": 0.0}
ANY: Mapping[str, float] = {"POST": 0.3, "PUT": 0.3, "PATCH": 0.3, "DELETE": 0.3, "GET": 0.2}


def _number_score(entry: Entry, said: Mapping[str, float], plurals: frozenset[str]) -> float:
    """Deleting `a bucket` is not deleting `all buckets`."""
    meant = [word for word in entry.head if word in said]
    if not meant:
        return 0.0
    if entry.operation.operation.method == "POST":
        return 1.0  # it makes one of them, or does one thing
    many = any(word in plurals for word in meant)
    if many != entry.one:
        return 1.0
    # A word that only means the same may be one where the other is many: transcript, messages.
    return -1.0 if max(said[word] for word in meant) > ALIKE else 0.0
