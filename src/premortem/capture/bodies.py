"""Redaction of whole bodies: which rules apply to what media type, and which bodies need none.

Most bodies hold nothing secret. A few linear scans over the bytes find out (see `Screen`); only
what they let through is taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from premortem.capture import formats
from premortem.capture.names import Kind, Names
from premortem.capture.values import Values

CACHED_MAX = 4096
CACHED_BYTES_MAX = 64 * 1024
"""Equal bodies up to this size are redacted once."""
_SECRET = (Kind.SECRET, Kind.SECRET_TEXT)

_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})', re.IGNORECASE)
_PART_NAME = re.compile(rb'[;\s]name="?([^";\r\n]*)', re.IGNORECASE)
_PART_TYPE = re.compile(rb"content-type:[ \t]*([^\r\n]*)", re.IGNORECASE)
_BINARY = re.compile(r"image/|audio/|video/|font/|application/(?:zip|gzip|pdf|wasm)")
_CELLS = {
    comma: re.compile(
        rf'(?:"((?:[^"]|"")*+)"|([^"{comma}\r\n][^{comma}\r\n]*+|))({comma}|\r?\n|\Z)'
    )
    for comma in (",", ";", "\t")
}
"""A cell, quoted or plain, and what ends it."""


class Bodies:
    """Redacts bodies through `values`."""

    def __init__(self, values: Values, names: Names) -> None:
        self._values, self._names = values, names
        self._screen = Screen(names)
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
        media_type = content_type.split(";", 1)[0].strip().lower()
        if _BINARY.match(media_type):
            return data
        if media_type == "multipart/form-data":
            found = _BOUNDARY.search(content_type)
            if found:
                return self._multipart(data, found[1].strip().encode())
        if media_type == "application/x-www-form-urlencoded":
            return self._as_text(data, self._values.form)
        if media_type in ("text/csv", "text/tab-separated-values"):
            return self._as_text(data, self._table)
        if not self._screen.suspicious(data):
            return data
        if b"\0" in data:
            return self._packed(data)
        return self._as_text(data, self._document)

    def _as_text(self, data: bytes, rewrite: Callable[[str], str]) -> bytes:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return self._packed(data)
        new = rewrite(text)
        return data if new == text else new.encode()

    def _packed(self, data: bytes) -> bytes:
        """Binary formats such as protocol buffers: what is recognisable, at the same length."""
        if not self._screen.recognisable(data):
            return data
        text = data.decode("latin-1")
        return self._values.recognisable(text).encode("latin-1")

    def _document(self, text: str) -> str:
        if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[", '"'):
            new = self._values.json(text)
            if new is not None:
                return new
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

    def _multipart(self, data: bytes, boundary: bytes) -> bytes:
        """A form of parts (RFC 7578): each by its field's name and its own media type."""
        pieces = data.split(b"--" + boundary)
        for index, piece in enumerate(pieces[1:], 1):
            head, blank, content = piece.partition(b"\r\n\r\n")
            if not blank or not content:
                continue
            ending = b"\r\n" if content.endswith(b"\r\n") else b""
            content = content[: len(content) - len(ending)]
            name = _PART_NAME.search(head)
            field = name[1].decode("utf-8", "replace") if name else ""
            kind = self._names.kind(field)
            typed = _PART_TYPE.search(head)
            content_type = typed[1].decode("latin-1") if typed else "text/plain"
            if kind in _SECRET or kind is Kind.EMAIL:
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
        out: list[str] = []
        last = column = row = 0
        for found in _CELLS[comma].finditer(text):
            quoted = found[1] is not None
            cell = found[1].replace('""', '"') if quoted else found[2]
            if row == 0:
                kinds.append(self._names.kind(cell.strip()))
            else:
                kind = kinds[column] if column < len(kinds) else Kind.PLAIN
                new = self._values.value(cell, kind)
                if new != cell:
                    start, end = found.span(1 if quoted else 2)
                    out += (text[last:start], new.replace('"', '""') if quoted else new)
                    last = end
            column, row = (column + 1, row) if found[3] == comma else (0, row + 1)
        return "".join([*out, text[last:]])


