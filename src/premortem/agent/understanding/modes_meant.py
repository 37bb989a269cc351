"""Which failure modes a question names, and how clearly: by their words, who acts, and states."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from msgspec import Struct

from premortem.agent.modes.mode import HINTS, NAMES, SAYS
from premortem.agent.understanding.boundaries import left_out
from premortem.agent.understanding.failure_modes import (
    ANONYMOUS,
    FURTHER_CUES,
    mode_named,
    mode_words,
    weights,
)
from premortem.agent.understanding.index import Index
from premortem.agent.understanding.reading import Reading
from premortem.agent.understanding.refusals import NEAREST_MAX, refusal
from premortem.agent.understanding.tellings import NOTHING, Told, likely
from premortem.agent.understanding.wording import asked_of, content, is_state
from premortem.agent.understanding.words import STOPWORDS, stem
from premortem.domain.proposal import FailureModeName
from premortem.errors import NotUnderstood

MODES_MAX = 5
"""Failure modes that are weighed against each other."""
TOLD = 0.45
"""What the log odds count by which a question tells of a mode as people tell of it."""
MEANT = 0.6
"""What the log odds count by which it means a mode, as a sentence encoder has it."""
LIKELY_MIN = 1e-4
"""No mode is less likely than that."""
TOLD_MIN = 0.1
"""How likely a mode must be that no cue speaks of: with an encoder the geometric mean of both."""
TOLD_ALONE_MIN, MEANT_ALONE_MIN = 0.6, 0.2
"""The same where no cue speaks of any: by words alone, and by words and meaning."""
ROLE_NAMED = 1.25
"""How clearly a role's name speaks of what a role may do."""
REFINED = 1.25
"""What a failure mode loses where a case of it is named outright: a retry is a repetition, too."""
_NOT = frozenset(["not", "never", "nobody", "yet", "without", "isn't", "wasn't", "hasn't"])
_LACKS = "nothing that could go wrong, such as `twice`, `negative`, `without a`, `as a guest`"


class _ToldOf(Struct, frozen=True, kw_only=True):
    """What tellings say of a question, by their words and, with an encoder, by their meaning."""

    shares: Mapping[Told, float]
    """How likely each mode is."""
    odds: Mapping[Told, float]
    """What that adds to a mode's weight."""


class NothingNamed(NotUnderstood):
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
    told = _told(reading.told + unseen, index)
    heard = {mode: weight for mode, weight in found.items() if weight >= HINTS}
    if not heard and reading.role:
        heard = {"forbidden_role": SAYS}
    alone_min = TOLD_ALONE_MIN if index.meaning is None else MEANT_ALONE_MIN
    likely_min = TOLD_MIN if heard else alone_min
    clear = [mode for mode, share in told.shares.items() if share >= likely_min]
    modes = {mode for mode in (*heard, *clear) if mode != NOTHING}
    if not modes:
        raise NothingNamed(_nothing_named(reading, index))
    weighed = {mode: heard.get(mode, found.get(mode, 0.0)) + told.odds[mode] for mode in modes}
    return dict(sorted(weighed.items(), key=lambda item: -item[1])[:MODES_MAX])


def _nothing_named(reading: Reading, index: Index) -> str:
    words = content(reading)
    known = [word.text for word in words if index.known(word.means)]
    asked = asked_of(reading, "", index, in_query=False)
    near = [scored.operation.id for scored in index.rank(asked)[:NEAREST_MAX] if scored.matched]
    return refusal(
        reading.prompt,
        understood=known,
        lacks=f"but {_LACKS}",
        unknown=[word.text for word in words if word.text not in known],
        nearest=near,
    )


def _told(text: str, index: Index) -> _ToldOf:
    shares = likely(text, own=index.named)
    odds = {mode: TOLD * math.log(share * len(shares)) for mode, share in shares.items()}
    if index.meaning is None:
        return _ToldOf(shares=shares, odds=odds)
    likely_by_meaning = index.meaning.likely(text)
    meant = {mode: max(likely_by_meaning.get(mode, 0.0), LIKELY_MIN) for mode in shares}
    return _ToldOf(
        shares={mode: math.sqrt(share * meant[mode]) for mode, share in shares.items()},
        odds={mode: odds[mode] + MEANT * math.log(meant[mode] * len(meant)) for mode in shares},
    )


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
    if _is_setting(reading):
        more["boundary"] = SAYS
    for mode, weight in more.items():
        found[mode] = found.get(mode, 0.0) + weight
    if len(found) > 1 and "duplicate" in found and _only_named(low, "duplicate", index):
        found["duplicate"] -= SAYS  # an operation may be called duplicate: that is named
    return found


def _is_setting(reading: Reading) -> bool:
    """`pageSize 9`, `due_days = -1`: a field's name and a number, and nothing else."""
    return any(
        re.fullmatch(rf"{re.escape(name)}\W*(?:is |of |to )?-?\d[\d.,]*\W*", reading.prompt)
        for name in reading.coded
    )


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
