"""A valid value for any place of a schema: recorded where one fits, else made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from premortem.domain.shape import TYPES, Branch, Shape, type_of, types_of
from premortem.generate.breaks import Schema
from premortem.generate.texts import texts

DEPTH_MAX = 8
"""Levels of a made value; a recursive schema has to end before."""
COMPILED_MAX = 4096
"""Alternatives kept compiled."""
ITEMS_MAX = 200
"""Items made to reach a declared number."""
KNOWN_TRIED_MAX = 5
"""Recorded values tried at one place."""

NOTHING: Any = object()
"""No value: nothing that fits could be made."""
Known = Callable[[tuple[str, ...]], Sequence[Any]]
"""Pointer (`*` for items) -> values recorded there, most frequent first."""


class Filler:
    """Makes valid values for the places of one schema."""

    def __init__(self, root: Any, known: Known) -> None:
        self._shared = (
            {"$defs": root["$defs"]} if isinstance(root, dict) and "$defs" in root else {}
        )
        self.root = root
        self._known = known
        self._compiled: dict[bytes, Schema | None] = {}

    def schema(self, branch: Branch) -> Schema | None:
        """BRANCH alone, compiled; None when it cannot be."""
        key = msgspec.json.encode(branch)
        if key not in self._compiled:
            if len(self._compiled) >= COMPILED_MAX:
                self._compiled.clear()
            try:
                self._compiled[key] = Schema({**self._shared, **branch})
            except ValueError:
                self._compiled[key] = None
        return self._compiled[key]

    def fits(self, branch: Branch, value: Any) -> bool:
        """Whether VALUE is valid under BRANCH alone."""
        schema = self.schema(branch)
        return schema is not None and bool(schema.is_valid(value))

    def value(self, shape: Shape | None, at: tuple[str, ...], *, depth: int = 0) -> Any:
        """A value for the place AT with the fewest members; NOTHING when none could be made."""
        if shape is None:
            return next(iter(self._known(at)), "x")
        for branch in sorted(shape.branches, key=lambda b: types_of(b) == ("null",)):
            made = self.of(branch, at, depth=depth)
            if made is not NOTHING:
                return made
        return NOTHING

    def of(self, branch: Branch, at: tuple[str, ...], *, depth: int = 0) -> Any:
        """A value for the alternative BRANCH at the place AT; NOTHING when none could be made."""
        if depth > DEPTH_MAX:
            return NOTHING
        return next(
            (v for v in self._candidates(branch, at, depth) if self.fits(branch, v)), NOTHING
        )

    def _candidates(self, branch: Branch, at: tuple[str, ...], depth: int) -> Iterator[Any]:
        generic = tuple("*" if token.isdigit() else token for token in at)
        if "const" in branch:
            yield branch["const"]
        yield from list(self._known(generic))[:KNOWN_TRIED_MAX]
        yield from branch.get("enum", ())
        examples = branch.get("examples")
        yield from examples if isinstance(examples, list) else ()
        if branch.get("default") is not None:
            yield branch["default"]
        for kind in kinds_of(branch):
            yield from self._of_type(kind, branch, at, depth)

    def _of_type(self, kind: str, branch: Branch, at: tuple[str, ...], depth: int) -> Iterator[Any]:
        if kind == "string":
            yield from texts(branch)
        elif kind in ("integer", "number"):
            yield from numbers(branch, integral=kind == "integer")
        elif kind == "boolean":
            yield from (True, False)
        elif kind == "null":
            yield None
        elif kind == "array":
            yield from self._arrays(branch, at, depth)
        else:
            yield from self._objects(branch, at, depth)

    def _arrays(self, branch: Branch, at: tuple[str, ...], depth: int) -> Iterator[Any]:
        low = int(branch.get("minItems", 0))
        if low > ITEMS_MAX:
            return
        fixed = [
            self.value(Shape(item, self.root), (*at, str(index)), depth=depth + 1)
            for index, item in enumerate(branch.get("prefixItems", ()))
        ]
        if NOTHING in fixed:
            return
        if len(fixed) >= low and fixed:
            yield fixed[: max(low, len(fixed))]
        made = self.items(branch, at, max(low, min(1, int(branch.get("maxItems", 1)))), depth=depth)
        if made is not NOTHING:
            yield [*fixed, *made][: max(low, len(fixed), len(made))]
        if low == 0:
            yield []

    def items(
        self, branch: Branch, at: tuple[str, ...], count: int, *, depth: int = 0
    ) -> list[Any] | Any:
        """COUNT items for an array of BRANCH, distinct where they have to be; or NOTHING."""
        inner = branch.get("items", True)
        shape = Shape(inner, self.root)
        if not branch.get("uniqueItems"):
            one = self.value(shape, (*at, "*"), depth=depth + 1)
            return NOTHING if one is NOTHING and count else [one] * count
        out: list[Any] = []
        for value in self.different(shape, (*at, "*"), depth=depth + 1):
            if len(out) >= count:
                break
            if value not in out:
                out.append(value)
        return out if len(out) >= count else NOTHING

    def different(self, shape: Shape, at: tuple[str, ...], *, depth: int = 0) -> Iterator[Any]:
        """Valid values for the place AT, as many different ones as can be made."""
        for branch in shape.branches:
            schema = self.schema(branch)
            if schema is None or depth > DEPTH_MAX:
                continue
            more = (v for v in self._more(branch, at, depth) if schema.is_valid(v))
            yield from (v for v in self._candidates(branch, at, depth) if schema.is_valid(v))
            yield from more

    def _more(self, branch: Branch, at: tuple[str, ...], depth: int) -> Iterator[Any]:
        kinds = types_of(branch)
        for turn in range(ITEMS_MAX):
            if "string" in kinds:
                for text in texts(branch):
                    yield text[: len(text) - len(str(turn))] + str(turn)
                    yield text + str(turn)
            if "integer" in kinds or "number" in kinds:
                step = branch.get("multipleOf", 1)
                first = next(numbers(branch, integral=True), 0)
                yield tidy(first + turn * step)
            if "object" in kinds:
                base = self.of({**branch, "type": "object"}, at, depth=depth + 1)
                if isinstance(base, dict):
                    for name, value in base.items():
                        if isinstance(value, str):
                            yield {**base, name: value + str(turn)}
                        elif isinstance(value, int) and not isinstance(value, bool):
                            yield {**base, name: value + turn}

    def _objects(self, branch: Branch, at: tuple[str, ...], depth: int) -> Iterator[Any]:
        shape = Shape({**branch, "type": "object"}, self.root)
        needed = list(branch.get("required", ()))
        for trigger, more in _dependent(branch).items():
            if trigger in needed:
                needed += [name for name in more if name not in needed]
        made: dict[str, Any] = {}
        for name in needed:
            value = self.value(shape.member(name), (*at, name), depth=depth + 1)
            if value is NOTHING:
                return
            made[name] = value
        low = int(branch.get("minProperties", 0))
        for name in shape.names:
            if len(made) >= low:
                break
            if name not in made and not read_only(shape.member(name)):
                value = self.value(shape.member(name), (*at, name), depth=depth + 1)
                if value is not NOTHING:
                    made[name] = value
        extra = shape.member("\0any")
        for index in range(max(0, min(low, ITEMS_MAX) - len(made))):
            name = f"key{index + 1}"
            made[name] = self.value(extra, (*at, name), depth=depth + 1) if extra else "x"
        yield made


_SPEAKS_OF = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "array": ("prefixItems", "minItems", "maxItems", "uniqueItems"),
    "object": ("required", "additionalProperties", "minProperties", "maxProperties"),
}


def kinds_of(branch: Branch) -> tuple[str, ...]:
    """JSON types BRANCH allows, first the one that its keywords speak of where it names none."""
    kinds = types_of(branch)
    if "type" in branch or len(kinds) < len(TYPES):
        return kinds
    told = next((k for k, words in _SPEAKS_OF.items() if any(w in branch for w in words)), "")
    return (told, *(kind for kind in kinds if kind != told)) if told else kinds


def natural(branch: Branch, value: Any) -> bool:
    """Whether VALUE is of the type that BRANCH speaks of, where it names none."""
    kind = kinds_of(branch)[:1]
    told = kind != types_of(branch)[:1]
    found = type_of(value)
    return not told or kind == ("number" if found == "integer" else found,)


def numbers(branch: Branch, *, integral: bool) -> Iterator[Any]:
    """Candidates for a number that BRANCH allows, ordinary ones first."""
    step = branch.get("multipleOf") or (1 if integral else 0.01)
    low = branch.get("minimum", branch.get("exclusiveMinimum"))
    high = branch.get("maximum", branch.get("exclusiveMaximum"))
    for value in (1, 10, 0):
        yield value * step if branch.get("multipleOf") else value
    for limit, sign in ((low, 1), (high, -1)):
        if isinstance(limit, int | float) and not isinstance(limit, bool):
            yield limit
            multiple = int(limit // step) if step else 0
            for turn in (0, 1, 2):
                yield tidy((multiple + sign * turn) * step)
            yield tidy(limit + sign * step)
    if low is not None and high is not None:
        yield (low + high) // 2 if integral else (low + high) / 2


def tidy(value: float) -> Any:
    """VALUE without the noise of binary fractions."""
    return value if isinstance(value, int) else round(value, 9)


def read_only(shape: Shape | None) -> bool:
    """Whether every alternative is the service's to fill in."""
    return (
        shape is not None
        and bool(shape.branches)
        and all(branch.get("readOnly") is True for branch in shape.branches)
    )


def _dependent(branch: Branch) -> Mapping[str, list[str]]:
    found = branch.get("dependentRequired")
    return found if isinstance(found, dict) else {}
