"""Text of a request is run as code: it was multiplied, parsed, looked up or written as a header."""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem.checks.check import Check, Known, Severity, earlier, succeeded
from premortem.checks.refusal import body_of, refuses
from premortem.domain.injected import (
    ELEMENT,
    FILE_SHOWN,
    HEADER,
    HOST,
    INJECTION,
    NOT_FOUND,
    PRODUCT,
    SQL_ERROR,
)
from premortem.domain.places import parse_place
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "injected"
READ_BYTES_MAX = 256 * 1024
NEAR_CHARACTERS = 200
"""Between a resolver's words and the host that they are about."""
_PRODUCT = re.compile(rf"(?<!\d){PRODUCT[:2]}[,. ]?{PRODUCT[2:5]}[,. ]?{PRODUCT[5:]}(?!\d)")


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """What a payload leaves when it is run (see `domain.injected`).

    Guard: the product stands in no request; markup counts in pages of HTML alone, written as it
    was sent; an error counts by the words of a data base or of a resolver, for a picture in a text
    only beside the host's name; true and false are told apart only where the true one answers
    exactly like the plain search, and the false one shows less.
    """
    response, breaks = sent.response, case.intent.breaks
    if not breaks.startswith(INJECTION) or response is None:
        return
    kind, _, place = breaks.removeprefix(INJECTION).partition(" at ")
    said = _said(kind, sent, response)
    if not said and kind == "true and false":
        said = _told_apart(case, sent, before)
    if not said:
        return
    how, why, severity = said
    where = parse_place(place).name or "the body"
    yield Verdict(
        check=NAME,
        title=f"{how} (`{where}`)",
        signature=f"{how} {place}",
        evidence=why,
        severity=severity,
    )


def _said(kind: str, sent: Sent, response: Response) -> tuple[str, str, Severity] | None:
    text = response.body[:READ_BYTES_MAX].decode("utf-8", "replace")
    asked = sent.request.body.decode("utf-8", "replace") + sent.request.path
    if kind == "arithmetic" and _PRODUCT.search(text) and not _PRODUCT.search(asked):
        return "calculates what a text holds", f"the answer holds {PRODUCT}, the product", "high"
    if found := SQL_ERROR.search(text):
        return "puts a text into SQL", f"the answer says `{found[0]}`", "high"
    if kind == "path" and FILE_SHOWN.search(text):
        return "reads a file that a text names", "the answer holds the machine's accounts", "high"
    if kind == "line break" and any(name == HEADER for name, _ in response.headers):
        return "writes a header that a text holds", f"the answer has the header {HEADER}", "high"
    if kind in ("address", "markup") and (found := _looked_up(text, named=kind == "markup")):
        return "looks up a host that a text names", f"the answer says `{found[0]}`", "medium"
    if kind == "markup" and "html" in response.media_type and ELEMENT in text:
        return "writes a text into a page as it is", "its markup stands in the page", "medium"
    return None


def _looked_up(text: str, *, named: bool) -> re.Match[str] | None:
    """Where TEXT says that a host is not found; NAMED: it has to be the payload's, beside it."""
    for found in NOT_FOUND.finditer(text):
        near = text[max(0, found.start() - NEAR_CHARACTERS) : found.end() + NEAR_CHARACTERS]
        if not named or HOST in near:
            return found
    return None


def _told_apart(case: Case, sent: Sent, before: Before) -> tuple[str, str, Severity] | None:
    plain, true = earlier(case, before), _at(before, case.intent.if_passed)
    answers = [one.response if one is not None else None for one in (plain, true, sent)]
    first, second, third = answers
    if first is None or second is None or third is None:
        return None
    if not succeeded(first) or not succeeded(second) or refuses(second) or not first.body:
        return None
    size = _size(first)
    if not size or body_of(first) is None or body_of(first) != body_of(second):
        return None
    if third.status >= 500 or (succeeded(third) and _size(third) >= size):
        return None
    why = "with a condition that is true the answer stays, with one that is false it holds less"
    return "puts a text into SQL", why, "high"


def _size(response: Response) -> int:
    """Items of the one list in the answer; without one, whether there is anything."""
    body = body_of(response)
    if isinstance(body, list):
        return len(body)
    lists = [v for v in body.values() if isinstance(v, list)] if isinstance(body, dict) else []
    return len(lists[0]) if len(lists) == 1 else int(bool(body))


def _at(before: Before, index: int) -> Sent | None:
    return before[index] if 0 <= index < len(before) else None


CHECK = Check(
    name=NAME,
    description="text of a request is run: SQL, a template, a path, a header, a page's markup",
    severity="high",
    judge=judge,
)
