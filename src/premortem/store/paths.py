"""Shapes of paths: what a list can filter by without reading every path.

A shape is a path's segments with those that vary left open. It is found from the form of the
segments and from how many differ at one place, so no list of known words is needed; a shape
that is too fine or too coarse costs time, never a wrong answer. Whether a glob fits every path
of a shape, none, or some is worked out on the shape alone.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Literal

SEGMENTS_MAX = 24
"""Segments of a shape; what follows is one open rest."""
SIBLINGS_MAX = 100
"""Different words after one beginning; the next ones count as values."""
SHAPES_MAX = 5_000
"""Shapes of one store; later paths fall into those that are open at every segment."""
WORD_CHARS_MAX = 40

Segment = str | Literal[0, 1]
OPEN: Literal[0] = 0
"""One segment of any text."""
REST: Literal[1] = 1
"""Any text, slashes included; only at the end."""
Shape = tuple[Segment, ...]
Fit = Literal["all", "some", "none"]

_WILD = re.compile(r"[*?\[\]]")
_DIGIT = re.compile(r"\d")
_VERSION = re.compile(r"[A-Za-z]{1,3}\d{1,2}(\.\d)?")


class Shapes:
    """The shapes of one store so far; finds the shape of a path, which may be a new one."""

    def __init__(self) -> None:
        self._words: dict[Shape, set[str]] = {}
        self._known: set[Shape] = set()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, shape: Shape) -> None:
        """Remember SHAPE, which `of` gave, or the store held."""
        if shape in self._known:
            return
        self._known.add(shape)
        for index, segment in enumerate(shape):
            if isinstance(segment, str):
                self._words.setdefault(shape[:index], set()).add(segment)

    def of(self, path: str) -> Shape:
        """The shape of PATH; the same for the same path until another one is added."""
        segments = path.split("/")
        shape: Shape = ()
        for segment in segments[:SEGMENTS_MAX]:
            shape = (*shape, segment if self._is_word(segment, shape) else OPEN)
        if len(segments) > SEGMENTS_MAX:
            shape = (*shape, REST)
        if shape in self._known or len(self._known) < SHAPES_MAX:
            return shape
        return tuple(segment if isinstance(segment, int) else OPEN for segment in shape)

    def _is_word(self, segment: str, before: Shape) -> bool:
        if len(segment) > WORD_CHARS_MAX:
            return False
        if _DIGIT.search(segment) and not _VERSION.fullmatch(segment):
            return False
        words = self._words.get(before, ())
        return segment in words or len(words) < SIBLINGS_MAX


def values_of(path: str, shape: Shape) -> tuple[str | None, str | None]:
    """What stands in the first and in the last open segment of SHAPE; None: there is no such,
    or the last is the first."""
    if OPEN not in shape:
        return None, None
    first, last = shape.index(OPEN), len(shape) - 1 - shape[::-1].index(OPEN)
    segments = path.split("/", last + 1)
    return segments[first], segments[last] if last > first else None


class Glob:
    """A pattern over whole paths: `*`, `?` and `[...]`, all of which may match a slash."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._items = _items(pattern)
        self._regex = re.compile(translate(pattern))
        # Between slashes, or slash and end, a part without wildcards is a whole segment. Its
        # index is known as long as no wildcard, which may take slashes, stands before it.
        parts = [None if _WILD.search(part) else part for part in pattern.split("/")]
        self._known = parts.index(None) if None in parts else len(parts)
        self._end = len(parts) - 1
        self._whole = [(part, index) for index, part in enumerate(parts) if part]

    def matches(self, path: str) -> bool:
        """Whether it fits the whole PATH."""
        return self._regex.match(path) is not None

    def filled(self, shape: Shape) -> list[tuple[bool, str, Shape]] | None:
        """Ways in which a whole segment of the pattern can stand in an open one of SHAPE.

        Each is (whether in the last one rather than the first, the value, SHAPE with it filled
        in); a path that matches fits one of them. None: that cannot be told.
        """
        found: list[list[tuple[bool, str, Shape]]] = []
        opened = [index for index, segment in enumerate(shape) if segment == OPEN]
        if not opened:
            return None
        for value, index in self._whole:
            if index < self._known:
                places = [index]
                if index not in opened:
                    continue
            elif REST in shape[-1:]:
                continue
            elif index == self._end:
                places = [len(shape) - 1]
                if places[0] not in opened:
                    continue
            elif value in shape:
                continue
            else:
                places = opened
            if all(place in (opened[0], opened[-1]) for place in places):
                found.append(
                    [
                        (place != opened[0], value, (*shape[:place], value, *shape[place + 1 :]))
                        for place in places
                    ]
                )
        return max(found, key=lambda ways: len(ways[0][1]) if ways else 0, default=None)

    def fit(self, shape: Shape) -> Fit:
        """Whether it fits all paths of SHAPE, none, or some (`all` and `none` are certain)."""
        may = must = self._free({0})
        for index, segment in enumerate(shape):
            text = "/" if index else ""
            if isinstance(segment, str):
                text += segment
            for char in text:
                may = self._step(may, char)
                must = self._step(must, char)
            if segment == REST and not isinstance(segment, str):
                may = self._open(may, slashes=True)
                must = self._starred(must)
            elif not isinstance(segment, str):
                may = self._open(may, slashes=False)
                must = self._starred(must)
            if not may:
                return "none"
        end = len(self._items)
        return "all" if end in must else "some" if end in may else "none"

    def _free(self, at: set[int]) -> set[int]:
        """AT and what is reached from there for nothing: a star may match no text."""
        reached = set(at)
        for position in sorted(at):
            while position < len(self._items) and self._items[position] is None:
                position += 1
                reached.add(position)
        return reached

    def _step(self, at: set[int], char: str) -> set[int]:
        after: set[int] = set()
        for position in at:
            if position < len(self._items):
                item = self._items[position]
                if item is None:
                    after.add(position)
                elif item.match(char):
                    after.add(position + 1)
        return self._free(after)

    def _open(self, at: set[int], *, slashes: bool) -> set[int]:
        """Where any text can lead from AT."""
        reached, waiting = set(at), list(at)
        while waiting:
            position = waiting.pop()
            if position >= len(self._items):
                continue
            item = self._items[position]
            only_slash = item is not None and item.pattern == _SLASH.pattern and not slashes
            if not only_slash:
                new = self._free({position + 1}) - reached
                reached |= new
                waiting += new
        return reached

    def _starred(self, at: set[int]) -> set[int]:
        """Where every text surely leads from AT: only stars take whatever comes."""
        stars = {p for p in at if p < len(self._items) and self._items[p] is None}
        return self._free(stars)


_SLASH = re.compile(re.escape("/"))


def _items(pattern: str) -> list[re.Pattern[str] | None]:
    """One item per character that the pattern takes; None: a star, which takes any number."""
    items: list[re.Pattern[str] | None] = []
    position = 0
    while position < len(pattern):
        end = position + 1
        if pattern[position] == "[":
            close = pattern.find("]", position + (3 if pattern[position + 1 :][:1] == "!" else 2))
            end = close + 1 or end
        part = pattern[position:end]
        position = end
        if part == "*":
            items.append(None)
        elif part == "?":
            items.append(re.compile(r".", re.DOTALL))
        elif len(part) > 1:
            items.append(re.compile(translate(part)))
        else:
            items.append(re.compile(re.escape(part), re.DOTALL))
    return items
