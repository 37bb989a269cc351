"""XML, SOAP and HTML rewritten in place: texts of elements and values of attributes.

Not a parser: tags are found as they come, so a broken document loses its context and nothing
else. What an element holds is judged by its name, its neighbours and, in HTML, its field's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

from premortem.capture.kinds import HIDDEN, PERHAPS, Kind
from premortem.capture.names import Names
from premortem.capture.scopes import NEIGHBOURLY, WAITING_MAX, Edits, Scope, about, edited

DEPTH_MAX = 200
_TAG = re.compile(r"<(/?)((?:[\w\-]{1,40}:)?)([A-Za-z_][\w.\-]{0,80})((?:\s[^<>]{0,4000})?)(/?)>")
_ATTRIBUTE = re.compile(
    r"([A-Za-z_][\w:.\-]{0,60})\s{0,3}=\s{0,3}\\?(?:\"([^\"<>]*?)\\?\"|'([^'<>]*?)\\?')"
)
_CDATA = re.compile(r"\s*<!\[CDATA\[(.*?)\]\]>\s*", re.DOTALL)
_LABELS = ("name", "key", "property", "itemprop", "id", "field", "type")
_VALUES = ("value", "content")
_VOID = frozenset(("input", "br", "hr", "img", "meta", "link", "area", "base", "col", "source"))
_SPEAKING = {
    "dd": ("dt",),
    "td": ("th", "td"),
    "span": ("label", "span", "strong", "b"),
    "p": ("h4",),
}
"""Elements whose text the element before them names -> which those are."""
_FIELDS = frozenset(
    ("textarea", "field", "param", "property", "data", "attribute", "entry", "item")
)
"""Elements that are named by an attribute."""


class Markup:
    """Rewrites markup with HIDE, which gets a text and the kind that its name says."""

    def __init__(self, names: Names, hide: Callable[[str, Kind], str]) -> None:
        self._names, self._hide = names, hide

    def rewrite(self, text: str) -> str:
        """TEXT with what its tags name replaced."""
        edits: Edits = {}
        stack = [Scope(is_object=True, kind=Kind.PLAIN)]
        opened: list[str] = [""]
        before: tuple[str, str] = ("", "")
        """The element that ended last, and its text."""
        last = None
        for tag in _TAG.finditer(text):
            closing, name = tag[1] == "/", tag[3]
            if not closing:
                kind = self._opening(text, tag, stack[-1], edits)
                alone = tag[5] or tag[4].endswith("/") or name.lower() in _VOID
                if not alone and len(stack) < DEPTH_MAX:
                    stack.append(Scope(is_object=True, kind=kind, about=about(stack[-1], kind)))
                    stack[-1].has_street = kind is Kind.STREET
                    opened.append(name)
            elif name in opened[-8:]:
                while len(opened) > 1:
                    scope, ended = stack.pop(), opened.pop()
                    self._close(scope, text, edits)
                    if ended == name:
                        if last is not None and not last[1] and last[3] == name:
                            place = last.end(), tag.start()
                            before = self._leaf(text, place, scope, stack[-1], name, before, edits)
                        break
            last = tag
        for scope in stack:
            self._close(scope, text, edits)
        return edited(text, edits)

    def _opening(self, text: str, tag: re.Match[str], outer: Scope, edits: Edits) -> Kind:
        """Look at the attributes of TAG; the kind of what it encloses."""
        kind = self._names.kind(tag[3])
        if "=" not in tag[4]:
            return kind
        own = Scope(is_object=True, kind=kind, about=about(outer, kind))
        found = {}
        for attribute in _ATTRIBUTE.finditer(tag[4]):
            group = 2 if attribute[2] is not None else 3
            start = tag.start(4) + attribute.start(group)
            found[attribute[1].lower()] = attribute[group], start
            self._member(text, start, start + len(attribute[group]), own, attribute[1], edits)
        self._close(own, text, edits)
        for label in _LABELS:
            named = self._names.kind(found[label][0]) if label in found else Kind.PLAIN
            if named not in HIDDEN and named not in PERHAPS:
                continue
            for value in _VALUES:
                if value in found:
                    content, start = found[value]
                    self._judge(text, start, start + len(content), outer, named, edits)
                    return kind
            if tag[3].lower() in _FIELDS:
                return named
        return kind

    def _leaf(
        self,
        text: str,
        place: tuple[int, int],
        scope: Scope,
        outer: Scope,
        name: str,
        before: tuple[str, str],
        edits: Edits,
    ) -> tuple[str, str]:
        """The text at PLACE, all that the element NAME holds; what comes next may be about it."""
        start, end = place
        cdata = _CDATA.fullmatch(text, start, end)
        if cdata is not None:
            start, end = cdata.span(1)
        lower = name.lower()
        kind = scope.kind
        if kind in (Kind.PLAIN, Kind.CONTAINER) and before[0] in _SPEAKING.get(lower, ()):
            kind = self._names.kind(before[1])
        if kind is Kind.CONTAINER and outer.kind in HIDDEN:
            kind = outer.kind
        self._judge(text, start, end, outer, kind, edits)
        return lower, text[start:end].strip(" \n\t:*")[:60]

    def _member(
        self, text: str, start: int, end: int, scope: Scope, name: str, edits: Edits
    ) -> None:
        kind = self._names.kind(name)
        if kind in HIDDEN or kind in PERHAPS:
            self._judge(text, start, end, scope, kind, edits)

    def _judge(
        self, text: str, start: int, end: int, scope: Scope, kind: Kind, edits: Edits
    ) -> None:
        """Replace the text between START and END, which SCOPE has under a name of KIND."""
        if start == end or text[start:end].isspace():
            return
        if kind in NEIGHBOURLY:
            scope.hear(kind)
            kind = scope.decided(kind)
            if kind in PERHAPS and len(scope.undecided) < WAITING_MAX:
                scope.undecided.append((start, end, "", True, kind))
        if kind in HIDDEN or kind is Kind.PERSON:
            self._replace(text, start, end, kind, edits)

    def _close(self, scope: Scope, text: str, edits: Edits) -> None:
        for start, end, _, _, kind in scope.undecided:
            sure = scope.decided(kind)
            if sure is not kind:
                self._replace(text, start, end, sure, edits)
        scope.undecided.clear()

    def _replace(self, text: str, start: int, end: int, kind: Kind, edits: Edits) -> None:
        raw = text[start:end]
        plain = unescape(raw) if "&" in raw else raw
        new = self._hide(plain, kind)
        if new != plain:
            edits[start] = end, escape(new) if "&" in raw else new
