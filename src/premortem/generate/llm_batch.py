"""Asks a model again and again until there are enough usable answers, or enough was spent.

What is rejected is asked for again, with the reason in the prompt; what is still rejected then is
told with prompt, answer and rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from premortem.domain.rejection import Rejection, RejectionRule
from premortem.domain.run import Case
from premortem.models import Ask, Engine, Failed, Reply
from premortem.models.budget import Budget

TRIES_PER_CASE = 8
"""Answers that one wanted case may take before the operation counts as exhausted, those that are
asked for anew among them."""
REGENERATE_MAX = 2
"""Times that a rejected answer is asked for anew, with the reason in the prompt."""
REJECTIONS_MAX = 2_000
"""Rejected answers of one command that are told one by one; all are counted."""
OUTPUT_KEPT_MAX = 4_000
"""Characters of a rejected answer, and of what was asked, that are kept."""
REASONS_MAX = 3
"""Different reasons in one prompt."""
_SEEDS = 104_729
"""Between the seeds of a question and of the same one asked again."""
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
    regenerated: int = 0
    """Of all answers, those that were asked for with a reason why an earlier one was rejected."""
    mended: int = 0
    """Of these, the usable ones."""


class Usable(Struct, frozen=True, kw_only=True):
    """An answer that became something."""

    result: Any


class Refused(Struct, frozen=True, kw_only=True):
    """An answer that became nothing."""

    word: Literal["invalid", "copied", "repeated"]
    """As the tally has it."""
    rule: RejectionRule
    reason: str
    """For the model: what is wrong with its answer."""


Verdict = Usable | Refused


class Asking(Struct, frozen=True, kw_only=True):
    """How one source asks, and what it makes of answers. Answers are numbered."""

    ask: Callable[[int], Ask]
    """(number of the first) -> the question."""
    read: Callable[[int, Any], Verdict]
    """(number, JSON value) -> what became of it."""
    case: Callable[[int], Case]
    """Number -> the request that the answer was to go into."""
    again: Callable[[str, str], str]
    """(the question's text, reasons) -> the text with these in it."""


class _Open(Struct, kw_only=True):
    """One question, and which of its answers are still wanted."""

    asked: Ask
    numbers: list[int]
    found: dict[int, Any]
    refused: dict[int, Rejection]


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
        self.rejections: list[Rejection] = []
        """Answers that were given up, not yet taken by `taken`; at most REJECTIONS_MAX."""
        self.spent = ""
        """The limit that ended it; empty: none did."""
        self._wanted, self._progress = wanted, progress
        self._done = 0

    def gather(self, count: int, asking: Asking, *, first: int = 0) -> tuple[list[Any], int]:
        """Up to COUNT usable results, and the number of the next answer.

        FIRST: the number of the first answer, a multiple of the engine's batch.
        """
        out: list[Any] = []
        number, heat, batch = first, 0.0, self.engine.batch
        most = self.tally.answers + -(-TRIES_PER_CASE * count // batch) * batch
        while len(out) < count and self.tally.answers < most and not self._ended():
            size = min(count - len(out), batch)
            current = _Open(
                asked=asking.ask(number),
                numbers=list(range(number, number + size)),
                found={},
                refused={},
            )
            for again in range(1 + REGENERATE_MAX):
                before = len(current.found)
                self._ask(current, asking, again, heat)
                heat = heat if len(current.found) > before else min(heat + HEAT_STEP, HEAT_MAX)
                self._tell(len(current.found) - before)
                current.numbers = list(current.refused)
                if not current.numbers or self.tally.answers >= most or self._ended():
                    break
            room = REJECTIONS_MAX - len(self.rejections)
            self.rejections += list(current.refused.values())[:room]
            out += [current.found[slot] for slot in sorted(current.found)]
            number += batch
        return out, number

    def taken(self) -> tuple[Rejection, ...]:
        """The rejections since this was asked last."""
        taken, self.rejections = tuple(self.rejections), []
        return taken

    def _ended(self) -> bool:
        self.spent = self.spent or self.budget.spent(self.engine.usage)
        return bool(self.spent)

    def _ask(self, current: _Open, asking: Asking, again: int, heat: float) -> None:
        """Ask for the answers that CURRENT wants, the AGAIN-th time (0: the first)."""
        asked = structs.replace(current.asked, count=len(current.numbers))
        if again:
            reasons = dict.fromkeys(current.refused[n].reason for n in current.numbers)
            asked = structs.replace(
                asked,
                user=asking.again(asked.user, "; ".join(list(reasons)[:REASONS_MAX])),
                seed=(asked.seed + again * _SEEDS) % 2**31,
            )
        stop = self.budget.timed()
        try:
            outcomes = self.engine.answers(_heated(asked, heat))
        finally:
            stop()
        for number, outcome in zip(current.numbers, outcomes, strict=False):
            verdict = self._judged(outcome, partial(asking.read, number))
            self.tally.regenerated += bool(again)
            current.refused.pop(number, None)
            if isinstance(verdict, Usable):
                self.tally.mended += bool(again)
                current.found[number] = verdict.result
            elif verdict is not None and isinstance(outcome, Reply):
                current.refused[number] = Rejection(
                    case=asking.case(number),
                    rule=verdict.rule,
                    reason=verdict.reason,
                    prompt=asked.user[:OUTPUT_KEPT_MAX],
                    output=outcome.text[:OUTPUT_KEPT_MAX],
                )

    def _judged(self, outcome: Reply | Failed, read: Callable[[Any], Verdict]) -> Verdict | None:
        """None: no answer came at all."""
        tally = self.tally
        tally.answers += 1
        if isinstance(outcome, Failed):
            tally.failed += 1
            return None
        if not outcome.complete:
            tally.cut_off += 1
            return Refused(word="invalid", rule="runaway", reason="it is too long")
        try:
            value = msgspec.json.decode(outcome.text.encode())
        except (msgspec.DecodeError, UnicodeEncodeError):
            tally.malformed += 1
            return Refused(word="invalid", rule="syntax", reason="it is no JSON")
        verdict = read(value)
        if isinstance(verdict, Refused):
            setattr(tally, verdict.word, getattr(tally, verdict.word) + 1)
        else:
            tally.usable += 1
        return verdict

    def _tell(self, new: int) -> None:
        self._done += new
        seconds = self.budget.seconds
        rate = self._done / seconds if seconds > 0 else 0.0
        wanted = max(self._wanted, self._done)
        left_s = (wanted - self._done) / rate if rate else 0.0
        self._progress(Made(done=self._done, wanted=wanted, per_second=rate, left_s=left_s))


def _heated(ask: Ask, heat: float) -> Ask:
    if not heat:
        return ask
    return structs.replace(ask, temperature=ask.temperature + heat)
