"""What was declared to hold of an answer does not (see `domain.invariant`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import body_of
from premortem.domain.bodies import read_body
from premortem.domain.invariant import Invariant, parse_invariant
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "invariant"
DECLARED = "invariant "
"""Begins `breaks` of a reading after a change; the invariant's text follows."""
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
    if case.intent.breaks.startswith(DECLARED):
        yield from _after(case, body, before)


def _after(case: Case, body: Any, before: Before) -> Iterator[Verdict]:
    change, index = earlier(case, before), case.intent.against - 1
    former = before[index] if 0 <= index < len(before) else None
    if change is None or former is None or not succeeded(change.response):
        return
    invariant = _read(case.intent.breaks.removeprefix(DECLARED))
    others = {
        "before": _shown(former.response),
        "answer": _shown(change.response),
        "sent": _asked(change),
    }
    if invariant is not None and invariant.check(body, **others) is False:
        yield _verdict(invariant, f", after {invariant.after}")


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


def _verdict(invariant: Invariant, when: str) -> Verdict:
    said = invariant.text.rpartition(": ")[2]
    return Verdict(
        check=NAME,
        title=f"breaks `{said}`{when}",
        signature=invariant.text,
        evidence="declared in premortem.toml, `checks.invariants`",
        severity="high",
    )


CHECK = Check(
    name=NAME,
    description="an answer breaks what `checks.invariants` declares",
    severity="high",
    judge=judge,
)
