"""What asking may take: tokens, time, money."""

from __future__ import annotations

import time
from collections.abc import Callable

from premortem.errors import ConfigError
from premortem.models.engine import Usage


class Budget:
    """Says when enough was spent: by every source of one command together."""

    def __init__(
        self,
        *,
        tokens_max: int,
        seconds_max: float,
        cost_max: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """COST_MAX 0: no limit. Raises ConfigError when nothing may be spent."""
        if tokens_max <= 0 or seconds_max <= 0:
            raise ConfigError(
                f"tokens_max = {tokens_max} and seconds_max = {seconds_max:g} allow nothing; "
                f"mend them under [models.NAME]"
            )
        self._tokens_max, self._seconds_max, self._clock = tokens_max, seconds_max, clock
        self._cost_max = cost_max
        self.seconds = 0.0
        """Spent on asking so far."""

    def timed(self) -> Callable[[], None]:
        """Start the watch; the result stops it and adds to `seconds`."""
        started = self._clock()

        def stop() -> None:
            self.seconds += self._clock() - started

        return stop

    def spent(self, usage: Usage) -> str:
        """The limit that is reached, as its setting is called; empty: none."""
        if usage.tokens_in + usage.tokens_out >= self._tokens_max:
            return f"tokens_max = {self._tokens_max:,}"
        if self.seconds >= self._seconds_max:
            return f"seconds_max = {self._seconds_max:g}"
        if 0 < self._cost_max <= usage.cost:
            return f"cost_max = {self._cost_max:g}"
        return ""
