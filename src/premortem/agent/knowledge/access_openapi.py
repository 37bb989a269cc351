"""Who may do what by an OpenAPI document: `security`, its scopes, `x-roles`, `x-editions`.

Source: OpenAPI 3.1.0, Security Requirement Object: the requirements of an operation replace those
of the document, an empty one among them lets everybody in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from premortem.agent.knowledge.openapi_dto import document_in
from premortem.domain.access import (
    ANYONE,
    NOBODY,
    AccessRule,
    folded,
    licensed,
    listed,
    open_to_all,
)

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_ROLES = re.compile(r"x-([a-z]+-)*(roles?|permitted|allowed)(-allowed)?", re.IGNORECASE)
_EDITIONS = re.compile(r"x-([a-z]+-)*(editions?|tiers?)", re.IGNORECASE)
_PATH_KEY = re.compile(r"""^\s*["']?(/[^"':]*)["']?\s*:""")
_EVERYBODY = frozenset({"anonymous", "public", "everyone"})
_SIGNED_IN = frozenset({"*", "any", "all", "authenticated"})


def access_in_openapi(source: bytes, *, origin: str) -> tuple[AccessRule, ...]:
    """The access rules of an OpenAPI document; ORIGIN names it.

    Where an operation names no security and the document none for all, nothing is said: documents
    forget that. Raises InputError when SOURCE is neither JSON nor YAML.
    """
    document = document_in(source, origin=origin)
    paths = document.get("paths")
    lines = _lines(source)
    found: list[AccessRule] = []
    for path, item in (paths if isinstance(paths, dict) else {}).items():
        for method, operation in (item if isinstance(item, dict) else {}).items():
            if str(method).lower() not in _METHODS or not isinstance(operation, dict):
                continue
            rule = AccessRule(
                operation_id=f"{str(method).upper()} {_template(str(path))}",
                handler=str(operation.get("operationId", "")),
                grant="allowed",
                source="openapi",
                document=origin,
                line=lines.get(str(path), 0),
            )
            found += _of_operation(rule, operation, item, document)
    return tuple(found)


def _template(path: str) -> str:
    return path.rstrip("/") or "/"


def _lines(source: bytes) -> dict[str, int]:
    """Path -> the line where its key stands; of a document in one line nothing."""
    found: dict[str, int] = {}
    text = source.decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines() if "\n" in text.strip() else (), 1):
        named = _PATH_KEY.match(line)
        if named is not None:
            found.setdefault(named[1], number)
    return found


def _of_operation(
    rule: AccessRule,
    operation: Mapping[str, Any],
    item: Mapping[str, Any],
    document: Mapping[str, Any],
) -> Iterator[AccessRule]:
    roles_key, roles = _extension(_ROLES, operation, item)
    editions_key, editions = _extension(_EDITIONS, operation, item)
    security = operation.get("security", document.get("security"))
    scopes = _scopes(security)
    if roles is not None:
        said = replace(rule, said=f"{roles_key}: [{', '.join(roles)}]", scopes=scopes)
        yield from _of_roles(said, roles)
    elif isinstance(security, list):
        if "security" in operation and not (security and all(security)):
            yield from open_to_all(replace(rule, said="security: none"))
        elif security and all(security):
            said_scopes = f" with {', '.join(scopes)}" if scopes else ""
            said = replace(rule, said=f"security{said_scopes}", scopes=scopes)
            yield replace(said, role=NOBODY, grant="denied")
    if editions:
        yield from licensed(
            replace(rule, said=f"{editions_key}: [{', '.join(editions)}]"), editions
        )


def _of_roles(rule: AccessRule, roles: tuple[str, ...]) -> Iterator[AccessRule]:
    folds = {folded(role) for role in roles}
    if folds & _EVERYBODY:
        yield from open_to_all(rule)
    elif folds & _SIGNED_IN:
        yield from listed(rule, [ANYONE])
    else:
        yield from listed(rule, roles)


def _extension(
    name: re.Pattern[str], *places: Mapping[str, Any]
) -> tuple[str, tuple[str, ...] | None]:
    """The first list under an extension called NAME: its key, and its texts; None: there is none.

    A text is a list, too: `CFO, FinanceManager`.
    """
    for place in places:
        for key, value in place.items():
            if not name.fullmatch(str(key)):
                continue
            if isinstance(value, str):
                value = [part.strip() for part in value.split(",") if part.strip()]
            if isinstance(value, list):
                return str(key), tuple(str(each) for each in value)
    return "", None


def _scopes(security: Any) -> tuple[str, ...]:
    found = [
        str(scope)
        for requirement in (security if isinstance(security, list) else ())
        if isinstance(requirement, dict)
        for scopes in requirement.values()
        if isinstance(scopes, list)
        for scope in scopes
    ]
    return tuple(dict.fromkeys(found))
