"""Globs over many paths at once: paths lie in one text, each behind a line break.

Every path is looked at with one search through the text instead of one call for each, which is
what makes a glob with a wildcard within a value (`/invoices/inv_86*`) bearable.
"""

from __future__ import annotations

import re
from fnmatch import translate

BREAK = "\n"
DENSE = 3
"""Where one in so many lines has what a glob asks for, all are looked at one after the other."""
_PART = re.compile(r"\[!?+\]?+[^\]]*+\]|\*+|\?|[^*?\[]+|\[", re.DOTALL)


class LineGlob:
    """A glob (`*`, `?`, `[...]`, all of which may match a slash) over a text of paths."""

    def __init__(self, pattern: str) -> None:
        self._one = re.compile(translate(pattern))
        parts = _PART.findall(pattern)
        # The end is looked at, not taken: it is the beginning of the next line.
        self._lines = re.compile(f"{BREAK}{_lines_regex(parts)}(?={BREAK})")
        literals = [part for part in parts if part[0] not in "*?["]
        self._literal = max(literals, key=len, default="")
        self._begins = pattern.startswith(self._literal) or pattern[:1] not in "*?["

    def matches(self, path: str) -> bool:
        """Whether it fits the whole PATH, which may hold line breaks."""
        return self._one.match(path) is not None

    def found(self, text: str) -> list[int]:
        """Where in TEXT the line breaks before matching paths stand; TEXT ends with one more."""
        if self._literal not in text or BREAK in self._literal:
            return []
        if self._begins or text.count(self._literal) * DENSE > text.count(BREAK):
            return [match.start() for match in self._lines.finditer(text)]
        # A star first would be tried on every line; what few lines have is found faster.
        found: list[int] = []
        at = text.find(self._literal)
        while at >= 0:
            begin = text.rfind(BREAK, 0, at)
            if self._lines.match(text, begin):
                found.append(begin)
            at = text.find(self._literal, text.find(BREAK, at))
        return found


def _lines_regex(parts: list[str]) -> str:
    fixed = [""]
    for part in parts:
        if part[0] == "*":
            fixed.append("")
        elif part == "?":
            fixed[-1] += f"[^{BREAK}]"
        elif part[0] == "[" and len(part) > 1:
            fixed[-1] += f"(?!{BREAK}){translate(part)[4:-3]}"
        else:
            fixed[-1] += re.escape(part)
    if len(fixed) == 1:
        return fixed[0]
    # As `fnmatch` does: what follows a star is taken where it first stands, for good, so that
    # many stars cannot be tried in all their ways.
    first, *between, last = fixed
    return first + "".join(f"(?>[^{BREAK}]*?{part})" for part in between) + f"[^{BREAK}]*{last}"
