"""Drain: which lines of a log differ only in values, found as they come.

Source: He, Zhu, Zheng, Lyu 2017, Drain: An online log parsing approach with fixed depth tree,
IEEE ICWS. As there a tree leads by the number of tokens and the first tokens to a few templates,
and a line joins the most similar one. Beforehand values with a form of their own are masked.
"""

from __future__ import annotations

import re
from hashlib import sha256

from msgspec import Struct

DEPTH = 4
"""Levels of the tree, root and leaves included: so the first two tokens lead the way."""
SIMILARITY_MIN = 0.5
"""Share of equal tokens from which a line is one of a template."""
CHILDREN_MAX = 100
"""Tokens that one node tells apart; further ones share a branch."""
TEMPLATES_MAX = 5000
"""Templates of one log; what would be a further one counts as OTHER."""
TOKENS_MAX = 128
"""Tokens of one line that are looked at."""
CHARACTERS_MAX = 4096
"""The same of characters."""
OTHER = "0" * 8
WILD = "<*>"

_MASKS = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d\d/\w{3}/\d{4}[: ]\d\d:\d\d:\d\d(?: [+-]\d{4})?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d+)?"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?"
    r"|[\w.+-]+@[\w-]+\.[\w.]+"
    r"|\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"
    r"|\"[^\"\n]{0,500}\"|(?<![\w])'[^'\n]{0,500}'(?!\w)"
    r"|(?<=[/=:,(\[# ])[+-]?\d+(?:\.\d+)?(?:[a-zA-Z]{1,3})?\b|^\d+(?:\.\d+)?\b"
)
_QUERY = re.compile(r"\?\S*")


class Template(Struct, kw_only=True):
    """What lines have in common, and how many there were."""

    id: str
    """8 hex digits of the first line's tokens."""
    tokens: list[str]
    """WILD where they differ."""
    hits: int = 0

    @property
    def text(self) -> str:
        """The tokens in a row."""
        return " ".join(self.tokens)


class _Node:
    __slots__ = ("children", "templates")

    def __init__(self) -> None:
        self.children: dict[str | int, _Node] = {}
        self.templates: list[Template] = []


class Drain:
    """Templates of one log. Not for several threads at once."""

    def __init__(self, *, templates_max: int = TEMPLATES_MAX) -> None:
        self._root = _Node()
        self._templates_max = templates_max
        self._known: dict[str, Template] = {}
        self.left_out = 0
        """Lines that there was no template left for."""

    @property
    def templates(self) -> tuple[Template, ...]:
        """Most frequent first; ties by text."""
        return tuple(sorted(self._known.values(), key=lambda t: (-t.hits, t.text)))

    def add(self, line: str, *, times: int = 1) -> str:
        """The id of the template that LINE is of, made when there is none; counted TIMES."""
        tokens = masked(line)
        leaf = self._leaf(tokens)
        best = _most_similar(leaf.templates, tokens)
        if best is None:
            best = self._make(leaf, tokens)
            if best is None:
                self.left_out += times
                return OTHER
        else:
            best.tokens = [a if a == b else WILD for a, b in zip(best.tokens, tokens, strict=True)]
        best.hits += times
        return best.id

    def _make(self, leaf: _Node, tokens: list[str]) -> Template | None:
        if len(self._known) >= self._templates_max:
            return None
        name = sha256(" ".join(tokens).encode()).hexdigest()[:8]
        if name in self._known:
            # It was generalised since; the same first line cannot come to be two templates.
            return self._known[name]
        made = self._known[name] = Template(id=name, tokens=tokens)
        leaf.templates.append(made)
        return made

    def _leaf(self, tokens: list[str]) -> _Node:
        node = self._root.children.setdefault(len(tokens), _Node())
        for token in tokens[: DEPTH - 2]:
            key = WILD if any(c.isdigit() for c in token) else token
            child = node.children.get(key)
            if child is None:
                if len(node.children) >= CHILDREN_MAX - 1:
                    key = WILD
                child = node.children.setdefault(key, _Node())
            node = child
        return node


def masked(line: str) -> list[str]:
    """The tokens of LINE, with WILD for times, numbers, ids, addresses and quoted texts."""
    text = _QUERY.sub(f"?{WILD}", line[:CHARACTERS_MAX].split("\n", 1)[0])
    return _MASKS.sub(WILD, text).split()[:TOKENS_MAX]


def _most_similar(templates: list[Template], tokens: list[str]) -> Template | None:
    best, most, wildest = None, -1.0, -1
    for template in templates:
        equal = wild = 0
        for ours, theirs in zip(template.tokens, tokens, strict=True):
            if ours == WILD:
                wild += 1
            equal += ours == theirs
        similarity = equal / len(tokens) if tokens else 1.0
        if similarity > most or (similarity == most and wild > wildest):
            best, most, wildest = template, similarity, wild
    return best if most >= SIMILARITY_MIN else None
