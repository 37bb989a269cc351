"""Shapes of bodies: what objects, arrays and values stood where, merged over messages.

One accumulator serves two readings: Fields (what was seen at each place, for whoever draws new
values) and a JSON Schema (what a message may look like, for whoever checks one). Ranges,
lengths and enumerations stay in the Fields: a schema that held them would raise false alarms.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from premortem.domain.places import Place, body_place
from premortem.domain.traffic import Document, Field
from premortem.learn.bodies import File
from premortem.learn.lexical import identifier
from premortem.learn.values import DISTINCT_MAX, Scalars

DEPTH_MAX = 12
"""Levels of nesting that are learned; what lies deeper may be anything."""
PROPERTIES_MAX = 400
"""Properties of one object; with more distinct keys than this it is a map."""
PLACES_MAX = 1500
"""Places of one body; an answer with more is a document, and what comes late may be anything."""
ITEMS_MAX = 1000
"""Items of one array that are looked at."""
REQUIRED_SEEN_MIN = 10
"""Objects that must all hold a member before an answer's schema requires it. A member that
comes nine times in ten is always there in ten with 35 %, in five with 59 %."""
REQUEST_REQUIRED_SEEN_MIN = 5
"""The same for requests, where the schema only steers and does not accuse."""
NEVER_NULL_SEEN_MIN = 20
"""Values that must not be null before an answer's schema forbids null."""
MAP_KEYS_MIN = 12
"""Distinct keys from which an object may be a map."""
MAP_PRESENCE_MAX = 0.2
"""A map's key is in at most this share of the objects, on average."""
MAP_IDENTIFIERS_MIN = 3
"""Keys that look like identifiers, from which an object is a map."""
ANSWER_VALUES_MAX = 20
ANSWER_DISTINCT_MAX = 200


