"""OpenAPI 3.0, 3.1 and Swagger 2.0 documents as a Spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.places import Part, Place
from premortem.domain.traffic import Document, Operation
from premortem.errors import InputError
from premortem.learn.answer_heads import Scope, SpecAnswer, read_heads, status_of
from premortem.learn.declared_links import DeclaredLink, read_links
from premortem.learn.dialect import SchemaWriter, Side
from premortem.learn.references import Documents

OPERATIONS_MAX = 10_000

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARTS: Mapping[str, Part] = {
    "path": "path",
    "query": "query",
    "header": "header",
    "cookie": "cookie",
}
_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})
"""OpenAPI 3.0.3, Parameter Object: definitions of these are ignored."""
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_ROLES = re.compile(r"x-([a-z]+-)*roles?", re.IGNORECASE)
DESCRIPTION_CHARACTERS_MAX = 1_000
"""Of what a specification says about one operation, or about one answer, in prose."""
_EDITIONS = re.compile(r"x-([a-z]+-)*editions?", re.IGNORECASE)


class SpecParameter(Struct, frozen=True, kw_only=True):
    """A declared path, query, header or cookie parameter."""

    place: Place
    required: bool
    schema: Document = ""


class SpecOperation(Struct, frozen=True, kw_only=True):
    """A declared operation."""

    operation: Operation
    summary: str = ""
    parameters: tuple[SpecParameter, ...] = ()
    request_schemas: Mapping[str, Document] = {}
    """Media type -> shape of the body; in the document's order."""
    request_required: bool = False
    answers: Mapping[int, Document] = {}
    """Status (`default` 0, `4XX` -4) -> shape of the JSON body, empty when none is declared."""
    heads: Mapping[int, SpecAnswer] = {}
    """The same statuses -> the rest of what is declared."""
    secured: bool | None = None
    """Credentials are asked for; None: the document says nothing about security."""
    roles: tuple[str, ...] = ()
    """Who may, where an extension such as `x-roles` says so."""
    editions: tuple[str, ...] = ()
    """Which editions have it, where an extension such as `x-editions` says so."""
    description: str = ""
    meanings: tuple[tuple[int, str], ...] = ()
    """(status, what the document says it means)."""
    name: str = ""
    """Its `operationId`."""
    written: str = ""
    """`METHOD /path` as the document writes it."""
    links: tuple[DeclaredLink, ...] = ()


class Spec(Struct, frozen=True, kw_only=True):
    """What a specification declares."""

    title: str
    operations: tuple[SpecOperation, ...]


def load_openapi(path: Path) -> Spec:
    """The specification in PATH: JSON or YAML, gzip too, references to other files followed.

    Raises InputError naming the file, and for a `$ref` that leads nowhere its pointer.
    """
    documents = Documents(path)
    root = documents.document(documents.root)
    if not isinstance(root, dict) or not ({"openapi", "swagger"} & root.keys()):
        raise InputError(
            f"{path} is no OpenAPI document: neither `openapi` nor `swagger` names a version; "
            f"name an OpenAPI 3.0, 3.1 or Swagger 2.0 document"
        )
    version = str(root.get("openapi") or root.get("swagger"))
    if not version.startswith(("2.", "3.")):
        raise InputError(f"{path} is OpenAPI {version}; 3.0, 3.1 and Swagger 2.0 can be read")
    paths = root.get("paths") or {}
    if not isinstance(paths, dict):
        raise InputError(f"{path}: `paths` must be an object")
    legacy = version.startswith("2.")
    writer = SchemaWriter(documents, legacy=legacy or version.startswith("3.0"))
    scope = Scope(documents=documents, writer=writer, root=root, legacy=legacy)
    operations = list(_operations(paths, scope))
    if len(operations) > OPERATIONS_MAX:
        raise InputError(f"{path} declares more than {OPERATIONS_MAX} operations")
    info = root.get("info")
    title = info.get("title") if isinstance(info, dict) else None
    return Spec(title=str(title or path.name), operations=tuple(operations))


def server_paths(path: Path) -> tuple[str, ...]:
    """The paths of all servers that the specification in PATH names for the whole of it; empty for
    Swagger 2.0, which knows one. Raises InputError where it cannot be read."""
    documents = Documents(path)
    root = documents.document(documents.root)
    servers = root.get("servers") if isinstance(root, dict) else None
    named = [s for s in servers if isinstance(s, dict)] if isinstance(servers, list) else []
    urls = (s.get("url") for s in named)
    return tuple(dict.fromkeys(urlsplit(u).path for u in urls if isinstance(u, str)))


