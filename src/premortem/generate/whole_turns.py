"""Whole sequences in a run with goals: a share of each slice, every operation in turn.

What a sequence shows is seldom news (it is answered as other requests are), so that choosing by
news gives it too few turns; and where the order of requests matters, nothing else tells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from premortem.domain.run import Sequence
from premortem.generate.compose import Composer
from premortem.generate.source import SEQUENCE_SHARE, WHOLE_SHARES, SequenceSource

SHARE = 0.2
"""Of a slice's requests, where a plan has a source of which most is in the order."""
DRAWN = (1, 4)
"""How many are asked for: of those that are made, some are known or may not be sent."""
WAITING_MAX = 200
"""Sequences that did not fit, kept for a slice to come; the oldest go first, then they are lost."""


class WholeTurns:
    """Draws sequences of OPERATIONS from those of the sources in WEIGHTS that make them."""

    def __init__(
        self,
        composer: Composer,
        operations: Iterable[str],
        weights: Mapping[str, float],
        *,
        share: float,
    ) -> None:
        """SHARE of each slice's requests; 0: none, but where WEIGHTS has a source whose cases say
        most in their order."""
        self._composer = composer
        ordered = any(weights.get(name, 0) > 0 for name in WHOLE_SHARES)
        self._share = share or (SHARE if ordered else 0.0)
        self._wanted = {
            name: weight * WHOLE_SHARES.get(name, SEQUENCE_SHARE)
            for name, weight in weights.items()
            if weight > 0 and isinstance(composer.sources.get(name), SequenceSource)
        }
        self._given = dict.fromkeys(self._wanted, 0)
        self._turns = deque(operations)
        self._barren: set[tuple[str, str]] = set()
        """(source, operation) that have no more."""
        self._waiting: deque[tuple[str, Sequence]] = deque(maxlen=WAITING_MAX)

    def keep(self, source: str, sequence: Sequence) -> None:
        """SEQUENCE of SOURCE did not fit: it comes before new ones."""
        self._waiting.append((source, sequence))

    def take(self, requests: int, *, finals_max: int) -> Iterator[tuple[str, Sequence]]:
        """(source, sequence): those that take no more than their share of REQUESTS, FINALS_MAX of
        them at most. One that is too long for what is left is kept, and ends it."""
        requests = int(requests * self._share)
        for _ in range(finals_max if requests else 0):
            made = self._waiting.popleft() if self._waiting else self._next()
            if made is None:
                return
            requests -= len(made[1].cases)
            if requests < 0:
                self._waiting.appendleft(made)
                return
            yield made

    def _next(self) -> tuple[str, Sequence] | None:
        """A new one, of the source that had fewest for its weight; None: nothing is left."""
        for source in sorted(self._wanted, key=lambda s: (self._given[s] / self._wanted[s], s)):
            for _ in range(len(self._turns)):
                name = self._turns[0]
                self._turns.rotate(-1)
                if (source, name) in self._barren:
                    continue
                made = self._drawn(source, name)
                if made is not None:
                    self._given[source] += 1
                    return source, made
                self._barren.add((source, name))
        return None

    def _drawn(self, source: str, name: str) -> Sequence | None:
        for count in DRAWN:
            made = self._composer.ordered(source, name, count)
            self._waiting.extend((source, further) for further in made[1:])
            if made:
                return made[0]
        return None
