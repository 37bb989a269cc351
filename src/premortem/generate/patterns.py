"""Texts that a regular expression matches (ECMA-262 as JSON Schema uses it, the common part).

Lookarounds, back references and word boundaries are not followed: what comes out then may not
match, so whoever uses it checks.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

REPEAT_MAX = 10_000
"""Repetitions of one part."""
PARSED_MAX = 512
"""Patterns kept parsed."""
NESTING_MAX = 40

_TURN_STEP = 0xD134_2543_DE82_EF95
"""Between the states that turns begin with: no turn's sequence is another's, shifted."""
_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_WORD = _LOWER + _LOWER.upper() + _DIGITS + "_"
_PRINTABLE = "".join(chr(code) for code in range(32, 127))
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": " \t"}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}


class Node(Struct, frozen=True, kw_only=True):
    """A part of a pattern: some characters to choose from, parts in a row, or alternatives;
    repeated between `low` and `high` times."""

    chars: str = ""
    row: tuple[Node, ...] = ()
    either: tuple[Node, ...] = ()
    low: int = 1
    high: int = 1

    @property
    def once(self) -> tuple[int, int]:
        """Fewest and most characters of one repetition."""
        if self.chars:
            return 1, 1
        spans = [node.span for node in self.row or self.either]
        if self.either:
            return min(s[0] for s in spans), max(s[1] for s in spans)
        return sum(s[0] for s in spans), min(REPEAT_MAX, sum(s[1] for s in spans))

    @property
    def span(self) -> tuple[int, int]:
        """Fewest and most characters."""
        low, high = self.once
        return low * self.low, min(REPEAT_MAX, high * self.high)


class UnreadablePattern(ValueError):
    """The pattern uses what is not followed here."""


def text_of_pattern(pattern: str, length: int = 0, *, turn: int = 0) -> str | None:
    """A text PATTERN matches, of LENGTH characters as far as it allows; None if it is unreadable.

    Each TURN, a number from 0 on, chooses other characters and alternatives.
    """
    try:
        node = _parsed(pattern)
    except (UnreadablePattern, RecursionError):
        return None
    return _write(node, length, [(turn + 1) * _TURN_STEP % 2**64])


def _chosen(below: int, turn: list[int]) -> int:
    """The next choice out of BELOW; TURN is the generator's state (SplitMix64, so that
    neighbouring states choose unlike)."""
    turn[0] = (turn[0] + 0x9E37_79B9_7F4A_7C15) % 2**64
    mixed = turn[0]
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9 % 2**64
    mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB % 2**64
    return (mixed ^ (mixed >> 31)) % below


@lru_cache(maxsize=PARSED_MAX)
def _parsed(pattern: str) -> Node:
    reader = _Reader(pattern)
    node = reader.alternatives(0)
    if reader.at < len(pattern):
        raise UnreadablePattern(pattern)
    return node


def _write(node: Node, length: int, turn: list[int]) -> str:
    """NODE as a text of about LENGTH characters; TURN: see `_chosen`."""
    low, high = node.once
    repeats = node.low
    while repeats < node.high and repeats * high < length and repeats * max(1, low) < length:
        repeats += 1
    out = []
    left = length
    for index in range(repeats):
        share = max(low, min(high, left - low * (repeats - index - 1)))
        made = _write_once(node, share, turn)
        out.append(made)
        left -= len(made)
    return "".join(out)


def _write_once(node: Node, length: int, turn: list[int]) -> str:
    if node.chars:
        return node.chars[_chosen(len(node.chars), turn)]
    if node.either:
        fitting = [n for n in node.either if n.span[0] <= length <= n.span[1]]
        chosen = fitting or sorted(node.either, key=lambda n: abs(n.span[0] - length))[:1]
        return _write(chosen[_chosen(len(chosen), turn)], length, turn)
    out = []
    rest = [sum(n.span[0] for n in node.row[i + 1 :]) for i in range(len(node.row))]
    left = length
    for part, needed in zip(node.row, rest, strict=True):
        low, high = part.span
        made = _write(part, max(low, min(high, left - needed)), turn)
        out.append(made)
        left -= len(made)
    return "".join(out)


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self.at = 0

    def alternatives(self, depth: int) -> Node:
        if depth > NESTING_MAX:
            raise UnreadablePattern(self._text)
        rows = [self._row(depth)]
        while self._peek() == "|":
            self.at += 1
            rows.append(self._row(depth))
        return rows[0] if len(rows) == 1 else Node(either=tuple(rows))

    def _peek(self) -> str:
        return self._text[self.at] if self.at < len(self._text) else ""

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise UnreadablePattern(self._text)
        self.at += 1
        return char

    def _row(self, depth: int) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            if self._peek() in "^$":
                self.at += 1
                continue
            atom = self._atom(depth)
            if atom is not None:
                parts.append(self._repeated(atom))
        return Node(row=tuple(parts))

    def _atom(self, depth: int) -> Node | None:
        char = self._take()
        if char == "(":
            return self._group(depth)
        if char == "[":
            return Node(chars=self._class())
        if char == ".":
            return Node(chars=_LOWER)
        if char == "\\":
            escaped = self._escape()
            return Node(chars=escaped) if escaped else None
        return Node(chars=char)

    def _group(self, depth: int) -> Node:
        if self._peek() == "?":
            self.at += 1
            mark = self._take()
            if mark == "<" and self._peek() not in ("=", "!"):
                while self._take() != ">":
                    pass
            elif mark != ":":
                raise UnreadablePattern(self._text)
        inner = self.alternatives(depth + 1)
        if self._take() != ")":
            raise UnreadablePattern(self._text)
        return inner

    def _escape(self) -> str:
        """The characters an escape stands for; empty for a boundary."""
        char = self._take()
        if char in _CLASSES:
            return _CLASSES[char]
        if char in "DWS":
            return _without(_CLASSES[char.lower()])
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in "bB":
            return ""
        if char in "xu":
            return self._code(2 if char == "x" else 4)
        if char in "pP":
            return self._property(negated=char == "P")
        if char.isalnum():
            raise UnreadablePattern(self._text)
        return char

    def _code(self, digits: int) -> str:
        text = self._text[self.at : self.at + digits]
        try:
            code = int(text, 16)
        except ValueError:
            raise UnreadablePattern(self._text) from None
        self.at += digits
        return chr(code)

    def _property(self, *, negated: bool) -> str:
        if self._take() != "{":
            raise UnreadablePattern(self._text)
        name = ""
        while (char := self._take()) != "}":
            name += char
        known = {"L": _LOWER + _LOWER.upper() + "é", "Lu": _LOWER.upper(), "Ll": _LOWER}
        chars = {**known, "N": _DIGITS, "Nd": _DIGITS, "P": ".,-", "Z": " "}.get(name)
        if chars is None:
            raise UnreadablePattern(self._text)
        return _without(chars) if negated else chars

    def _class(self) -> str:
        negated = self._peek() == "^"
        self.at += negated
        chars = ""
        while (char := self._take()) != "]":
            one = self._escape() if char == "\\" else char
            if (
                len(one) == 1
                and self._peek() == "-"
                and self._text[self.at + 1 : self.at + 2] != "]"
            ):
                self.at += 1
                end = self._take()
                end = self._escape() if end == "\\" else end
                if len(end) != 1 or end < one:
                    raise UnreadablePattern(self._text)
                codes = range(ord(one), min(ord(end), ord(one) + 256) + 1)
                one = "".join(map(chr, codes))
            chars += one
        found = _without(chars) if negated else _plain_first(chars)
        if not found:
            raise UnreadablePattern(self._text)
        return found

    def _repeated(self, atom: Node) -> Node:
        low, high = 1, 1
        char = self._peek()
        if char and char in "*+?":
            self.at += 1
            low, high = {"*": (0, REPEAT_MAX), "+": (1, REPEAT_MAX), "?": (0, 1)}[char]
        elif char == "{":
            end = self._text.find("}", self.at)
            first, comma, last = self._text[self.at + 1 : end].partition(",")
            if end < 0 or not first.isdigit() or (last and not last.isdigit()):
                raise UnreadablePattern(self._text)
            self.at = end + 1
            low = int(first)
            high = int(last) if last else (REPEAT_MAX if comma else low)
        else:
            return atom
        if self._peek() in ("?", "+") and self._peek():
            self.at += 1
        if low > REPEAT_MAX or high < low:
            raise UnreadablePattern(self._text)
        return Node(row=(atom,), low=low, high=min(high, REPEAT_MAX))


def _without(chars: str) -> str:
    return _plain_first("".join(c for c in _PRINTABLE if c not in chars))


def _plain_first(chars: str) -> str:
    """Letters and digits of CHARS where it has any: the rest may need escaping on its way."""
    plain = "".join(c for c in chars if c.isascii() and c.isalnum())
    return plain or chars
