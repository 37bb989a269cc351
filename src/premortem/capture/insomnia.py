"""Insomnia exports: format 4 (JSON) and format 5 (YAML). They hold requests, never answers.

Sources: Insomnia's importers and exporters, `__export_format: 4` and
`type: collection.insomnia.rest/5.0`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from premortem.capture.counts import CaptureCounts
from premortem.capture.draft import Draft, fill, signed, texts
from premortem.capture.message import FORM, Part, Unusable
from premortem.capture.recording import (
    DEFAULTS,
    Entry,
    Progress,
    ReadOptions,
    Undated,
    not_a,
    whole,
)
from premortem.capture.yaml_stream import Loader
from premortem.domain.traffic import Pairs
from premortem.errors import InputError

GIVE = "an Insomnia export, format 5 (YAML) or 4 (JSON)"
EXPORT_BYTES_MAX = 64 * 1024 * 1024
FOLDERS_DEPTH_MAX = 50
_VARIABLE = re.compile(
    r"\{\{\s*(?:_\.|_\[['\"])?([\w.\-]{1,200})(?:['\"]\])?\s*\}\}|\{[{%](?:[^{}]{0,2000})[%}]\}"
)
"""`{{ _.name }}`, `{{ name }}`; and tags, which compute something and so are never known."""
_STRAY_FILE = "contents of a file"


class _Request(msgspec.Struct, frozen=True):
    """A request with what its folders give it."""

    given: dict[str, Any]
    values: Mapping[str, str]
    auth: Any
    headers: tuple[dict[str, Any], ...]


def read_insomnia(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Progress | None = None,
    options: ReadOptions = DEFAULTS,
) -> Iterator[tuple[int, Entry]]:
    """The requests of the export at PATH; numbered from 0.

    Raises InputError when it is none, or has no environment of the name that OPTIONS gives.
    """
    data = whole(path, bytes_max=EXPORT_BYTES_MAX, progress=progress)
    found = _requests(path, _decoded(path, data), options.environment)
    dates = Undated(path)
    for index, request in enumerate(found):
        counts.read += 1
        modified_ms = _modified_ms(request.given)
        started_at = dates.at(recorded_at=modified_ms / 1e3 if modified_ms else None)
        try:
            draft = _draft(request, counts)
            entry = draft.entry(started_at=started_at, origin=options.origin, counts=counts)
        except Unusable as error:
            counts.skip(index, str(error))
        else:
            if entry is not None:
                yield index, entry


def _decoded(path: Path, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
        value = msgspec.json.decode(text) if text.lstrip()[:1] == "{" else _yaml(text)
    except (msgspec.DecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise not_a(path, "an Insomnia export", reason, give=GIVE) from None
    if not isinstance(value, dict):
        raise not_a(path, "an Insomnia export", "it holds no mapping", give=GIVE)
    return value


def _yaml(text: str) -> Any:
    return yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader, C or Python


def _requests(path: Path, export: dict[str, Any], name: str) -> Iterator[_Request]:
    if isinstance(export.get("resources"), list):
        return _Resources(path, export["resources"], name).requests()
    collection = export.get("collection")
    if not isinstance(collection, list):
        reason = 'it holds neither "resources" nor "collection"'
        raise not_a(path, "an Insomnia export", reason, give=GIVE)
    environments = _object(export.get("environments"))
    subs = [
        (_text(e.get("name")), e.get("data")) for e in _objects(environments.get("subEnvironments"))
    ]
    values = _flat(environments.get("data")) | _chosen(path, subs, name)
    return _walk(collection, _Request({}, values, None, ()), 0)


def _chosen(path: Path, subs: list[tuple[str, Any]], name: str) -> dict[str, str]:
    """The values of the sub-environment NAME; of the only one where NAME is empty."""
    if not name:
        return _flat(subs[0][1]) if len(subs) == 1 else {}
    for known, data in subs:
        if known.lower() == name.lower():
            return _flat(data)
    names = ", ".join(known for known, _ in subs[:20]) or "none"
    raise InputError(f"{path} has no environment {name!r}; it has {names}")


def _walk(items: list[Any], above: _Request, depth: int) -> Iterator[_Request]:
    """The requests of format 5's folders, in order."""
    if depth > FOLDERS_DEPTH_MAX:
        raise InputError(f"an export has at most {FOLDERS_DEPTH_MAX} folders inside each other")
    for item in _objects(items):
        inner = _inside(item, above)
        if isinstance(item.get("children"), list):
            yield from _walk(item["children"], inner, depth + 1)
        elif "url" in item and "method" in item:
            yield inner


