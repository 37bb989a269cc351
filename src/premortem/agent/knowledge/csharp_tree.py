"""C# source as a syntax tree: the few questions we ask of one.

Source: tree-sitter's grammar for C# (the extra `csharp`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from premortem.errors import InputError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

SOURCE_BYTES_MAX = 2 * 1024 * 1024
NODES_MAX = 500_000
"""Of one file; a source of two MiB has fewer."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "'": "'", "\\": "\\"}


@lru_cache(maxsize=1)
def _parser() -> Parser:
    try:
        import tree_sitter_c_sharp
        from tree_sitter import Language, Parser
    except ImportError:
        raise InputError(
            "C# cannot be read without tree-sitter; install it: pip install 'premortem[csharp]'"
        ) from None
    return Parser(Language(tree_sitter_c_sharp.language()))


def parse_csharp(source: bytes, *, origin: str) -> Node:
    """The root of SOURCE's tree; ORIGIN names it in errors.

    What does not parse lies in it as ERROR nodes. Raises InputError when it is too large, no
    UTF-8, or tree-sitter is not installed.
    """
    if len(source) > SOURCE_BYTES_MAX:
        raise InputError(
            f"{origin} has {len(source)} bytes; at most {SOURCE_BYTES_MAX} are read: "
            f"name a smaller file"
        )
    try:
        source.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{origin} is not UTF-8 ({error.reason}); save it as UTF-8") from None
    return _parser().parse(source).root_node


def text(node: Node | None) -> str:
    """The source text of NODE; of none: empty."""
    return node.text.decode("utf-8") if node is not None and node.text is not None else ""


def below(node: Node, *types: str) -> Iterator[Node]:
    """The nodes of TYPES under NODE in the source's order; at most NODES_MAX are looked at."""
    waiting = [node]
    for _ in range(NODES_MAX):
        if not waiting:
            return
        current = waiting.pop()
        if current.type in types and current is not node:
            yield current
        waiting.extend(reversed(current.named_children))


def children(node: Node | None, *types: str) -> list[Node]:
    """The direct named children of NODE that are of TYPES."""
    return [c for c in node.named_children if c.type in types] if node is not None else []


def modifiers(node: Node) -> frozenset[str]:
    """`public`, `static`, `required` and the like before a declaration."""
    return frozenset(text(c) for c in children(node, "modifier"))


def string_value(node: Node | None) -> str | None:
    """What a string literal says, escapes resolved; None: it is no literal."""
    raw = text(node)
    if node is None or "string_literal" not in node.type:
        return None
    if raw.startswith('"""'):
        return raw.strip('"').strip("\r\n")
    if raw.startswith("@"):
        return raw[2:-1].replace('""', '"')
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), raw[1:-1])


def number_text(raw: str) -> str | None:
    """`1_000m` as `1000`, `-0.5d` as `-0.5`; None: RAW is no number."""
    found = re.fullmatch(r"\(?(-?[\d_]+(?:\.[\d_]+)?)(?:[mMdDfFlLuU]{0,2})\)?", raw.strip())
    return found[1].replace("_", "") if found else None


def first_error(node: Node) -> int:
    """The line (from 1) of the first place under NODE that does not parse; 0: it all does."""
    if not node.has_error:
        return 0
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.is_error or current.is_missing:
            return current.start_point[0] + 1
        waiting.extend(c for c in reversed(current.children) if c.has_error or c.is_missing)
    return node.start_point[0] + 1
