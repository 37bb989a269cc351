"""The screen: tells bodies that may hold something to redact from those that surely do not.

Most bodies hold nothing. A few linear scans over the bytes find out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from premortem.capture import formats
from premortem.capture.json_text import unescaped
from premortem.capture.kinds import HIDDEN, PERHAPS, Kind
from premortem.capture.names import Names
from premortem.capture.personal import FOUND_IN_TEXT, IP_SAID, WRITTEN_LOOSELY
from premortem.capture.stems import names_secret
from premortem.domain.check_digits import NUMBER_CLASSES, classes, iban_in, is_card

_RUN_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/-"
_RUNS = classes(dict.fromkeys(_RUN_CHARS, ord("a")))
_RUN = b"a" * formats.RUN_LENGTH_MIN
# Like those in `formats`, but letters may precede: in JSON an escape ends in one, as in `\\n`.
_DIGITS = re.compile(r"(?<![\d.])\d(?:[ -]?\d){11,18}(?!\d)")
_IBAN = re.compile(r"[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}")


_AMERICAN = re.compile(r"[2-9]\d\d[-.) ]{1,2}[2-9]\d\d[-. ]\d{4}")
_IP_SAID = re.compile(IP_SAID.pattern.replace(r"\b", "", 1), re.IGNORECASE)
"""In JSON an escape may end right before: `\\nfrom`."""


def _is_iban_or_id(text: str) -> object:
    return any(iban_in(found[0]) for found in _IBAN.finditer(text)) or WRITTEN_LOOSELY.search(text)


def _is_card_or_id(text: str) -> object:
    return any(is_card(found[0]) for found in _DIGITS.finditer(text)) or WRITTEN_LOOSELY.search(
        text
    )


_NUMBER_SHAPES: tuple[tuple[bytes, Callable[[str], object]], ...] = (
    (b"d" * 12, _is_card_or_id),
    (b"ddddsdddd", _is_card_or_id),
    (b"uudd", _is_iban_or_id),
    (b"dddsddsdddd", WRITTEN_LOOSELY.search),
    (b"ddddddsddd", WRITTEN_LOOSELY.search),
    (b"dddddddu", WRITTEN_LOOSELY.search),
    (b"uuuuudddd", WRITTEN_LOOSELY.search),
    (b"dddpddds", WRITTEN_LOOSELY.search),
    (b"dddpddddp", WRITTEN_LOOSELY.search),
    (b"ddpddpdds", WRITTEN_LOOSELY.search),
    (b"dsddsddsdd", WRITTEN_LOOSELY.search),
    (b"dddsdddd", _AMERICAN.search),
    (b"dddpdddpdddd", _AMERICAN.search),
)
"""How cards, IBANs and national numbers look, and what the text there has to hold."""
_CAPITALS = re.compile(
    rb"[A-Z]{2}\d\d(?:(?: ?[A-Z0-9]){11}| ?\d\d ?\d\d ?[A-D]|(?<=[A-Z]{4}\d\d)\d\d"
    rb"|(?<=[A-Z]{6}\d\d)[A-Z])"
)
"""What an IBAN or a number of Britain, Italy or Mexico has at its first capitals and digits, of
which random strings have many."""
_BEFORE, _AFTER = 24, 48
"""Bytes around a shape that are looked at."""
_ADDRESS_SHAPE = re.compile(rb"pd{1,3}pd{1,3}pd")
_DIALLED = re.compile(rb"\+[1-9][\d ().\-/]{6}")
_JSON_NAME = re.compile(rb'"([^"\\{},:]{1,64}+)\\*+"\s*+:\s*+(?![tfn,}\]]|\\*+"\\*+")')
"""A name, at any depth of JSON in strings, whose value is no literal."""
_LETTER = re.compile(rb"\\u(?:00[c-fC-F]|0[1-9a-fA-F]|[3-9a-dA-D])")
_ESCAPED_NAME = re.compile(
    rb'"((?:[^"\\{},:]|\\u[0-9a-fA-F]{4}){1,64}+)\\*+"\s*+:\s*+(?![tfn,}\]]|\\*+"\\*+")'
)
"""The same with letters beyond ASCII as some encoders write them."""
_LABEL = re.compile(
    rb'"(?:name|key|field|header|param|parameter|property|option)\\*"\s*+:\s*+\\*"([^"\\]{1,64}+)'
)
"""What `{"name": "password", "value": ...}` is about."""
_ENDING = re.compile(
    rb"([A-Za-z_\x80-\xff][\w.\-\[\]\x80-\xff]{0,60})(?:\\*[\"']|&(?:quot|apos|#0?3[49]|#[xX]2[27]);)?\s{0,4}\Z"
)
TAIL_BYTES = 64
_JSON_START = re.compile(rb'(?:\xef\xbb\xbf)?\s*+(?:[{\[]\s*+)*+(?:"|[{\[]\s*+[\d}\]tfn\-])')
"""As JSON begins; not `{a: 1}` or `{'a': 1}`, whose names no rule for JSON finds."""
_ATTRIBUTE = re.compile(rb"\b(?:name|property|itemprop)=\\*[\"']([^\"'\\<>]{1,60})")
_FULL_NAME = (
    rb"[A-Z\x80-\xff][\w.'\x80-\xff]*(?: [A-Za-z\x80-\xff][\w.'\x80-\xff]*){1,4}(?:\\*\"|\Z)"
)
_SILENT = (Kind.PLAIN, Kind.IDENTITY, Kind.CONTAINER, Kind.ALLOWED, Kind.BUSINESS)
_WORDS = (Kind.NAME, Kind.CALLED)
"""Kinds of values without digits and signs."""
_ESCAPED = re.compile(rb"\\(?:/|u00(?:2[b-fB-F]|3[0-9dD]|[4-7]))")
"""Characters of secrets that JSON need not escape, escaped; words are cut by it."""
_CUT_MARKS = tuple(mark.encode() for mark in formats.CUT_MARKS if mark != ":AA" and "$" not in mark)
_HASH_HEADS = tuple(mark.encode() for mark in formats.CUT_MARKS if "$" in mark)
_USERINFO = re.compile(rb"://[^\s/\"'@\\]{0,200}:[^\s/\"'@\\]{0,200}@")
_OPENING = (b"sig", b"ignature", b"redential", b"key", b"code", b"hmac", b"state", b"sid")
"""Query parameters that open a URL, or how they end."""


_PERHAPS, _SURELY = 1, 2
"""How sure it is that a run of letters and digits is redacted: in a URL's path it may not be."""


