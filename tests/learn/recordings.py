"""HAR recordings as exchanges, without the store: what the learner is tried on."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from premortem.domain.tokens import make_token
from premortem.domain.traffic import Exchange, Request, Response, Tags

DROPPED = {"host", "content-length", "connection", "transfer-encoding", "content-encoding"}
CREDENTIALS = {"authorization", "cookie", "set-cookie"}
KEY = b"0" * 32
SECRETS = re.compile(r'("[a-z_]*(?:password|token)"\s*:\s*")([^"\\]+)')


@cache
def recording(path: Path) -> tuple[Exchange, ...]:
    """All exchanges of a HAR file, in order; `session` from the credentials' hash."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path) as file:
        entries = json.load(file)["log"]["entries"]
    found = [exchange(entry) for entry in entries]
    return tuple(sorted(found, key=lambda e: e.started_at))


def exchange(entry: dict) -> Exchange:
    asked, answered = entry["request"], entry["response"]
    url = urlsplit(asked["url"])
    secret = next(
        (h["value"] for h in asked["headers"] if h["name"].lower() == "authorization"), ""
    )
    started = datetime.fromisoformat(entry["startedDateTime"].replace("Z", "+00:00"))
    return Exchange(
        request=Request(
            method=asked["method"],
            origin=f"{url.scheme}://{url.netloc}",
            path=url.path or "/",
            query=tuple(parse_qsl(url.query, keep_blank_values=True)),
            headers=tuple(headers(asked["headers"])),
            body=body(asked.get("postData") or {}),
        ),
        response=Response(
            status=answered["status"],
            headers=tuple(headers(answered["headers"])),
            body=body(answered["content"]),
        ),
        started_at=started.timestamp(),
        duration_ms=float(entry["time"]),
        tags=Tags(
            session=sha256(secret.encode()).hexdigest()[:12] if secret else "",
            role="user" if secret else "",
        ),
    )


def headers(pairs: list[dict]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        name = pair["name"].lower()
        if name in CREDENTIALS:
            yield name, make_token(KEY, pair["value"])
        elif name not in DROPPED:
            yield name, pair["value"]


def body(content: dict) -> bytes:
    text = SECRETS.sub(lambda m: m[1] + make_token(KEY, m[2]), content.get("text") or "")
    return base64.b64decode(text) if content.get("encoding") == "base64" else text.encode()
