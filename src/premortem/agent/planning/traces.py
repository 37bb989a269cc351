"""What a change leaves in a list beside it: an audit log, a history, an outbox that can be read.

Learned from traffic: a list can be asked for one thing and for one word (`?subject=inv-7&action=
invoice.approved`), and the entries with that word were there for just the things that one operation
was done to. Of the other words in that list's vocabulary one may be said of an operation by its
name; it counts where the list keeps its word for several others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from premortem.agent.planning import titles
from premortem.agent.planning.expectation import Evidence
from premortem.agent.planning.observation import list_in
from premortem.agent.understanding.inputs import InputField, input_fields, resolved
from premortem.agent.understanding.words import is_action, singular, tokens
from premortem.domain.bodies import at, read_body, text_of
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import split_path, split_template
from premortem.domain.traffic import Exchange, OperationProfile

THINGS_MIN = 2
"""Things of which a word's entry was seen from which it is taken for an operation's."""
KEPT_MIN = 3
"""Operations whose word a list was seen to keep, from which its vocabulary speaks for others."""
ANSWERS_MAX = 300
"""Recorded answers of one list that are looked through."""


class Trace(Struct, frozen=True, kw_only=True):
    """How to see what an operation left in a list."""

    listing: OperationProfile
    pointer: str
    """Where the list stands in the answer; empty: it is the answer."""
    subject: str
    """The query parameter that asks for one thing."""
    word: str
    """The query parameter that asks for one word."""
    value: str
    """What the operation leaves."""
    seen: int
    """Things of which production's list showed it; 0: only the name says so."""


class _Log(Struct, frozen=True, kw_only=True):
    """A list of what happened: of which thing, and its word for what was done."""

    listing: OperationProfile
    pointer: str
    subject: str
    word: str
    vocabulary: frozenset[str]
    """Words that it may hold, as far as it is known."""
    things: Mapping[str, frozenset[str]]
    """Word -> things that it was seen of."""
    looked: tuple[tuple[str, float, frozenset[str]], ...]
    """Whole answers about one thing: the thing, when, the words in it."""


def trace_of(operation: OperationProfile, evidence: Evidence) -> Trace | None:
    """What OPERATION leaves of the thing that its path names; None: nothing shows that it does."""
    if operation.operation.method in SAFE_METHODS or not _is_done_to(operation):
        return None
    for log in _logs(evidence):
        words = _learned(log, evidence)
        value = words.get(operation.id, "")
        seen = len(log.things.get(value, ()))
        if not value and len(words) >= KEPT_MIN:
            value, seen = _named(operation, log, taken=frozenset(words.values())), 0
        if value:
            return Trace(
                listing=log.listing,
                pointer=log.pointer,
                subject=log.subject,
                word=log.word,
                value=value,
                seen=seen,
            )
    return None


def _is_done_to(operation: OperationProfile) -> bool:
    """Whether it is done to what its path names; what a POST to a collection makes has entries of
    its own."""
    template = split_template(operation.operation.template)
    itself = "{" in template[-1] if template else False
    acts = is_action(operation.operation.method, template)
    return _opened(operation) >= 0 and (itself or acts)


def _opened(operation: OperationProfile) -> int:
    """The segment of OPERATION's path that names what it is done to; -1: none."""
    template = split_template(operation.operation.template)
    return max((i for i, segment in enumerate(template) if "{" in segment), default=-1)


def _logs(evidence: Evidence) -> Iterator[_Log]:
    for listing in evidence.profile.operations:
        template = listing.operation.template
        pointer = list_in(listing) if listing.operation.method == "GET" else None
        if pointer is None or "{" in template or any("query:" in q for q in listing.required):
            continue
        asked = [f for f in input_fields(listing) if f.place.part == "query"]
        pairs = [(s.name, w) for w in asked if len(_closed(w)) > 1 for s in asked if s is not w]
        if not pairs:
            continue
        exchanges = [e for e in evidence.of(listing) if e.response.status < 300][:ANSWERS_MAX]
        held = [(e, _items(e, pointer)) for e in exchanges]
        for subject, word in pairs:
            log = _log(listing, pointer, subject, word.name, _closed(word), held)
            if log is not None:
                yield log


