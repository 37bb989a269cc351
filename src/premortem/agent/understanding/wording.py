"""What the words of a question do in it: act, name a thing, say how it is, whose it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from premortem.agent.understanding.failure_modes import mode_words
from premortem.agent.understanding.index import ANY, CHANGING, READING, Asked, Index, Said
from premortem.agent.understanding.reading import BESIDE, Reading, Word
from premortem.agent.understanding.thesaurus import ALIKE
from premortem.agent.understanding.words import (
    STOPWORDS,
    VERBS,
    VerbClass,
    participle,
    stem,
    stems,
)

_SECOND_CLASS = 0.7
_CUE_WORD, _DOER, _NEW, _OWNED = 0.5, 0.35, 0.5, 0.8
_CUE_VERB = 0.3
_TOLD = frozenset(
    {"retry_after_timeout", "unknown_reference", "stale_change", "others_data", "invalid_token"}
    | {"dependency_failure", "forbidden_transition", "wrong_order"}
)
"""Failure modes whose cues tell what happened besides: the connection drops, somebody deleted."""
_BELONGS = frozenset({"of", "for", "on", "in"})
_PREPOSITIONS = frozenset(["to", "with", "for", "by", "in", "on", "as", "into", "from", "at"])
_NOMINAL = ("tion", "sion", "val", "ment")
_CREDENTIALS = frozenset(map(stem, ["token", "key", "api", "password", "secret", "credential"]))
_INSTRUMENT = 0.3
"""What a credential counts where the question is about credentials: it is what is used."""
_RELATES = _PREPOSITIONS | frozenset(["of", "off", "onto", "against", "towards", "inside", "under"])
_PEOPLE = frozenset(
    map(stem, ["user", "person", "customer", "client", "people", "caller", "visitor", "member"])
)
"""Who does something, where no role is meant."""
_DOES = frozenset(
    [
        "wants",
        "wanted",
        "want",
        "tries",
        "tried",
        "can",
        "could",
        "may",
        "is",
        "has",
        "clicks",
        "clicked",
        "types",
        "sends",
        "hits",
        "keeps",
        "goes",
        "then",
        "does",
        "accidentally",
        "calls",
        "rings",
        "asks",
    ]
)
_BEFORE_NOUN = frozenset(
    [
        "a",
        "an",
        "the",
        "his",
        "her",
        "its",
        "their",
        "my",
        "our",
        "your",
        "this",
        "that",
        "each",
        "every",
        "one",
        "of",
        "in",
        "on",
        "no",
        "any",
        "same",
    ]
)
_PLACES = frozenset({"of", "in", "on"})
_ALREADY = frozenset(
    [
        "already",
        "half",
        "fully",
        "partly",
        "partially",
        "yet",
        "never",
        "just",
        "still",
        "completely",
    ]
)
_READ_TOO = frozenset({"unknown_reference", "time_edge", "others_data", "invalid_token"})
_UNLESS_THERE = re.compile(r"\bif-none-match\b|\bonly if\b.{0,20}\b(?:not|none|no one)\b")
"""A name is taken unless somebody has it: a conditional PUT (RFC 9110, 13.1.2)."""
_COUNTS = {"two": 2, "twice": 2, "three": 3, "thrice": 3, "four": 4, "five": 5, "ten": 10}
_TIMES = re.compile(
    r"\b(twice|thrice|(?:two|three|four|five|ten|\d{1,2})(?= times| people| users| requests| "
    r"clients| threads| tabs| at once))"
)


def asked_of(
    reading: Reading,
    mode: str,
    index: Index,
    *,
    in_query: bool,
    own: frozenset[str] = frozenset(),
) -> Asked:
    """The words that speak of an operation; OWN: those of the field that is named."""
    cues = mode_words(reading.told, mode)
    coded = frozenset(base for name in reading.coded for base in stems(name))
    found: list[Said] = []
    verbs: dict[VerbClass, float] = {}
    for at, word in enumerate(reading.words):
        if word.particle:
            continue
        share = word.weight * _adjective(reading.words, at)
        if word.stem in coded:
            continue  # of a field's name
        if mode == "invalid_token" and word.stem in _CREDENTIALS:
            share *= _INSTRUMENT
        aside = word.weight <= BESIDE or is_state(reading.words, at, index)
        if mode in ("forbidden_transition", "wrong_order") and aside:
            share *= _CUE_WORD
        acts = _is_verb(reading.words, at, index)
        told = word.text in cues and mode in _TOLD
        if word.stem in own and word.stem not in index.heads and not word.meaning:
            continue  # `last_modified` modifies nothing
        for verb_class, worth in _done(word, acts=acts, first=at == 0):
            worth *= share * (_CUE_VERB if told else 1.0)
            verbs[verb_class] = max(verbs.get(verb_class, 0.0), worth)
        if _says_something(word) and word.stem not in own - index.heads:
            named = _said(
                reading.words, at, index, share=share, acts=acts, cue=word.text in cues, told=told
            )
            found += [named] if named.means and named.share else []
    if _UNLESS_THERE.search(reading.told):
        verbs = {"put": 1.0}
    listed = any(word.plural and word.noun and word.share >= _OWNED for word in found)
    reads = in_query or mode == "pagination_edge"
    # `experiments of a dataset that is gone`: nobody says that anything is made.
    reads = reads or (mode in _READ_TOO and listed and not verbs)
    preferred = ANY if mode in ("forbidden_role", "others_data", "invalid_token") else CHANGING
    return Asked(
        words=tuple(found),
        verbs=verbs,
        preferred=READING if reads else preferred,
        relating=frozenset(at for at, w in enumerate(reading.words) if w.text in _RELATES),
        text=reading.asked_about,
    )


def _done(word: Word, *, acts: bool, first: bool) -> list[tuple[VerbClass, float]]:
    """What WORD says is done, and how surely."""
    if word.text == "getting" or (first and word.text == "get"):
        return [("read", 1.0)]  # `gets deleted` reads nothing
    if word.text == "new":
        return [("create", _NEW)]
    classes = _classes(word) if acts else ()
    return [(one, _SECOND_CLASS if rank else 1.0) for rank, one in enumerate(classes)]


def _said(
    words: Sequence[Word], at: int, index: Index, *, share: float, acts: bool, cue: bool, told: bool
) -> Said:
    """What words[AT] stands for in the profile. CUE: it speaks of the failure mode, too;
    TOLD: and of nothing else."""
    word = words[at]
    means = dict(index.known(word.means))
    if word.meaning:
        for base, sureness in index.known(word.stem).items():
            means.setdefault(base, sureness * ALIKE)
    if cue and (told or word.stem not in index.heads):
        share *= _CUE_WORD
        means = {base: sureness for base, sureness in means.items() if sureness == 1.0}
    if _is_doer(at, words):
        share *= _DOER
    return Said(
        means=means,
        share=share * _of_something(words, at),
        plural=word.plural,
        noun=not acts,
        acting=acts or _is_done(words, at),
        at=at,
    )


def _is_done(words: Sequence[Word], at: int) -> bool:
    """`pay an invoice`, `approves the request`: a word that does something to what follows."""
    if words[at].meaning:
        return True
    before = words[at - 1].text if at else ""
    after = words[at + 1] if at + 1 < len(words) else None
    if before in _BEFORE_NOUN or words[at].text.endswith(("ment", "ments", "tion", "tions")):
        return False
    formed = words[at].text.endswith(("ed", "ing", "id"))
    joined = after is not None and after.clause == words[at].clause and after.weight > 0
    return formed or (joined and after is not None and after.text in _BEFORE_NOUN - _PLACES)


def _says_something(word: Word) -> bool:
    common = word.text in STOPWORDS and not word.meaning
    return not common and len(word.text) > 1 and not word.text.lstrip("-")[0].isdigit()


def _classes(word: Word) -> tuple[VerbClass, ...]:
    return VERBS.get(word.means) or VERBS.get(_bare(word.means), ())


def _bare(base: str) -> str:
    again = base.removeprefix("re-").removeprefix("re")
    return again if base not in VERBS else base


def _is_verb(words: Sequence[Word], at: int, index: Index) -> bool:
    word = words[at]
    if not _classes(word):
        return False
    before = words[at - 1].text if at else ""
    following = words[at + 1].text if at + 1 < len(words) else ""
    if (word.text.endswith(_NOMINAL) or word.meaning) and following in ("of", "for"):
        return word.stem not in index.heads  # `the removal of a label`
    if before in _BEFORE_NOUN and not word.text.endswith("ing"):
        return False
    formed = word.text.endswith(("ing", "ed")) or word.text == participle(word.stem)
    after = words[at + 1].text if at + 1 < len(words) else ""
    # `deletes a project`, though one operation is called delete: then the word does, not names.
    return word.stem not in index.heads or formed or after in _BEFORE_NOUN


def _adjective(words: Sequence[Word], at: int) -> float:
    """`the approved invoice`, `already paid`: how something is, not what is done."""
    word = words[at]
    if not word.text.endswith(("ed", "id", "en", "wn")):
        return 1.0
    if not at:  # `deleted project, but ...`
        thing = len(words) > 1 and words[1].clause == word.clause
        return BESIDE if thing and words[1].text not in STOPWORDS else 1.0
    before = words[at - 1].text
    follows = at + 1 < len(words) and words[at + 1].clause == word.clause
    return BESIDE if before in _ALREADY or (before in _BEFORE_NOUN and follows) else 1.0


def _of_something(words: Sequence[Word], at: int) -> float:
    """`the transcript of a session` is about a transcript."""
    for back in range(at - 1, max(at - 5, 0), -1):
        if words[back].clause != words[at].clause:
            return 1.0
        if words[back].text in _BELONGS:
            named = back > 0 and words[back - 1].clause == words[at].clause
            return _OWNED if named and not words[back - 1].text[0].isdigit() else 1.0
        if words[back].text in _PREPOSITIONS:
            return 1.0
    return 1.0


def _is_doer(at: int, words: Sequence[Word]) -> bool:
    """`a user issues ...`: somebody, not the thing it is about."""
    if at + 2 >= len(words) or words[at].possessive:
        return False
    following = words[at + 1]
    # `a tenant silences the alarm`: who does something to something.
    active = following.stem in VERBS and following.text.endswith("s") and not words[at].plural
    if active and words[at + 2].text in _BEFORE_NOUN - _PLACES and at and words[at - 1].weight:
        return True
    if words[at].stem not in _PEOPLE:
        return False
    if following.clause != words[at].clause or following.text.endswith("ed"):
        return False
    third = words[at].text == words[at].stem and following.text.endswith("s")
    return following.stem in VERBS or following.text in _DOES or third


def content(reading: Reading) -> list[Word]:
    """The words of READING that mean something of their own."""
    return [word for word in reading.words if _says_something(word) and not word.particle]


def is_state(words: Sequence[Word], at: int, index: Index) -> bool:
    """Whether a participle says how something is that one of the service's actions brings about."""
    word = words[at]
    aside = word.weight <= BESIDE or _adjective(words, at) < 1.0
    ended = word.text.endswith(("ed", "id", "en", "wn", "ld"))
    return aside and ended and at > 0 and bool(index.actions & index.known(word.means).keys())


def state_said(reading: Reading) -> str:
    """The state that the thing is said to be in: the first participle that says how it is."""
    for at, word in enumerate(reading.words):
        aside = word.weight <= BESIDE and word.text.endswith(("ed", "id"))
        if aside or _adjective(reading.words, at) < 1.0:
            before = reading.words[at - 1].text if at else ""
            return f"{before} {word.text}" if before in ("half", "partly", "fully") else word.text
    return ""


def times_said(low: str) -> int:
    """How often something is done, or by how many at once: at least 2, at most 20."""
    found = _TIMES.search(low)
    if found is None:
        return 2
    return max(2, _COUNTS[found[1]] if found[1] in _COUNTS else min(int(found[1]), 20))
