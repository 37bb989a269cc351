"""A request sets a member that is not its sender's to set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import body_of, refuses
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "raised_member"
MEMBER = "access member "
"""Begins `breaks` of a case that sets a member which only answers have; its place follows."""


def judge(case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
    """The answer shows the value that a request set in a member that requests do not have.

    (OWASP API Security 2023, API3: broken object property level authorization; CWE-915.) Guard:
    the same request without the member was answered with another value, or production's answers
    to it never held this one; the members are those that say who may what, whose a thing is, how
    it stands and what it costs, and that the specification does not let a request have.
    """
    response, place = sent.response, case.intent.place
    if not case.intent.breaks.startswith(MEMBER) or place is None or response is None:
        return
    if not succeeded(response) or refuses(response):
        return
    name = place.tokens[0]
    asked, told = _member(_decoded(sent.request.body), name), _member(body_of(response), name)
    if asked is None or asked != told or isinstance(asked, bool) != isinstance(told, bool):
        return
    plain = earlier(case, before)
    was = plain.response if plain is not None else None
    usual = _member(body_of(was), name) if was is not None and succeeded(was) else None
    if usual is not None and usual == asked:
        return
    if usual is None and not _is_unseen(known, response.status, str(place), asked):
        return
    yield Verdict(
        check=NAME,
        title=f"lets a request set `{name}`",
        signature=f"sets {name}",
        evidence=f"`{name}` is what was sent"
        + (f", and {usual!r} where it was not sent" if usual is not None else "")
        + "; only answers have it, and nobody says that a request may",
        severity="high",
    )


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _member(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None


def _is_unseen(known: Known, status: int, place: str, value: Any) -> bool:
    answer = known.answer(status)
    field = next((f for f in answer.fields if str(f.place) == place), None) if answer else None
    if field is None or field.redacted or field.distinct > len(field.values):
        return False
    return all(msgspec.json.decode(text) != value for text, _ in field.values)


CHECK = Check(
    name=NAME,
    description="a request sets a member that only answers have: a role, a state, an owner",
    severity="high",
    judge=judge,
)
