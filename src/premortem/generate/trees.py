"""Whole values drawn at once: objects and arrays over columns, shape taken from the profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.random import Generator

from premortem.domain.references import says_reference
from premortem.domain.shape import Shape
from premortem.domain.traffic import Field
from premortem.generate.columns import constant, leaf, mixed
from premortem.generate.filler import read_only
from premortem.generate.fresh import Draw

ITEMS_MAX = 20
"""Items of one drawn array, whatever production sent."""
DEPTH_MAX = 12
"""Levels of a drawn value; recursive schemas end here."""
OPTIONAL_SHARE = 0.3
"""How often a declared property that nobody ever sent is there, when there is no traffic."""


class Node:
    """What was seen at one place of a body and below it."""

    __slots__ = ("children", "field", "item")

    def __init__(self) -> None:
        self.field: Field | None = None
        self.children: dict[str, Node] = {}
        self.item: Node | None = None

    def types(self) -> Mapping[str, int]:
        """JSON types seen here, from the field itself or from what stands below."""
        if self.field is not None:
            return self.field.types
        return {"object": 1} if self.children else {"array": 1} if self.item else {}


class Context(Struct, frozen=True, kw_only=True):
    """What drawing a tree needs beside the tree."""

    kept: Mapping[tuple[str, ...], Any] = {}
    """Values that stay as they are, by concrete pointer: a binding replaces them when sent."""
    reused: frozenset[tuple[str, ...]] = frozenset()
    """Pointers (`*` for items) of values that name existing things."""
    novel: frozenset[tuple[str, ...]] = frozenset()
    """Pointers of texts that name what is made: never one that was there before."""
    recorded: Any = None
    """A recorded value of the same place: maps, whose keys are data, are taken from it."""
    needed: frozenset[tuple[str, ...]] = frozenset()
    """Pointers of `kept` and of everything above them: always there."""
    secrets: bool = True
    """Draw optional values that were redacted; without, an update leaves passwords as they are."""
    invent: bool = False
    """Draw declared optional properties that were never seen."""


def tree(fields: Sequence[Field]) -> Node:
    """FIELDS of body places as a tree."""
    root = Node()
    for field in fields:
        node = root
        for key in field.place.tokens:
            if key == "*":
                node.item = node.item or Node()
                node = node.item
            else:
                node = node.children.setdefault(key, Node())
        node.field = field
    return root


def value_draw(
    node: Node | None,
    shape: Shape | None,
    context: Context,
    at: tuple[str, ...] = (),
) -> Draw | None:
    """Draws values like NODE's within SHAPE; None when nothing that fits can be made."""
    if at in context.kept:
        return constant(context.kept[at])
    if len(at) > DEPTH_MAX:
        return None
    seen = node.types() if node is not None else {}
    allowed = shape.types if shape is not None else None
    draws: list[tuple[Draw, float]] = []
    kinds: dict[str, float] = {k: float(n) for k, n in seen.items() if k in ("object", "array")}
    scalars = float(sum(n for k, n in seen.items() if k not in ("object", "array")))
    if allowed is not None:
        kinds = {kind: count for kind, count in kinds.items() if kind in allowed}
        if not seen:
            kinds = dict.fromkeys([k for k in ("object", "array") if k in allowed][:1], 1.0)
            scalars = 0.0 if kinds and not _scalar_first(shape) else 1.0
            kinds = {} if scalars else kinds
    for kind, weight in kinds.items():
        made = (_object if kind == "object" else _array)(node, shape, context, at)
        if made is not None:
            draws.append((made, weight))
    if scalars or not kinds:
        field = node.field if node is not None else None
        generic = tuple("*" if token.isdigit() else token for token in at)
        column = leaf(
            field, shape, reused=generic in context.reused, novel=generic in context.novel
        )
        if column is not None:
            draws.append((column, scalars or 1.0))
    if not draws:
        return None
    return draws[0][0] if len(draws) == 1 else mixed(draws)


def _scalar_first(shape: Shape | None) -> bool:
    """Whether the first alternative is a scalar: what a reader of the document would send."""
    if shape is None:
        return True
    scalars = {"string", "integer", "number", "boolean"}
    return bool(shape.types & scalars)


def _object(
    node: Node | None, shape: Shape | None, context: Context, at: tuple[str, ...]
) -> Draw | None:
    ways = shape.alternatives("object") if shape is not None else ()
    if len(ways) > 1:
        # What else the document allows differs in more than this place: others depend on it.
        ways = tuple(way for way in ways if _was_sent(node, way)) or ways
        found = [draw for way in ways if (draw := _object(node, way, context, at)) is not None]
        return mixed([(draw, 1.0) for draw in found]) if found else None
    children = node.children if node is not None else {}
    if not children and node is not None and not (shape is not None and shape.names):
        return constant(_recorded(context.recorded, at))
    required = shape.required if shape is not None else frozenset()
    dense: list[tuple[str, Draw, float]] = []
    names = list(children)
    names += [n for n in (shape.names if shape is not None else ()) if n not in children]
    names += [name for name in sorted(required) if name not in names]
    for name in names:
        child = children.get(name)
        inner = shape.member(name) if shape is not None else None
        if inner is None and shape is not None and shape.closed:
            continue
        must = name in required or (*at, name) in context.needed
        if child is None and not must and (read_only(inner) or says_reference(name)):
            continue
        if not must and not _wanted(child, context):
            continue
        if not must and _dangling(context, (*at, name)):
            continue
        presence = 1.0 if must else OPTIONAL_SHARE
        if child is not None and not must:
            presence = child.field.presence if child.field is not None else 1.0
        made = value_draw(child, inner, context, (*at, name))
        if made is not None:
            dense.append((name, made, presence))
        elif must:
            return None
    return object_draw(dense) if at else never_empty(dense)