def _closed(field: InputField) -> frozenset[str]:
    """The words that FIELD may have; empty: it is open."""
    schema = {**resolved(field.schema, field.root), **field.constraints}
    values = schema.get("enum")
    return frozenset(v for v in values if isinstance(v, str)) if values else frozenset()


def _log(
    listing: OperationProfile,
    pointer: str,
    subject: str,
    word: str,
    closed: frozenset[str],
    held: list[tuple[Exchange, list[dict[str, Any]]]],
) -> _Log | None:
    """The log that LISTING is, where its items hold SUBJECT and WORD as its queries do."""
    things: dict[str, set[str]] = defaultdict(set)
    looked: list[tuple[str, float, frozenset[str]]] = []
    for exchange, items in held:
        for item in items:
            if isinstance(item.get(word), str) and subject in item:
                things[item[word]].add(text_of(item[subject]))
        query = dict(exchange.request.query)
        if subject in query and word not in query and _is_whole(exchange, pointer):
            words = frozenset(str(i.get(word)) for i in items)
            looked.append((query[subject], exchange.started_at, words))
    if not things or not set(things) <= closed:
        return None
    return _Log(
        listing=listing,
        pointer=pointer,
        subject=subject,
        word=word,
        vocabulary=closed,
        things={said: frozenset(names) for said, names in things.items()},
        looked=tuple(looked),
    )


def _items(exchange: Exchange, pointer: str) -> list[dict[str, Any]]:
    try:
        found = at(read_body(exchange.response), Place(part="body", name=pointer).tokens)
    except (ValueError, LookupError, TypeError, msgspec.DecodeError):
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _is_whole(exchange: Exchange, pointer: str) -> bool:
    """Whether the answer is all there is: nothing in it leads to a next page."""
    try:
        value = read_body(exchange.response)
    except (ValueError, msgspec.DecodeError):
        return False
    if not isinstance(value, dict):
        return True
    further = (v for k, v in value.items() if f"/{k}" != pointer and "next" in k.lower())
    return (
        not any(further) and not {"cursor", "offset", "page"} & dict(exchange.request.query).keys()
    )


def _learned(log: _Log, evidence: Evidence) -> dict[str, str]:
    """Operation -> the word that its things have in LOG, and no others."""
    found: dict[str, str] = {}
    done = {o.id: _done(o, evidence) for o in evidence.profile.operations}
    for word, things in log.things.items():
        if len(things) < THINGS_MIN:
            continue
        fitting = [
            o
            for o in evidence.profile.operations
            if things <= done[o.id].keys() and _kept(log, word, done[o.id])
        ]
        # Of several the one that was done least: whatever is approved was made, too.
        fitting.sort(key=lambda o: (not _says(o, word), len(done[o.id]), o.id))
        if fitting and (len(fitting) == 1 or _says(fitting[0], word)):
            found.setdefault(fitting[0].id, word)
    return found


def _done(operation: OperationProfile, evidence: Evidence) -> dict[str, float]:
    """Things that OPERATION was done to, by its path -> when first."""
    if operation.operation.method in SAFE_METHODS:
        return {}
    found: dict[str, float] = {}
    opened = _opened(operation)
    for exchange in evidence.of(operation):
        if exchange.response.status >= 300:
            continue
        segments = split_path(exchange.request.path)
        if 0 <= opened < len(segments):
            found.setdefault(segments[opened], exchange.started_at)
    return found


def _kept(log: _Log, word: str, done: Mapping[str, float]) -> bool:
    """Whether no whole answer lacks WORD of what was DONE before it, or has it too early."""
    return all(
        (word in words) == (thing in done and done[thing] < when)
        for thing, when, words in log.looked
    )


def _says(operation: OperationProfile, word: str) -> bool:
    """Whether WORD is what OPERATION is called: `invoice.approved`."""
    said = {singular(part) for part in tokens(word)}
    entity = {singular(part) for part in tokens(titles.entity(operation))}
    done = set(tokens(titles.done(operation)))
    return said in (entity | done, done)


def _named(operation: OperationProfile, log: _Log, *, taken: frozenset[str]) -> str:
    """The one word of LOG's vocabulary that is OPERATION's by its name; empty: none, or several."""
    found = [word for word in sorted(log.vocabulary - taken) if _says(operation, word)]
    return found[0] if len(found) == 1 else ""
