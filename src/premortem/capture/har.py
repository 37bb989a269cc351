"""HAR 1.2 recordings: the archive's entries as exchanges, in the order they stand in.

Source: HTTP Archive 1.2 (Odvarko, Jain, Davies; W3C draft 2012-08-14), and what browsers,
proxies and converters write in its name: missing optional fields, HTTP/2 pseudo headers,
base64 request bodies, bodies left out, byte order marks.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from premortem.capture.counts import CaptureCounts
from premortem.capture.message import (
    BODY_BYTES_MAX,
    FORM,
    REQUEST_LEFT_OUT,
    RESPONSE_LEFT_OUT,
    Part,
    Unusable,
    Url,
    encoded,
    end_to_end,
    multipart,
    parse_query,
    parse_url,
    timestamp,
    typed,
    unpacked,
    write_query,
)
from premortem.capture.recording import (
    DEFAULTS,
    NOBODY,
    Progress,
    ReadOptions,
    Sender,
    split_entries,
)
from premortem.capture.split import ENTRY_BYTES_MAX, Splitter
from premortem.domain.traffic import (
    Exchange,
    Pairs,
    Recorded,
    Request,
    Response,
    media_type_of,
)

_Text = str | int | float | bool | None


class NameValue(Struct, frozen=True, gc=False):
    """A header, query parameter or cookie; some writers leave the value out."""

    name: str
    value: _Text = ""


class Param(Struct, frozen=True, gc=False):
    """A field of a posted form."""

    name: str
    value: _Text = None
    file_name: _Text = msgspec.field(name="fileName", default=None)
    content_type: _Text = msgspec.field(name="contentType", default=None)


class PostData(Struct, frozen=True, gc=False):
    """`postData`."""

    mime_type: str | None = msgspec.field(name="mimeType", default=None)
    text: str | None = None
    params: list[Param] | None = None
    encoding: str | None = None


class HarRequest(Struct, frozen=True, gc=False):
    """`request`."""

    method: str
    url: str
    headers: list[NameValue] | None = None
    post_data: PostData | None = msgspec.field(name="postData", default=None)


class Content(Struct, frozen=True, gc=False):
    """`content`."""

    size: float | None = None
    mime_type: str | None = msgspec.field(name="mimeType", default=None)
    text: str | None = None
    encoding: str | None = None


class HarResponse(Struct, frozen=True, gc=False):
    """`response`."""

    status: int
    headers: list[NameValue] | None = None
    content: Content | None = None


class HarEntry(Struct, frozen=True, gc=False):
    """One entry, as far as it says something about the exchange; a Recording."""

    started: str = msgspec.field(name="startedDateTime")
    request: HarRequest
    response: HarResponse
    time: float | None = None
    timings: dict[str, float | str | None] | None = None

    @property
    def recorded(self) -> Recorded:
        """An archive holds both messages; status 0 stands for a request that was given up."""
        return "all"

    @property
    def method(self) -> str:
        """As it stands there."""
        return self.request.method

    @property
    def status(self) -> int:
        """0: no answer came."""
        return self.response.status

    @property
    def sender(self) -> Sender:
        """An archive is one browser's or one client's."""
        return NOBODY

    def address(self) -> Url:
        """Where the request went. Raises NotHttp, or Unusable."""
        return parse_url(self.request.url)

    def media_type(self) -> str:
        """The answer's, as it stands there; empty when none is named."""
        for header in self.response.headers or ():
            if header.name.lower() == "content-type":
                return _plain(header.value)
        content = self.response.content
        return (content.mime_type if content else "") or ""

    def exchange(self, *, body_bytes_max: int, counts: CaptureCounts) -> Exchange:
        """The exchange that the entry records; larger bodies are left out. Raises Unusable."""
        return Exchange(
            request=_request(self.request, body_bytes_max, counts),
            response=_response(self.response, body_bytes_max, counts),
            started_at=timestamp(self.started),
            duration_ms=_duration_ms(self),
        )


_ENTRIES = msgspec.json.Decoder(HarEntry)


def read_entries(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Progress | None = None,
    options: ReadOptions = DEFAULTS,  # noqa: ARG001 - a HAR file says all by itself
    entry_bytes_max: int = ENTRY_BYTES_MAX,
) -> Iterator[tuple[int, HarEntry]]:
    """The usable entries of the recording at PATH with their indices, one at a time.

    Raises InputError when it is no HAR file; when it is cut short, after its whole entries.
    """
    splitter = Splitter(_ENTRIES.decode, entry_bytes_max=entry_bytes_max)
    return split_entries(
        path,
        splitter,
        counts=counts,
        progress=progress,
        is_a="a HAR file",
        give="a HAR 1.2 archive, plain or gzip",
    )


