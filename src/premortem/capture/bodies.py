"""Redaction of whole bodies: which rules apply to what media type, and which bodies need none.

Most bodies hold nothing secret. A few linear scans over the bytes find out (see `Screen`); only
what they let through is taken apart.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from functools import partial

from premortem.capture import formats
from premortem.capture.kinds import HIDDEN, Kind
from premortem.capture.names import Names
from premortem.capture.screen import Screen, holds_address
from premortem.capture.values import Values

CACHED_MAX = 4096
CACHED_BYTES_MAX = 64 * 1024
"""Equal bodies up to this size are redacted once."""

FORM = "application/x-www-form-urlencoded"
_NO_FORM = (b"{", b"[", b"<", b'"')
"""So begins what is no form although it is called one: urllib calls everything a form."""
_FORM_BEGIN = re.compile(rb"[^\s=&{}<>\"']{1,200}(?:=(?!=?\s*\Z)|&)")
_FORM = re.compile(
    rb"[^\x00-\x20=&{}<>\"']{1,200}=(?!=?\Z)[^\x00-\x20&=<>\"']*+"
    rb"(?:&[^\x00-\x20=&{}<>\"']{1,200}(?:=[^\x00-\x20&<>\"']*+)?)*+&?\s*\Z"
)
"""A form that is not called one; no padded base64, and no control characters: text has some of
them for blanks."""
_TABLES = ("text/csv", "text/tab-separated-values")
_TABLE_BEGIN = re.compile(rb"(?:[^\r\n{<=]*[,;\t][^\r\n{<=]*|[^\r\n{<=:]{1,60})(?:[\r\n]|\Z)")
"""Its first line has several names, or one alone."""
_WRAPPED = re.compile(
    r"([A-Za-z0-9+/]{40,}+)(\r?\n)(?:[A-Za-z0-9+/]++\r?\n)*+[A-Za-z0-9+/]*={0,2}\s*"
)
"""Base64 in lines (RFC 2045, 6.8)."""
_FIRST_PART = re.compile(rb"\s*--([^\s\"';,]{1,70}) *\r?\n(?=content-)[^\r\n]*\r?\n", re.IGNORECASE)
_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})', re.IGNORECASE)
_LINES = re.compile(r"\s*\{[^\n]*\}\s*\n\s*[^\s\"}\]]")
"""Some JSON, line by line."""
_PART_NAME = re.compile(rb'[;\s]name="?([^";\r\n]*)', re.IGNORECASE)
_PART_TYPE = re.compile(rb"content-type:[ \t]*([^\r\n]*)", re.IGNORECASE)
_BINARY = re.compile(r"image/|audio/|video/|font/|application/(?:zip|gzip|pdf|wasm)")
_HEADING = re.compile(r'"?[A-Za-z_][\w .\-]{0,40}"?(?:[,;\t]"?[A-Za-z_][\w .\-]{0,40}"?){1,100}')
"""The first line of a table that is not called one."""
_CELLS = {
    comma: re.compile(
        rf'(?:"((?:[^"]|"")*+)"|([^"{comma}\r\n][^{comma}\r\n]*+|))({comma}|\r?\n|\Z)'
    )
    for comma in (",", ";", "\t")
}
"""A cell, quoted or plain, and what ends it."""


class Bodies:
    """Redacts bodies through `values`."""

    def __init__(self, values: Values, names: Names, *, always: bool = False) -> None:
        self._values, self._names = values, names
        self._screen = Screen(names)
        self._always = always
        """Patterns of the configuration may match in any body."""
        self._cache: dict[tuple[bytes, str], tuple[bytes, tuple[str, ...]]] = {}

    def body(self, data: bytes, content_type: str) -> bytes:
        """DATA without secrets; the same object when there are none."""
        if not data:
            return data
        if len(data) > CACHED_BYTES_MAX:
            return self._body(data, content_type)
        known = self._cache.get((data, content_type))
        hits = self._values.hits
        if known is None:
            mark = len(hits)
            out = self._body(data, content_type)
            if len(self._cache) >= CACHED_MAX:
                self._cache.clear()
            self._cache[data, content_type] = out, tuple(hits[mark:])
            return out
        hits += known[1]
        return known[0]

    def _body(self, data: bytes, content_type: str) -> bytes:
        """What DATA is counts as much as what its label says: both may be wrong or missing."""
        media_type = content_type.split(";", 1)[0].strip().lower()
        if _BINARY.match(media_type) and not _is_text(data):
            return data
        boundary = _boundary(data, content_type)
        if boundary:
            return self._multipart(data, boundary)
        if b"\0" in data:
            return self._packed(data)
        labelled = media_type == FORM and not data.lstrip().startswith(_NO_FORM)
        if (labelled and _FORM_BEGIN.match(data)) or _FORM.fullmatch(data):
            return self._as_text(data, self._values.form)
        if media_type in _TABLES and _TABLE_BEGIN.match(data):
            return self._as_text(data, self._table)
        if not self._always and not self._screen.suspicious(data):
            return data
        return self._as_text(data, self.document)

    def _as_text(self, data: bytes, rewrite: Callable[[str], str]) -> bytes:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return self._packed(data)
        new = rewrite(text)
        return data if new == text else new.encode()

    def _packed(self, data: bytes) -> bytes:
        """Binary formats such as protocol buffers: what is recognisable, at the same length."""
        known = self._screen.known(data)
        if not known and not (b"@" in data and holds_address(data)):
            return data
        text = data.decode("latin-1")
        return self._values.recognisable(text, known=known).encode("latin-1")

    def document(self, text: str) -> str:
        """TEXT of no or any media type without secrets."""
        opening = text.lstrip("\ufeff \t\r\n")[:1]
        if opening in ("{", "[", '"'):
            new = self._values.json(text)
            if new is not None:
                return new
        first = text.split("\n", 1)[0]
        if len(text) > len(first) and _HEADING.fullmatch(first.rstrip("\r")):
            names = re.split("[,;\t]", first)
            if any(self._names.kind(name.strip(' "')) in HIDDEN for name in names):
                return self._table(text)
        if opening in ("{", "[") and not _LINES.match(text):
            return self._values.broken_json(text)
        if _WRAPPED.fullmatch(text):
            return self._wrapped(text)
        if "\n" in text and "{" in text:  # events, logs: JSON line by line among other text
            return "\n".join(self._line(line) for line in text.split("\n"))
        return self._values.value(text, Kind.PLAIN)

    def _line(self, line: str) -> str:
        start = line.find("{")
        if 0 <= start <= 64 and line.rstrip().endswith("}"):
            new = self._values.json(line[start:])
            if new is not None:
                return line[:start] + new
        return self._values.value(line, Kind.PLAIN)

    def _wrapped(self, text: str) -> str:
        """TEXT, base64 in lines, with what it encloses redacted, in lines as long."""
        inner = formats.decoded_base64("".join(text.split()))
        new = self.document(inner) if inner else inner
        lines = _WRAPPED.fullmatch(text)
        if not new or new == inner or lines is None:
            return text
        coded, width = b64encode(new.encode()).decode(), len(lines[1])
        pieces = [coded[at : at + width] for at in range(0, len(coded), width)]
        return lines[2].join(pieces) + text[len(text.rstrip()) :]

    def _multipart(self, data: bytes, boundary: bytes) -> bytes:
        """A form of parts (RFC 7578): each by its field's name and its own media type."""
        pieces = data.split(b"--" + boundary)
        fields = (_PART_NAME.search(piece[:1000]) for piece in pieces)
        scope = self._values.scope(
            found[1].decode("utf-8", "replace") for found in fields if found is not None
        )
        for index, piece in enumerate(pieces[1:], 1):
            blank = b"\r\n\r\n" if b"\r\n\r\n" in piece else b"\n\n"
            head, blank, content = piece.partition(blank)
            if not blank or not content:
                continue
            ending = next((end for end in (b"\r\n", b"\n") if content.endswith(end)), b"")
            content = content[: len(content) - len(ending)]
            name = _PART_NAME.search(head)
            field = name[1].decode("utf-8", "replace") if name else ""
            kind = self._values.kind(field, scope)
            typed = _PART_TYPE.search(head)
            content_type = typed[1].decode("latin-1") if typed else "text/plain"
            if kind in HIDDEN:
                new = self._as_text(content, partial(self._values.value, kind=kind))
            else:
                new = self._body(content, content_type)
            pieces[index] = head + blank + new + ending
        return (b"--" + boundary).join(pieces)

    def _table(self, text: str) -> str:
        """Comma or tab separated values whose first line names the columns (RFC 4180)."""
        first = text.split("\n", 1)[0]
        comma = "\t" if "\t" in first else ";" if ";" in first and "," not in first else ","
        kinds: list[Kind] = []
        scope = self._values.scope(cell.strip(' "\r') for cell in first.split(comma))
        out: list[str] = []
        last = column = row = 0
        for found in _CELLS[comma].finditer(text):
            quoted = found[1] is not None
            cell = found[1].replace('""', '"') if quoted else found[2]
            if row == 0:
                kinds.append(self._values.kind(cell.strip(), scope))
            else:
                kind = kinds[column] if column < len(kinds) else Kind.PLAIN
                new = self._values.value(cell, kind)
                if new != cell:
                    start, end = found.span(1 if quoted else 2)
                    out += (text[last:start], new.replace('"', '""') if quoted else new)
                    last = end
            column, row = (column + 1, row) if found[3] == comma else (0, row + 1)
        return "".join([*out, text[last:]])


def _is_text(data: bytes) -> bool:
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _boundary(data: bytes, content_type: str) -> bytes:
    """What is between the parts of DATA; empty when it has none."""
    if content_type[:10].lower() == "multipart/":
        found = _BOUNDARY.search(content_type)
        if found and found[1].strip().encode() in data:
            return found[1].strip().encode()
    first = _FIRST_PART.match(data)
    return first[1] if first else b""
