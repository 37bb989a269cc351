"""Prompts: versioned files, filled with what an operation's requests look like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Any

import msgspec
from msgspec import Struct

EXAMPLES_MAX = 4
EXAMPLES_CHARS_MAX = 1600
"""All examples of one prompt together: a small model's attention, and what leaves the machine
with an endpoint, are both bounded by it."""
_CUT = "\n---\n"


class Prompt(Struct, frozen=True, kw_only=True):
    """A prompt's template: `$name` stands for what is filled in."""

    system: str
    user: str
    again: str
    """What stands before the user's last line once an answer was rejected."""
    hash: str
    """12 hex digits of the file: an Origin's `prompt`."""

    def filled(self, **values: str) -> str:
        """The user's part with VALUES in it. Raises KeyError for one that is missing."""
        return Template(self.user).substitute(values).strip()

    def told(self, user: str, reason: str) -> str:
        """USER, a filled one, with the REASON why an earlier answer was rejected: before its last
        line, so that what stands above is read once."""
        above, _, last = user.rpartition("\n")
        return f"{above}\n{Template(self.again).substitute(reason=reason)}\n{last}"


@lru_cache(maxsize=16)
def load_prompt(name: str) -> Prompt:
    """The prompt NAME that is shipped with premortem."""
    text = (files("premortem.generate") / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
    system, user, again = text.split(_CUT)
    digest = sha256(text.encode()).hexdigest()[:12]
    return Prompt(system=system.strip(), user=user.strip(), again=again.strip(), hash=digest)


def spelled(value: Any) -> str:
    """VALUE as compact JSON, as answers are to be written: like examples, like answers."""
    return msgspec.json.encode(value).decode()


def varied(values: Iterable[Any], *, limit: int = EXAMPLES_MAX) -> list[str]:
    """Up to LIMIT of VALUES as JSON lines, as different from each other as they come, within
    EXAMPLES_CHARS_MAX.

    Each next one has the most values that none before it has.
    """
    left = list(dict.fromkeys(spelled(value) for value in values if value is not None))
    chosen: list[str] = []
    seen: set[str] = set()
    room = EXAMPLES_CHARS_MAX
    while left and len(chosen) < limit:
        best = max(left, key=lambda text: len(_pieces(text) - seen))
        left.remove(best)
        if len(best) > room:
            continue
        room -= len(best)
        chosen.append(best)
        seen |= _pieces(best)
    return chosen


@lru_cache(maxsize=1024)
def _pieces(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


def listed(lines: Sequence[str], *, none: str) -> str:
    """LINES below each other, or NONE."""
    return "\n".join(lines) or none
