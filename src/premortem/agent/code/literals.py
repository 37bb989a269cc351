"""Values as C# and Python write them."""

from __future__ import annotations

import json
from typing import Any

from premortem.agent.knowledge.csharp import bare_type

LITERAL_CHARACTERS_MAX = 60
"""Longer texts of one repeated character are made, not written out."""
_PARSED = {
    "Guid": "System.Guid",
    "DateTime": "System.DateTime",
    "DateTimeOffset": "System.DateTimeOffset",
    "TimeSpan": "System.TimeSpan",
    "DateOnly": "System.DateOnly",
}


def csharp_text(value: str) -> str:
    """VALUE as a C# string literal; a long run of one character as `new string('x', 300)`."""
    if len(value) > LITERAL_CHARACTERS_MAX and len(set(value)) == 1 and value[0].isalnum():
        return f"new string('{value[0]}', {len(value)})"
    # JSON's escapes are C#'s.
    return json.dumps(value, ensure_ascii=True)


def csharp_literal(value: Any, declared: str = "") -> str:
    """VALUE as a C# expression of the DECLARED type: `-100`, `0.01m`, `"EUR"`, `null`."""
    bare = bare_type(declared)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        suffix = {"decimal": "m", "float": "f"}.get(bare, "")
        return f"{value:f}".rstrip("0").rstrip(".") + suffix
    if isinstance(value, str):
        if bare in _PARSED:
            return f"{_PARSED[bare]}.Parse({csharp_text(value)})"
        if bare == "Uri":
            return f"new System.Uri({csharp_text(value)})"
        return csharp_text(value)
    return "null"


def python_literal(value: Any) -> str:
    """VALUE as a Python expression; a long run of one character as `"x" * 300`."""
    if isinstance(value, str) and len(value) > LITERAL_CHARACTERS_MAX and len(set(value)) == 1:
        return f"{json.dumps(value[0])} * {len(value)}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
