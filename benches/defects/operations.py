"""Which operations of the specification were tried, and which answered 2xx."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from benches.defects.counting_proxy import Seen

METHODS = ("get", "put", "post", "patch", "delete", "head", "options")


class Tried(Struct, frozen=True, kw_only=True):
    """Of all operations that nobody excluded."""

    known: int = 0
    tried: int = 0
    passed: int = 0
    """At least one answer 2xx or 3xx."""
    untried: tuple[str, ...] = ()
    never_passed: tuple[str, ...] = ()
    """Tried, and never answered so."""


def named_in(spec: Path) -> list[str]:
    """`METHOD /path` of every operation of the document SPEC."""
    return [
        f"{method.upper()} {path}"
        for path, item in json.loads(spec.read_bytes())["paths"].items()
        for method in item
        if method in METHODS
    ]


def tried_of(spec: Path, base_path: str, excluded: Iterable[str], seen: Iterable[Seen]) -> Tried:
    """What SEEN tried of the document SPEC."""
    names = named_in(spec)
    known = [name for name in names if name not in frozenset(excluded)]
    # Where several fit, the one with the fewest places for values is meant.
    forms = [(name, _form(base_path, name)) for name in sorted(names, key=_openness)]
    found: dict[str, bool] = {}
    for line, status in {(one.line.partition("?")[0], one.status) for one in seen}:
        name = next((name for name, form in forms if form.fullmatch(line)), None)
        if name is not None:
            found[name] = found.get(name, False) or 200 <= status < 400
    return Tried(
        known=len(known),
        tried=sum(name in found for name in known),
        passed=sum(found.get(name, False) for name in known),
        untried=tuple(name for name in known if name not in found),
        never_passed=tuple(name for name in known if name in found and not found[name]),
    )


def _openness(name: str) -> tuple[int, str]:
    return name.count("{"), name


def _form(base_path: str, name: str) -> re.Pattern[str]:
    method, _, path = name.partition(" ")
    return re.compile(
        f"{method} " + re.sub(r"\\{[^}]*\\}", "[^/]*", re.escape(base_path + path)) + "/?"
    )
