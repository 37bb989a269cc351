"""A question that names an operation and nothing that could go wrong: what could, is asked then.

"What if an invoice is created with an invalid amount?" says neither which amount nor what is
invalid about it. The ways that fit the operation are asked in its place, those about the field
that is named first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from premortem.agent.understanding.entries import Entry
from premortem.agent.understanding.explore import explore
from premortem.agent.understanding.index import Index
from premortem.agent.understanding.inputs import InputField
from premortem.agent.understanding.understand import suggest
from premortem.agent.understanding.words import STOPWORDS, VERBS, stem, tokens
from premortem.domain.proposal import Signal
from premortem.domain.scenario import Understanding
from premortem.domain.traffic import Profile

KNOWN_SHARE_MIN = 0.5
"""Of the words that say something: with fewer known ones the question is about something else."""
WAYS_MAX = 5


def ways_meant(
    prompt: str,
    profile: Profile,
    *,
    roles: Collection[str],
    services: Collection[str] = (),
    index: Index | None = None,
    came_with: Signal | None = None,
) -> tuple[Understanding, ...]:
    """What PROMPT may ask about the operation that it names, the likeliest first, at most WAYS_MAX,
    each with a prompt of its own; empty: it names none clearly. INDEX: of PROFILE."""
    index = index or Index(profile)
    words = [w for w in tokens(prompt) if w not in STOPWORDS and len(w) > 1]
    known = [w for w in words if index.known(stem(w)) or stem(w) in VERBS]
    if not words or len(known) < KNOWN_SHARE_MIN * len(words):
        return ()
    entry = _operation(prompt, words, profile, index)
    if entry is None:
        return ()
    field = _field(words, entry)
    risks = explore(entry.operation, profile, roles=roles, services=services, index=index)
    meant = [way for risk in risks for way in _about(risk.understanding, field)]
    first = sorted(meant, key=lambda way: _distance(way, field))
    unknown = tuple(dict.fromkeys(w for w in words if w not in known))
    return tuple(
        replace(
            understood,
            not_understood=unknown,
            given=came_with.field_values if came_with else (),
            trace_id=came_with.trace_id if came_with else "",
            blueprint_id=came_with.blueprint_id if came_with else "",
            handler=came_with.handler if came_with else "",
        )
        for understood in first[:WAYS_MAX]
    )


def _operation(prompt: str, words: list[str], profile: Profile, index: Index) -> Entry | None:
    """The operation that PROMPT comes nearest to; None: it names no thing of the service's."""
    nearest = suggest(prompt, profile, count=1, index=index)
    if not nearest:
        return None
    entry = index.entry(nearest[0])
    things = {*entry.head, *entry.context}
    said = (means for word in words for means in index.known(stem(word)))
    return entry if things & set(said) else None


def _field(words: list[str], entry: Entry) -> InputField | None:
    stemmed = {stem(word) for word in words}
    named = [f for f in entry.inputs if f.stems and set(f.stems) <= stemmed]
    return max(named, key=lambda f: len(f.stems)) if named else None


def _distance(way: Understanding, field: InputField | None) -> int:
    """How far WAY is from the field that is named: its own value is nearest."""
    if field is None or way.field != field.name:
        return 2
    return int(way.failure_mode not in ("boundary", "missing_value", "wrong_type"))


def _about(understood: Understanding, field: InputField | None) -> Iterator[Understanding]:
    """UNDERSTOOD about FIELD, where it is about one value of that kind; a number's edges apart."""
    if field is None or understood.failure_mode not in ("boundary", "missing_value", "wrong_type"):
        yield understood
        return
    about = replace(understood, field=field.name)
    if understood.failure_mode != "boundary" or not field.types & {"number", "integer"}:
        yield about
        return
    named = " ".join(field.stems)
    more = " or has three decimals" if "number" in field.types else ""
    prompt = f"What if the {named} is zero, negative{more}?"
    yield replace(about, prompt=prompt, values=("zero", "negative"))
    yield replace(about, prompt=f"What if the {named} is too high?", values=("too_large",))
