"""Recorded requests with other values in their bodies."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.places import Place
from premortem.domain.run import Case


def share(whole: int | float, part: float) -> int | float:
    """PART of WHOLE, within (0, 1): a whole number of a whole number from 2 on, else two digits."""
    if isinstance(whole, int) and whole >= 2:
        return max(1, int(whole * part))
    return round(whole * part, 2)


def with_value(case: Case, place: Place, value: Any) -> Case:
    """CASE with VALUE at PLACE of its JSON body; as it is where there is no such place."""
    try:
        body = msgspec.json.decode(case.request.body)
        parent = body
        for token in place.tokens[:-1]:
            parent = parent[int(token) if isinstance(parent, list) else token]
        parent[place.tokens[-1]] = value
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return case
    kept = tuple(b for b in case.bindings if b.place != place)
    request = replace(case.request, body=msgspec.json.encode(body))
    return replace(case, request=request, bindings=kept)
