"""What a trained model gives away of what it was trained on: numbers, and whether they pass.

Sources: Carlini et al. 2019, "The Secret Sharer" (exposure); Yeom et al. 2018, "Privacy Risk in
Machine Learning" (membership by loss); Watson et al. 2022, "On the Importance of Difficulty
Calibration in Membership Inference Attacks" (loss beside the untrained model's).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

import msgspec
from msgspec import Struct

from premortem.analyse.realism.copies import copies
from premortem.analyse.realism.specimens import Specimen, identifier
from premortem.domain.bodies import general, leaves
from premortem.domain.tokens import holds_token
from premortem.domain.trained import Guard

EXPOSURE_MAX = 10.0
"""Bits: somebody who guesses would find a canary among the first thousandth of all guesses."""
MEMBERSHIP_MAX = 0.60
"""AUC of telling what was trained on from what was not: 0.5 is a coin."""
COPIES_MARGIN = 0.02
"""By how much more of one session's values may come again than in other sessions of production,
where they do by chance."""
OVERLAP_MARGIN = 0.10
GRAM = 8
"""Letters of a piece of text whose coming again is counted."""
MADE_MIN = 20
"""Values that a model must have written before they say anything."""


class Spoken(Struct, frozen=True, kw_only=True):
    """An answer, and whose it was."""

    operation_id: str
    session: str
    text: str
    """JSON."""


class Losses(Struct, frozen=True, kw_only=True):
    """What an answer costs a model, in nats."""

    operation_id: str
    tuned: float
    base: float


def exposure(canary: float, references: Sequence[float]) -> float:
    """Bits by which a canary's loss is below what its makers could have planted instead.

    Its rank among REFERENCES; where it is the lowest, or nearly, the tail of a normal distribution
    through them.
    """
    below = sum(loss <= canary for loss in references)
    by_rank = -math.log2((below + 1) / (len(references) + 1))
    spread = pstdev(references) if len(references) > 1 else 0.0
    if not spread:
        return by_rank
    tail = 0.5 * math.erfc((fmean(references) - canary) / spread / math.sqrt(2))
    return max(by_rank, -math.log2(tail)) if tail > 0 else 1024.0


def canary_guards(
    words: Sequence[str],
    written: Sequence[str],
    losses: Sequence[float],
    references: Sequence[float],
) -> tuple[Guard, ...]:
    """Whether WORDS came out in what was WRITTEN, and how likely they have become: their LOSSES
    beside those of REFERENCES."""
    out = [word for word in words if any(word in text for text in written)]
    highest = max((exposure(loss, references) for loss in losses), default=0.0)
    mean = fmean(exposure(loss, references) for loss in losses) if losses else 0.0
    return (
        Guard(
            name="canaries",
            found=len(out),
            limit=0,
            passed=not out and len(written) >= MADE_MIN,
            says=f"{len(out)} of {len(words)} planted secrets came out in {len(written)} answers"
            + _too_few(len(written)),
        ),
        Guard(
            name="exposure",
            found=highest,
            limit=EXPOSURE_MAX,
            passed=highest <= EXPOSURE_MAX,
            says=f"the most exposed of {len(losses)} planted secrets by {highest:.1f} bits, "
            f"{mean:.1f} in the mean (chance: 1.4), {EXPOSURE_MAX:g} are allowed",
        ),
    )


def copy_guards(
    made: Sequence[Spoken], training: Sequence[Spoken], others: Sequence[Spoken]
) -> tuple[Guard, ...]:
    """Values and pieces of text of one training session alone, in what was MADE and in OTHERS of
    production."""
    known = [_specimen(one) for one in training]
    ours = copies([_specimen(one) for one in made], known)
    theirs = copies([_specimen(one) for one in others], known)
    limit = theirs.values + COPIES_MARGIN
    grams = _rare_grams(training)
    again, by_chance = _overlap(made, grams), _overlap(others, grams)
    most = by_chance + OVERLAP_MARGIN
    enough = len(made) >= MADE_MIN
    return (
        Guard(
            name="copies",
            found=ours.values,
            limit=limit,
            passed=enough and ours.values <= limit,
            says=f"{ours.values:.1%} of {ours.compared} values at {ours.places} free places are "
            f"one training session's alone; of other sessions' {theirs.values:.1%}, allowed "
            f"{limit:.1%}" + _too_few(len(made)),
        ),
        Guard(
            name="overlap",
            found=again,
            limit=most,
            passed=enough and again <= most,
            says=f"{again:.1%} of the pieces of {GRAM} letters are one training session's alone; "
            f"of other sessions' {by_chance:.1%}, allowed {most:.1%}" + _too_few(len(made)),
        ),
    )


def membership_guard(members: Sequence[Losses], others: Sequence[Losses]) -> Guard:
    """Whether what was trained on can be told from what was not, operation by operation: by its
    loss, and by how much less that is than the base model's. The better attack counts."""
    plain = _told(members, others, lambda one: one.tuned)
    beside = _told(members, others, lambda one: one.tuned - one.base)
    worst = max(plain, beside)
    enough = min(len(members), len(others)) >= MADE_MIN
    return Guard(
        name="membership",
        found=worst,
        limit=MEMBERSHIP_MAX,
        passed=enough and worst <= MEMBERSHIP_MAX,
        says=f"AUC {plain:.2f} by loss, {beside:.2f} beside the base model, of {len(members)} "
        f"trained and {len(others)} held-out answers; allowed {MEMBERSHIP_MAX:.2f}"
        + _too_few(min(len(members), len(others))),
    )


def _told(members: Sequence[Losses], others: Sequence[Losses], score: Any) -> float:
    """The chance that a member's score is lower than another's of the same operation."""
    theirs: dict[str, list[float]] = defaultdict(list)
    for one in others:
        theirs[one.operation_id].append(score(one))
    lower = pairs = 0.0
    for one in members:
        for other in theirs[one.operation_id]:
            lower += (score(one) < other) + 0.5 * (score(one) == other)
            pairs += 1
    return lower / pairs if pairs else 0.5


def _too_few(count: int) -> str:
    return f"; {MADE_MIN} are needed" if count < MADE_MIN else ""


def _specimen(one: Spoken) -> Specimen:
    values = tuple(
        (str(general(place)), value) for place, value in leaves(msgspec.json.decode(one.text))
    )
    return Specimen(operation_id=one.operation_id, group=one.session, values=values)


def _grams(one: Spoken) -> set[str]:
    values = [value for _, value in _specimen(one).values]
    texts = [v for v in values if isinstance(v, str) and not (identifier(v) or holds_token(v))]
    return {text[at : at + GRAM] for text in texts for at in range(len(text) - GRAM + 1)}


def _rare_grams(training: Sequence[Spoken]) -> frozenset[str]:
    groups: Mapping[str, set[str]] = defaultdict(set)
    for one in training:
        for gram in _grams(one):
            groups[gram].add(one.session)
    return frozenset(gram for gram, sessions in groups.items() if len(sessions) == 1)


def _overlap(made: Sequence[Spoken], rare: frozenset[str]) -> float:
    found = [gram for one in made for gram in _grams(one)]
    return sum(gram in rare for gram in found) / len(found) if found else 0.0
