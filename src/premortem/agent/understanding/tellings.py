"""How likely a question tells of each failure mode, by what people's tellings of it have in common.

Naive Bayes over words and pairs of words (McCallum and Nigam 1998, the Bernoulli model), counted in
`modes/tellings.txt`. It backs up the cues: they are exact, and only know what somebody wrote down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
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
    words: Mapping[str, npt.NDArray[np.float64]]
    """Word or pair -> what its being there adds for each mode."""


def likely(
    text: str, *, own: Collection[str] = (), model: Model | None = None
) -> dict[Told, float]:
    """How likely TEXT tells of each failure mode, and of none; all together 1.

    OWN: stems of the service's own nouns and roles, which tell of none. MODEL: of all tellings, if
    None.
    """
    model = model or _model()
    sums = np.array(model.bias)
    for feature in sorted(_features(text, own) & model.words.keys()):
        sums += model.words[feature]
    shares = np.exp(TEMPER * (sums - sums.max()))
    return dict(zip(model.modes, (shares / shares.sum()).tolist(), strict=True))


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
    known = sorted(feature for feature, seen in everywhere.items() if seen >= SEEN_MIN)
    at = {feature: index for index, feature in enumerate(known)}
    counts = np.zeros((len(told), len(known)))
    for index, group in enumerate(told.values()):
        seen_here = [at[f] for features in group for f in features if f in at]
        counts[index] = np.bincount(seen_here, minlength=len(known))
    tellings = np.array([[len(group)] for group in told.values()])
    share = (counts.sum(axis=0) + 0.5) / (tellings.sum() + 1)
    likelihood = (counts + SMOOTHING * share) / (tellings + SMOOTHING)
    absent = np.log((1 - likelihood) / (1 - share))
    odds = np.log(likelihood / share) - absent
    return Model(
        modes=tuple(told),
        bias=tuple(absent.sum(axis=1).tolist()),
        words=dict(zip(known, odds.T, strict=True)),
    )


@cache
def _model() -> Model:
    return model_of(lines_told())
