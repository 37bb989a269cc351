"""Shell commands as words, as far as lists of curl commands need it (POSIX 2.2, and bash's `$'`).

Variables and substitutions have no value here: they become gaps. Nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from premortem.capture.draft import gap

COMMAND_CHARS_MAX = 32 * 1024 * 1024
"""A longer command has a quote that nobody closed."""
_PLAIN = re.compile(r"[^\s'\"\\$`;&|#<>]+")
_IN_DOUBLE = re.compile(r"[^\"\\$`]+")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\}|([?@*#!$-]))")
_ANSI = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))", re.DOTALL
)
_ANSI_ESCAPES = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
    "v": "\v",
}  # fmt: skip


class Command(Struct, frozen=True):
    """The words of one command."""

    line: int
    """Where it begins, from 1."""
    words: tuple[str, ...]
    fault: str = ""
    """Why it cannot be read to its end; empty when it could."""


class _Unclosed(Exception):
    """A quote or a substitution that is not closed; `str` names it."""


def commands(text: str) -> Iterator[Command]:
    """The commands of TEXT, separated by line ends, `;`, `&`, `&&` and pipes."""
    reader = _Reader(text.replace("\0", "").replace("\r\n", "\n"))
    while not reader.ended:
        command = reader.command()
        if command.words or command.fault:
            yield command


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._line = text, 0, 1
        self._counted = 0

    @property
    def ended(self) -> bool:
        """All of the text was read."""
        return self._at >= len(self._text)

    def command(self) -> Command:
        """The next command; without words where there was only space."""
        words: list[str] = []
        start = self._number()
        fault = ""
        try:
            while not self.ended:
                char = self._text[self._at]
                if char in "\n;&|":
                    self._at += 1
                    break
                if char in "<>":
                    self._redirection()
                elif char.isspace():
                    self._at += 1
                elif self._text.startswith("\\\n", self._at):
                    self._at += 2
                elif char == "#":
                    end = self._text.find("\n", self._at)
                    self._at = end if end >= 0 else len(self._text)
                else:
                    start = start if words else self._number()
                    words.append(self._word())
        except _Unclosed as error:
            fault = f"{error} is not closed"
            end = self._text.find("\ncurl ", self._at)
            self._at = end + 1 if end >= 0 else len(self._text)
        return Command(start, tuple(words), fault)

    def _number(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _redirection(self) -> None:
        while not self.ended and self._text[self._at] in "<>&":
            self._at += 1
        while not self.ended and self._text[self._at] in " \t":
            self._at += 1
        if not self.ended and self._text[self._at] not in "\n;&|":
            self._word()

    def _word(self) -> str:
        out: list[str] = []
        text = self._text
        while not self.ended:
            char = text[self._at]
            plain = _PLAIN.match(text, self._at)
            if plain:
                out.append(plain[0])
                self._at = plain.end()
            elif char == "'":
                out.append(self._until("'", 1))
            elif char == '"':
                out.append(self._double())
            elif text.startswith("$'", self._at):
                out.append(self._ansi())
            elif char in "$`":
                out.append(self._substituted())
            elif char == "\\":
                follower = text[self._at + 1 : self._at + 2]
                out.append("" if follower == "\n" else follower)
                self._at += 2
            elif char == "#":
                out.append(char)
                self._at += 1
            else:
                break
        return "".join(out)

    def _until(self, mark: str, skip: int) -> str:
        start = self._at + skip
        end = self._text.find(mark, start)
        if end < 0:
            self._at = start
            raise _Unclosed(f"a {mark}")
        self._at = end + 1
        return self._text[start:end]

    def _double(self) -> str:
        out: list[str] = []
        text = self._text
        start = self._at
        self._at += 1
        while not self.ended:
            char = text[self._at]
            plain = _IN_DOUBLE.match(text, self._at)
            if plain:
                out.append(plain[0])
                self._at = plain.end()
            elif char == '"':
                self._at += 1
                return "".join(out)
            elif char == "\\":
                follower = text[self._at + 1 : self._at + 2]
                kept = (
                    follower if follower in '"\\$`' else "" if follower == "\n" else "\\" + follower
                )
                out.append(kept)
                self._at += 2
            else:
                out.append(self._substituted())
        self._at = start + 1
        raise _Unclosed('a "')

    def _ansi(self) -> str:
        """What stands in `$'...'`."""
        start = position = self._at + 2
        text = self._text
        while True:
            position = text.find("'", position)
            if position < 0:
                self._at = start
                raise _Unclosed("a $'")
            slashes = len(text[start:position]) - len(text[start:position].rstrip("\\"))
            if slashes % 2 == 0:
                break
            position += 1
        self._at = position + 1
        raw = _ANSI.sub(_ansi_char, text[start:position])
        return raw.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _substituted(self) -> str:
        """A gap for a variable or a substitution; a dollar that is none stays."""
        text = self._text
        if text[self._at] == "`":
            return gap(f"`{self._until('`', 1)}`")
        if text.startswith("$(", self._at):
            return gap(f"$({self._until(')', 2)})")
        found = _VARIABLE.match(text, self._at)
        if found is None:
            self._at += 1
            return "$"
        self._at = found.end()
        return gap(found[0])


def _ansi_char(found: re.Match[str]) -> str:
    for group, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
        if found[group]:
            return chr(min(int(found[group], base), 0x10FFFF))
    char = found[5]
    return _ANSI_ESCAPES.get(char, char if char in "'\"\\?" else "\\" + char)


_CARET = re.compile(r"\^(\r?\n|.)", re.DOTALL)
_CMD = re.compile(r"^\s*curl(?:\.exe)? .*\^", re.IGNORECASE)


def from_windows(text: str) -> str:
    """TEXT as a POSIX shell would have it, where a browser wrote it for Windows' cmd.

    There `^` escapes and ends lines; arguments are in `"`, in which `\\"` is a quote.
    """
    if not _CMD.match(text):
        return text

    def plain(found: re.Match[str]) -> str:
        char = found[1]
        if "\n" in char:
            return "\\\n"
        return "\\" + char if char in "$`" else char

    return _CARET.sub(plain, text)
