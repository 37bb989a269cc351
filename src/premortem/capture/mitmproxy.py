"""Flow files of mitmproxy: `mitmdump -w FILE`, flow format 21 (mitmproxy 11 and 12).

A flow file is one typed netstring after the other (tnetstrings.org), mitmproxy's variant: text is
`;`, bytes are `,`. Read without mitmproxy: only what an exchange needs is looked at, so formats
from 7 (mitmproxy 5) on are read, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from premortem.capture.counts import CaptureCounts
from premortem.capture.message import Unusable
from premortem.capture.recording import (
    DEFAULTS,
    Entry,
    Progress,
    ReadOptions,
    Sender,
    damaged,
    not_a,
)
from premortem.capture.stream import BrokenStream, pieces
from premortem.domain.traffic import Pairs

GIVE = "a flow file as `mitmdump -w FILE` writes it"
FLOW_BYTES_MAX = 256 * 1024 * 1024
"""A larger flow is passed over without being held."""
DEPTH_MAX = 64
LENGTH_DIGITS_MAX = 12
VERSION_MIN = 7
"""From here on, a flow's fields have the names they have today."""


class NotNetstring(Exception):
    """The bytes are no typed netstring; `str` says why."""


def read_mitmproxy(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Progress | None = None,
    options: ReadOptions = DEFAULTS,  # noqa: ARG001 - flows say all by themselves
) -> Iterator[tuple[int, Entry]]:
    """The HTTP flows in the file at PATH, in the order they ended; numbered from 0.

    Raises InputError when it is no flow file; when it is cut short, after its whole flows.
    """
    index = -1
    try:
        for index, data in enumerate(_netstrings(path, progress)):
            counts.read += 1
            try:
                entry = _read(data)
            except (NotNetstring, Unusable) as error:
                if index == 0:
                    raise not_a(path, "a flow file", str(error), give=GIVE) from None
                counts.skip(index, str(error))
            else:
                if entry is None:
                    counts.dropped["not http"] += 1
                else:
                    yield index, entry
    except (NotNetstring, BrokenStream) as error:
        if index >= 0:
            raise damaged(path, str(error), read=index + 1) from None
        raise not_a(path, "a flow file", str(error), give=GIVE) from None
    if index < 0:
        raise not_a(path, "a flow file", "it is empty", give=GIVE)


def _netstrings(path: Path, progress: Progress | None) -> Iterator[bytes | None]:
    """The netstrings of a file as they stand there; None for one that is too large."""
    stream = pieces(path, progress=progress)
    buffer = bytearray()
    while True:
        while b":" not in buffer[: LENGTH_DIGITS_MAX + 1]:
            piece = next(stream, b"")
            if not piece:
                if buffer:
                    raise NotNetstring("its last flow is not whole")
                return
            buffer += piece
            if len(buffer) > LENGTH_DIGITS_MAX:
                break
        digits, colon, _ = bytes(buffer[: LENGTH_DIGITS_MAX + 1]).partition(b":")
        if not colon or not digits.isdigit():
            raise NotNetstring("no length stands where a flow should begin")
        end = len(digits) + 1 + int(digits) + 1
        if end > FLOW_BYTES_MAX:
            _pass_over(stream, buffer, end)
            yield None
            continue
        while len(buffer) < end:
            piece = next(stream, b"")
            if not piece:
                raise NotNetstring("its last flow is not whole")
            buffer += piece
        yield bytes(memoryview(buffer)[:end])
        del buffer[:end]


def _pass_over(stream: Iterator[bytes], buffer: bytearray, end: int) -> None:
    """Let go END bytes of what is in BUFFER and comes from STREAM."""
    while len(buffer) < end:
        end -= len(buffer)
        buffer.clear()
        piece = next(stream, b"")
        if not piece:
            raise NotNetstring("its last flow is not whole")
        buffer += piece
    del buffer[:end]


def parse(data: bytes) -> Any:
    """The value of the typed netstring DATA. Raises NotNetstring."""
    value, end = _parsed(data, 0, len(data), 0)
    if end != len(data):
        raise NotNetstring("something stands behind a netstring's end")
    return value


