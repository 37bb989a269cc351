"""YAML, JSON and the front matter of Markdown as one tree that knows its lines.

People write the same in many ways: `roles_allowed`, `rolesAllowed`, `Roles-Allowed`; a list, or
`CFO, FinanceManager`. Keys are looked up as `domain.access.folded` spells them, lists are read
from whatever stands there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from premortem.domain.access import folded
from premortem.errors import InputError

DOCUMENT_BYTES_MAX = 1024 * 1024
PARTS_MAX = 100_000
"""Of one file, aliases followed: what unfolds to more is no document that people wrote."""
DEPTH_MAX = 60
_FRONT = re.compile(
    r"\A\ufeff?(?:[ \t]*\r?\n)*---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*\r?$",
    re.DOTALL | re.MULTILINE,
)
_FENCE = re.compile(r"^```(?:ya?ml|json)[ \t]*\r?\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SEPARATORS = re.compile(r"[,;|/]|\band\b|\bor\b")


class Part(Struct, frozen=True, kw_only=True):
    """A value of a document: text, a list, or names with values."""

    line: int
    """From 1; 0: not known."""
    text: str | None = None
    items: tuple[Part, ...] = ()
    fields: tuple[tuple[str, Part], ...] = ()
    """In the document's order, keys as they are written."""
    key_lines: tuple[int, ...] = ()
    """Of each field."""

    def get(self, *names: str) -> Part | None:
        """The first field that one of NAMES names, whatever its case and hyphens."""
        wanted = {folded(name) for name in names}
        return next((part for key, part in self.fields if folded(key) in wanted), None)

    def said(self, *names: str) -> str:
        """The text of that field; empty: there is none, or it is no text."""
        found = self.get(*names)
        return (found.text or "").strip() if found is not None else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it lists: items, `a, b`, or the keys that are not switched off."""
        return tuple(dict.fromkeys(name for name in _names(self) if name))

    @property
    def is_false(self) -> bool:
        """It says no."""
        return (self.text or "").strip().lower() in _NO

    @property
    def is_true(self) -> bool:
        """It says yes."""
        return (self.text or "").strip().lower() in _YES


_NO = frozenset(
    {"no", "false", "off", "none", "skip", "skipped", "disabled", "never", "denied", "0"}
)
_YES = frozenset({"yes", "true", "on", "emit", "enabled", "always", "1"})


def _names(part: Part) -> Iterator[str]:
    if part.text is not None:
        yield from (name.strip().strip("'\"") for name in _SEPARATORS.split(part.text))
    for item in part.items:
        named = item.said("name", "role", "id") if item.fields else ""
        if named:
            yield named
        else:
            yield from _names(item)
    for key, value in part.fields:
        if not value.is_false and not part.items:
            yield key.strip()


def read_parts(source: bytes, *, origin: str) -> tuple[Part, ...]:
    """The documents in SOURCE, which ORIGIN names: YAML (several, too), JSON, or of Markdown the
    front matter and the fenced YAML.

    Raises InputError when it is none of these, or too large.
    """
    if len(source) > DOCUMENT_BYTES_MAX:
        raise InputError(f"{origin} has {len(source)} bytes; at most {DOCUMENT_BYTES_MAX} are read")
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{origin} is not UTF-8 ({error.reason}); save it as UTF-8") from None
    if Path(origin).suffix.lower() in (".md", ".markdown") or _is_front(text):
        return tuple(
            part
            for block, before in _blocks(text)
            for part in _composed(block, origin=origin, before=before)
        )
    if text.lstrip()[:1] in ("{", "["):
        return _json(text, origin=origin)
    return _composed(text, origin=origin, before=0)


def _is_front(text: str) -> bool:
    """Whether TEXT is Markdown with front matter: prose behind the second `---`."""
    found = _FRONT.match(text)
    return found is not None and bool(re.search(r"^#{1,6} ", text[found.end() :], re.MULTILINE))


def _blocks(text: str) -> Iterator[tuple[str, int]]:
    """The YAML of Markdown, each with the lines before it."""
    front = _FRONT.match(text)
    if front is not None:
        yield front[1], text.count("\n", 0, front.start(1))
    for found in _FENCE.finditer(text, front.end() if front is not None else 0):
        yield found[1], text.count("\n", 0, found.start(1))


def _composed(text: str, *, origin: str, before: int) -> tuple[Part, ...]:
    counter = _Counter(origin)
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        return tuple(_part(node, before, counter, 0) for node in nodes if node is not None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 + before if mark is not None else 1
        raise InputError(f"{origin}:{line} is no YAML: {error.problem}; mend it there") from None
    except (yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{origin} is no YAML: {first}; mend it there") from None


class _Counter:
    """Counts the parts of one file."""

    def __init__(self, origin: str) -> None:
        self._origin, self._count = origin, 0

    def add(self, depth: int) -> None:
        self._count += 1
        if self._count > PARTS_MAX or depth > DEPTH_MAX:
            raise InputError(
                f"{self._origin} unfolds to more than {PARTS_MAX} values or {DEPTH_MAX} levels; "
                f"name a document that people wrote"
            )


def _part(node: yaml.Node, before: int, counter: _Counter, depth: int) -> Part:
    counter.add(depth)
    line = node.start_mark.line + 1 + before
    if isinstance(node, yaml.MappingNode):
        pairs = [
            (str(key.value), _part(value, before, counter, depth + 1), key.start_mark.line)
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode)
        ]
        return Part(
            line=line,
            fields=tuple((key, value) for key, value, _ in pairs),
            key_lines=tuple(at + 1 + before for _, _, at in pairs),
        )
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_part(item, before, counter, depth + 1) for item in node.value)
        return Part(line=line, items=items)
    return Part(line=line, text="" if node.tag.endswith(":null") else str(node.value))


def _json(text: str, *, origin: str) -> tuple[Part, ...]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("{"):
            first = str(error).splitlines()[0]
            raise InputError(f"{origin} is no JSON: {first}; mend it there") from None
        return _composed(text, origin=origin, before=0)
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        for key in re.findall(r'"([^"\\]{1,200})"\s*:', line):
            lines.setdefault(key, number)
    return (_of_json(found, 1, lines, _Counter(origin), 0),)


def _of_json(
    value: Any, line: int, lines: Mapping[str, int], counter: _Counter, depth: int
) -> Part:
    """VALUE; a key stands where it stands first."""
    counter.add(depth)
    if isinstance(value, dict):
        at = [lines.get(str(key), line) for key in value]
        parts = (
            (str(key), _of_json(inner, where, lines, counter, depth + 1))
            for (key, inner), where in zip(value.items(), at, strict=True)
        )
        return Part(line=line, fields=tuple(parts), key_lines=tuple(at))
    if isinstance(value, list):
        items = tuple(_of_json(inner, line, lines, counter, depth + 1) for inner in value)
        return Part(line=line, items=items)
    if value is None:
        return Part(line=line, text="")
    return Part(line=line, text=str(value).lower() if isinstance(value, bool) else str(value))
