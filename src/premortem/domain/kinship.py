"""Which operations are about the same thing, by their paths: what changes it, what makes others."""

from __future__ import annotations

import re

from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile, Profile

CREATED = 201
STEM_CHARS_MIN = 3
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def path_of(operation_id: str) -> tuple[str, ...]:
    """Segments of the path in an operation's id."""
    return split_template(operation_id.partition(" ")[2])


def makes_things(operation: OperationProfile) -> bool:
    """Whether it is told that something was made (RFC 9110, 15.3.2)."""
    return CREATED in operation.declared or any(
        a.status == CREATED and a.count for a in operation.answers
    )


def changes_thing(operation: OperationProfile, maker: str) -> bool:
    """Whether OPERATION changes the very thing that MAKER (an id) makes, rather than making or
    removing one."""
    method, segments = operation.operation.method, path_of(operation.id)
    if method in SAFE_METHODS or method == "DELETE" or operation.id == maker:
        return False
    above = path_of(maker)
    depth = len(above)
    if segments[:depth] != above or len(segments) <= depth or "{" not in segments[depth]:
        return False
    below = segments[depth + 1 :]
    return not any("{" in s for s in below) and not makes_things(operation)


def touches(profile: Profile, operation: OperationProfile, maker: str) -> bool:
    """Whether OPERATION does something to what MAKER makes, or makes something below it or below
    what stands directly below it."""
    if changes_thing(operation, maker):
        return True
    if operation.operation.method != "POST" or not makes_things(operation):
        return False
    above = path_of(maker)
    makers = [operation.id, *(p.maker for p in profile.pairings if p.doer == operation.id)]
    return any(_is_below(path_of(made), above) for made in makers)


def _is_below(segments: tuple[str, ...], above: tuple[str, ...]) -> bool:
    depth = len(above)
    return len(segments) > depth + 1 and segments[:depth] == above and "{" in segments[depth]


def names_state(word: str, *, maker: str, field: str, state: str) -> bool:
    """Whether WORD, of a refusal, is made of the thing that MAKER makes and its state alone, as
    `InvoiceLocked` is of `locked`: it then speaks of all that is done to the thing, not of one
    operation. FIELD: `str(place)` of the state; STATE: its JSON text."""
    words, told = stems(word), stems(f"{field.rpartition('/')[2]} {state}")
    thing = {stem for segment in path_of(maker) for stem in stems(segment)}
    return bool(words & told) and words <= thing | told | stems("is already")


def stems(text: str) -> set[str]:
    """The words of TEXT, camel case and snake case taken apart, without what inflection adds."""
    return {stem(word) for word in _WORDS.findall(text)}


def stem(word: str) -> str:
    """WORD without what inflection adds: `charged`, `charge` and `charging` are one."""
    word = word.lower()
    for end in ("ings", "ing", "ed", "es", "s", "e"):
        if word.endswith(end) and len(word) - len(end) >= STEM_CHARS_MIN:
            return word.removesuffix(end)
    return word
