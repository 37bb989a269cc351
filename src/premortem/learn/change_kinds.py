"""Changes that are about a reading in one way, and where the reading's values stand in them."""

from __future__ import annotations

from dataclasses import dataclass

from premortem.domain.template import split_template
from premortem.learn.looks import Numbers
from premortem.learn.spans import Change, View

Pairs = tuple[tuple[str, str], ...]


@dataclass(slots=True, frozen=True)
class Kind:
    """Changes of one operation that are about a reading in one way."""

    operation_id: str
    where: Pairs
    """(path parameter of the reading, where its value stands in the change); those are left out
    that stand at the same place of both paths. An empty place: it is known from elsewhere."""
    query: Pairs
    """What the reading asks for; `{name}` is the change's path parameter, `{sent.x}` of its
    body."""
    sure: bool = True
    """It can be told which of several readings is meant."""


def bound(change: Change, view: View) -> tuple[Pairs, Pairs]:
    """Where the values that VIEW was read with stand in CHANGE: of its path, of its query."""
    values = [text for _, text in view.params]
    theirs = [text for _, text in change.look.params[: len(values)]]
    where: list[tuple[str, str]] = []
    if values != theirs or not _begins_alike(view.operation_id, change.look.operation_id):
        where = [(name, _standing(text, change)) for name, text in view.params]
    query = []
    for name, text in view.query:
        place = _standing(text, change) if name in view.naming else ""
        query.append((name, f"{{{place}}}" if place else text))
    return tuple(where), tuple(query)


def _begins_alike(reading: str, change: str) -> bool:
    """Whether both paths are the same up to the last parameter of READING's, but for names."""
    mine, theirs = (_unnamed(operation_id) for operation_id in (reading, change))
    depth = max((i + 1 for i, segment in enumerate(mine) if segment == "{}"), default=0)
    return mine[:depth] == theirs[:depth]


def _unnamed(operation_id: str) -> list[str]:
    segments = split_template(operation_id.partition(" ")[2])
    return ["{}" if "{" in segment else segment for segment in segments]


def _standing(text: str, change: Change) -> str:
    """Where TEXT stands in CHANGE: a path parameter, or `sent.x`; empty: nowhere."""
    in_path = (name for name, value in change.look.params if value == text)
    in_body = (place for place, value in change.look.texts.items() if value == text)
    return next(in_path, "") or next(in_body, "")


def sent(change: Change) -> Numbers:
    """Numbers of its body."""
    return change.look.sent


def answered(change: Change) -> Numbers:
    """Numbers that it was answered with."""
    return change.look.shown.numbers


def rooted(name: str, root: str) -> str:
    """NAME of a number as one of ROOT: `count(lines)` -> `count(sent.lines)`."""
    function, bracket, rest = name.partition("(")
    return f"{function}({root}.{rest}" if bracket else f"{root}.{name}"
