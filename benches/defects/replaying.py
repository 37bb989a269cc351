"""The recorded session, sent again plainly: same order, same roles, ids as the service gives them.

Where an answer has another id, time or token than the recorded one at the same place, later
requests carry the new one. Nothing is generated, nothing judged.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

VALUE_LETTERS_MIN = 8
"""Shorter values are words, not ids; replacing them would change more than they name."""
NUMBER_MIN = 1_000_000_000
"""Numbers from here on are times or versions."""
LEARNED_MAX = 5000
TIMEOUT_S = 60
_OWN_HEADERS = {"host", "content-length", "connection", "transfer-encoding", "accept-encoding"}


class Replayed(Struct, frozen=True, kw_only=True):
    """How true it was."""

    sent: int
    same: int
    """Answers with the recorded status."""


def replay(recording: Path, port: int) -> Replayed:
    """Send RECORDING, a HAR, to the loopback's PORT."""
    data = recording.read_bytes()
    entries = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    known: dict[str, str] = {}
    sent = same = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    for entry in entries["log"]["entries"]:
        status, headers, body = _again(connection, entry["request"], known)
        sent += 1
        recorded = entry["response"]
        same += status == recorded["status"]
        before = _json(recorded["content"].get("text", ""))
        if before is not None and status == recorded["status"]:
            _learn(before, _json(body.decode("utf-8", "replace")), known)
        tags = {h["name"].lower(): h["value"] for h in recorded["headers"]}
        if (old := tags.get("etag")) and (new := headers.get("etag")) and old != new:
            known[old.strip('"')] = new.strip('"')
    connection.close()
    return Replayed(sent=sent, same=same)


def _again(
    connection: http.client.HTTPConnection, request: dict[str, Any], known: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(request["url"])
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    target = _renewed(target, known)
    headers = {
        header["name"]: _renewed(header["value"], known)
        for header in request["headers"]
        if header["name"].lower() not in _OWN_HEADERS
    }
    for attempt in (0, 1):
        try:
            connection.request(
                request["method"], target, body=_payload(request, known), headers=headers
            )
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            if attempt:
                return 0, {}, b""
    return 0, {}, b""


def _payload(request: dict[str, Any], known: dict[str, str]) -> bytes | None:
    posted = request.get("postData")
    if not posted:
        return None
    if posted.get("encoding") == "base64":
        return base64.b64decode(posted["text"])
    return _renewed(posted.get("text", ""), known).encode()


def _renewed(text: str, known: dict[str, str]) -> str:
    found = [old for old in known if old in text]
    if not found:
        return text
    pattern = "|".join(re.escape(old) for old in sorted(found, key=len, reverse=True))
    return re.sub(pattern, lambda match: known[match[0]], text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _learn(before: Any, after: Any, known: dict[str, str]) -> None:
    for old, new in _pairs(before, after):
        if old != new and len(known) < LEARNED_MAX:
            known[old] = new


def _pairs(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() & after.keys():
            yield from _pairs(before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for old, new in zip(before, after, strict=True):
            yield from _pairs(old, new)
    elif isinstance(before, str) and isinstance(after, str):
        if len(before) >= VALUE_LETTERS_MIN:
            yield before, after
    elif type(before) is int and type(after) is int and before >= NUMBER_MIN:
        yield str(before), str(after)
