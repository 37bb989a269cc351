"""GoReplay's files: `gor --output-file FILE`, with requests alone or with responses.

A payload is a line of meta data (`1 ID NANOSECONDS [LATENCY]`; 1 request, 2 response, 3 replayed
response), the HTTP/1 message as it went over the wire, and a separator line of three monkeys.
Source: goreplay, docs/Saving-and-Replaying-from-file and proto package.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from premortem.capture.counts import CaptureCounts
from premortem.capture.message import Unusable
from premortem.capture.recording import DEFAULTS, Entry, Progress, ReadOptions, damaged, not_a
from premortem.capture.stream import BrokenStream, pieces
from premortem.capture.wire import WireMessage, parse_request, parse_response

SEPARATOR = "\n🐵🙈🙉\n".encode()
GIVE = "a file as `gor --output-file` writes it"
PAYLOAD_BYTES_MAX = 64 * 1024 * 1024
"""A larger payload is passed over without being held."""
WAITING_MAX = 10_000
"""Requests whose responses have not come yet; the oldest is then taken to have none."""
WAITING_BYTES_MAX = 64 * 1024 * 1024

META = re.compile(rb"([123]) ([0-9a-zA-Z_-]{1,64}) (\d{1,20})(?: (\d{1,20}))?\r?\n?")


class _Waiting(NamedTuple):
    place: int
    request: WireMessage
    at_ns: int


def read_goreplay(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Progress | None = None,
    options: ReadOptions = DEFAULTS,
) -> Iterator[tuple[int, Entry]]:
    """The requests in the file at PATH with their responses; numbered by payload, from 0.

    A response that comes WAITING_MAX requests late, or never, leaves its request without one.
    Raises InputError when it is no such file; when it is cut short, after its whole payloads.
    """
    reader = _Reader(counts, options.origin)
    index = -1
    try:
        for index, payload in enumerate(_payloads(path, progress)):
            try:
                yield from reader.take(index, payload)
            except Unusable as error:
                if index == 0:
                    raise not_a(path, "a GoReplay file", str(error), give=GIVE) from None
                counts.read += 1
                counts.skip(index, str(error))
    except BrokenStream as error:
        yield from reader.finish()
        raise damaged(path, str(error), read=counts.read) from None
    yield from reader.finish()
    if index < 0:
        raise not_a(path, "a GoReplay file", "it is empty", give=GIVE)


class _Reader:
    """Joins requests and responses by their ids."""

    def __init__(self, counts: CaptureCounts, origin: str) -> None:
        self._counts, self._origin = counts, origin
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._bytes = 0

    def take(self, index: int, payload: bytes | None) -> Iterator[tuple[int, Entry]]:
        """The exchanges that PAYLOAD completes. Raises Unusable."""
        if payload is None:
            raise Unusable(f"larger than {PAYLOAD_BYTES_MAX} bytes")
        meta = META.match(payload)
        if meta is None:
            raise Unusable("it does not begin with a kind, an id and a time")
        kind, name, at_ns = meta[1], meta[2], int(meta[3])
        data = payload[meta.end() :]
        if kind == b"1":
            request = parse_request(data)
            self._counts.read += 1
            old = self._waiting.pop(name, None)
            if old is not None:
                yield self._done(old, None, 0.0)
            self._waiting[name] = _Waiting(index, request, at_ns)
            self._bytes += len(request.body)
            while len(self._waiting) > WAITING_MAX or self._bytes > WAITING_BYTES_MAX:
                yield self._done(self._waiting.popitem(last=False)[1], None, 0.0)
        elif kind == b"2" and name in self._waiting:
            response = parse_response(data)
            waiting = self._waiting.pop(name)
            latency_ns = int(meta[4] or 0) or max(0, at_ns - waiting.at_ns)
            yield self._done(waiting, response, latency_ns * 1e-6)

    def finish(self) -> Iterator[tuple[int, Entry]]:
        """The requests that were not answered."""
        while self._waiting:
            yield self._done(self._waiting.popitem(last=False)[1], None, 0.0)

    def _done(
        self, waiting: _Waiting, response: WireMessage | None, duration_ms: float
    ) -> tuple[int, Entry]:
        request = waiting.request
        self._bytes -= len(request.body)
        host = next((v for k, v in request.headers if k.lower() == "host"), "")
        return waiting.place, Entry(
            method=request.method,
            target=request.target,
            origin=self._origin or (f"http://{host}" if host else ""),
            headers=request.headers,
            body=request.body,
            status=response.status if response else 0,
            answer_headers=response.headers if response else (),
            answer_body=response.body if response else b"",
            started_at=waiting.at_ns * 1e-9,
            duration_ms=duration_ms,
            recorded="all" if response else "request",
        )


def _payloads(path: Path, progress: Progress | None) -> Iterator[bytes | None]:
    """The payloads of a file, without their separators; None for one that is too large."""
    buffer = bytearray()
    scanned = 0
    skipping = False
    for piece in pieces(path, progress=progress):
        buffer += piece
        start = 0
        while (end := buffer.find(SEPARATOR, max(start, scanned))) >= 0:
            yield None if skipping else bytes(memoryview(buffer)[start:end])
            skipping = False
            start = end + len(SEPARATOR)
            scanned = 0
        del buffer[:start]
        if len(buffer) > PAYLOAD_BYTES_MAX:
            del buffer[: -len(SEPARATOR)]
            skipping = True
        scanned = max(0, len(buffer) - len(SEPARATOR))
    if skipping:
        yield None
    elif buffer.strip():
        yield bytes(buffer)
