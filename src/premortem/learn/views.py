"""Fields that a role never saw whole: masked, null or not there, where others see them.

What a collection shows of its things is one matter, by whatever operation: a role that reads one
customer's address masked is not meant to read it in the list. So what was seen of a field is
added up over the operations below one path, and holds for each of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.masks import is_masked
from premortem.domain.relations import View
from premortem.domain.traffic import OperationProfile
from premortem.learn import chance
from premortem.learn.rows import Cell, Row, place_of
from premortem.learn.support import CHANCE_MAX, SUPPORT_MIN

MASKED_SUPPORT_MIN = 3
"""Answers that must show a role a mask, over all operations of a collection: nobody writes stars
by chance."""
WHOLE_MIN = 3
"""Answers to other roles that must hold the field whole."""
VIEWS_MAX = 100
"""Of one answer; by place and role."""

_PARAMETERS = re.compile(r"/\{.*")

Form = Literal["absent", "null", "masked"]
Key = tuple[str, str]
"""Collection and the field's own name."""


class Seen(Struct):
    """What one role saw of one field, in answers."""

    whole: int = 0
    masked: int = 0
    null: int = 0
    absent: int = 0

    @property
    def total(self) -> int:
        """Answers that could have held it."""
        return self.whole + self.masked + self.null + self.absent

    def add(self, other: Seen) -> None:
        """Take in what was seen elsewhere."""
        self.whole += other.whole
        self.masked += other.masked
        self.null += other.null
        self.absent += other.absent


def with_views(
    operations: Iterable[OperationProfile], rows: Mapping[tuple[str, int], Sequence[Row]]
) -> tuple[OperationProfile, ...]:
    """OPERATIONS with the views that ROWS, (operation id, status) -> answers, show."""
    places = {key: _seen(kept) for key, kept in rows.items()}
    together: defaultdict[Key, defaultdict[str, Seen]] = defaultdict(lambda: defaultdict(Seen))
    for (operation_id, _), fields in places.items():
        for place, roles in fields.items():
            for role, seen in roles.items():
                together[_key(operation_id, place)][role].add(seen)
    hidden = {key: forms for key, roles in together.items() if (forms := _hidden(roles))}
    return tuple(_with_views(operation, places, hidden, together) for operation in operations)


def _with_views(
    operation: OperationProfile,
    places: Mapping[tuple[str, int], Mapping[str, Mapping[str, Seen]]],
    hidden: Mapping[Key, Mapping[str, Form]],
    together: Mapping[Key, Mapping[str, Seen]],
) -> OperationProfile:
    answers = []
    for answer in operation.answers:
        fields = places.get((operation.id, answer.status), {})
        found = tuple(_views(operation.id, fields, hidden, together))
        answers.append(replace(answer, views=ranked(found)) if found else answer)
    return replace(operation, answers=tuple(answers))


def ranked(views: Iterable[View]) -> tuple[View, ...]:
    """VIEWS by place and role, at most VIEWS_MAX."""
    return tuple(sorted(views, key=lambda v: (str(v.place), v.role))[:VIEWS_MAX])


def _key(operation_id: str, place: str) -> Key:
    path = _PARAMETERS.sub("", operation_id.partition(" ")[2])
    return path, place.rpartition("/")[2]


def _seen(rows: Sequence[Row]) -> dict[str, dict[str, Seen]]:
    """Place -> role -> what it saw; a message with items counts once, by what it showed most."""
    whole = [row for row in rows if row.whole]
    found: defaultdict[str, defaultdict[str, Seen]] = defaultdict(lambda: defaultdict(Seen))
    places = dict.fromkeys(key for row in whole for key in row.cells)
    for row in whole:
        for key in places:
            _count(found[key][row.role], [row.cells[key]] if key in row.cells else [], there=True)
    members: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for row in whole:
        for array, items in row.items.items():
            members[array].update(dict.fromkeys(key for item in items for key in item))
    for row in whole:
        for array, items in row.items.items():
            objects = [item for item in items if item]
            for key in members[array]:
                cells = [item[key] for item in objects if key in item]
                _count(found[key][row.role], cells, there=bool(objects))
    return {place: dict(roles) for place, roles in found.items()}


def _count(seen: Seen, cells: Sequence[Cell], *, there: bool) -> None:
    """Add an answer in which the field held CELLS; THERE: it could have held some."""
    if any(cell is not None and cell != "" and not is_masked(cell) for cell in cells):
        seen.whole += 1
    elif any(map(is_masked, cells)):
        seen.masked += 1
    elif cells:
        seen.null += 1
    elif there:
        seen.absent += 1


def _hidden(roles: Mapping[str, Seen]) -> dict[str, Form]:
    """Role -> the form in which it saw the field, where that is not how others saw it."""
    forms: dict[str, Form] = {}
    for role, seen in roles.items():
        others = [other for name, other in roles.items() if name != role and not other.masked]
        whole = sum(other.whole for other in others)
        if seen.whole or whole < WHOLE_MIN:
            continue
        if seen.masked:
            if seen.masked >= MASKED_SUPPORT_MIN:
                forms[role] = "masked"
            continue
        # Who sees nothing may have looked at things that have none: others must always see it.
        if any(other.null or other.absent for other in others) or seen.total < SUPPORT_MIN:
            continue
        total = seen.total + whole
        if chance.contained(total, seen.total, seen.total) <= CHANCE_MAX:
            if seen.null == seen.total:
                forms[role] = "null"
            elif seen.absent == seen.total:
                forms[role] = "absent"
    return forms


def _views(
    operation_id: str,
    places: Mapping[str, Mapping[str, Seen]],
    hidden: Mapping[Key, Mapping[str, Form]],
    together: Mapping[Key, Mapping[str, Seen]],
) -> Iterator[View]:
    for place in places:
        key = _key(operation_id, place)
        for role, form in hidden.get(key, {}).items():
            roles = together[key]
            yield View(
                place=place_of(place),
                role=role,
                form=form,
                support=roles[role].total,
                whole=sum(seen.whole for name, seen in roles.items() if name != role),
            )
