"""Markdown files made of sections, each with a heading of its own; what people wrote stays.

Behind each of our sections stands a remark with its fingerprint, which viewers do not show. A
section whose text still has it is ours to write anew; one that a person changed stays theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from premortem.agent.emit.files import Change, newline_of, read, text_of

QUOTED_CHARACTERS_MAX = 400
"""Of a question that is quoted; all of it stands in the metadata."""
_MARK = re.compile(r"\n*<!-- premortem ([0-9a-f]{12}) -->\n?")
_HEADING = re.compile(r"^#{1,3} ", re.MULTILINE)
_ABOUT = re.compile(r"^(?:(?:Trace|Trigger|Prompt|Signal|Reasoning):|Set off by ).*$", re.MULTILINE)
"""Lines that tell a section from another of the same heading: its trace, and what set it off."""


def section_change(root: Path, path: str, sections: Iterable[str], *, title: str = "") -> Change:
    """The file PATH below ROOT with SECTIONS in it; made with TITLE where there is none.

    A section is found again by its heading, its trace and its question. Raises InputError when what
    stands there cannot be read.
    """
    data = read(root, path)
    text = text_of(data, root / path)
    newline = newline_of(text)
    after = text.replace("\r\n", "\n") if newline == "\r\n" else text
    if not after.strip() and title:
        after = f"# {title}\n"
    for section in sections:
        after = with_section(after, section)
    if newline == "\r\n":
        after = after.replace("\n", newline)
    return Change(path=path, before=data, after=after.encode(), kind="markdown")


def with_section(text: str, section: str) -> str:
    """TEXT with SECTION in place of its former self, or at the end."""
    body = section.strip("\n")
    marked = f"{body}\n\n<!-- premortem {_fingerprint(body)} -->\n"
    span = _place(text, body)
    if span is None:
        gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
        return text + gap + marked
    start, end = span
    there = text[start:end]
    mark = _MARK.search(there)
    if mark is None or _fingerprint(there[: mark.start()].strip("\n")) != mark.group(1):
        return text
    return text[:start] + marked + text[start + mark.end() :]


def _place(text: str, body: str) -> tuple[int, int] | None:
    """Where the section with the heading, the trace and the question of BODY begins and ends."""
    heading = body.split("\n", 1)[0]
    for found in re.finditer(rf"^{re.escape(heading)}[ \t]*$", text, re.MULTILINE):
        following = _HEADING.search(text, found.end())
        end = following.start() if following else len(text)
        if _about(text[found.start() : end]) == _about(body):
            return found.start(), end
    return None


def _about(section: str) -> set[str]:
    return {line.strip() for line in _ABOUT.findall(section)}


def one_line(text: str) -> str:
    """TEXT in one line, without what no screen shows."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def cut(text: str) -> str:
    """TEXT in one line, QUOTED_CHARACTERS_MAX long at most."""
    line = one_line(text)
    return line if len(line) <= QUOTED_CHARACTERS_MAX else line[: QUOTED_CHARACTERS_MAX - 1] + "…"


def plain(text: str) -> str:
    """TEXT in one line, in which Markdown finds no markup of its own."""
    return re.sub(r"([<`])", r"\\\1", one_line(text))


def code(text: str) -> str:
    """TEXT as a code span."""
    return "`" + one_line(text.replace("`", "'")) + "`"


def quoted(text: str) -> str:
    """TEXT as a quotation within a line, cut where it is long."""
    return '"' + plain(cut(text)).replace('"', "'") + '"'


def _fingerprint(body: str) -> str:
    return sha256(body.encode()).hexdigest()[:12]