class Shape:
    """What stood at one place over all messages."""

    __slots__ = (
        "_left",
        "arrays",
        "files",
        "item",
        "lengths",
        "members",
        "objects",
        "overflow",
        "scalars",
    )

    def __init__(self, *, distinct_max: int = DISTINCT_MAX, left: list[int] | None = None) -> None:
        self.scalars = Scalars(distinct_max=distinct_max)
        self._left = [PLACES_MAX] if left is None else left
        """Places that this body may still open, shared by all of them."""
        self.objects = 0
        self.arrays = 0
        self.members: dict[str, Shape] = {}
        self.item: Shape | None = None
        self.lengths: tuple[int, int] = (0, 0)
        """Fewest and most items of an array."""
        self.overflow = False
        """More distinct keys came than PROPERTIES_MAX."""
        self.files: Counter[str] = Counter()
        """Media types of uploaded files."""

    @property
    def seen(self) -> int:
        """Values taken in here."""
        return self.scalars.total + self.objects + self.arrays + self.files.total()

    def add(self, value: Any, *, texts: bool = False, depth: int = 0) -> None:
        """Take in a value. TEXTS: its strings come from a form and are typed by what they say."""
        if isinstance(value, dict):
            self.objects += 1
            if depth < DEPTH_MAX:
                self._add_members(value, texts=texts, depth=depth)
        elif isinstance(value, list):
            self._add_items(value, texts=texts, depth=depth)
        elif isinstance(value, File):
            self.files[value.media_type] += 1
        elif texts and isinstance(value, str):
            self.scalars.add_text(value)
        else:
            self.scalars.add(value)

    def _add_members(self, value: dict[str, Any], *, texts: bool, depth: int) -> None:
        for key, child in value.items():
            member = self.members.get(key)
            if member is None:
                if len(self.members) >= PROPERTIES_MAX or not self._left[0]:
                    self.overflow = True
                    continue
                member = self.members[key] = self._open()
            member.add(child, texts=texts, depth=depth + 1)

    def _add_items(self, value: list[Any], *, texts: bool, depth: int) -> None:
        fewest, most = self.lengths
        size = len(value)
        self.lengths = (min(fewest, size) if self.arrays else size, max(most, size))
        self.arrays += 1
        if depth >= DEPTH_MAX:
            return
        if self.item is None:
            self.item = self._open()
        for child in value[:ITEMS_MAX]:
            self.item.add(child, texts=texts, depth=depth + 1)

    def _open(self) -> Shape:
        self._left[0] = max(0, self._left[0] - 1)
        return Shape(distinct_max=self.scalars.distinct_max, left=self._left)

    def merge(self, other: Shape) -> None:
        """Take in what OTHER saw, as far as a schema needs it: types, members, items."""
        self.scalars.types += other.scalars.types
        self.objects += other.objects
        self.arrays += other.arrays
        self.overflow |= other.overflow
        for key, child in other.members.items():
            if key not in self.members and len(self.members) >= PROPERTIES_MAX:
                self.overflow = True
            else:
                self.members.setdefault(key, Shape(distinct_max=1)).merge(child)
        if other.item is not None:
            self.item = self.item or Shape(distinct_max=1)
            self.item.merge(other.item)

    @property
    def is_map(self) -> bool:
        """Its keys are data, as in `{"2024-01": 3, "2024-02": 5}`."""
        if self.overflow:
            return True
        keys = len(self.members)
        if keys < MAP_IDENTIFIERS_MIN or not self.objects:
            return False
        kinds = Counter(shape.kind for shape in self.members.values())
        if kinds.most_common(1)[0][1] < keys * 0.9:
            return False
        if sum(bool(identifier(key)) for key in self.members) >= max(3, keys * 0.6):
            return True
        presence = sum(shape.seen for shape in self.members.values()) / (keys * self.objects)
        return keys >= MAP_KEYS_MIN and presence <= MAP_PRESENCE_MAX

    @property
    def kind(self) -> str:
        """The most frequent JSON type."""
        counts = self.types
        return max(sorted(counts), key=counts.__getitem__) if counts else "null"

    @property
    def types(self) -> Mapping[str, int]:
        """JSON type name -> count."""
        counts = dict(self.scalars.types)
        if self.files:
            counts["string"] = counts.get("string", 0) + self.files.total()
        if self.objects:
            counts["object"] = self.objects
        if self.arrays:
            counts["array"] = self.arrays
        return counts

    def fields(
        self, *, parents: int, values_max: int, tokens: tuple[str, ...] = ()
    ) -> Iterator[Field]:
        """The Fields of this place and of those below; PARENTS messages could have had it."""
        seen = self.seen
        if not seen:
            return
        presence = min(1.0, seen / max(parents, 1))
        field = self.scalars.field(
            body_place(*tokens), seen=seen, presence=presence, values_max=values_max
        )
        if self.objects or self.arrays or self.files:
            field = _with_structure(field, self)
        yield field
        if not self.is_map:
            for key, member in self.members.items():
                yield from member.fields(
                    parents=self.objects, values_max=values_max, tokens=(*tokens, key)
                )
        if self.item is not None and self.item.seen:
            yield from self.item.fields(
                parents=self.item.seen, values_max=values_max, tokens=(*tokens, "*")
            )

    def sources(self, tokens: tuple[str, ...] = ()) -> Iterator[tuple[Place, Scalars]]:
        """Every place below here that held scalars, with what it held."""
        if self.scalars.total:
            yield body_place(*tokens), self.scalars
        if not self.is_map:
            for key, member in self.members.items():
                yield from member.sources((*tokens, key))
        if self.item is not None:
            yield from self.item.sources((*tokens, "*"))

    def document(self, *, answer: bool) -> Document:
        """A JSON Schema (2020-12) that all messages seen satisfy."""
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        return json.dumps(schema | self.schema(answer=answer), ensure_ascii=False)

    def schema(self, *, answer: bool) -> dict[str, Any]:
        """The same as an object, without `$schema`."""
        types = set(self.types)
        if not types:
            return {}
        if "number" in types or (answer and "integer" in types):
            types = (types - {"integer"}) | {"number"}
        if answer and self.seen < NEVER_NULL_SEEN_MIN:
            types.add("null")
        schema: dict[str, Any] = {"type": sorted(types) if len(types) > 1 else types.pop()}
        if self.files:
            schema["contentMediaType"] = self.files.most_common(1)[0][0]
        if self.members:
            schema |= self._members_schema(answer=answer)
        if self.item is not None and (items := self.item.schema(answer=answer)):
            schema["items"] = items
        return schema

    def _members_schema(self, *, answer: bool) -> dict[str, Any]:
        if self.is_map:
            merged = Shape(distinct_max=1)
            for member in self.members.values():
                merged.merge(member)
            return {"additionalProperties": {} if self.overflow else merged.schema(answer=answer)}
        least = REQUIRED_SEEN_MIN if answer else REQUEST_REQUIRED_SEEN_MIN
        always = [key for key, m in self.members.items() if m.seen >= self.objects >= least]
        schema: dict[str, Any] = {
            "properties": {key: m.schema(answer=answer) for key, m in self.members.items()}
        }
        return schema | ({"required": sorted(always)} if always else {})


def _with_structure(field: Field, shape: Shape) -> Field:
    """FIELD with what a Shape knows beyond scalars."""
    lengths = shape.lengths if shape.arrays else (field.length_min, field.length_max)
    return replace(
        field,
        types=dict(sorted(shape.types.items())),
        length_min=lengths[0],
        length_max=lengths[1],
        redacted=field.redacted or bool(shape.files),
    )