def _parsed(data: bytes, start: int, limit: int, depth: int) -> tuple[Any, int]:
    """The value that begins at START, and where the next one does."""
    colon = data.find(b":", start, min(limit, start + LENGTH_DIGITS_MAX + 1))
    digits = data[start:colon]
    if colon < 0 or not digits.isdigit() or depth > DEPTH_MAX:
        raise NotNetstring("a netstring has no length, or is nested too deeply")
    begin = colon + 1
    end = begin + int(digits)
    if end >= limit:
        raise NotNetstring("a netstring is longer than what holds it")
    kind = data[end : end + 1]
    if kind in (b"]", b"}"):
        items = []
        position = begin
        while position < end:
            item, position = _parsed(data, position, end, depth + 1)
            items.append(item)
        return (items if kind == b"]" else _mapping(items)), end + 1
    text = data[begin:end]
    try:
        return _scalar(kind, text), end + 1
    except ValueError:
        raise NotNetstring(f"a netstring of kind {kind!r} does not hold one") from None


def _mapping(items: list[Any]) -> dict[str, Any]:
    if len(items) % 2:
        raise NotNetstring("a mapping has a name without a value")
    return {
        name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name): value
        for name, value in zip(items[::2], items[1::2], strict=True)
    }


def _scalar(kind: bytes, text: bytes) -> Any:
    match kind:
        case b",":
            return text
        case b";":
            return text.decode("utf-8", "replace")
        case b"#":
            return int(text)
        case b"^":
            return float(text)
        case b"!":
            return text == b"true"
        case b"~":
            return None
    raise ValueError


def _read(data: bytes | None) -> Entry | None:
    """The exchange of a flow; None for another protocol. Raises NotNetstring, Unusable."""
    if data is None:
        raise Unusable(f"larger than {FLOW_BYTES_MAX} bytes")
    flow = parse(data)
    if not isinstance(flow, dict):
        raise Unusable("not a flow")
    version = flow.get("version")
    if not isinstance(version, int) or version < VERSION_MIN:
        raise Unusable(f"its flow format {version!r} is older than {VERSION_MIN}")
    if _text(flow.get("type")) != "http":
        return None
    request, response = flow.get("request"), flow.get("response")
    if not isinstance(request, dict):
        raise Unusable("its request is missing")
    started = request.get("timestamp_start")
    if not isinstance(started, int | float):
        raise Unusable("its request has no time")
    client = flow.get("client_conn")
    peer = client.get("peername") if isinstance(client, dict) else None
    entry = Entry(
        method=_text(request.get("method")),
        target=_text(request.get("path")),
        origin=_origin(request),
        headers=_pairs(request.get("headers")),
        body=_bytes(request.get("content")),
        started_at=float(started),
        recorded="request",
        sender=Sender(address=_text(peer[0]) if isinstance(peer, list) and peer else ""),
    )
    return _answered(entry, response) if isinstance(response, dict) else entry


def _answered(entry: Entry, response: dict[str, Any]) -> Entry:
    status, ended = response.get("status_code"), response.get("timestamp_end")
    if not isinstance(status, int):
        raise Unusable("its response has no status")
    taken_s = max(0.0, ended - entry.started_at) if isinstance(ended, int | float) else 0.0
    return Entry(
        method=entry.method,
        target=entry.target,
        origin=entry.origin,
        headers=entry.headers,
        body=entry.body,
        status=status,
        answer_headers=_pairs(response.get("headers")),
        answer_body=_bytes(response.get("content")),
        started_at=entry.started_at,
        duration_ms=taken_s * 1e3,
        sender=entry.sender,
    )


def _origin(request: dict[str, Any]) -> str:
    """Where the client meant to go: what it called the host, not where the proxy connected to."""
    scheme = _text(request.get("scheme")) or "http"
    authority = _text(request.get("authority"))
    if not authority:
        headers = _pairs(request.get("headers"))
        authority = next((v for k, v in headers if k.lower() == "host"), "")
    if not authority:
        host = _text(request.get("host"))
        authority = f"[{host}]" if ":" in host else host
        authority += f":{request.get('port')}" if request.get("port") else ""
    return f"{scheme}://{authority}"


def _pairs(headers: Any) -> Pairs:
    if not isinstance(headers, list):
        return ()
    return tuple(
        (_text(pair[0]), _text(pair[1]))
        for pair in headers
        if isinstance(pair, list) and len(pair) == 2
    )


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b""
