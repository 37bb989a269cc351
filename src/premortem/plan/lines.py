"""In which line of a TOML file a key stands: what `tomllib` knows and does not tell."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Keys and indexes from the top of the file down."""

_BLANK = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_TEXT = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}#\n]*")
_SPACE = re.compile(r"[ \t]*")


def lines_of(text: str) -> dict[Path, int]:
    """Path -> line, from 1 on, of every key, table and element of a list in TEXT.

    TEXT has to be valid TOML (1.0.0): what is not gives lines that mean nothing.
    """
    reader = _Reader(text)
    reader.read()
    return reader.found


def line_at(found: Mapping[Path, int], path: Path) -> int:
    """The line of PATH, or of the nearest thing around it that stands in the file."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 1)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [m.end() for m in re.finditer("\n", text)]
        self._counts: dict[Path, int] = {}
        self.found: dict[Path, int] = {}

    def read(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text.startswith("[", self._at):
                table = self._header(1)
            else:
                self._pair(table)

    def _header(self, brackets: int) -> Path:
        line = self._line()
        self._at += brackets
        keys = self._keys()
        self._at += brackets
        path: Path = ()
        for index, key in enumerate(keys):
            path += (key,)
            self.found.setdefault(path, line)
            if brackets == 2 and index == len(keys) - 1:
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path += (self._counts[path] - 1,)
                self.found.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line, before = self._line(), self._at
        path = table
        for key in self._keys():
            path += (key,)
            self.found.setdefault(path, line)
        self._skip(_SPACE)
        self._at += 1  # the =
        self._value(path)
        self._at = max(self._at, before + 1)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            match = _KEY.match(self._text, self._at)
            if match is None:
                return keys
            self._at = match.end()
            key = match[0]
            keys.append(tomllib.loads(f"key = {key}")["key"] if key[0] in "\"'" else key)
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        first = self._text[self._at : self._at + 1]
        match = _TEXT.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        elif first == "[":
            self._at += 1
            index = 0
            while self._skip(_BLANK) < len(self._text) and self._text[self._at] != "]":
                before = self._at
                self.found.setdefault((*path, index), self._line())
                self._value((*path, index))
                self._at = max(self._at, before + 1)
                index += 1
            self._at += 1
        elif first == "{":
            self._at += 1
            while self._skip(_BLANK) < len(self._text) and self._text[self._at] != "}":
                self._pair(path)
            self._at += 1
        else:
            self._skip(_BARE)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _line(self) -> int:
        return bisect_right(self._starts, self._at) + 1