def _operations(paths: dict[str, Any], scope: Scope) -> Iterator[SpecOperation]:
    seen: set[str] = set()
    for name, item in paths.items():
        if not name.startswith("/"):
            continue
        item, file = scope.documents.follow(item, scope.documents.root)
        if not isinstance(item, dict):
            continue
        for method in _METHODS:
            declared = item.get(method)
            if not isinstance(declared, dict):
                continue
            template = _template(_base_path(scope, item, declared) + name)
            operation = Operation(method=method.upper(), template=template)
            if operation.id not in seen:
                seen.add(operation.id)
                found = _operation(operation, declared, item, file, scope)
                yield replace(found, written=f"{method.upper()} {name}")


def _template(path: str) -> str:
    """PATH with each parameter name used once, and without a trailing slash."""
    seen: dict[str, int] = {}

    def unique(found: re.Match[str]) -> str:
        name = found[1].strip("*+?")
        seen[name] = seen.get(name, 0) + 1
        return "{" + (name if seen[name] == 1 else f"{name}_{seen[name]}") + "}"

    return re.sub(r"\{([^{}/]+)\}", unique, path).rstrip("/") or "/"


def _base_path(scope: Scope, item: dict[str, Any], declared: dict[str, Any]) -> str:
    """The path of the first server, which all paths are below."""
    if scope.legacy:
        return str(scope.root.get("basePath") or "").rstrip("/")
    servers = declared.get("servers") or item.get("servers") or scope.root.get("servers") or []
    if not isinstance(servers, list) or not servers or not isinstance(servers[0], dict):
        return ""
    url = str(servers[0].get("url") or "")
    for name, variable in (servers[0].get("variables") or {}).items():
        url = url.replace("{" + name + "}", str(variable.get("default", "")))
    if "://" not in url and not url.startswith("/"):
        return ""
    return urlsplit(url).path.rstrip("/")


def _operation(
    operation: Operation,
    declared: dict[str, Any],
    item: dict[str, Any],
    file: Path,
    scope: Scope,
) -> SpecOperation:
    parameters = _parameters(item, declared, file, scope)
    if scope.legacy:
        bodies, required = _swagger_bodies(parameters, declared, scope)
    else:
        bodies, required = _bodies(declared.get("requestBody"), file, scope)
    text = declared.get("summary") or declared.get("description") or declared.get("operationId")
    return SpecOperation(
        operation=operation,
        summary=str(text or "").strip().split("\n")[0],
        parameters=tuple(_places(parameters, scope)),
        request_schemas=bodies,
        request_required=required,
        answers=dict(_answers(declared.get("responses"), file, scope)),
        heads=dict(read_heads(declared, file, scope)),
        secured=_secured(declared, scope),
        roles=_extension(declared, _ROLES),
        editions=_extension(declared, _EDITIONS),
        description=_prose(declared),
        meanings=tuple(_meanings(declared.get("responses"), file, scope)),
        name=str(declared.get("operationId") or ""),
        links=tuple(read_links(declared, file, scope)),
    )


def _extension(declared: Mapping[str, Any], name: re.Pattern[str]) -> tuple[str, ...]:
    """The first list under an extension called NAME, as texts."""
    lists = (v for k, v in declared.items() if name.fullmatch(k) and isinstance(v, list))
    return tuple(str(item) for item in next(lists, ()))


_Parameter = tuple[dict[str, Any], Path]


def _parameters(
    item: dict[str, Any], declared: dict[str, Any], file: Path, scope: Scope
) -> list[_Parameter]:
    """The path's parameters, replaced by the operation's of the same name and part."""
    found: dict[tuple[str, str], _Parameter] = {}
    for owner in (item, declared):
        for entry in owner.get("parameters") or ():
            parameter, where = scope.documents.follow(entry, file)
            if isinstance(parameter, dict) and "name" in parameter:
                key = (str(parameter.get("in")), str(parameter["name"]))
                found[key] = (parameter, where)
    return list(found.values())


def _places(parameters: list[_Parameter], scope: Scope) -> Iterator[SpecParameter]:
    for parameter, file in parameters:
        part = _PARTS.get(str(parameter.get("in")))
        name = str(parameter["name"])
        if part == "header":
            name = name.lower()
            if name in _IGNORED_HEADERS:
                continue
        if part is None:
            continue
        if "schema" in parameter:
            schema = parameter["schema"]
        elif isinstance(parameter.get("content"), dict):
            schema = next((_schema_of(media) for media in parameter["content"].values()), {})
        else:
            schema = parameter if scope.legacy else {}
        yield SpecParameter(
            place=Place(part=part, name=name),
            required=part == "path" or parameter.get("required") is True,
            schema=scope.writer.document(_bare(schema), file, "request"),
        )