class Screen:
    """Tells bodies that may hold something to redact from those that surely do not."""

    RUNS_MAX = 200_000
    """Distinct strings remembered as harmless or not."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._runs: dict[bytes, int] = {}
        self._kinds: dict[bytes, Kind] = {}
        self._plain: set[bytes] = set()
        """Names that say nothing."""
        self._tails: dict[bytes, Kind] = {}

    def suspicious(self, data: bytes) -> bool:
        """Some rule may change DATA. Looks at every byte a fixed number of times."""
        return (
            self._named(data)
            or self._numbers(data)
            or (b"@" in data and holds_address(data))
            or self._assigned(data)
            or self._random(data)
            or (b"://" in data and self._opening(data))
        )

    def _opening(self, data: bytes) -> bool:
        """A URL in DATA may carry a password or a signature."""
        assigned = data.split(b"=")
        del assigned[-1]
        return any(piece.endswith(_OPENING) for piece in assigned) or (
            _USERINFO.search(data) is not None
        )

    def known(self, data: bytes) -> bool:
        """DATA, which is no text, may hold a credential of a known format."""
        return b"PRIVATE KEY" in data or self._random(data, _SURELY)

    def _named(self, data: bytes) -> bool:
        perhaps = False
        persons: list[bytes] = []
        names = set(_JSON_NAME.findall(data))
        if b"\\u" in data and _LETTER.search(data):
            names.update(_ESCAPED_NAME.findall(data))
        for name in names.difference(self._plain):
            kind = self._kind(name)
            if kind in _SILENT:
                if len(self._plain) >= self.RUNS_MAX:
                    self._plain.clear()
                self._plain.add(name)
                continue
            if kind in _WORDS and not _words(name).search(data):
                continue
            if kind in HIDDEN:
                return True
            perhaps = perhaps or kind in PERHAPS
            if kind is Kind.PERSON:
                persons.append(name)
        if any(_encloses(name).search(data) for name in persons if perhaps):
            return True
        if any(_full_name(name).search(data) for name in persons):
            return True
        if b"value" in names and any(
            self._kind(label) in HIDDEN for label in set(_LABEL.findall(data))
        ):
            return True
        return names_secret(data) or (b"\\" in data and _ESCAPED.search(data) is not None)

    def _kind(self, name: bytes) -> Kind:
        kind = self._kinds.get(name)
        if kind is None:
            text = name.decode("utf-8", "replace")
            kind = self._names.kind(unescaped(text) if "\\u" in text else text)
            if len(self._kinds) >= self.RUNS_MAX:
                self._kinds.clear()
            self._kinds[name] = kind
        return kind

    def _assigned(self, data: bytes) -> bool:
        """A text in DATA, or DATA itself, names something to hide: `email=`, `<email>`."""
        is_json = _JSON_START.match(data) is not None
        for joint in (b"=",) if is_json else (b"=", b":", b">"):
            if joint not in data:
                continue
            perhaps = person = False
            for tail in {piece[-TAIL_BYTES:] for piece in data.split(joint)[:-1]}:
                kind = self._tails.get(tail)
                if kind is None:
                    found = _ENDING.search(tail)
                    kind = self._kind(found[1]) if found else Kind.PLAIN
                    if len(self._tails) >= self.RUNS_MAX:
                        self._tails.clear()
                    self._tails[tail] = kind
                if kind in HIDDEN:
                    return True
                perhaps = perhaps or kind in PERHAPS
                person = person or kind is Kind.PERSON
            if perhaps and person:
                return True
        return not is_json and (
            any(self._kind(label) in HIDDEN for label in set(_ATTRIBUTE.findall(data)))
            or FOUND_IN_TEXT.search(data) is not None
        )

    def _numbers(self, data: bytes) -> bool:
        shapes = data.translate(NUMBER_CLASSES)
        for shape, holds in _NUMBER_SHAPES:
            position = shapes.find(shape)
            while position >= 0:
                if shape == b"uudd" and not _CAPITALS.match(data, position):
                    position = shapes.find(shape, position + 4)
                    continue
                around = data[max(0, position - _BEFORE) : position + _AFTER]
                if holds(around.decode("latin-1")):
                    return True
                position = shapes.find(shape, position + len(shape))
        for found in _ADDRESS_SHAPE.finditer(shapes):
            around = data[max(0, found.start() - 64) : found.end() + 24]
            if _IP_SAID.search(around.decode("latin-1")):
                return True
        return b"+" in data and _DIALLED.search(data) is not None

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
        return any(map(data.__contains__, _CUT_MARKS)) or (
            b"$" in data and any(map(data.__contains__, _HASH_HEADS))
        )

    def _strange(self, run: str) -> int:
        look = formats.look(run)
        if look is formats.Look.ENCODED:
            inner = formats.decoded_base64(run) or ""
            return _SURELY if self.suspicious(inner.encode()) else 0
        return {formats.Look.KNOWN: _SURELY, formats.Look.RANDOM: _PERHAPS}.get(look, 0)


def holds_address(data: bytes) -> bool:
    """Whether an email address may stand in DATA."""
    position = data.find(b"@")
    while position >= 0:
        if formats.AT.match(data, max(0, position - 1)):
            return True
        position = data.find(b"@", position + 1)
    return False


_WORD_ENDS = bytes(32 if byte in b" \t\n\r\f\v\"'<>()=\\" else byte for byte in range(256))
"""What ends a word becomes a blank."""
_GATE = re.compile(
    rb"reset|token|invit|verif|activat|confirm|subscrib|magic|passw|recover|hook|share|login"
    rb"|services|session|auth|sso|key|secret|access|bot|join|accept|redeem|claim|otp|code|download"
    rb"|feed|ics|rss|private|callback|regist|signup|link"
)


def _in_path(data: bytes, position: int, run: bytes) -> bool:
    """RUN, at POSITION, is part of a URL's path, where ids may look like anything."""
    before = data[max(0, position - 256) : position]
    word = before[before.translate(_WORD_ENDS).rfind(b" ") + 1 :]
    if _GATE.search((word + run).lower()):
        return False
    if b"://" in word:
        return b"?" not in word and b"#" not in word and b"@" not in word
    return not word and formats.is_relative(run.decode("ascii"))


@lru_cache(maxsize=4096)
def _encloses(name: bytes) -> re.Pattern[bytes]:
    """NAME and an object or list."""
    return re.compile(re.escape(name) + rb'\\*+"\s*+:\s*+[{\[]')


@lru_cache(maxsize=4096)
def _full_name(name: bytes) -> re.Pattern[bytes]:
    """NAME and a text that looks like a person's name."""
    return re.compile(re.escape(name) + rb'\\*+"\s*+:\s*+\\*+"' + _FULL_NAME)


@lru_cache(maxsize=4096)
def _words(name: bytes) -> re.Pattern[bytes]:
    """NAME and a text that may be a name."""
    return re.compile(
        re.escape(name) + rb'\\*+"\s*+:\s*+(?:[{\[]|\\*+"'
        rb'(?:[^"\\0-9_@:/]|\\+(?:u[0-9a-fA-F]{4}|[\'/]))++(?:\\*+"|\Z))'
    )
