"""How likely a question tells of each failure mode, by what people's tellings of it have in common.

Naive Bayes over words and pairs of words (McCallum and Nigam 1998, the Bernoulli model), counted in
`modes/tellings.txt`. It backs up the cues: they are exact, and only know what somebody wrote down.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from premortem.agent.understanding.words import STOPWORDS, plain, stem, tokens
from premortem.domain.proposal import FailureModeName

SMOOTHING = 4.0
"""Tellings that every mode is thought to have besides, of a mode like any other."""
SEEN_MIN = 2
"""Tellings that a word or pair must stand in to say something."""
TEMPER = 0.4
"""Words of one question depend on each other: together they say less than each by itself."""
NOTHING: Literal["nothing"] = "nothing"
"""Stands for no failure mode at all."""
_SHORT = re.compile(
    r"\b(do|does|did|is|are|was|were|has|have|had|could|should|would|must|ca|wo)n'?t\b"
)
THING = "thing"
"""Stands for every noun of a service's own."""
_SILENT = frozenset({"what", "if", "the", "a", "an", THING})


Told = FailureModeName | Literal["nothing"]


class Model(Struct, frozen=True, kw_only=True):
    """What tellings have in common."""

    modes: tuple[Told, ...]
    bias: tuple[float, ...]
    """Log odds of each mode where a text has none of the words."""
    words: Mapping[str, tuple[float, ...]]
    """Word or pair -> what its being there adds for each mode."""


def likely(
    text: str, *, own: Collection[str] = (), model: Model | None = None
) -> dict[Told, float]:
    """How likely TEXT tells of each failure mode, and of none; all together 1.

    OWN: stems of the service's own nouns and roles, which tell of none. MODEL: of all tellings, if
    None.
    """
    model = model or _model()
    sums = list(model.bias)
    for feature in _features(text, own):
        for at, weight in enumerate(model.words.get(feature, ())):
            sums[at] += weight
    top = max(sums)
    shares = [math.exp(TEMPER * (one - top)) for one in sums]
    whole = sum(shares)
    return {mode: share / whole for mode, share in zip(model.modes, shares, strict=True)}


def _features(text: str, own: Collection[str] = ()) -> frozenset[str]:
    """The words of TEXT and its pairs of neighbours; numbers are alike."""
    low = _SHORT.sub(r"\1 not", plain(text).lower()).replace("can not", "cannot")
    words = [token if token in STOPWORDS else stem(token) for token in tokens(low)]
    words = ["0" if word.lstrip("-")[:1].isdigit() else word for word in words]
    words = [THING if word in own else word for word in words]
    pairs = (f"{one} {next_}" for one, next_ in pairwise(words))
    return frozenset(words) - _SILENT | frozenset(pairs)


@cache
def lines_told() -> tuple[tuple[Told, str], ...]:
    """(mode, telling), in the file's order."""
    found: list[tuple[Told, str]] = []
    mode: Told = "duplicate"
    for line in (files("premortem.agent.modes") / "tellings.txt").read_text().splitlines():
        if line.startswith("["):
            mode = line.strip("[]")  # type: ignore[assignment]
        elif line and not line.startswith("#"):
            found.append((mode, line))
    return tuple(found)


@cache
def words_told() -> frozenset[str]:
    """The words of all tellings as they stand, in lower case; of those about things of a service's
    own none, which were not written as sentences."""
    told = (tokens(line) for _, line in lines_told())
    return frozenset(word for words in told if THING not in words for word in words)


@cache
def stems_told() -> frozenset[str]:
    """Their stems."""
    return frozenset(map(stem, words_told()))


def model_of(lines: Iterable[tuple[Told, str]]) -> Model:
    """What LINES have in common."""
    told: dict[Told, list[frozenset[str]]] = {}
    for mode, line in lines:
        told.setdefault(mode, []).append(_features(line))
    everywhere = Counter(f for group in told.values() for features in group for f in features)
    total = sum(map(len, told.values()))
    counts = {mode: Counter(f for fs in group for f in fs) for mode, group in told.items()}
    bias = [0.0] * len(told)
    words: dict[str, tuple[float, ...]] = {}
    for feature, seen in sorted(everywhere.items()):
        if seen < SEEN_MIN:
            continue
        share = (seen + 0.5) / (total + 1)
        odds: list[float] = []
        for at, (mode, group) in enumerate(told.items()):
            likelihood = (counts[mode][feature] + SMOOTHING * share) / (len(group) + SMOOTHING)
            absent = math.log((1 - likelihood) / (1 - share))
            bias[at] += absent
            odds.append(math.log(likelihood / share) - absent)
        words[feature] = tuple(odds)
    return Model(modes=tuple(told), bias=tuple(bias), words=words)


@cache
def _model() -> Model:
    return model_of(lines_told())
