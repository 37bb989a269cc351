"""Values as TOML."""

from __future__ import annotations

import json


def toml_text(value: object) -> str:
    """VALUE as TOML: its strings are JSON's, but for DEL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    return repr(value)
