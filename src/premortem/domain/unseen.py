"""What remains unseen, estimated from how much was seen only once or twice."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class Unseen(Struct, frozen=True, kw_only=True):
    """An estimate for further tries of the same kind; it says nothing of tries of another kind."""

    seen: int
    """Different things seen."""
    once: int
    """Of these, seen once."""
    twice: int
    tries: int
    new_per_try: float
    """How many new ones the next try is expected to show."""
    unseen_min: float
    """There are at least about so many more."""

    @property
    def share(self) -> float:
        """Of all there are, at most about so much was seen; within [0, 1]."""
        whole = self.seen + self.unseen_min
        return self.seen / whole if whole else 0.0


def unseen(counts: Iterable[int], *, tries: int) -> Unseen:
    """COUNTS: in how many of TRIES each thing was seen; one try may show several things.

    Source: Good 1953, The population frequencies of species and the estimation of population
    parameters, Biometrika 40: of n tries that showed f1 things once, the next one shows f1 / n new
    ones. Chao 1984, Nonparametric estimation of the number of classes in a population, Scand. J.
    Statist. 11, and 1987 for tries with several things each: f1^2 / (2 f2) unseen at least, and
    f1 (f1 - 1) / 2 where nothing was seen twice, both times (n - 1) / n.
    """
    given = [count for count in counts if count > 0]
    once, twice = given.count(1), given.count(2)
    share = (tries - 1) / tries if tries > 0 else 0.0
    bound = once * once / (2 * twice) if twice else once * (once - 1) / 2
    return Unseen(
        seen=len(given),
        once=once,
        twice=twice,
        tries=tries,
        new_per_try=once / tries if tries > 0 else 0.0,
        unseen_min=bound * share,
    )
