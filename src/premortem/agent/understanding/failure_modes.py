"""What can go wrong, as data: the words that name it and what an operation must have for it."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from premortem.agent.modes import access, order, state, values
from premortem.agent.modes.mode import NAMES, SAYS, FailureMode
from premortem.agent.understanding.boundaries import BOUNDARIES, mode_of
from premortem.agent.understanding.boundaries import asked as edges_asked
from premortem.agent.understanding.preconditions import possible
from premortem.agent.understanding.words import tokens
from premortem.domain.proposal import FailureModeName

__all__ = [
    "ANONYMOUS",
    "FAILURE_MODES",
    "FailureMode",
    "mode_named",
    "mode_words",
    "modes_in",
    "possible",
    "weights",
]

_SHORT = re.compile(
    r"\b(do|does|did|is|are|was|were|has|have|had|could|should|would|must|ca|wo)n'?t\b"
)
ANONYMOUS = "anonymous"
"""The role of an actor who is not signed in, in an Understanding."""
FURTHER_CUES = 0.25
"""What each further cue of a mode adds, as a share of its own weight: it says the same again."""

FAILURE_MODES: tuple[FailureMode, ...] = (
    *order.MODES,
    *state.MODES,
    *access.MODES,
    *values.MODES,
)
_BY_NAME: dict[str, FailureMode] = {mode.name: mode for mode in FAILURE_MODES}


def mode_named(name: str) -> FailureMode:
    """The failure mode NAME. Raises KeyError: names are ours, not the user's."""
    return _BY_NAME[name]


@lru_cache(maxsize=64)
def _spelled_out(text: str) -> str:
    """TEXT in lower case with `don't` and `dont` as `do not`."""
    return _SHORT.sub(r"\1 not", text.lower()).replace("can not", "cannot")


def weights(text: str) -> dict[FailureModeName, float]:
    """How clearly TEXT names each failure mode, those that it does not name left out."""
    low = _spelled_out(text)
    found: dict[FailureModeName, list[float]] = {}
    for mode in FAILURE_MODES:
        for cue in mode.cues:
            if _compiled(cue.pattern).search(low):
                found.setdefault(mode.name, []).append(cue.weight)
    for name in edges_asked(text):
        # `null` is written where nothing else is meant.
        found.setdefault(mode_of(name), []).append(NAMES + 0.5 if name == "null" else SAYS + 0.5)
    return {
        mode: max(all_) + FURTHER_CUES * (sum(all_) - max(all_)) for mode, all_ in found.items()
    }


def modes_in(text: str) -> tuple[FailureModeName, ...]:
    """The failure modes that TEXT names by their words, the clearest first."""
    weighed = weights(text)
    named = [mode.name for mode in FAILURE_MODES if weighed.get(mode.name, 0.0) >= SAYS]
    return tuple(sorted(named, key=lambda name: -weighed[name]))


@lru_cache(maxsize=256)
def mode_words(text: str, mode: str = "") -> frozenset[str]:
    """The words of TEXT by which it names MODE (any failure mode, if empty), lower case."""
    low = _spelled_out(text)
    patterns = [
        cue.pattern
        for one in FAILURE_MODES
        if mode in ("", one.name)
        for cue in one.cues
        if cue.weight >= SAYS
    ]
    patterns += [edge.pattern for edge in BOUNDARIES if mode in ("", edge.mode)]
    found = (match.group() for p in patterns for match in _compiled(p).finditer(low))
    words = {word for phrase in found for word in tokens(phrase)}
    short = {m.group() for m in _SHORT.finditer(text.lower())} if "not" in words else set()
    return frozenset(words | short)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
