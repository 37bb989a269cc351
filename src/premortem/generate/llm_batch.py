"""Asks a model again and again until there are enough usable answers, or enough was spent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct, structs

from premortem.models import Ask, Engine, Failed, Reply
from premortem.models.budget import Budget

TRIES_PER_CASE = 4
"""Answers that one wanted case may take before the operation counts as exhausted."""
HEAT_STEP = 0.15
"""Temperature that is added each time no answer of a batch was usable."""
HEAT_MAX = 0.6


class Made(Struct, frozen=True, kw_only=True):
    """How far it has come; `left_s` is a guess, 0 when there is none yet."""

    done: int
    wanted: int
    per_second: float
    left_s: float


Progress = Callable[[Made], None]


class Tally(Struct, kw_only=True):
    """What became of the answers. answers = usable + cut_off + malformed + invalid + copied +
    repeated + failed."""

    answers: int = 0
    usable: int = 0
    failed: int = 0
    """No answer came."""
    cut_off: int = 0
    malformed: int = 0
    """No JSON."""
    invalid: int = 0
    """JSON, but not what was asked for, or the operation's schema minds."""
    copied: int = 0
    """An example, word for word."""
    repeated: int = 0
    """An earlier answer."""


class Batcher:
    """One engine, one budget, one tally: shared by all sources of a command."""

    def __init__(
        self,
        engine: Engine,
        budget: Budget,
        *,
        wanted: int = 0,
        progress: Progress = lambda _made: None,
    ) -> None:
        """WANTED: cases that the command hopes for, for PROGRESS."""
        self.engine, self.budget = engine, budget
        self.tally = Tally()
        self.spent = ""
        """The limit that ended it; empty: none did."""
        self._wanted, self._progress = wanted, progress
        self._done = 0

    def gather(
        self,
        count: int,
        ask: Callable[[int], Ask],
        read: Callable[[int, Any], Verdict],
        *,
        first: int = 0,
    ) -> tuple[list[Any], int]:
        """Up to COUNT usable results, and the number of the next answer.

        ASK: number, FIRST or later, a multiple of the engine's batch -> what to ask from there
        on. READ: (number of the answer, JSON value) -> verdict.
        """
        out: list[Any] = []
        number, heat, batch = first, 0.0, self.engine.batch
        tries = -(-TRIES_PER_CASE * count // batch) * batch
        while len(out) < count and number - first < tries:
            self.spent = self.spent or self.budget.spent(self.engine.usage)
            if self.spent:
                break
            size = min(count - len(out), batch)
            asked = structs.replace(ask(number), count=size)
            stop = self.budget.timed()
            try:
                outcomes = self.engine.answers(_heated(asked, heat))
            finally:
                stop()
            before = len(out)
            for index, outcome in enumerate(outcomes):
                found = self._judged(outcome, partial(read, number + index))
                if found is not None:
                    out.append(found)
            number += batch
            heat = heat if len(out) > before else min(heat + HEAT_STEP, HEAT_MAX)
            self._tell(len(out) - before)
        return out, number

    def _judged(self, outcome: Reply | Failed, read: Callable[[Any], Verdict]) -> Any:
        tally = self.tally
        tally.answers += 1
        if isinstance(outcome, Failed):
            tally.failed += 1
            return None
        if not outcome.complete:
            tally.cut_off += 1
            return None
        try:
            value = msgspec.json.decode(outcome.text.encode())
        except (msgspec.DecodeError, UnicodeEncodeError):
            tally.malformed += 1
            return None
        verdict = read(value)
        if isinstance(verdict, str):
            setattr(tally, verdict, getattr(tally, verdict) + 1)
            return None
        tally.usable += 1
        return verdict.result

    def _tell(self, new: int) -> None:
        self._done += new
        seconds = self.budget.seconds
        rate = self._done / seconds if seconds > 0 else 0.0
        wanted = max(self._wanted, self._done)
        left_s = (wanted - self._done) / rate if rate else 0.0
        self._progress(Made(done=self._done, wanted=wanted, per_second=rate, left_s=left_s))


class Usable(Struct, frozen=True, kw_only=True):
    """An answer that became something."""

    result: Any


Verdict = Usable | str
"""Usable, or the tally's word for why not: `invalid`, `copied`, `repeated`."""


def _heated(ask: Ask, heat: float) -> Ask:
    if not heat:
        return ask
    return structs.replace(ask, temperature=ask.temperature + heat)
