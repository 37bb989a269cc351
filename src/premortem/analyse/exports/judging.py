"""What exported tests look at in an answer. Its text is written into the file, so it needs
nothing but the standard library."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote


def refuses(status: int, body: bytes) -> bool:
    """Whether an answer refuses: 4xx, or 2xx with a body that says so (GraphQL for one)."""
    if 400 <= status < 500:
        return True
    try:
        said = json.loads(body)
    except ValueError:
        return False
    if not isinstance(said, dict) or not 200 <= status < 300:
        return False
    failed = str(said.get("status")).lower() in ("error", "fail")
    told = said.get("errors") or said.get("error")
    return bool(told or failed or said.get("success") is False or said.get("ok") is False)


def values_at(value: Any, pointer: str) -> list[Any]:
    """All that stands in VALUE at POINTER (RFC 6901), in which `*` is every item of an array."""
    found = [value]
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        step: list[Any] = []
        for item in found:
            if name == "*" and isinstance(item, list):
                step += item
            elif isinstance(item, dict) and name in item:
                step.append(item[name])
            elif isinstance(item, list) and name.isdigit() and int(name) < len(item):
                step.append(item[int(name)])
        found = step
    return found


def keeps(kind: str, pointers: list[str], body: Any, slack: float = 0.0) -> bool:
    """Whether the places POINTERS of BODY keep a rule: the first is the `sum` or the `product` of
    the others, comes before the second (`order`), is the same (`equal`), is the number of its
    items (`count`), or is not there without the others (`requires`)."""
    if kind != "count" and all("*" in pointer for pointer in pointers):
        around = pointers[0].partition("/*")[0] + "/*"
        inner = [pointer.partition("/*")[2] for pointer in pointers]
        return all(_keeps(kind, inner, item, slack) for item in values_at(body, around))
    return _keeps(kind, pointers, body, slack)


def _keeps(kind: str, pointers: list[str], body: Any, slack: float) -> bool:
    found = [values_at(body, pointer) for pointer in pointers]
    if kind == "requires":
        return not found[0] or all(found)
    if not all(found):
        return True
    first, rest = found[0][0], [value for values in found[1:] for value in values]
    if first is None or any(value is None for value in rest):
        return True
    if kind == "sum":
        return math.isclose(first, sum(rest), rel_tol=1e-9, abs_tol=slack)
    if kind == "product":
        return math.isclose(first, math.prod(rest), rel_tol=1e-9, abs_tol=slack)
    if kind == "count":
        return bool(first == len(rest[0]))
    if kind == "order":
        return bool(_ordered(first) <= _ordered(rest[0]))
    return all(value == first for value in rest)


def _ordered(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)  # noqa: UP017


def is_masked(value: Any) -> bool:
    """Whether VALUE is not shown: nothing, or a text like `***` and `****1234`."""
    if value is None or value in ("", [], {}):
        return True
    hidden = r"[*•●█▪·]{2,}|X{3,}|x{4,}|redacted|hidden|masked|obfuscated|confidential|restricted"
    return isinstance(value, str) and re.search(hidden, value) is not None


def same_text(one: Any, other: Any) -> bool:
    """Whether two values read the same: 5 and "5" do."""
    if isinstance(one, bool | None) or isinstance(other, bool | None):
        return str(one).lower() == str(other).lower()
    if isinstance(one, int | float) or isinstance(other, int | float):
        try:
            return math.isclose(float(one), float(other), rel_tol=1e-9)
        except ValueError:
            return str(one) == str(other)
    return str(one) == str(other)


def in_segment(path: str, index: int) -> str:
    """The segment INDEX of PATH, decoded."""
    return unquote(path.split("/")[index + 1])
