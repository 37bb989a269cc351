"""Cassettes: the recordings of vcrpy (YAML, JSON), Betamax (JSON) and Ruby's VCR (YAML, JSON).

Sources: vcrpy's and Betamax's serialisers, versions 1 and 0.9; VCR's cassette format. They tell
no durations and, vcrpy, no times: those are the answers' dates.
"""

from __future__ import annotations

import codecs
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from premortem.capture.counts import CaptureCounts
from premortem.capture.message import Unusable, encoded, http_date, timestamp
from premortem.capture.recording import (
    DEFAULTS,
    Entry,
    Progress,
    ReadOptions,
    Undated,
    damaged,
    not_a,
    split_entries,
)
from premortem.capture.split import BadDocument, Splitter
from premortem.capture.stream import BrokenStream, pieces
from premortem.capture.yaml_stream import YamlItems
from premortem.domain.traffic import Pairs, first

IS_A = "a cassette"
GIVE = "a cassette of vcrpy, Betamax or VCR, YAML or JSON"
KEYS = ("interactions", "http_interactions")
"""Where vcrpy keeps them, and where the others do."""
_HEAD_BYTES = 64 * 1024

_Headers = dict[str, list[Any] | str | int | None] | list[Any] | None


class _Request(Struct, frozen=True):
    method: str
    uri: str
    body: Any = None
    headers: _Headers = None


class _Response(Struct, frozen=True):
    status: Any = None
    body: Any = None
    headers: _Headers = None
    status_code: int | None = None
    """Written by vcrpy for httpx up to version 5, with `content`."""
    content: Any = None


class _Interaction(Struct, frozen=True):
    request: _Request
    response: _Response
    recorded_at: str | None = None


_JSON = msgspec.json.Decoder(_Interaction)


def read_cassette(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Progress | None = None,
    options: ReadOptions = DEFAULTS,  # noqa: ARG001 - a cassette says all by itself
) -> Iterator[tuple[int, Entry]]:
    """The interactions on the cassette at PATH, in order; numbered from 0.

    Raises InputError when it is none; when it is cut short, after its whole interactions.
    """
    try:
        head = next(pieces(path), b"")[:_HEAD_BYTES]
    except BrokenStream as error:
        raise not_a(path, IS_A, str(error), give=GIVE) from None
    key = KEYS[b"http_interactions" in head]
    if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
        splitter = Splitter(_JSON.decode, keys=(key,))
        found = split_entries(
            path, splitter, counts=counts, progress=progress, is_a=IS_A, give=GIVE
        )
    else:
        found = _yaml(path, key, counts, progress)
    dates = Undated(path)
    for index, interaction in found:
        try:
            entry = _entry(interaction, dates)
        except Unusable as error:
            counts.skip(index, str(error))
        else:
            yield index, entry


class _Stream:
    """The bytes of a file for PyYAML to read from."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._pieces = pieces(path, progress=progress)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """At most SIZE bytes; none at the end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _yaml(
    path: Path, key: str, counts: CaptureCounts, progress: Progress | None
) -> Iterator[tuple[int, _Interaction]]:
    items = YamlItems(_Stream(path, progress), key)
    index = -1
    try:
        for index, item in enumerate(items):
            counts.read += 1
            try:
                interaction = msgspec.convert(item, _Interaction)
            except msgspec.ValidationError as error:
                counts.skip(index, f"{error} (line {items.line})")
            else:
                yield index, interaction
    except (BadDocument, BrokenStream) as error:
        if items.begun:
            raise damaged(path, str(error), read=index + 1) from None
        raise not_a(path, IS_A, str(error), give=GIVE) from None


def _entry(interaction: _Interaction, dates: Undated) -> Entry:
    """The exchange that INTERACTION records. Raises Unusable."""
    request, response = interaction.request, interaction.response
    headers, answer_headers = _pairs(request.headers), _pairs(response.headers)
    status = response.status_code
    if status is None and isinstance(response.status, dict):
        status = response.status.get("code")
    if not isinstance(status, int):
        raise Unusable("its response has no status code")
    body = response.body if response.content is None else response.content
    return Entry(
        method=request.method,
        target=request.uri,
        headers=headers,
        body=_body(request.body, headers),
        status=status,
        answer_headers=answer_headers,
        answer_body=_body(body, answer_headers),
        started_at=dates.at(answer_headers, _recorded_at(interaction.recorded_at)),
    )


def _recorded_at(text: str | None) -> float | None:
    if not text:
        return None
    try:
        return timestamp(text)
    except Unusable:
        return http_date(text)


def _pairs(headers: _Headers) -> Pairs:
    """HEADERS as pairs; a name may have one value, or several in a list."""
    if not headers:
        return ()
    pairs: list[tuple[str, str]] = []
    items = headers.items() if isinstance(headers, dict) else (_pair(item) for item in headers)
    for name, value in items:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, bytes):
                text = text.decode("latin-1")
            pairs.append((str(name).lower(), "" if text is None else str(text)))
    return tuple(pairs)


def _pair(item: Any) -> tuple[str, Any]:
    if isinstance(item, list | tuple) and len(item) == 2:
        return str(item[0]), item[1]
    raise Unusable("its headers are neither a mapping nor pairs")


def _body(value: Any, headers: Pairs) -> bytes:
    """The bytes of a body: text, binary, or either inside an object. Raises Unusable."""
    content_type = first(headers, "content-type") or ""
    if isinstance(value, dict):
        coded = value.get("base64_string")
        if coded is not None:
            try:
                return b64decode(coded)
            except (ValueError, TypeError):
                raise Unusable("its body is not valid base64") from None
        value = value.get("string")
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return encoded(value, content_type)
    raise Unusable("its body is neither text nor binary")
