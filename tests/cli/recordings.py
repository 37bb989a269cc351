"""HAR files of any content, good and bad."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any


def entry(
    path: str = "/things",
    *,
    base: str = "http://127.0.0.1:8000",
    body: bytes = b"{}",
    media_type: str = "application/json",
    minute: int = 0,
) -> dict[str, Any]:
    """A GET that BODY answers, in base64."""
    return {
        "startedDateTime": f"2026-05-01T10:{minute % 60:02}:{minute // 60 % 60:02}.000Z",
        "time": 3.0,
        "request": {"method": "GET", "url": base + path, "headers": [], "queryString": []},
        "response": {
            "status": 200,
            "headers": [{"name": "Content-Type", "value": media_type}],
            "content": {
                "mimeType": media_type,
                "encoding": "base64",
                "text": base64.b64encode(body).decode(),
            },
        },
    }


def write_har(path: Path, entries: list[Any]) -> Path:
    """ENTRIES as a recording in PATH."""
    creator = {"name": "tests", "version": "1"}
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": creator, "entries": entries}}))
    return path
