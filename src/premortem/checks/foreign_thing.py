"""Somebody gets at a thing that is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import body_of, is_empty, refuses
from premortem.domain.bodies import leaves, text_of
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "foreign_thing"
OBJECT = "access another's thing"
"""Begins `breaks` of a request about what somebody else made."""
LEAVES_MAX = 20_000


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """2xx to a request about a thing that its maker finds in their list, and who asks does not.

    (OWASP API Security 2023, API1: broken object level authorization.) Guard: both lists were
    answered, the maker's holds the thing, the other's has fewer items, so that it is not merely
    on a later page; an empty answer shows nothing. Nobody is asked who may do what the maker may
    not.
    """
    response = sent.response
    if not case.intent.breaks.startswith(OBJECT) or case.intent.expects != "denied":
        return
    if response is None or not succeeded(response) or refuses(response):
        return
    own, theirs = earlier(case, before), _at(before, case.intent.if_passed)
    mine = own.response if own is not None else None
    shown = theirs.response if theirs is not None else None
    if mine is None or shown is None or not succeeded(mine) or not succeeded(shown):
        return
    first, second = _items(mine), _items(shown)
    if first is None or second is None or second >= first:
        return
    hidden = _texts(mine) - _texts(shown)
    if not hidden.intersection(_live(case, before)):
        return
    if sent.request.method == "GET" and is_empty(response):
        return
    how = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(sent.request.method, "changes")
    yield Verdict(
        check=NAME,
        title=f"{how} another's thing",
        signature=how,
        evidence=f"answered {response.status} to the role {case.role or 'nobody'}, whose own list "
        "does not show the thing; 403 or 404 was to be expected",
        severity="high",
    )


def _at(before: Before, index: int) -> Sent | None:
    return before[index] if 0 <= index < len(before) else None


def _live(case: Case, before: Before) -> Iterator[str]:
    """The live ids in the request, as the answers that made things say them."""
    for binding in case.bindings:
        made = _at(before, binding.step)
        body = body_of(made.response) if made is not None and made.response is not None else None
        for place, value in leaves(body) if isinstance(body, dict | list) else ():
            if place == binding.select and isinstance(value, str | int):
                yield text_of(value)


def _items(response: Response) -> int | None:
    body: Any = body_of(response)
    if isinstance(body, list):
        return len(body)
    lists = [v for v in body.values() if isinstance(v, list)] if isinstance(body, dict) else []
    return len(lists[0]) if len(lists) == 1 else None


def _texts(response: Response) -> set[str]:
    body = body_of(response)
    if not isinstance(body, dict | list):
        return set()
    found = zip(leaves(body), range(LEAVES_MAX), strict=False)
    return {text_of(value) for (_, value), _ in found if isinstance(value, str | int)}


CHECK = Check(
    name=NAME,
    description="somebody reads, changes or deletes a thing that only its maker is shown",
    severity="high",
    judge=judge,
)
