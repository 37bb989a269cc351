"""Postman collections, format 2.0 and 2.1, as exported.

A saved example is an exchange with its answer; a request without examples is one without. Source:
schema.postman.com, collection/json/v2.0.0 and v2.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.capture.counts import CaptureCounts
from premortem.capture.draft import LANGUAGES, Draft, fill, graphql, signed, texts
from premortem.capture.message import Part, Unusable
from premortem.capture.recording import (
    DEFAULTS,
    Entry,
    Progress,
    ReadOptions,
    Undated,
    not_a,
    whole,
)
from premortem.domain.traffic import Pairs
from premortem.errors import InputError

GIVE = "a Postman collection exported as v2.1 or v2.0"
COLLECTION_BYTES_MAX = 256 * 1024 * 1024
FOLDERS_DEPTH_MAX = 50
_VARIABLE = re.compile(r"\{\{([^{}]{1,200})\}\}")
_STRAY_FILE = "contents of a file"


def read_postman(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Progress | None = None,
    options: ReadOptions = DEFAULTS,
) -> Iterator[tuple[int, Entry]]:
    """The requests and saved examples of the collection at PATH; numbered from 0.

    Raises InputError when it is none, or when the environment that OPTIONS names cannot be read.
    """
    data = whole(path, bytes_max=COLLECTION_BYTES_MAX, progress=progress)
    collection = _decoded(path, data)
    if isinstance(collection.get("collection"), dict):
        collection = collection["collection"]  # as Postman's API wraps it
    items = collection.get("item")
    if not isinstance(items, list):
        old = "it has format 1" if "requests" in collection else 'it holds no "item"'
        raise not_a(path, "a Postman collection", old, give=GIVE)
    values = _values(collection.get("variable"))
    if options.environment:
        values |= environment(Path(options.environment))
    reader = _Reader(values, options.origin, Undated(path), counts)
    index = -1
    for item, auth in _leaves(items, collection.get("auth")):
        for recorded in reader.recordings(item):
            index += 1
            counts.read += 1
            try:
                entry = reader.entry(*recorded, auth)
            except Unusable as error:
                counts.skip(index, str(error))
            else:
                if entry is not None:
                    yield index, entry


def environment(path: Path) -> dict[str, str]:
    """The values of the exported Postman environment at PATH. Raises InputError."""
    data = whole(path, bytes_max=COLLECTION_BYTES_MAX, progress=None)
    values = _decoded(path, data).get("values")
    if not isinstance(values, list):
        raise not_a(
            path, "a Postman environment", 'it holds no "values"', give="an exported environment"
        )
    return _values(values)


def _decoded(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_a(path, "a Postman file", str(error), give=GIVE) from None
    if not isinstance(value, dict):
        raise not_a(path, "a Postman file", "it holds no object", give=GIVE)
    return value


def _values(variables: Any) -> dict[str, str]:
    """Variables by name; disabled ones left out."""
    return texts(
        (str(v.get("key") or v.get("id") or ""), v.get("value"))
        for v in _objects(variables)
        if not v.get("disabled") and v.get("enabled", True)
    )


def _leaves(items: list[Any], auth: Any, depth: int = 0) -> Iterator[tuple[dict[str, Any], Any]]:
    """The requests of folders, in order, with the auth helper that holds for them."""
    if depth > FOLDERS_DEPTH_MAX:
        raise InputError(f"a collection has at most {FOLDERS_DEPTH_MAX} folders inside each other")
    for item in _objects(items):
        if isinstance(item.get("item"), list):
            yield from _leaves(item["item"], item.get("auth") or auth, depth + 1)
        else:
            yield item, auth


class _Reader:
    """Requests of one collection as entries."""

    def __init__(
        self, values: Mapping[str, str], origin: str, dates: Undated, counts: CaptureCounts
    ) -> None:
        self._values, self._origin, self._dates, self._counts = values, origin, dates, counts

    def recordings(self, item: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any] | None]]:
        """(request, example) of ITEM: one for every saved example, or the request alone."""
        examples = [e for e in _objects(item.get("response")) if isinstance(e.get("code"), int)]
        for example in examples:
            yield example.get("originalRequest") or item.get("request"), example
        if not examples:
            yield item.get("request"), None

    def entry(self, request: Any, example: dict[str, Any] | None, auth: Any) -> Entry | None:
        """The exchange; None when a variable that it needs has no value. Raises Unusable."""
        if isinstance(request, str):
            request = {"url": request}
        if not isinstance(request, dict) or not request.get("url"):
            raise Unusable("it has no request with a URL")
        draft = self._draft(request)
        self._sign(draft, request.get("auth") or auth)
        answer_headers = self._headers((example or {}).get("header"))
        started_at = self._dates.at(answer_headers)
        entry = draft.entry(started_at=started_at, origin=self._origin, counts=self._counts)
        if entry is None or example is None:
            return entry
        taken_ms = example.get("responseTime")
        return replace(
            entry,
            status=example["code"],
            answer_headers=answer_headers,
            answer_body=_text(example.get("body")).encode("utf-8", "replace"),
            duration_ms=float(taken_ms) if isinstance(taken_ms, int | float) else 0.0,
            recorded="all",
        )

    def _fill(self, value: Any) -> str:
        return fill(_text(value), self._values, _VARIABLE)

    def _draft(self, request: dict[str, Any]) -> Draft:
        url, query, path_values = self._url(request["url"])
        draft = Draft(
            method=self._fill(request.get("method") or "GET"),
            url=url,
            query=query,
            path_values=path_values,
            headers=self._headers(request.get("header")),
        )
        body = request.get("body")
        if isinstance(body, dict) and not body.get("disabled"):
            self._add_body(draft, body)
        return draft

    def _url(self, url: Any) -> tuple[str, Pairs, dict[str, str]]:
        """The address without what `query` lists, that, and the values of `:name` segments."""
        if not isinstance(url, dict):
            return self._fill(url), (), {}
        raw = _text(url.get("raw")) or _joined(url)
        query = url.get("query")
        if isinstance(query, list):
            raw = raw.partition("?")[0]
        listed = _listed(url.get("variable"), "key", "id")
        return (
            self._fill(raw),
            tuple((self._fill(k), self._fill(v)) for k, v in _listed(query, "key")),
            {name: self._fill(value) for name, value in listed},
        )

    def _headers(self, headers: Any) -> Pairs:
        if isinstance(headers, str):
            lines = (line.partition(":") for line in headers.splitlines() if ":" in line)
            return tuple((name.strip(), self._fill(value.strip())) for name, _, value in lines)
        return tuple((self._fill(k), self._fill(v)) for k, v in _listed(headers, "key"))

    def _add_body(self, draft: Draft, body: dict[str, Any]) -> None:
        mode = body.get("mode")
        given = body.get(mode) if isinstance(mode, str) else None
        if mode == "raw":
            draft.body = self._fill(given)
            options = body.get("options")
            raw = options.get("raw") if isinstance(options, dict) else None
            language = raw.get("language") if isinstance(raw, dict) else None
            draft.media_type = LANGUAGES.get(_text(language), "")
        elif mode == "urlencoded":
            draft.form = tuple((self._fill(k), self._fill(v)) for k, v in _listed(given, "key"))
        elif mode == "formdata":
            draft.parts = tuple(self._parts(given))
        elif mode == "graphql" and isinstance(given, dict):
            draft.body = graphql(self._fill(given.get("query")), self._fill(given.get("variables")))
            draft.media_type = "application/json"
        elif mode == "file":
            self._counts.leave_out(_STRAY_FILE)

    def _parts(self, fields: Any) -> Iterator[Part]:
        for field in _objects(fields):
            if field.get("disabled"):
                continue
            if field.get("type") == "file":
                self._counts.leave_out(_STRAY_FILE)
                continue
            yield Part(
                name=self._fill(field.get("key")),
                value=self._fill(field.get("value")),
                content_type=_text(field.get("contentType")),
            )

    def _sign(self, draft: Draft, auth: Any) -> None:
        if not isinstance(auth, dict):
            return
        kind = _text(auth.get("type"))
        given = auth.get(kind)
        pairs = given.items() if isinstance(given, dict) else _listed(given, "key")
        filled = {str(name): self._fill(value) for name, value in pairs}
        signed(draft, kind, filled, self._counts)


def _joined(url: dict[str, Any]) -> str:
    """An address from its parts, where the export leaves `raw` out."""
    host, path = url.get("host"), url.get("path")
    host = ".".join(map(_text, host)) if isinstance(host, list) else _text(host)
    path = "/".join(map(_text, path)) if isinstance(path, list) else _text(path)
    protocol = _text(url.get("protocol"))
    port = f":{_text(url.get('port'))}" if url.get("port") else ""
    return f"{protocol + '://' if protocol else ''}{host}{port}/{path.lstrip('/')}"


def _objects(values: Any) -> Iterator[dict[str, Any]]:
    return (v for v in values if isinstance(v, dict)) if isinstance(values, list) else iter(())


def _listed(values: Any, *keys: str) -> list[tuple[str, str]]:
    """Names and values of a list of objects; disabled ones left out."""
    return [
        (next((_text(v[key]) for key in keys if v.get(key)), ""), _text(v.get("value")))
        for v in _objects(values)
        if not v.get("disabled")
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return "" if value is None else msgspec.json.encode(value).decode()
