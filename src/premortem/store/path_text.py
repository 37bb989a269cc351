"""Globs over many paths at once: paths lie in one text, each behind a line break.

Every path is looked at with one search through the text instead of one call for each, which is
what makes a glob with a wildcard within a value (`/invoices/inv_86*`) bearable.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

BREAK = "\n"
FEW = 12
"""Lines with what a glob asks for that are looked at one after the other; of more, all at once."""
_ONE_BY_ONE = 3
"""Characters of a run that are looked for in all of a text; the others where these stand."""
_PART = re.compile(r"\[!?+\]?+[^\]]*+\]|\*+|\?|[^*?\[]+|\[", re.DOTALL)

Codes = NDArray[np.uint8] | NDArray[np.uint32]
Numbers = NDArray[np.signedinteger[Any]]


class _Run(Struct, frozen=True, kw_only=True):
    """What stands between two stars of a glob."""

    length: int
    codes: dict[int, int]
    """Offset -> character; at the others a question mark stands."""


class LineGlob:
    """A glob (`*`, `?`, `[...]`, all of which may match a slash) over a text of paths."""

    def __init__(self, pattern: str, *, few: int = FEW) -> None:
        self.pattern = pattern
        self._few_max = few
        self._one = re.compile(translate(pattern))
        parts = _PART.findall(pattern)
        # The end is looked at, not taken: it is the beginning of the next line.
        self._lines = re.compile(f"{BREAK}{_lines_regex(parts)}(?={BREAK})")
        self._runs = _runs(parts)
        literals = [part for part in parts if part[0] not in "*?["]
        self._never = any(BREAK in literal for literal in literals)
        self._literal = max(literals, key=len, default="")
        if parts[:1] == [self._literal]:
            self._literal = BREAK + self._literal
        elif parts[-1:] == [self._literal]:
            self._literal += BREAK

    def matches(self, path: str) -> bool:
        """Whether it fits the whole PATH, which may hold line breaks."""
        return self._one.match(path) is not None

    def hits(self, text: str, breaks: Numbers) -> NDArray[np.bool_] | None:
        """Line of TEXT, whose line breaks are at BREAKS -> whether it fits; None: none does."""
        if self._never:
            return None
        begins = self._few(text)
        if begins is None and self._runs is not None:
            return _Lines(text, breaks).hits(self._runs)
        if begins is None:
            begins = [match.start() for match in self._lines.finditer(text)]
        if not begins:
            return None
        found = np.zeros(len(breaks) - 1, dtype=np.bool_)
        found[np.searchsorted(breaks, begins)] = True
        return found

    def _few(self, text: str) -> list[int] | None:
        """Where the breaks before matching lines stand; None: too many lines may match."""
        if not self._literal:
            return None
        found: list[int] = []
        looked = 0
        at = text.find(self._literal)
        while at >= 0:
            if looked == self._few_max:
                return None
            looked += 1
            begin = text.rfind(BREAK, 0, at + 1)
            if self._lines.match(text, begin):
                found.append(begin)
            at = text.find(self._literal, text.find(BREAK, begin + 1))
        return found


class _Lines:
    """A text's characters as numbers, compared at all lines at once."""

    def __init__(self, text: str, breaks: Numbers) -> None:
        self._codes = codes_of(text)
        self._starts = breaks[:-1] + 1
        self._ends = breaks[1:]

    def hits(self, runs: list[_Run]) -> NDArray[np.bool_]:
        """Line -> whether it begins and ends with the first and the last of RUNS, with the
        others between them, in order."""
        first, last = runs[0], runs[-1]
        lengths = self._ends - self._starts
        if len(runs) == 1:
            lines = np.flatnonzero(lengths == first.length)
        else:
            lines = np.flatnonzero(lengths >= first.length + last.length)
            lines = lines[self._stands(last, self._ends[lines] - last.length)]
        lines = lines[self._stands(first, self._starts[lines])]
        at = self._starts[lines] + first.length
        for run in runs[1:-1]:
            # Taken where it first stands, for good: no other place leaves more to what follows.
            places = self._places(run)
            after = np.append(places, len(self._codes))[np.searchsorted(places, at)] + run.length
            kept = after <= self._ends[lines] - last.length
            lines, at = lines[kept], after[kept]
        found = np.zeros(len(self._ends), dtype=np.bool_)
        found[lines] = True
        return found

    def _stands(self, run: _Run, at: Numbers) -> NDArray[np.bool_]:
        """Whether RUN stands at each of AT, where a line is long enough for it."""
        if not run.codes:
            return np.ones(len(at), dtype=np.bool_)
        offsets = np.fromiter(run.codes, dtype=np.intp)
        codes = np.fromiter(run.codes.values(), dtype=np.uint32)
        stands: NDArray[np.bool_] = (self._codes[at[:, None] + offsets] == codes).all(axis=1)
        return stands

    def _places(self, run: _Run) -> Numbers:
        """All places at which RUN stands within one line, rising."""
        count = max(0, len(self._codes) - run.length + 1)
        near: NDArray[np.bool_] | None = None
        for offset in range(run.length):
            codes = self._codes[offset : offset + count]
            code = run.codes.get(offset)
            if code is not None and offset >= _ONE_BY_ONE:
                continue
            fits = codes != ord(BREAK) if code is None else codes == code
            near = fits if near is None else near & fits
        places = np.zeros(0, dtype=np.intp) if near is None else np.flatnonzero(near)
        for offset, code in run.codes.items():
            if offset >= _ONE_BY_ONE:
                places = places[self._codes[places + offset] == code]
        return places


def breaks_of(text: str) -> Numbers:
    """Where the line breaks of TEXT stand."""
    return np.flatnonzero(codes_of(text) == ord(BREAK))


def codes_of(text: str) -> Codes:
    """TEXT as numbers, one a character."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _runs(parts: list[str]) -> list[_Run] | None:
    """What stands before, between and after the stars; None: sets are among it."""
    runs: list[Any] = [(0, {})]
    for part in parts:
        length, codes = runs[-1]
        if part[0] == "*":
            runs.append((0, {}))
        elif part == "?":
            runs[-1] = (length + 1, codes)
        elif part[0] == "[" and len(part) > 1:
            return None
        else:
            more = {length + i: ord(char) for i, char in enumerate(part)}
            runs[-1] = (length + len(part), codes | more)
    return [_Run(length=length, codes=codes) for length, codes in runs]


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
