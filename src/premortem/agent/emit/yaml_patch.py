"""Changes YAML that people own without touching what is not meant.

Only the lines of a changed key move: remarks, order, quotes and blank lines stay. After each
change the text is read again and must hold what it held, with the change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from premortem.agent.emit.files import newline_of
from premortem.errors import InputError

YAML_BYTES_MAX = 1024 * 1024
DOCUMENTS_MAX = 10_000
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_BEFORE_FIRST = re.compile(r"(?:[ \t]*(?:#.*|%.*)?\r?\n)*")
"""Remarks and directives, which belong to the first document."""
_FLOW_KEYS = re.compile(r"^(?:.*roles?.*|asserts|tags|feedback_history)$")

Document = dict[str, Any]


def documents(text: str, *, path: object) -> list[tuple[str, Document]]:
    """The documents of TEXT: each with its own lines, `---` before them included.

    Raises InputError where one is no mapping.
    """
    if len(text.encode()) > YAML_BYTES_MAX:
        raise InputError(f"{path} has more than {YAML_BYTES_MAX} bytes; move old traces elsewhere")
    starts = [match.start() for match in _SEPARATOR.finditer(text)]
    if not starts or not _BEFORE_FIRST.fullmatch(text[: starts[0]]):
        starts = [0, *starts]
    else:
        starts[0] = 0
    ends = [*starts[1:], len(text)]
    found: list[tuple[str, Document]] = []
    for start, end in zip(starts, ends, strict=True):
        part = text[start:end]
        value = _loaded(part, path)
        if value is None and not found and len(starts) == 1:
            return []
        if not isinstance(value, dict | None):
            raise InputError(f"{path}: each document must be a mapping; it is {value!r:.60}")
        found.append((part, value or {}))
        if len(found) > DOCUMENTS_MAX:
            raise InputError(f"{path} has more than {DOCUMENTS_MAX} documents; split it")
    return found


def updated(part: str, updates: Mapping[str, Any], *, path: object) -> str:
    """PART, one document, with UPDATES: keys set anew, lists longer by what they lack.

    A list that is there is added to, and so is a list of mappings: those with the same `scenario`
    or `method` are updated, the others come behind. Raises InputError when the text cannot be
    changed so (an alias, a merged key).
    """
    before = _loaded(part, path) or {}
    wanted = merged(before, updates)
    text = part
    for key, value in wanted.items():
        if key not in before:
            text = _appended(text, key, value)
        elif before[key] != value:
            text = _replaced(text, key, before[key], value, path)
    try:
        if yaml.safe_load(text) == wanted:
            return text
    except yaml.YAMLError:
        pass
    raise InputError(
        f"{path} cannot be changed in place: it has aliases, merged keys, or all of it in braces; "
        f"it was left alone"
    )


def merged(before: Mapping[str, Any], updates: Mapping[str, Any]) -> Document:
    """BEFORE with UPDATES, as `updated` means them."""
    result = dict(before)
    for key, value in updates.items():
        old = result.get(key)
        if isinstance(value, list) and isinstance(old, list):
            result[key] = _merged_list(old, value)
        else:
            result[key] = value
    return result


def written(values: Mapping[str, Any]) -> str:
    """VALUES as a new document's lines."""
    return "".join(_entry(key, value) for key, value in values.items())


def _merged_list(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    result = list(old)
    for item in new:
        at = next((i for i, there in enumerate(result) if _same_thing(there, item)), None)
        if at is None:
            result.append(item)
        elif isinstance(item, dict):
            result[at] = {**result[at], **item}
    return result


def _same_thing(one: Any, other: Any) -> bool:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return bool(one == other)
    for key in ("scenario_id", "scenario", "method"):
        if key in one and key in other:
            return bool(one[key] == other[key])
    return one == other


def _appended(text: str, key: str, value: Any) -> str:
    newline = newline_of(text)
    body = text.rstrip(" \t\r\n")
    tail = text[len(body) :]
    if body.endswith("\n...") or body == "...":
        body, tail = body[: -len("...")].rstrip("\r\n"), newline + "..." + tail
    gap = newline if body else ""
    entry = _entry(key, value).rstrip("\n").replace("\n", newline)
    return body + gap + entry + (tail if newline in tail else newline)


def _replaced(text: str, key: str, old: Any, value: Any, path: object) -> str:
    node = _node(text, key, path)
    newline = newline_of(text)
    if isinstance(old, list) and isinstance(value, list) and value[: len(old)] == old and old:
        if node.flow_style:
            more = ", ".join(_flow(item) for item in value[len(old) :])
            end = text.rindex("]", node.start_mark.index, node.end_mark.index)
            return f"{text[:end].rstrip()}, {more}{text[end:]}"
        end = _end_of(text, node)
        indent = " " * node.start_mark.column
        more = "".join(_item(item, indent) for item in value[len(old) :])
        return text[:end] + newline + more.rstrip("\n").replace("\n", newline) + text[end:]
    start = len(text[: node.start_mark.index].rstrip(" \t\r\n"))
    end = _end_of(text, node)
    fresh = _entry(key, value).rstrip("\n").partition(":")[2]
    return text[:start] + fresh.replace("\n", newline) + text[end:]


def _end_of(text: str, node: Any) -> int:
    """Where the value ends: a block's mark stands behind the remarks that follow it."""
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return end
    lines = text[node.start_mark.index : end].split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return int(node.start_mark.index) + len("\n".join(lines).rstrip("\r"))


def _node(text: str, key: str, path: object) -> Any:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for name, value in pairs:
        if isinstance(name, yaml.ScalarNode) and name.value == key:
            return value
    raise InputError(f"{path} cannot be changed in place: {key} is merged in; left alone")


def _loaded(text: str, path: object) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        first = " ".join(str(error).split())[:160]
        raise InputError(f"{path} cannot be read as YAML: {first}; mend it there") from None


def _entry(key: str, value: Any) -> str:
    if isinstance(value, list) and (_FLOW_KEYS.match(key) or not value):
        return f"{key}: {_flow(value)}\n"
    return _dumped({key: value})


def _item(item: Any, indent: str) -> str:
    return "".join(f"{indent}{line}\n" for line in _dumped([item]).rstrip("\n").split("\n"))


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False
    )
    return text.strip().removesuffix("...").strip()


def _dumped(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=False, allow_unicode=True, width=10_000, sort_keys=False
    )
    return text
