"""Which failure modes a question names, and how clearly: by their words, who acts, and states."""

from __future__ import annotations

import math
from collections.abc import Mapping

from premortem.agent.understanding.boundaries import left_out
from premortem.agent.understanding.failure_modes import (
    ANONYMOUS,
    FURTHER_CUES,
    mode_named,
    mode_words,
    offered,
    weights,
)
from premortem.agent.understanding.index import Index
from premortem.agent.modes.mode import HINTS, NAMES, SAYS
from premortem.agent.understanding.reading import Reading
from premortem.agent.understanding.tellings import NOTHING, likely
from premortem.agent.understanding.wording import content, is_state
from premortem.agent.understanding.words import STOPWORDS, stem
from premortem.domain.proposal import FailureModeName
from premortem.errors import InputError

MODES_MAX = 5
"""Failure modes that are weighed against each other."""
TOLD = 0.45
"""What the log odds count by which a question tells of a mode as people tell of it."""
TOLD_MIN, TOLD_ALONE_MIN = 0.15, 0.35
"""How likely a mode must be that no cue speaks of; and where no cue speaks of any."""
ROLE_NAMED = 1.25
"""How clearly a role's name speaks of what a role may do."""
REFINED = 1.25
"""What a failure mode loses where a case of it is named outright: a retry is a repetition, too."""
_NOT = frozenset(["not", "never", "nobody", "yet", "without", "isn't", "wasn't", "hasn't"])
SHOWN_CHARACTERS_MAX = 120


class NothingNamed(InputError):
    """A question that names nothing which could go wrong; it may still name an operation."""


def weigh_modes(reading: Reading, index: Index) -> dict[FailureModeName, float]:
    """How clearly the question names each failure mode, the clearest first, at most MODES_MAX.

    Raises NothingNamed when it names none.
    """
    found = _named(reading, reading.told, index)
    for mode in [mode for mode, weight in found.items() if weight >= NAMES]:
        for general in mode_named(mode).refines:
            if general in found:
                found[general] -= REFINED
    found |= _of_state(reading, index, found)
    unseen = " not logged in" if reading.role == ANONYMOUS else ""
    told = likely(reading.told + unseen, own=index.named)
    heard = {mode: weight for mode, weight in found.items() if weight >= HINTS}
    if not heard and reading.role:
        heard = {"forbidden_role": SAYS}
    likely_min = TOLD_MIN if heard else TOLD_ALONE_MIN
    clear = [mode for mode, share in told.items() if share >= likely_min]
    modes = {mode for mode in (*heard, *clear) if mode != NOTHING}
    if not modes:
        known = [word.text for word in content(reading) if index.known(word.means)]
        raise NothingNamed(
            f'"{shortened(reading.prompt)}" names nothing that could go wrong; '
            f"understood: {', '.join(known) or 'nothing'}. Say one of: {offered()}; "
            f"or let `premortem explore` ask what could go wrong with an operation"
        )
    weighed = {
        mode: heard.get(mode, found.get(mode, 0.0)) + TOLD * math.log(told[mode] * len(told))
        for mode in modes
    }
    return dict(sorted(weighed.items(), key=lambda item: -item[1])[:MODES_MAX])


def _named(reading: Reading, low: str, index: Index) -> dict[FailureModeName, float]:
    """What the words say, and what is left out, who acts and whose it is say besides."""
    found = weights(low)
    without = left_out(low)
    more: dict[FailureModeName, float] = {}
    if without and index.known(stem(without)):
        more["missing_value"] = SAYS
    if reading.role:
        more["forbidden_role"] = NAMES if reading.role == ANONYMOUS else ROLE_NAMED
    if reading.owner:
        more["others_data"] = SAYS + HINTS / 2
    for mode, weight in more.items():
        found[mode] = found.get(mode, 0.0) + weight
    if len(found) > 1 and "duplicate" in found and _only_named(low, "duplicate", index):
        found["duplicate"] -= SAYS  # an operation may be called duplicate: that is named
    return found


def _of_state(
    reading: Reading, index: Index, found: Mapping[FailureModeName, float]
) -> dict[FailureModeName, float]:
    """What a state says that one of the service's own actions brings about: `that was voided`."""
    words = reading.words
    for at, word in enumerate(words):
        if not is_state(words, at, index):
            continue
        before = {w.text for w in words[max(0, at - 4) : at] if w.clause == word.clause}
        mode: FailureModeName = "wrong_order" if before & _NOT else "forbidden_transition"
        return {mode: max(found.get(mode, 0.0), SAYS) + FURTHER_CUES}
    return {}


def _only_named(low: str, mode: str, index: Index) -> bool:
    cues = {stem(word) for word in mode_words(low, mode)} - STOPWORDS
    return bool(cues) and cues <= index.heads


def shortened(text: str) -> str:
    """TEXT as a message shows it."""
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 3] + "..."