def _inside(item: dict[str, Any], above: _Request) -> _Request:
    """ITEM, a folder or a request, with what the folders ABOVE it give it."""
    return _Request(
        given=item,
        values={**above.values, **_flat(item.get("environment"))},
        auth=item.get("authentication") or above.auth,
        headers=(*above.headers, *_objects(item.get("headers"))),
    )


class _Resources:
    """Format 4: a flat list whose members name their parents."""

    def __init__(self, path: Path, resources: list[Any], name: str) -> None:
        self._all = {_text(r.get("_id")): r for r in _objects(resources)}
        environments = [r for r in self._all.values() if r.get("_type") == "environment"]
        base = [r for r in environments if _text(r.get("parentId")) not in map(_id, environments)]
        subs = [r for r in environments if r not in base]
        values = {key: value for r in base for key, value in _flat(r.get("data")).items()}
        values |= _chosen(path, [(_text(r.get("name")), r.get("data")) for r in subs], name)
        self._top = _Request({}, values, None, ())

    def requests(self) -> Iterator[_Request]:
        """Its requests, in the order of the file."""
        for resource in self._all.values():
            if resource.get("_type") == "request":
                yield _inside(resource, self._above(_text(resource.get("parentId")), 0))

    def _above(self, name: str, depth: int) -> _Request:
        folder = self._all.get(name)
        if folder is None or depth > FOLDERS_DEPTH_MAX or folder.get("_type") != "request_group":
            return self._top
        return _inside(folder, self._above(_text(folder.get("parentId")), depth + 1))


def _draft(request: _Request, counts: CaptureCounts) -> Draft:
    """The request in parts. Raises Unusable."""
    given, values = request.given, request.values

    def filled(value: Any) -> str:
        return fill(_text(value), values, _VARIABLE)

    def pairs(listed: Any) -> Pairs:
        return tuple(
            (filled(item.get("name")), filled(item.get("value")))
            for item in _objects(listed)
            if not item.get("disabled")
        )

    if not _text(given.get("url")).strip():
        raise Unusable("it has no URL")
    draft = Draft(
        method=_text(given.get("method")) or "GET",
        url=filled(given["url"]),
        query=pairs(given.get("parameters")),
        path_values=dict(pairs(given.get("pathParameters"))),
        headers=pairs(list(request.headers)),
    )
    body = _object(given.get("body"))
    media_type = _text(body.get("mimeType"))
    draft.media_type = "application/json" if media_type == "application/graphql" else media_type
    if isinstance(body.get("params"), list) and media_type == FORM:
        draft.form = pairs(body["params"])
    elif isinstance(body.get("params"), list):
        draft.parts = tuple(_parts(body["params"], filled, counts))
    elif body.get("fileName"):
        counts.leave_out(_STRAY_FILE)
    else:
        draft.body = filled(body.get("text"))
    auth = _object(request.auth)
    if not auth.get("disabled"):
        details = {name: filled(value) for name, value in auth.items()}
        signed(draft, _text(auth.get("type")), details, counts)
    return draft


def _parts(fields: list[Any], filled: Any, counts: CaptureCounts) -> Iterator[Part]:
    for field in _objects(fields):
        if field.get("disabled"):
            continue
        if field.get("type") == "file":
            counts.leave_out(_STRAY_FILE)
        else:
            yield Part(name=filled(field.get("name")), value=filled(field.get("value")))


def _modified_ms(given: dict[str, Any]) -> float:
    modified = given.get("modified") or _object(given.get("meta")).get("modified")
    return float(modified) if isinstance(modified, int | float) and modified > 0 else 0.0


def _flat(values: Any, prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Variables, nested ones with their names joined by points."""
    if not isinstance(values, dict) or depth > FOLDERS_DEPTH_MAX:
        return {}
    out = texts((f"{prefix}{name}", value) for name, value in values.items())
    for name, value in values.items():
        out |= _flat(value, f"{prefix}{name}.", depth + 1)
    return out


def _id(resource: dict[str, Any]) -> str:
    return _text(resource.get("_id"))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(values: Any) -> Iterator[dict[str, Any]]:
    return (v for v in values if isinstance(v, dict)) if isinstance(values, list) else iter(())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
