"""JSON text rewritten in place: values change, every other character stays as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from premortem.capture.formats import RUN_LENGTH_MIN
from premortem.capture.names import Kind, Names

DEPTH_MAX = 1000
"""Deeper text is left to the rules for plain text."""
NAME_LENGTH_MAX = 200
"""A longer name says nothing."""

_MEMBER = re.compile(
    r'(?:\s*+"[^"\\@]{0,19}+"\s*+:\s*+(?:true|false|null)(?=[\s,}])\s*+,?+)*+'  # passed over
    r'\s*+(?:"((?:[^"\\]++|\\.)*+)"\s*+:\s*+)?+'  # 1: a name
    r'(?:"((?:[^"\\]++|\\.)*+)"|([^\s{}\[\],:"]++)|([{\[])|([}\]]))'  # 2-5: its value
    r"\s*+,?+",
    re.DOTALL,
)
"""A member or an item up to its comma; or a bracket; laxer than JSON."""
_SECRET = (Kind.SECRET, Kind.SECRET_TEXT)
_LABELS = frozenset(("name", "key", "field", "header", "param", "parameter", "property", "option"))
_LITERALS = frozenset(("true", "false", "null"))


@dataclass(slots=True)
class _Frame:
    """An open object or list."""

    is_object: bool
    kind: Kind
    """Of the list's items; in an object, of values whose names say nothing themselves."""
    key: Kind = Kind.PLAIN
    """Of the value to come."""
    label: str = ""
    """`password` in `{"name": "password", "value": ...}`."""
    labelling: bool = False
    """The value to come is a label."""
    waiting: list[tuple[int, int, str, bool]] = field(default_factory=list)
    """Values that came before their label: start, end, text, whether a string."""


class Rewriter:
    """Rewrites JSON texts with two functions: one for strings, one for numbers."""

    def __init__(
        self,
        names: Names,
        *,
        string: Callable[[str, Kind], str],
        number: Callable[[str, Kind], str],
    ) -> None:
        self._names, self._string, self._number = names, string, number

    def rewrite(self, text: str) -> str | None:
        """TEXT with its values rewritten; None when it is not JSON as far as it was needed.

        Several documents one after the other (JSON lines) are one text.
        """
        edits: list[tuple[int, int, str]] = []
        if not self._walk(text, edits):
            return None
        if not edits:
            return text
        edits.sort()
        out: list[str] = []
        last = 0
        for start, end, new in edits:
            if start >= last:
                out += (text[last:start], new)
                last = end
        out.append(text[last:])
        return "".join(out)

    def _walk(self, text: str, edits: list[tuple[int, int, str]]) -> bool:
        """Collect the EDITS to TEXT; whether it was JSON to its end."""
        top = _Frame(is_object=False, kind=Kind.PLAIN)
        stack = [top]
        position = 0
        kind_of = self._names.kind
        for found in _MEMBER.finditer(text):
            if found.start() != position:
                return False
            position = found.end()
            group = found.lastindex or 0
            name = found[1]
            if name is not None:
                if not top.is_object:
                    return False
                if len(name) >= RUN_LENGTH_MIN or "@" in name:  # an address or a credential
                    name = self._edit(found.start(1), found.end(1), name, Kind.IDENTITY, edits)
                kind = kind_of(name) if len(name) <= NAME_LENGTH_MAX else Kind.PLAIN
                if kind is Kind.CONTAINER and top.kind in _SECRET:
                    kind = top.kind
                top.key = kind
                top.labelling = name in _LABELS
            elif top.is_object and group != 5:
                return False
            if group >= 4:
                inside = _moved(stack, found[group])
                if inside is None:
                    return False
                top = inside
            elif group == 3 and found[3] in _LITERALS:
                continue
            else:
                self._value(top, found, group == 2, edits)
        return len(stack) == 1 and (position == len(text) or text[position:].isspace())

    def _value(
        self,
        top: _Frame,
        found: re.Match[str],
        is_string: bool,
        edits: list[tuple[int, int, str]],
    ) -> None:
        kind = top.key if top.is_object else top.kind
        start, end = found.span(2 if is_string else 3)
        text = found[2] if is_string else found[3]
        if kind is Kind.CONTAINER and top.is_object:
            if top.label:
                kind = self._names.kind(top.label)
            elif len(top.waiting) < 8:
                top.waiting.append((start, end, text, is_string))
        elif top.labelling and is_string:
            self._label(top, text, edits)
        self._change(start, end, text, is_string, kind, edits)

    def _label(self, top: _Frame, text: str, edits: list[tuple[int, int, str]]) -> None:
        top.label = text[:NAME_LENGTH_MAX]
        kind = self._names.kind(top.label)
        if kind in _SECRET or kind is Kind.EMAIL:
            for start, end, value, is_string in top.waiting:
                edits[:] = [edit for edit in edits if edit[0] != start]
                self._change(start, end, value, is_string, kind, edits)
        top.waiting.clear()

    def _change(
        self,
        start: int,
        end: int,
        text: str,
        is_string: bool,
        kind: Kind,
        edits: list[tuple[int, int, str]],
    ) -> None:
        if is_string:
            self._edit(start, end, text, kind, edits)
        else:
            new = self._number(text, kind)
            if new != text:
                edits.append((start, end, new))

    def _edit(
        self, start: int, end: int, raw: str, kind: Kind, edits: list[tuple[int, int, str]]
    ) -> str:
        """Note how the string between START and END changes; its RAW text after that."""
        value = raw
        if "\\" in raw:
            with suppress(ValueError):  # half an escape: judge it as it stands
                value = json.loads(f'"{raw}"', strict=False)
        new = self._string(value, kind)
        if new == value:
            return raw
        raw = json.dumps(new, ensure_ascii="\\u" in raw)[1:-1]
        edits.append((start, end, raw))
        return raw


def _moved(stack: list[_Frame], bracket: str) -> _Frame | None:
    """The innermost open frame of STACK after BRACKET; None where that cannot stand."""
    top = stack[-1]
    if bracket in "{[":
        if len(stack) > DEPTH_MAX:
            return None
        kind = top.key if top.is_object else top.kind
        if top.is_object and kind is Kind.CONTAINER and top.label:
            kind = Kind.PLAIN
        stack.append(_Frame(is_object=bracket == "{", kind=kind))
    elif len(stack) == 1 or top.is_object != (bracket == "}"):
        return None
    else:
        stack.pop()
    return stack[-1]