def never_empty(members: Sequence[tuple[str, Draw, float]]) -> Draw:
    """Objects of MEMBERS that have at least one: a whole body says something."""
    draw = object_draw(members)
    if not members or any(share >= 1 for _, _, share in members):
        return draw
    name, column, _ = max(members, key=lambda member: member[2])

    def filled(rng: Generator, rows: int) -> list[Any]:
        out = draw(rng, rows)
        empty = [row for row in out if not row]
        for row, value in zip(empty, column(rng, len(empty)), strict=True):
            row[name] = value
        return out

    return filled


def _was_sent(node: Node | None, way: Shape) -> bool:
    """Whether what was seen at NODE can have been of the alternative WAY, as far as its required
    properties and fixed values tell."""
    if node is None or not node.children or not way.required <= node.children.keys():
        return False
    for name, child in node.children.items():
        inner = way.member(name)
        values = child.field.values if child.field is not None else ()
        if inner is None or not values:
            continue
        fixed = [
            v for b in inner.branches for v in b.get("enum", [b["const"]] if "const" in b else [])
        ]
        free = any("enum" not in b and "const" not in b for b in inner.branches)
        if fixed and not free and not any(msgspec.json.decode(v) in fixed for v, _ in values):
            return False
    return True


def _wanted(child: Node | None, context: Context) -> bool:
    """Whether an optional member is drawn at all."""
    if child is None:
        return context.invent
    return context.secrets or child.field is None or not child.field.redacted


def _dangling(context: Context, at: tuple[str, ...]) -> bool:
    """Whether what stands AT names something that is there, but nothing here brought it about."""
    if at not in context.reused or not isinstance(context.recorded, dict):
        return False
    return at[-1] not in _recorded(context.recorded, at[:-1])


def _recorded(value: Any, path: tuple[str, ...]) -> dict[str, Any]:
    """The object that stands at PATH of a recorded value, or an empty one."""
    for key in path:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and value and key == "*":
            value = value[0]
        else:
            return {}
    return value if isinstance(value, dict) else {}


def object_draw(members: Sequence[tuple[str, Draw, float]]) -> Draw:
    """Objects of MEMBERS, (name, column, how often it is there).

    Columns that are mostly there are drawn for all rows and taken out again; rare ones are
    drawn only for the rows that have them.
    """
    dense = [(name, draw, share) for name, draw, share in members if share >= 0.5]
    sparse = [(name, draw, share) for name, draw, share in members if share < 0.5]
    # Copying a dict that has the keys and setting each column is twice as fast as dict(zip()).
    empty = dict.fromkeys(name for name, _, _ in dense)

    def draw(rng: Generator, rows: int) -> list[Any]:
        out: list[Any] = [empty.copy() for _ in range(rows)]
        for name, column, share in dense:
            for target, value in zip(out, column(rng, rows), strict=True):
                target[name] = value
            if share < 1:
                for row in np.flatnonzero(rng.random(rows) >= share).tolist():
                    del out[row][name]
        for name, column, share in sparse:
            at = np.flatnonzero(rng.random(rows) < share).tolist()
            for row, value in zip(at, column(rng, len(at)), strict=True):
                out[row][name] = value
        return out

    return draw


def _array(
    node: Node | None, shape: Shape | None, context: Context, at: tuple[str, ...]
) -> Draw | None:
    field = node.field if node is not None else None
    branch = (shape.branch("array") or {}) if shape is not None else {}
    low = max(int(branch.get("minItems", 0)), field.length_min if field is not None else 0)
    high = field.length_max if field is not None and field.length_max else low + 2
    high = max(low, min(high, int(branch.get("maxItems", high)), max(ITEMS_MAX, low)))
    low = min(low, int(branch.get("maxItems", low)))
    inner = value_draw(
        node.item if node is not None else None,
        shape.items if shape is not None else None,
        context,
        (*at, "*"),
    )
    if inner is None:
        return constant_list() if low == 0 else None
    unique = bool(branch.get("uniqueItems"))

    def draw(rng: Generator, rows: int) -> list[Any]:
        lengths = rng.integers(low, high + 1, size=rows)
        ends = np.cumsum(lengths).tolist()
        items = inner(rng, int(ends[-1]) if ends else 0)
        out: list[Any] = []
        start = 0
        for end in ends:
            values = items[start:end]
            out.append(_distinct(values) if unique else values)
            start = end
        return out

    return draw


def constant_list() -> Draw:
    """Empty arrays, a new one per row."""
    return lambda _, rows: [[] for _ in range(rows)]


def _distinct(values: list[Any]) -> list[Any]:
    out: list[Any] = []
    for value in values:
        if value not in out:
            out.append(value)
    return out
