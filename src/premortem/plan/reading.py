"""A table of TOML as one of our values, with everything that is wrong of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from premortem.plan.lines import Path

CHARS_SHOWN_MAX = 60
"""Of a value that is wrong."""

Wrong = Callable[[Path, str], None]
"""Is told a place and what is wrong there."""
Home = Callable[[str], str]
"""Where a key belongs that stands in the wrong table, in words; empty: nowhere."""

_UNUSABLE = object()


def read_table(kind: type[Struct], table: Mapping[str, Any], *, wrong: Wrong, home: Home) -> Any:
    """TABLE as a KIND; keys that cannot be read keep their default, and WRONG is told of each."""
    return _struct(kind, table, (), wrong, home)


def dotted(path: Path) -> str:
    """PATH as a person names it: `stop[2].when`, counted from 1."""
    said = ""
    for part in path:
        if isinstance(part, int):
            said += f"[{part + 1}]"
        else:
            said += f".{part}" if said else part
    return said


def shown(value: object) -> str:
    """VALUE as TOML has it, in short."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= CHARS_SHOWN_MAX else f"{text[: CHARS_SHOWN_MAX - 1]}…"


def _struct(kind: type[Struct], table: Any, path: Path, wrong: Wrong, home: Home) -> Any:
    if not isinstance(table, Mapping):
        wrong(path, f"it must be a table: write [{dotted(path)}]")
        return _UNUSABLE
    hints = get_type_hints(kind)
    fields: dict[str, Any] = {}
    for key, value in table.items():
        if key not in hints:
            wrong((*path, key), f"unknown key `{key}`{_advice(key, hints, path, home)}")
            continue
        read = _value(hints[key], value, (*path, key), wrong, home)
        if read is not _UNUSABLE:
            fields[key] = read
    required = [f.name for f in msgspec.structs.fields(kind) if f.required]
    for name in required:
        if name not in table:
            wrong(path, f"`{dotted((*path, name))}` is missing")
    return kind(**fields) if all(name in fields for name in required) else _UNUSABLE


def _value(hint: Any, value: Any, path: Path, wrong: Wrong, home: Home) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if _is(hint, Struct):
        return _struct(hint, value, path, wrong, home)
    if origin is tuple and inner[-1] is Ellipsis:
        if not isinstance(value, list):
            wrong(path, _must(hint, value, path))
            return _UNUSABLE
        parts = [_value(inner[0], v, (*path, i), wrong, home) for i, v in enumerate(value)]
        return tuple(part for part in parts if part is not _UNUSABLE)
    if _is(origin, Mapping):
        if not isinstance(value, Mapping):
            wrong(path, _must(hint, value, path))
            return _UNUSABLE
        entries = {k: _value(inner[1], v, (*path, k), wrong, home) for k, v in value.items()}
        return {key: entry for key, entry in entries.items() if entry is not _UNUSABLE}
    try:
        return msgspec.convert(value, hint)
    except (msgspec.ValidationError, OverflowError):
        wrong(path, _must(hint, value, path))
        return _UNUSABLE


def _is(kind: Any, of: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, of)


def _must(hint: Any, value: object, path: Path) -> str:
    names = [name for name in _choices(hint) if name]
    if names:
        close = get_close_matches(str(value), names, 1, 0.5)
        advice = f"did you mean {close[0]!r}? " if close else ""
        return f"`{dotted(path)}` = {shown(value)}: {advice}it must be one of {', '.join(names)}"
    said = f"`{dotted(path)}` = {shown(value)}: it must be {_words(hint)}"
    if isinstance(value, dict) and "[[" in _words(hint):
        said += f", so write [[{dotted(path)}]] in place of [{dotted(path)}]"
    return said


def _choices(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    elif get_origin(hint) is not tuple:
        for part in get_args(hint):
            yield from _choices(part)


def _words(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"a list of {len(inner)} numbers"
    if origin is tuple:
        tables = _is(inner[0], Struct)
        return "a list of tables, [[...]]" if tables else f"a list, each {_words(inner[0])}"
    if _is(origin, Mapping):
        return "a table"
    known = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
    parts = [known.get(part, "") for part in (inner or (hint,))]
    return " or ".join(dict.fromkeys(part for part in parts if part)) or "something else"


def _advice(key: str, hints: Mapping[str, Any], path: Path, home: Home) -> str:
    belongs = home(key)
    if belongs:
        return f"{f' in [{dotted(path)}]' if path else ''}; {belongs}"
    close = get_close_matches(key, hints, 1, 0.6) or [name for name in hints if key in name]
    within = f" in [{dotted(path)}]" if path else ""
    if close:
        return f"{within}; did you mean `{close[0]}`?"
    return f"{within}; there are {', '.join(sorted(hints))}"
