"""A replayed request is answered otherwise than production answered it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from premortem.checks.check import Check, Known
from premortem.domain.bodies import at, read_body
from premortem.domain.places import parse_place
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "unlike_recorded"
STATUS = "status"
"""Stands for the status where places are named."""
LENGTH = "#"
"""Behind the place of an array: how many items it has."""


def judge(_case: Case, _sent: Sent, _known: Known, _before: Before) -> Iterator[Verdict]:
    """Nothing: whether a value may differ shows in many answers. After a run the answers to
    replayed sequences are held against the recorded ones.

    Guard: a place must have been as recorded in 30 answers and otherwise in 3 % of them at most,
    in earlier runs or in this one, and counts only as long as the requests before were answered
    with the recorded status; what looks like a clock, an identifier or a version may differ, and
    so may what is asked of things that were there before the recording.
    """
    yield from ()


def shows_again(verdict: Verdict, sent: Sent) -> Verdict | None:
    """VERDICT where SENT differs from what was recorded in just the places that it did."""
    if sent.response is None or not verdict.recorded:
        return None
    named = set(verdict.signature.split())
    differ = {place for place, text in verdict.recorded if told(sent.response, place) != text}
    return verdict if {general_name(place) for place in differ} == named else None


def told(response: Response, place: str) -> str:
    """JSON text of what RESPONSE has at PLACE; empty: nothing."""
    if place == STATUS:
        return str(response.status)
    try:
        value = at(read_body(response), parse_place(place.removesuffix(LENGTH)).tokens)
        return str(len(value)) if place.endswith(LENGTH) else text_of(value)
    except (LookupError, TypeError, ValueError):
        return ""


def text_of(value: Any) -> str:
    """JSON text; numbers that are equal read the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode()


def general_name(place: str) -> str:
    """PLACE with `*` for the index of every item, as signatures name it."""
    if place == STATUS:
        return place
    part, _, pointer = place.partition(":")
    return f"{part}:" + "/".join("*" if t.isdigit() else t for t in pointer.split("/"))


def differing(verdict: Verdict, response: Response | None) -> Iterable[tuple[str, str]]:
    """The recorded places in which RESPONSE differs, and what production had there."""
    for place, text in verdict.recorded:
        if response is None or told(response, place) != text:
            yield place, text


CHECK = Check(
    name=NAME,
    description="a replayed request is answered otherwise than production answered it, in a "
    "place that is as recorded elsewhere",
    severity="medium",
    judge=judge,
)
