"""What answers repeat of their requests: the customer asked for, the filter, the name just given.

An echo is told only when it could have failed: its values vary, every answer kept it, and chance
does not explain it. Places whose names say the same need less evidence than others, for that a
parameter `customer_id` and a field `customer_id` mean one thing is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from premortem.domain.places import Place
from premortem.domain.relations import Echo
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import OperationProfile
from premortem.learn import chance
from premortem.learn.rows import Cell, Mark, Row, place_of, words_of
from premortem.learn.support import CHANCE_MAX, SUPPORT_MIN

ECHOES_MAX = 40
"""Of one answer; those with the most support."""
ASKED_MAX = 40
"""Places of one request that are looked at."""
ALIKE_SUPPORT_MIN = 6
"""Answers that must show an echo between places of one name."""
ALIKE_CHANCE_MAX = -2.0
"""log10 of the chance that is left to chance there."""
ALIKE_DISTINCT_MIN = 2
DISTINCT_MIN = 3
NUMBERS_DISTINCT_MIN = 5
"""Numbers agree more easily."""


def find_echoes(rows: Sequence[Row]) -> tuple[Echo, ...]:
    """What ROWS, the answers of one operation with one status, repeat of their requests; most
    support first."""
    whole = [row for row in rows if row.whole and row.asked]
    if len(whole) < ALIKE_SUPPORT_MIN:
        return ()
    answers = [dict(_answered(row)) for row in whole]
    asked = list(dict.fromkeys(key for row in whole for key in row.asked))[:ASKED_MAX]
    places = list(dict.fromkeys(key for answer in answers for key in answer))
    found = []
    for one in asked:
        texts = [_text(row.asked.get(one)) for row in whole]
        if len({*texts} - {None}) < ALIKE_DISTINCT_MIN:
            continue
        for other in places:
            echo = _echo(one, texts, other, answers)
            if echo is not None:
                found.append(echo)
    return ranked(found)


def ranked(echoes: Iterable[Echo]) -> tuple[Echo, ...]:
    """ECHOES, most support first, at most ECHOES_MAX."""
    return tuple(
        sorted(echoes, key=lambda e: (-e.support, str(e.asked), str(e.answered)))[:ECHOES_MAX]
    )


def _answered(row: Row) -> Iterator[tuple[str, frozenset[str]]]:
    """Place -> the texts that stand there: one, or those of all items."""
    for key, cell in row.cells.items():
        text = _text(cell)
        if text is not None:
            yield key, frozenset((text,))
    for items in row.items.values():
        members: dict[str, set[str]] = {}
        unknown: set[str] = set()
        for item in items:
            for key, cell in item.items():
                text = _text(cell)
                if text is None:
                    unknown.add(key)
                else:
                    members.setdefault(key, set()).add(text)
        for key, texts in members.items():
            if key not in unknown:
                yield key, frozenset(texts)


def _text(cell: Cell) -> str | None:
    """CELL in the words of a path or query; None for what cannot be compared."""
    if cell is None or isinstance(cell, Mark):
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell)
    return None if not text or holds_token(text) else text


def _echo(
    asked: str,
    texts: Sequence[str | None],
    answered: str,
    answers: Sequence[Mapping[str, frozenset[str]]],
) -> Echo | None:
    shown: list[str] = []
    for text, answer in zip(texts, answers, strict=True):
        told = answer.get(answered)
        if text is None or told is None:
            continue
        if told != {text}:
            return None
        shown.append(text)
    if not _convincing(asked, answered, shown):
        return None
    return Echo(
        asked=place_of(asked),
        answered=place_of(answered),
        support=len(shown),
        distinct=len(set(shown)),
    )


def _convincing(asked: str, answered: str, shown: Sequence[str]) -> bool:
    distinct = len(set(shown))
    if alike(asked, answered):
        return (
            len(shown) >= ALIKE_SUPPORT_MIN
            and distinct >= ALIKE_DISTINCT_MIN
            and chance.agreement(shown) <= ALIKE_CHANCE_MAX
        )
    if len(shown) < SUPPORT_MIN or {*shown} <= {"true", "false"}:
        return False
    numbers = all(text.replace(".", "", 1).lstrip("-").isdigit() for text in shown)
    enough = distinct >= (NUMBERS_DISTINCT_MIN if numbers else DISTINCT_MIN)
    return enough and chance.agreement(shown) <= CHANCE_MAX


def alike(asked: str, answered: str) -> bool:
    """Whether two places are called the same, or the one as the end of the other: `id` and
    `customer_id`, `filter_status` and `status`."""
    one, other = words_of(asked), words_of(answered)
    short, long = sorted((one, other), key=len)
    return bool(short) and long[-len(short) :] == short


def settled(operations: Iterable[OperationProfile]) -> tuple[OperationProfile, ...]:
    """OPERATIONS without echoes of changes that may be none.

    Who changes a thing often sends all of it back as it was read, with what only the service
    may set: that comes back unchanged, but not because it was sent. A field of a change is taken
    for a client's to set only where a request that makes such a thing holds it, too.
    """
    operations = tuple(operations)
    made = {
        (operation.operation.template, field.place)
        for operation in operations
        if operation.operation.method == "POST"
        for field in operation.fields
    }
    return tuple(_settled(operation, made) for operation in operations)


def _settled(operation: OperationProfile, made: set[tuple[str, Place]]) -> OperationProfile:
    if operation.operation.method not in ("PUT", "PATCH"):
        return operation
    answers = [replace(a, echoes=_own(operation, a.echoes, made)) for a in operation.answers]
    return replace(operation, answers=tuple(answers))


def _own(
    operation: OperationProfile, echoes: Sequence[Echo], made: set[tuple[str, Place]]
) -> tuple[Echo, ...]:
    collection = operation.operation.template.rpartition("/")[0]
    return tuple(e for e in echoes if e.asked.part != "body" or (collection, e.asked) in made)
