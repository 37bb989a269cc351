"""An answer is another one, though nothing may have changed in between."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from premortem.checks.check import Check, Known, Severity, earlier
from premortem.checks.likeness import Unlike, unlike
from premortem.checks.refusal import body_of
from premortem.domain.places import parse_place
from premortem.domain.run import SAFE_METHODS, Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "unexpected_change"
SHOWN_MAX = 3
EVIDENCE_CHARS_MAX = 80
_PASSING = frozenset({401, 408, 425, 429})
"""Answers that are about who asks, when and how often."""
GONE = frozenset({404, 410})


def judge(case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
    """A case that expects `same` and is answered otherwise than the one it is held against.

    Repeating what is idempotent changes nothing (RFC 9110, 9.2.2), reading changes nothing
    (9.2.1), and what was refused changed nothing. Guard: volatile fields of the profile, and what
    looks like a clock, an identifier or a counter, may differ, arrays may be in another order;
    4xx and 2xx are compared as classes; a repeated DELETE may answer 404; 5xx, 401 and 429 say
    nothing. Another client may change what a list shows: only what comes again from a fresh
    state, alone, is a finding.
    """
    if case.intent.expects != "same" or sent.response is None:
        return
    other = earlier(case, before)
    was = other.response if other is not None else None
    if other is None or was is None or not _comparable(other, sent):
        return
    now = sent.response
    told = _status(sent, was, now) or _body(was, now, known)
    if told is None:
        return
    title, signature, evidence = told
    severity: Severity = "high" if was.status // 100 != now.status // 100 else "medium"
    why = case.intent.breaks or f"{sent.request.method} was repeated"
    yield Verdict(
        check=NAME,
        title=title,
        signature=signature,
        evidence=f"{evidence}; nothing was to change in between ({why})",
        severity=severity,
    )


def _comparable(other: Sent, sent: Sent) -> bool:
    one, two = other.request, sent.request
    return (one.method, one.path, one.query) == (two.method, two.path, two.query)


def _status(sent: Sent, was: Response, now: Response) -> tuple[str, str, str] | None:
    if was.status >= 500 or now.status >= 500 or {was.status, now.status} & _PASSING:
        return None
    if was.status // 100 == now.status // 100:
        return None
    if sent.request.method == "DELETE" and now.status in GONE:
        return None
    method = sent.request.method
    how = "answers the same request" if method in SAFE_METHODS else "answers the repeated request"
    signature = f"{was.status // 100}xx became {now.status // 100}xx"
    return f"{how} otherwise: {signature}", signature, f"answered {was.status}, then {now.status}"


def _body(was: Response, now: Response, known: Known) -> tuple[str, str, str] | None:
    if not (200 <= was.status < 300 and 200 <= now.status < 300) or not was.body or not now.body:
        return None
    one, two = body_of(was), body_of(now)
    if one is None or two is None:
        return None
    answer = known.answer(now.status)
    places = {*answer.volatile, *(v.place for v in answer.volatility)} if answer else set()
    found = list(islice(unlike(one, two, volatile=places), SHOWN_MAX))
    if not found:
        return None
    where = parse_place(found[0].place).name or "the body"
    shown = "; ".join(map(_shown, found))
    return f"`{where}` changed though nothing was done", f"{where} changed", shown


def _shown(one: Unlike) -> str:
    was, now = (text[:EVIDENCE_CHARS_MAX] for text in (one.was, one.now))
    return f"{parse_place(one.place).name or '/'} was {was} and is {now}"


CHECK = Check(
    name=NAME,
    description="a repeated request is answered otherwise, or a refused one changed something",
    severity="medium",
    judge=judge,
)
