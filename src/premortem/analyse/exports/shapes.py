"""Whether a JSON value has the shape that a schema declares. Its text is written into exported
tests, so it needs nothing but the standard library.

The keywords of JSON Schema 2020-12 that describe messages; what it does not know it lets pass.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

BROKEN_MAX = 20


def broken_by(value: Any, schema: Any) -> list[str]:
    """What VALUE breaks of SCHEMA, as `/pointer keyword`; empty: nothing."""
    found: list[str] = []
    _check(value, schema, schema, "", found, 0)
    return found[:BROKEN_MAX]


def _check(value: Any, schema: Any, root: Any, at: str, found: list[str], depth: int) -> None:
    if depth > 60 or len(found) > BROKEN_MAX or schema is True or not isinstance(schema, dict):
        if schema is False:
            found.append(f"{at or '/'} false schema")
        return
    if "$ref" in schema:
        _check(value, _resolved(schema["$ref"], root), root, at, found, depth + 1)
    for keyword, wanted in schema.items():
        if _breaks(keyword, wanted, value):
            found.append(f"{at or '/'} {keyword}")
    _combined(value, schema, root, at, found, depth)
    if isinstance(value, dict):
        _members(value, schema, root, at, found, depth)
    elif isinstance(value, list):
        first = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            inner = first[index] if index < len(first) else schema.get("items", True)
            _check(item, inner, root, f"{at}/{index}", found, depth + 1)


def _resolved(reference: str, root: Any) -> Any:
    found = root
    for token in reference.removeprefix("#").split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~").replace("%25", "%")
        if not isinstance(found, dict) or name not in found:
            return True
        found = found[name]
    return found


def _combined(
    value: Any, schema: dict[str, Any], root: Any, at: str, found: list[str], depth: int
) -> None:
    def fits(inner: Any) -> bool:
        broken: list[str] = []
        _check(value, inner, root, at, broken, depth + 1)
        return not broken

    for inner in schema.get("allOf", ()):
        _check(value, inner, root, at, found, depth + 1)
    if "anyOf" in schema and not any(map(fits, schema["anyOf"])):
        found.append(f"{at or '/'} anyOf")
    if "oneOf" in schema and sum(map(fits, schema["oneOf"])) != 1:
        found.append(f"{at or '/'} oneOf")
    if "not" in schema and fits(schema["not"]):
        found.append(f"{at or '/'} not")
    if "if" in schema:
        branch = "then" if fits(schema["if"]) else "else"
        _check(value, schema.get(branch, True), root, at, found, depth + 1)


def _members(
    value: dict[str, Any], schema: dict[str, Any], root: Any, at: str, found: list[str], depth: int
) -> None:
    found += [
        f"{at or '/'} required {name}" for name in schema.get("required", ()) if name not in value
    ]
    named = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    other = schema.get("additionalProperties", True)
    for name, item in value.items():
        inner = [named[name]] if name in named else []
        inner += [s for pattern, s in patterns.items() if re.search(pattern, name)]
        if not inner and other is False:
            found.append(f"{at or '/'} additionalProperties")
        for one in inner or [other]:
            _check(item, one, root, f"{at}/{name}", found, depth + 1)


def _breaks(keyword: str, wanted: Any, value: Any) -> bool:
    if keyword == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return not any(_is(kind, value) for kind in kinds)
    if keyword == "enum":
        return not any(_same(value, one) for one in wanted)
    if keyword == "const":
        return not _same(value, wanted)
    if isinstance(value, str):
        return _text_breaks(keyword, wanted, value)
    if isinstance(value, list):
        return (
            (keyword == "minItems" and len(value) < wanted)
            or (keyword == "maxItems" and len(value) > wanted)
            or (keyword == "uniqueItems" and wanted and _repeats(value))
        )
    if isinstance(value, dict):
        return (keyword == "minProperties" and len(value) < wanted) or (
            keyword == "maxProperties" and len(value) > wanted
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_breaks(keyword, wanted, value)
    return False


def _text_breaks(keyword: str, wanted: Any, value: str) -> bool:
    if keyword == "format":
        return wanted in FORMATS and re.fullmatch(FORMATS[wanted], value) is None
    return (
        (keyword == "minLength" and len(value) < wanted)
        or (keyword == "maxLength" and len(value) > wanted)
        or (keyword == "pattern" and re.search(wanted, value) is None)
    )


def _number_breaks(keyword: str, wanted: Any, value: float) -> bool:
    if keyword == "multipleOf":
        ratio = value / wanted
        return not math.isclose(ratio, round(ratio), abs_tol=1e-9)
    return (
        (keyword == "minimum" and value < wanted)
        or (keyword == "maximum" and value > wanted)
        or (keyword == "exclusiveMinimum" and value <= wanted)
        or (keyword == "exclusiveMaximum" and value >= wanted)
    )


FORMATS = {
    "date": r"\d{4}-\d\d-\d\d",
    "date-time": r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    "time": r"\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?",
    "uuid": r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "email": r"[^@\s]+@[^@\s]+",
    "ipv4": r"\d{1,3}(\.\d{1,3}){3}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:\S*",
}


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "number":
        return isinstance(value, int | float)
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    known: dict[str, type] = {"string": str, "array": list, "object": dict, "null": type(None)}
    return kind in known and isinstance(value, known[kind])


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _repeats(items: list[Any]) -> bool:
    return len({json.dumps(item, sort_keys=True) for item in items}) < len(items)