def read_har(
    path: Path,
    *,
    counts: CaptureCounts,
    body_bytes_max: int = BODY_BYTES_MAX,
    progress: Progress | None = None,
) -> Iterator[Exchange]:
    """Every exchange in the recording at PATH as it was sent: unfiltered, and not redacted.

    Raises InputError as `read_entries` does.
    """
    for index, entry in read_entries(path, counts=counts, progress=progress):
        try:
            exchange = entry.exchange(body_bytes_max=body_bytes_max, counts=counts)
        except Unusable as error:
            counts.skip(index, str(error))
        else:
            yield exchange


def _duration_ms(entry: HarEntry) -> float:
    if entry.time is not None and entry.time >= 0:
        return entry.time
    parts = (entry.timings or {}).items()
    # "ssl" is part of "connect" (HAR 1.2, timings); -1 says that a part does not apply
    return sum(v for k, v in parts if k != "ssl" and isinstance(v, int | float) and v > 0)


def _pairs(headers: list[NameValue] | None, left_out: frozenset[str]) -> Pairs:
    """HEADERS as they go from end to end, without those LEFT_OUT."""
    if not headers:
        return ()
    texts = [(h.name, h.value if isinstance(h.value, str) else _plain(h.value)) for h in headers]
    return end_to_end(tuple(texts), left_out)


def _plain(value: _Text) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _request(recorded: HarRequest, body_bytes_max: int, counts: CaptureCounts) -> Request:
    url = parse_url(recorded.url)
    headers = _pairs(recorded.headers, REQUEST_LEFT_OUT)
    body = b""
    if recorded.post_data is not None:
        headers, body = _posted(recorded.post_data, headers)
    headers, body = unpacked(headers, body, body_bytes_max=body_bytes_max, counts=counts)
    return Request(
        method=recorded.method.strip().upper() or "GET",
        origin=url.origin,
        path=url.path,
        query=parse_query(url.query),
        headers=headers,
        body=body,
    )


def _posted(data: PostData, headers: Pairs) -> tuple[Pairs, bytes]:
    """Headers (with a content type when only `postData` names one) and body."""
    mime_type = next((v for k, v in headers if k == "content-type"), None) or data.mime_type or ""
    body = b""
    if data.text:
        body = _body(data.text, data.encoding, mime_type, "request")
    elif data.params:
        if mime_type.lower().startswith("multipart/"):
            mime_type, body = multipart([_part(param) for param in data.params], mime_type)
        else:
            mime_type = mime_type or FORM
            body = write_query(tuple((p.name, _plain(p.value)) for p in data.params)).encode()
    return (typed(headers, mime_type) if body else headers), body


def _part(param: Param) -> Part:
    return Part(
        name=param.name,
        value=_plain(param.value),
        file_name=_plain(param.file_name),
        content_type=_plain(param.content_type),
    )


_ANSWER_LEFT_OUT = RESPONSE_LEFT_OUT | {"content-encoding"}
"""An archive holds the answer's content decoded (HAR 1.2, content)."""


def _response(recorded: HarResponse, body_bytes_max: int, counts: CaptureCounts) -> Response:
    headers = _pairs(recorded.headers, _ANSWER_LEFT_OUT)
    content = recorded.content
    body = b""
    if content is not None and content.text:
        mime_type = content.mime_type or ""
        if not media_type_of(headers) and mime_type and mime_type != "x-unknown":
            headers = typed(headers, mime_type)
        body = _body(content.text, content.encoding, mime_type, "response")
        if len(body) > body_bytes_max:
            counts.bodies_dropped += 1
            body = b""
    elif content is not None and (content.size or 0) > 0:
        counts.bodies_missing += 1
    return Response(status=recorded.status, headers=headers, body=body)


def _body(text: str, encoding: str | None, mime_type: str, side: str) -> bytes:
    """The bytes that TEXT stands for. Raises Unusable when it is no base64 although it should."""
    if encoding and encoding.strip().lower() == "base64":
        try:
            plain = "".join(text.split()).rstrip("=")
            return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise Unusable(f"its {side} body is not valid base64") from None
    return encoded(text, mime_type)