def _classes(mapping: dict[int, int]) -> bytes:
    """A translation table: characters to a letter for their class, all else to a point."""
    table = bytearray(b"." * 256)
    for char, letter in mapping.items():
        table[char] = letter
    return bytes(table)


_RUN_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/-"
_RUNS = _classes(dict.fromkeys(_RUN_CHARS, ord("a")))
_NUMBERS = _classes(
    dict.fromkeys(b"0123456789", ord("d"))
    | dict.fromkeys(b" -", ord("s"))
    | dict.fromkeys(range(ord("A"), ord("Z") + 1), ord("u"))
)
_RUN = b"a" * formats.RUN_LENGTH_MIN
# Like those in `formats`, but letters may precede: in JSON an escape ends in one, as in `\\n`.
_DIGITS = re.compile(r"(?<![\d.])\d(?:[ -]?\d){11,18}(?!\d)")
_SSN = re.compile(r"(?<!\d)\d{3}-\d\d-\d{4}(?!\d)")
_IBAN = re.compile(r"[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}")
_NUMBER_SHAPES: tuple[tuple[bytes, Callable[[str], object]], ...] = (
    (b"d" * 12, lambda text: any(formats.is_card(f[0]) for f in _DIGITS.finditer(text))),
    (b"ddddsdddd", lambda text: any(formats.is_card(f[0]) for f in _DIGITS.finditer(text))),
    (b"dddsddsdddd", _SSN.search),
    (b"uudd", lambda text: any(formats.iban_in(f[0]) for f in _IBAN.finditer(text))),
)
"""How cards, social security numbers and IBANs look, and what the text there has to hold."""
_JSON_NAME = re.compile(rb'"([^"\\{}\[\],:]{1,64}+)\\*+"\s*+:\s*+(?![tfn,}\]]|\\*+"\\*+")')
"""A name, at any depth of JSON in strings, whose value is no literal."""
_LABEL = re.compile(
    rb'"(?:name|key|field|header|param|parameter|property|option)\\*"\s*+:\s*+\\*"([^"\\]{1,64}+)'
)
"""What `{"name": "password", "value": ...}` is about."""
_ESCAPED = re.compile(rb"\\(?:/|u00(?:2[b-fB-F]|3[0-9dD]|[4-7]))")
"""Characters of secrets that JSON need not escape, escaped; words are cut by it."""
_STEMS: tuple[tuple[bytes, re.Pattern[bytes] | None], ...] = tuple(
    (stem, re.compile(sure) if sure else None)
    for stem, sure in (
        (b"pass", rb"pass(?:w|phr|c|=|:)"),
        (b"secret", b""),
        (b"oken", rb"oken(?:[ =:]|\\*[\"'](?!\s*:)|s=)"),
        (b"pwd", rb"pwd\W"),
        (b"bearer", b""),
        (b"basic ", b""),
        (b"authorization", b""),
        (b"iban", b""),
        (b"cv", rb"cv[vc]2?[=:]"),
        (b"ssn", rb"ssn\W"),
        (b"pin=", b""),
        (b"pin:", b""),
        (b"otp", rb"otp[=:]"),
        (b"key=", b""),
        (b"api", rb"api[_-]?key"),
        (b"mnemonic", b""),
        (b" -u ", b""),
        (b"--user", b""),
    )
)
"""What plain text that names a secret contains: a quick look and a sure one, which begins with
the same letters. JSON names are looked at one by one."""
_CUT_MARKS = tuple(mark.encode() for mark in formats.CUT_MARKS if mark != ":AA")
_USERINFO = re.compile(rb"://[^\s/\"'@\\]{0,200}:[^\s/\"'@\\]{0,200}@")
_OPENING = (b"sig=", b"ignature=", b"redential=", b"key=", b"code=", b"hmac=", b"state=", b"sid=")
"""Query parameters that open a URL."""


_PERHAPS, _SURELY = 1, 2
"""How sure it is that a run of letters and digits is redacted: in a URL's path it may not be."""


