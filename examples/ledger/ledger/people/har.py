"""Writes HTTP exchanges as HAR 1.2 while they happen."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import parse_qsl, urlsplit

CREATOR = '{"name": "ledger.client", "version": "1"}'
HEAD = f'{{"log": {{"version": "1.2", "creator": {CREATOR}, "entries": [\n'
TAIL = "\n]}}\n"
GZIP_LEVEL = 6


@dataclass(frozen=True, kw_only=True)
class Exchanged:
    """One request with its answer, as it went over the wire."""

    started_at: datetime
    duration_ms: float
    method: str
    url: str
    request_headers: Mapping[str, str]
    request_body: str
    status: int
    reason: str
    response_headers: Sequence[tuple[str, str]]
    response_body: str


class HarWriter:
    """A HAR file that appears under its name only when it is complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.part")
        self._separator = ""

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (
            gzip.open(self._unfinished, "wt", compresslevel=GZIP_LEVEL, encoding="utf-8")
            if self._path.suffix == ".gz"
            else self._unfinished.open("w", encoding="utf-8")
        )
        self._file.write(HEAD)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._file.write(TAIL)
        self._file.close()
        if kind is None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink()

    def write(self, exchanged: Exchanged) -> None:
        """Append one entry."""
        line = json.dumps(_entry(exchanged), ensure_ascii=False)
        self._file.write(self._separator + line)
        self._separator = ",\n"


def _entry(exchanged: Exchanged) -> dict[str, Any]:
    started = exchanged.started_at.astimezone(UTC).isoformat(timespec="milliseconds")
    duration_ms = round(exchanged.duration_ms, 3)
    return {
        "startedDateTime": started.replace("+00:00", "Z"),
        "time": duration_ms,
        "request": _request(exchanged),
        "response": _response(exchanged),
        "cache": {},
        "timings": {"send": 0, "wait": duration_ms, "receive": 0},
    }


def _request(exchanged: Exchanged) -> dict[str, Any]:
    query = parse_qsl(urlsplit(exchanged.url).query, keep_blank_values=True)
    request: dict[str, Any] = {
        "method": exchanged.method,
        "url": exchanged.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(exchanged.request_headers.items()),
        "queryString": _pairs(query),
        "headersSize": -1,
        "bodySize": len(exchanged.request_body.encode()),
    }
    if exchanged.request_body:
        mime = exchanged.request_headers.get("Content-Type", "")
        request["postData"] = {"mimeType": mime, "text": exchanged.request_body}
    return request


def _response(exchanged: Exchanged) -> dict[str, Any]:
    names = {name.lower(): value for name, value in exchanged.response_headers}
    size = len(exchanged.response_body.encode())
    return {
        "status": exchanged.status,
        "statusText": exchanged.reason,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(exchanged.response_headers),
        "content": {
            "size": size,
            "mimeType": names.get("content-type", ""),
            "text": exchanged.response_body,
        },
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": size,
    }


def _pairs(pairs: Any) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]
