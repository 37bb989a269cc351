"""JSON text rewritten in place: values change, every other character stays as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress

from premortem.capture.formats import RUN_LENGTH_MIN
from premortem.capture.kinds import HIDDEN, PERHAPS, SECRET, Kind, word_set
from premortem.capture.names import Names
from premortem.capture.scopes import NEIGHBOURLY, WAITING_MAX, Edits, Scope, about, edited

DEPTH_MAX = 1000
"""Deeper text is left to the rules for plain text."""
HARMLESS_MAX, HARMLESS_LENGTH_MAX = 50_000, 400
UNCHANGED_BELOW = 6
"""Shorter strings under names that say nothing stay."""
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
_CUT = re.compile(r'\s*+(?:"((?:[^"\\]++|\\.)*+)"\s*+:\s*+)?+"((?:[^"\\]++|\\.)*+)\\?\Z', re.DOTALL)
"""A string, with its name, that the end of the text cut off."""
_LABELS = word_set("name key field header param parameter property option type system kind label")
_WEAK_LABELS = frozenset(("type", "system", "kind", "label"))
"""What they say is believed of personal data alone: `{"type": "phone", "value": ...}`."""
_LITERALS = frozenset(("true", "false", "null"))


class Rewriter:
    """Rewrites JSON texts with two functions: one for strings, one for numbers."""

    def __init__(
        self,
        names: Names,
        *,
        string: Callable[[str, Kind], str],
        number: Callable[[str, Kind], str],
        quick: bool,
    ) -> None:
        self._names, self._string, self._number = names, string, number
        self._quick = quick
        """Values under names that say nothing are the same everywhere."""
        self._harmless: set[str] = set()
        """Strings that stay as they are under such names, as they stand in the text."""

    def rewrite(self, text: str) -> str | None:
        """TEXT with its values rewritten; None when it is not JSON as far as it was needed.

        Several documents one after the other (JSON lines) are one text.
        """
        edits: Edits = {}
        stack = [Scope(is_object=False, kind=Kind.PLAIN)]
        position = self._walk(text, edits, stack)
        if len(stack) > 1 or not (position == len(text) or text[position:].isspace()):
            return None
        return edited(text, edits)

    def salvage(self, text: str) -> tuple[str, str]:
        """The beginning of TEXT, as far as it is JSON, rewritten; and the rest as it is.

        Of a document that was cut off there is no rest.
        """
        edits: Edits = {}
        stack = [Scope(is_object=False, kind=Kind.PLAIN)]
        position = self._walk(text, edits, stack)
        found = _CUT.match(text, position)
        top = stack[-1]
        if found is not None and (found[1] is not None) is top.is_object:
            if top.is_object:
                self._named(top, unescaped(found[1]))
            self._value(top, found, True, edits)
            position = len(text)
        for scope in reversed(stack):
            self._close(scope, edits)
        return edited(text[:position], edits), text[position:]

    def _walk(self, text: str, edits: Edits, stack: list[Scope]) -> int:  # noqa: C901 - one branch a rule
        """Collect the EDITS to TEXT; where it ceases to be JSON. STACK: what is open there."""
        top = stack[-1]
        position = 0
        kind_of, known = self._names.kind, self._names.known
        harmless = self._harmless
        for found in _MEMBER.finditer(text):
            if found.start() != position:
                break
            position = found.end()
            group = found.lastindex or 0
            name = found[1]
            if name is not None:
                if not top.is_object:
                    return found.start()
                if len(name) >= RUN_LENGTH_MIN or "@" in name:  # an address or a credential
                    name = self._edit(found.start(1), found.end(1), name, Kind.IDENTITY, edits)
                if "\\" in name:
                    name = unescaped(name)
                kind = known.get(name)
                if kind is None:
                    kind = kind_of(name) if len(name) <= NAME_LENGTH_MAX else Kind.PLAIN
                if kind is Kind.CONTAINER and top.kind in HIDDEN:
                    kind = top.kind
                top.key = kind
                top.labelling = name in _LABELS
            elif top.is_object and group != 5:
                return found.start()
            if group >= 4:
                if group == 5:
                    self._close(top, edits)
                inside = _moved(stack, found[group])
                if inside is None:
                    return found.start()
                top = inside
            elif group == 3 and found[3] in _LITERALS:
                continue
            else:
                kind = top.key if top.is_object else top.kind
                value = found[group]
                if kind is Kind.PLAIN and self._quick and not top.labelling:
                    if len(value) < (UNCHANGED_BELOW if group == 2 else 12) or value in harmless:
                        continue
                    if group == 2:
                        count = len(edits)
                        self._edit(found.start(2), found.end(2), value, kind, edits)
                        if count == len(edits) and len(value) <= HARMLESS_LENGTH_MAX:
                            if len(harmless) >= HARMLESS_MAX:
                                harmless.clear()
                            harmless.add(value)
                        continue
                self._value(top, found, group == 2, edits)
        return position

    def _named(self, top: Scope, name: str) -> None:
        """The value to come in TOP stands under NAME."""
        kind = self._names.kind(name) if len(name) <= NAME_LENGTH_MAX else Kind.PLAIN
        if kind is Kind.CONTAINER and top.kind in HIDDEN:
            kind = top.kind
        top.key = kind
        top.labelling = name in _LABELS

    def _value(
        self,
        top: Scope,
        found: re.Match[str],
        is_string: bool,
        edits: Edits,
    ) -> None:
        kind = top.key if top.is_object else top.kind
        start, end = found.span(2 if is_string else 3)
        text = found[2] if is_string else found[3]
        if kind is Kind.CONTAINER and top.is_object:
            if top.label:
                kind = self._labelled(top)
            elif len(top.waiting) < 8:
                top.waiting.append((start, end, text, is_string))
        elif top.labelling and is_string:
            self._label(top, found[1], text, edits)
        if kind is not Kind.PLAIN and kind in NEIGHBOURLY and text:
            top.hear(kind)
            kind = top.decided(kind)
            if kind in PERHAPS:
                if top.about is not Kind.BUSINESS and len(top.undecided) < WAITING_MAX:
                    top.undecided.append((start, end, text, is_string, kind))
                kind = Kind.PLAIN
        self._change(start, end, text, is_string, kind, edits)

    def _close(self, top: Scope, edits: Edits) -> None:
        """The object TOP is at its end: decide on what waited for that."""
        for start, end, text, is_string, kind in top.undecided:
            sure = top.decided(kind)
            if sure is not kind:
                edits.pop(start, None)
                self._change(start, end, text, is_string, sure, edits)
        top.undecided.clear()

    def _labelled(self, top: Scope) -> Kind:
        kind = self._names.kind(top.label)
        if top.weak and kind in SECRET:
            return Kind.CONTAINER
        return kind if kind in HIDDEN else Kind.CONTAINER

    def _label(self, top: Scope, name: str, text: str, edits: Edits) -> None:
        if top.label and name in _WEAK_LABELS:
            return
        top.label, top.weak = text[:NAME_LENGTH_MAX], name in _WEAK_LABELS
        kind = self._labelled(top)
        if kind in HIDDEN:
            for start, end, value, is_string in top.waiting:
                edits.pop(start, None)
                self._change(start, end, value, is_string, kind, edits)
            top.waiting.clear()

    def _change(
        self,
        start: int,
        end: int,
        text: str,
        is_string: bool,
        kind: Kind,
        edits: Edits,
    ) -> None:
        if is_string:
            self._edit(start, end, text, kind, edits)
        else:
            new = self._number(text, kind)
            if new != text:
                edits[start] = end, new

    def _edit(self, start: int, end: int, raw: str, kind: Kind, edits: Edits) -> str:
        """Note how the string between START and END changes; its RAW text after that."""
        value = unescaped(raw) if "\\" in raw else raw
        new = self._string(value, kind)
        if new == value:
            return raw
        raw = json.dumps(new, ensure_ascii="\\u" in raw)[1:-1]
        edits[start] = end, raw
        return raw


def unescaped(raw: str) -> str:
    """The text that RAW, the inside of a JSON string, stands for."""
    with suppress(ValueError):  # half an escape: judge it as it stands
        value = json.loads(f'"{raw}"', strict=False)
        if isinstance(value, str):
            return value
    return raw


def _moved(stack: list[Scope], bracket: str) -> Scope | None:
    """The innermost open frame of STACK after BRACKET; None where that cannot stand."""
    top = stack[-1]
    if bracket in "{[":
        if len(stack) > DEPTH_MAX:
            return None
        kind = top.key if top.is_object else top.kind
        if top.is_object and kind is Kind.CONTAINER and top.label:
            kind = Kind.PLAIN
        stack.append(Scope(is_object=bracket == "{", kind=kind, about=about(top, kind)))
        if kind in (Kind.STREET, Kind.PLACE, Kind.PERHAPS_PLACE):
            stack[-1].has_street = True
    elif len(stack) == 1 or top.is_object != (bracket == "}"):
        return None
    else:
        stack.pop()
    return stack[-1]
