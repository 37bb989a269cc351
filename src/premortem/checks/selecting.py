"""Values of messages by their places, and bodies that are read once for all checks."""

from __future__ import annotations

from typing import Any

import msgspec

from premortem.domain.bodies import is_json
from premortem.domain.places import Place
from premortem.domain.traffic import Response

BODY_BYTES_MAX = 1024 * 1024
"""Larger bodies are documents, not messages, and are not judged by what was learned."""
VALUES_MAX = 2_000
"""Values of one place in one message that are looked at."""
NOTHING: Any = object()
"""No JSON."""


class Bodies:
    """Reads JSON bodies; the last one is remembered, as several checks look at one answer."""

    def __init__(self) -> None:
        self._last: Response | None = None
        self._value: Any = NOTHING

    def of(self, response: Response) -> Any:
        """The JSON value of RESPONSE's body, or NOTHING."""
        if response is not self._last:
            self._last, self._value = response, _read(response)
        return self._value


def _read(response: Response) -> Any:
    if not response.body or len(response.body) > BODY_BYTES_MAX:
        return NOTHING
    given = response.media_type
    if given and not is_json(given):
        return NOTHING
    try:
        return msgspec.json.decode(response.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return NOTHING


def select(value: Any, place: Place) -> list[Any]:
    """All that stands in VALUE at PLACE of a body, where `*` is every item; at most VALUES_MAX."""
    return below(value, place.tokens)


def below(value: Any, tokens: tuple[str, ...]) -> list[Any]:
    """The same for a pointer's TOKENS."""
    found = [value]
    for name in tokens:
        step: list[Any] = []
        for item in found:
            if name == "*":
                if isinstance(item, list):
                    step += item[:VALUES_MAX]
            elif isinstance(item, dict) and name in item:
                step.append(item[name])
        found = step[:VALUES_MAX]
        if not found:
            break
    return found
