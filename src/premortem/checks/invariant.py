"""What was declared to hold of an answer does not (see `domain.invariant`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from premortem.checks.check import Check, Known, succeeded
from premortem.checks.likeness import unlike
from premortem.checks.refusal import body_of, refuses
from premortem.domain.bodies import goes_on, read_body
from premortem.domain.invariant import BETWEEN, PREFIX, Invariant, parse_invariant, same_number
from premortem.domain.places import parse_place
from premortem.domain.run import SAFE_METHODS, Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "invariant"
PAGE_MIN, PAGE_STEP = 10, 5
"""A list of 10, 15, 20 ... items that stays as long may be one page of several."""
READ_MAX = 1_000
"""Invariants whose reading is remembered."""


def judge(case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
    """A 2xx answer against what was declared of its operation; after a change also against what
    the same reading showed before it, where the change was carried out."""
    response = sent.response
    if response is None or not succeeded(response) or case.intent.kind == "adversarial":
        return
    body = body_of(response)
    if body is None:
        return
    for invariant in known.invariants:
        if invariant.check(body) is False:
            yield _verdict(invariant, "")
    if case.intent.breaks.startswith(PREFIX):
        yield from _after(case, sent, body, known, before)


def _after(case: Case, sent: Sent, body: Any, known: Known, before: Before) -> Iterator[Verdict]:
    """The reading against the one before all that was done since the case it is held against.

    Guard: each of those was carried out or refused for sure, none was a retry of another, both
    read the same, and a reading of what others may change, too, showed the same twice before.
    """
    index = case.intent.against
    former, changes = before[index - 1] if index > 0 else None, before[index:]
    if former is None or not succeeded(former.response) or not _same_reading(former, sent):
        return
    done = _carried_out(changes, before[:index])
    if done is None:
        return
    found = _Found(
        was=_shown(former.response),
        now=body,
        control=_control(former, before[index - 2] if index > 1 else None),
        done=done,
        volatile=_volatile(known, sent),
    )
    for text in case.intent.breaks.removeprefix(PREFIX).split(BETWEEN):
        invariant = _read(text)
        if invariant is None or invariant.refused == bool(done):
            continue
        told = found.told_of(invariant)
        if told is not None:
            words = "refused " if invariant.refused else ""
            yield _verdict(invariant, f", after {words}{invariant.after}", told)


@dataclass(frozen=True, slots=True)
class _Found:
    """Two readings, and what was done in between."""

    was: Any
    now: Any
    control: Any
    """What was read just before the first of them; MISSING where it was not."""
    done: tuple[Sent, ...]
    volatile: frozenset[str]

    def told_of(self, invariant: Invariant) -> str | None:
        """How it breaks INVARIANT, with values where there are any; None: it does not, or that
        cannot be said."""
        if not invariant.holds:
            return self._unlike()
        if self._may_be_cut(invariant):
            return None
        if not invariant.what:
            return self._compared(invariant)
        told = [{"sent": _asked(c), "answer": _shown(c.response)} for c in self.done]
        numbers = invariant.changed(self.now, self.was, told)
        if numbers is None or same_number(numbers[1], numbers[2]):
            return None
        if self.control is not MISSING:
            steady = invariant.changed(self.was, self.control, [])
            if steady is None or not same_number(steady[0], steady[2]):
                return None
        was, wanted, now = (f"{number:.12g}" for number in numbers)
        return f"it was {was} and is {now}, where {wanted} is right; "

    def _compared(self, invariant: Invariant) -> str | None:
        if len(self.done) > 1:
            return None
        change = self.done[0] if self.done else None
        others = {
            "before": self.was,
            "answer": _shown(change.response) if change is not None else None,
            "sent": _asked(change) if change is not None else None,
        }
        return "" if invariant.check(self.now, **others) is False else None

    def _unlike(self) -> str | None:
        others = () if self.control is MISSING else unlike(self.control, self.was)
        one = next(unlike(self.was, self.now, volatile=self.volatile), None)
        if one is None or any(o.place not in self.volatile for o in others):
            return None
        return f"`{parse_place(one.place).name or '/'}` was {one.was} and is {one.now}; "

    def _may_be_cut(self, invariant: Invariant) -> bool:
        """Whether a list that is counted may be one page of several."""
        if not any(f"{function}(" in invariant.holds for function in ("count", "sum")):
            return False
        if goes_on(self.was) or goes_on(self.now):
            return True
        pairs = zip(_lengths(self.was), _lengths(self.now), strict=False)
        return any(a == b and b >= PAGE_MIN and not b % PAGE_STEP for a, b in pairs)


MISSING = object()


def _lengths(body: Any) -> list[int]:
    lists = body.values() if isinstance(body, dict) else (body,)
    return [len(value) for value in lists if isinstance(value, list)]


def _carried_out(changes: Before, earlier: Before) -> tuple[Sent, ...] | None:
    """Those of CHANGES that were let through; None: there is none, or what came of one is not
    sure. EARLIER: what was sent before; who is answered the same again was told of that."""
    found: list[Sent] = []
    told = {s.response.body for s in earlier if s is not None and s.response and _changes(s)}
    if not any(c is not None and _changes(c) for c in changes):
        return None
    for change in changes:
        if change is None or change.response is None:
            return None
        if not _changes(change):
            continue
        response = change.response
        if succeeded(response) and not refuses(response):
            found.append(change)
        elif not succeeded(response) and response.status // 100 != 4:
            return None
    answers = [c.response.body for c in found if c.response is not None and c.response.body]
    again = len(set(answers)) < len(answers) or not set(answers).isdisjoint(told)
    return None if again else tuple(found)


def _changes(sent: Sent) -> bool:
    return sent.request.method not in SAFE_METHODS


def _same_reading(former: Sent, sent: Sent) -> bool:
    one, two = former.request, sent.request
    return (one.method, one.path, one.query) == (two.method, two.path, two.query)


def _control(former: Sent, control: Sent | None) -> Any:
    if control is None or not _same_reading(former, control):
        return MISSING
    return _shown(control.response)


def _volatile(known: Known, sent: Sent) -> frozenset[str]:
    answer = known.answer(sent.response.status) if sent.response is not None else None
    if answer is None:
        return frozenset()
    return frozenset({*answer.volatile, *(v.place for v in answer.volatility)})


@lru_cache(maxsize=READ_MAX)
def _read(text: str) -> Invariant | None:
    try:
        return parse_invariant(text)
    except ValueError:
        return None  # made with another version of the configuration


def _shown(response: Response | None) -> Any:
    return body_of(response) if response is not None and succeeded(response) else None


def _asked(change: Sent) -> Any:
    try:
        return read_body(change.request)
    except ValueError:
        return None


def _verdict(invariant: Invariant, when: str, told: str = "") -> Verdict:
    said = invariant.text.rpartition(": ")[2]
    return Verdict(
        check=NAME,
        title=f"breaks `{said}`{when}",
        signature=invariant.text,
        evidence=f"{told}declared in premortem.toml, `checks.invariants`",
        severity="high",
    )


CHECK = Check(
    name=NAME,
    description="an answer breaks what `checks.invariants` declares",
    severity="high",
    judge=judge,
)
