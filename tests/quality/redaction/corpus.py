"""The corpus that redaction is judged by: planted values, ordinary ones, joins."""

from __future__ import annotations

from functools import lru_cache

from tests.quality.redaction import (
    ordinary,
    planted_bodies,
    planted_heads,
    planted_kinds,
    planted_texts,
)
from tests.quality.redaction.joins import joins
from tests.quality.redaction.made_up import supply
from tests.quality.redaction.scenes import Corpus, Join, Scene, gather


@lru_cache(maxsize=1)
def corpus() -> Corpus:
    """All exchanges with what is planted and what is ordinary in them; always the same."""
    give = supply("planted")
    modules = (planted_bodies, planted_heads, planted_texts, planted_kinds)
    scenes: list[Scene] = [s for m in modules for write in m.ALL for s in write(give)]
    return gather([*scenes, *ordinary.scenes()])


@lru_cache(maxsize=1)
def joined() -> tuple[Join, ...]:
    """The cases in which one value stands in several exchanges."""
    return joins()