def _bare(schema: Any) -> Any:
    """A Swagger 2.0 parameter as the schema it holds: `required: true` is not a schema's."""
    if isinstance(schema, dict) and isinstance(schema.get("required"), bool):
        return {key: value for key, value in schema.items() if key != "required"}
    return schema


def _schema_of(media: Any) -> Any:
    return media.get("schema", {}) if isinstance(media, dict) else {}


def _bodies(body: Any, file: Path, scope: Scope) -> tuple[dict[str, Document], bool]:
    """Request bodies of OpenAPI 3."""
    body, file = scope.documents.follow(body, file)
    if not isinstance(body, dict) or not isinstance(body.get("content"), dict):
        return {}, False
    schemas = {
        str(name).split(";", 1)[0].strip().lower(): scope.writer.document(
            _schema_of(media), file, "request"
        )
        for name, media in body["content"].items()
    }
    return schemas, body.get("required") is True


def _swagger_bodies(
    parameters: list[_Parameter], declared: dict[str, Any], scope: Scope
) -> tuple[dict[str, Document], bool]:
    """Request bodies of Swagger 2.0: one `body` parameter, or `formData` fields."""
    consumes = declared.get("consumes") or scope.root.get("consumes") or ["application/json"]
    media_types = [str(name).split(";", 1)[0].strip().lower() for name in consumes]
    body = next((pair for pair in parameters if pair[0].get("in") == "body"), None)
    if body is not None:
        schema = scope.writer.document(body[0].get("schema", {}), body[1], "request")
        return dict.fromkeys(media_types, schema), body[0].get("required") is True
    fields = [pair for pair in parameters if pair[0].get("in") == "formData"]
    if not fields:
        return {}, False
    form = {
        "type": "object",
        "properties": {str(field["name"]): _bare(field) for field, _ in fields},
        "required": [str(field["name"]) for field, _ in fields if field.get("required") is True],
    }
    upload = any(field.get("type") == "file" for field, _ in fields)
    chosen = [m for m in media_types if m in (_FORM, _MULTIPART)]
    wanted = chosen or [_MULTIPART if upload else _FORM]
    schema = scope.writer.document(form, fields[0][1], "request")
    return dict.fromkeys(wanted, schema), bool(form["required"])


def _answers(responses: Any, file: Path, scope: Scope) -> Iterator[tuple[int, Document]]:
    for code, answer in (responses if isinstance(responses, dict) else {}).items():
        status = status_of(str(code))
        if status is None:
            continue
        answer, where = scope.documents.follow(answer, file)
        schema = _answer_schema(answer, legacy=scope.legacy)
        side: Side = "answer"
        yield status, scope.writer.document(schema, where, side) if schema is not None else ""


def _meanings(responses: Any, file: Path, scope: Scope) -> Iterator[tuple[int, str]]:
    for code, answer in (responses if isinstance(responses, dict) else {}).items():
        status = status_of(str(code))
        said = _prose(scope.documents.follow(answer, file)[0])
        if status is not None and said:
            yield status, said


def _prose(declared: Any) -> str:
    said = declared.get("description") if isinstance(declared, dict) else None
    return " ".join(said.split())[:DESCRIPTION_CHARACTERS_MAX] if isinstance(said, str) else ""


def _answer_schema(answer: Any, *, legacy: bool) -> Any:
    if not isinstance(answer, dict):
        return None
    if legacy:
        return answer.get("schema")
    content = answer.get("content")
    for name, media in (content if isinstance(content, dict) else {}).items():
        bare = str(name).split(";", 1)[0].strip().lower()
        if bare.endswith(("/json", "+json")) or bare in ("*/*", "application/*"):
            return _schema_of(media)
    return None


def _secured(declared: dict[str, Any], scope: Scope) -> bool | None:
    components = scope.root.get("components")
    schemes = (
        scope.root.get("securityDefinitions")
        if scope.legacy
        else components.get("securitySchemes")
        if isinstance(components, dict)
        else None
    )
    wanted = declared.get("security", scope.root.get("security"))
    if wanted is None:
        return False if schemes else None
    return bool(wanted) and all(bool(requirement) for requirement in wanted)