class Screen:
    """Tells bodies that may hold something to redact from those that surely do not."""

    RUNS_MAX = 200_000
    """Distinct strings remembered as harmless or not."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._runs: dict[bytes, int] = {}
        self._plain: set[bytes] = set()

    def suspicious(self, data: bytes) -> bool:
        """Some rule may change DATA. Looks at every byte a fixed number of times."""
        return (
            self._named(data)
            or self._numbers(data)
            or (b"@" in data and _address(data))
            or self._random(data)
            or (b"://" in data and self._opening(data))
        )

    def _opening(self, data: bytes) -> bool:
        """A URL in DATA may carry a password or a signature."""
        return _USERINFO.search(data) is not None or any(mark in data for mark in _OPENING)

    def recognisable(self, data: bytes) -> bool:
        """DATA, which is no text, may hold an address or a credential of a known format."""
        return (
            (b"@" in data and _address(data))
            or b"PRIVATE KEY" in data
            or self._random(data, _SURELY)
        )

    def _named(self, data: bytes) -> bool:
        names = set(_JSON_NAME.findall(data))
        for name in names.difference(self._plain):
            kind = self._names.kind(name.decode("utf-8", "replace"))
            if kind in _SECRET or kind is Kind.EMAIL:
                return True
            if len(self._plain) >= self.RUNS_MAX:
                self._plain.clear()
            self._plain.add(name)
        if b"value" in names and any(
            self._names.kind(label.decode("utf-8", "replace")) in _SECRET
            for label in set(_LABEL.findall(data))
        ):
            return True
        lower = data.lower()
        for stem, sure in _STEMS:
            if stem in lower and (sure is None or sure.search(lower)):
                return True
        return b"\\" in data and _ESCAPED.search(data) is not None

    def _numbers(self, data: bytes) -> bool:
        shapes = data.translate(_NUMBERS)
        for shape, holds in _NUMBER_SHAPES:
            position = shapes.find(shape)
            while position >= 0:
                if holds(data[max(0, position - 1) : position + 48].decode("latin-1")):
                    return True
                position = shapes.find(shape, position + len(shape))
        return False

    def _random(self, data: bytes, least: int = _PERHAPS) -> bool:
        shapes = data.translate(_RUNS)
        position = shapes.find(_RUN)
        while position >= 0:
            end = shapes.find(b".", position)
            end = len(data) if end < 0 else end
            run = data[position:end]
            verdict = self._runs.get(run)
            if verdict is None:
                verdict = self._strange(run.decode("ascii"))
                if len(self._runs) >= self.RUNS_MAX:
                    self._runs.clear()
                self._runs[run] = verdict
            if verdict == _SURELY or (verdict >= least and not _in_path(data, position, run)):
                return True
            position = shapes.find(_RUN, end)
        return any(mark in data for mark in _CUT_MARKS)

    def _strange(self, run: str) -> int:
        look = formats.look(run)
        if look is formats.Look.ENCODED:
            inner = formats.decoded_base64(run) or ""
            return _SURELY if self.suspicious(inner.encode()) else 0
        return {formats.Look.KNOWN: _SURELY, formats.Look.RANDOM: _PERHAPS}.get(look, 0)


def _address(data: bytes) -> bool:
    """Whether an email address may stand in DATA."""
    position = data.find(b"@")
    while position >= 0:
        if formats.AT.match(data, max(0, position - 1)):
            return True
        position = data.find(b"@", position + 1)
    return False


_WORD_BEFORE = re.compile(rb"[^\s\"'<>()=\\]*\Z")
_GATE = re.compile(
    rb"reset|token|invit|verif|activat|confirm|subscrib|magic|passw|recover|hook|share|login"
)


def _in_path(data: bytes, position: int, run: bytes) -> bool:
    """RUN, at POSITION, is part of a URL's path, where ids may look like anything."""
    before = _WORD_BEFORE.search(data, max(0, position - 256), position)
    word = before[0] if before else b""
    if _GATE.search((word + run).lower()):
        return False
    if b"://" in word:
        return b"?" not in word and b"#" not in word and b"@" not in word
    return not word and formats.is_relative(run.decode("ascii"))
