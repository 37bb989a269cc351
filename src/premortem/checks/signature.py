"""Normalised messages: what stays the same when one defect shows twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.traffic import Request

SIGNATURE_CHARS_MAX = 200
MESSAGE_CHARS_MAX = 2_000
"""Of a message that are looked at."""
VALUES_MAX = 200
"""Values of one request that are looked for in a message."""

# Bounded, for the text comes from outside.
_UUID = r"\w{0,64}[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_EMAIL = r"[\w.+-]{1,64}@[\w.-]{0,255}\w"
_QUOTED = "|".join(rf"(?<!\w){q}[^{q}\n]*{q}(?!\w)" for q in ('"', "'", "`"))
_NUMBERED = r"[+-]?\w{0,64}\d\w*"
_HEX = r"\w{0,64}(?<![^\W_])[a-fA-F]{8,}(?![^\W_])\w*"
_VALUE = re.compile(rf"{_UUID}|{_EMAIL}|{_QUOTED}|{_NUMBERED}|{_HEX}")
_RUN = re.compile(r"[+-]?#(?:[\s,;:./+#-]*#)+")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[a-z]{1,24}")


def normalise(message: str) -> str:
    """MESSAGE without what differs from one occurrence to the next; at most 200 characters.

    `#` stands for ids, numbers, times, hexadecimal texts, addresses and quoted values, and for
    a run of them. Idempotent.
    """
    text = message[:MESSAGE_CHARS_MAX]
    while (shorter := _once(text)) != text:
        # Ends: each round takes away characters, or digits.
        text = shorter
    return text


def _once(text: str) -> str:
    text = _VALUE.sub("#", text)
    text = _RUN.sub("#", text)
    return _SPACE.sub(" ", text).strip()[:SIGNATURE_CHARS_MAX].rstrip()


def without_values(message: str, request: Request) -> str:
    """MESSAGE with `#` for every value of REQUEST that it repeats; plain words stay."""
    values = {v for v in values_of(request) if len(v) > 2 and not _WORD.fullmatch(v)}
    for value in sorted(values, key=len, reverse=True):
        if value in message:
            message = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "#", message)
    return message


def values_of(request: Request) -> Iterator[str]:
    """Texts of the scalars in REQUEST's path, query and body; at most VALUES_MAX."""
    for count, value in enumerate(_values(request)):
        if count >= VALUES_MAX:
            return
        yield value


def _values(request: Request) -> Iterable[str]:
    yield from (unquote(segment) for segment in request.path.split("/") if segment)
    yield from (value for _, value in request.query)
    try:
        body = read_body(request)
    except ValueError:
        return
    for _, value in leaves(body):
        yield text_of(value)
