"""How much was made up: distinct requests, and values that stand in the training data as they are.

Enumerations are copied by right, so is what names something that exists, and so is what several
sessions sent. A place is free where production's own values hardly come again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from premortem.analyse.realism.specimens import Scalar, Specimen, identifier
from premortem.domain.tokens import holds_token

FREE_SHARE_MIN = 0.5
"""From this share of different ones among a place's texts on, they are made up by somebody."""
FREE_SEEN_MIN = 10
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
"""Days are few, and everybody's."""


class Copies(Struct, frozen=True, kw_only=True):
    """Shares, within [0, 1]."""

    distinct: float
    """Different requests among all of the same operation, for operations with free places."""
    values: float
    """Values at free places that one training session alone sent, at the same place."""
    requests: float
    """Requests with a free place that stand in the training data as a whole, identifiers aside."""
    places: int
    """Free places."""
    compared: int
    """Values at free places."""


def copies(made: Sequence[Specimen], training: Sequence[Specimen]) -> Copies:
    """What of MADE stands in TRAINING."""
    known: dict[tuple[str, str], list[tuple[Scalar, str]]] = defaultdict(list)
    for specimen in training:
        for place, value in specimen.values:
            if _made_up(place, value):
                known[specimen.operation_id, place].append((value, specimen.group))
    free = {key: _rare(pairs) for key, pairs in known.items() if _is_free(pairs)}
    whole = {_content(s) for s in training if _has_free(s, free)}
    judged = [specimen for specimen in made if _has_free(specimen, free)]
    compared = copied = 0
    for specimen in judged:
        for place, value in specimen.values:
            values = free.get((specimen.operation_id, place))
            if values is not None and place not in specimen.bound and _made_up(place, value):
                compared += 1
                copied += value in values
    contents = [_content(specimen) for specimen in judged]
    return Copies(
        distinct=len(set(contents)) / len(contents) if contents else 1.0,
        values=copied / compared if compared else 0.0,
        requests=sum(c in whole for c in contents) / len(contents) if contents else 0.0,
        places=len(free),
        compared=compared,
    )


def _is_free(pairs: Sequence[tuple[Scalar, str]]) -> bool:
    different = len({value for value, _ in pairs})
    return len(pairs) >= FREE_SEEN_MIN and different >= FREE_SHARE_MIN * len(pairs)


def _rare(pairs: Sequence[tuple[Scalar, str]]) -> set[Scalar]:
    """Values that one session alone sent."""
    groups: dict[Scalar, set[str]] = defaultdict(set)
    for value, group in pairs:
        groups[value].add(group)
    return {value for value, found in groups.items() if len(found) == 1}


def _made_up(place: str, value: Scalar) -> bool:
    if place.startswith(("path:", "header:")) or isinstance(value, bool) or value is None:
        return False
    if not isinstance(value, str):
        return True
    return not (identifier(value) or holds_token(value) or _DAY.match(value))


def _has_free(specimen: Specimen, free: dict[tuple[str, str], set[Scalar]]) -> bool:
    return any((specimen.operation_id, place) in free for place, _ in specimen.values)


def _content(specimen: Specimen) -> tuple[str, tuple[tuple[str, str], ...]]:
    kept = tuple(
        (place, repr(value))
        for place, value in specimen.values
        if not place.startswith(("path:", "header:"))
        and not (isinstance(value, str) and identifier(value))
    )
    return specimen.operation_id, kept
