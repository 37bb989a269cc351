"""Small HAR files, made in the test that reads them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


def entry(
    method: str = "GET",
    url: str = "http://api.test/items",
    *,
    headers: dict[str, str] | None = None,
    post: dict[str, Any] | None = None,
    status: int = 200,
    response_headers: dict[str, str] | None = None,
    content: dict[str, Any] | None = None,
    at: str = "2026-01-02T03:04:05.678Z",
    **more: Any,
) -> dict[str, Any]:
    """One entry as a recorder writes it."""
    request: dict[str, Any] = {
        "method": method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "headers": [{"name": k, "value": v} for k, v in (headers or {}).items()],
        "queryString": [],
        "cookies": [],
        "headersSize": -1,
        "bodySize": -1,
    }
    if post is not None:
        request["postData"] = post
    return {
        "startedDateTime": at,
        "time": 12.5,
        "request": request,
        "response": {
            "status": status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": k, "value": v} for k, v in (response_headers or {}).items()],
            "cookies": [],
            "content": content if content is not None else {"size": 0, "mimeType": ""},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 1, "wait": 2, "receive": 3, "ssl": 4},
        **more,
    }


def json_content(value: Any) -> dict[str, Any]:
    text = json.dumps(value)
    return {"size": len(text), "mimeType": "application/json", "text": text}


def json_post(value: Any) -> dict[str, Any]:
    return {"mimeType": "application/json", "text": json.dumps(value)}


def document(entries: list[Any], **log: Any) -> bytes:
    log = {"version": "1.2", "creator": {"name": "test", "version": "1"}, **log}
    return json.dumps({"log": {**log, "entries": entries}}).encode()


def write(path: Path, entries: list[Any], *, packed: bool = False) -> Path:
    data = document(entries)
    path.write_bytes(gzip.compress(data) if packed else data)
    return path
