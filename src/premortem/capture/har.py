"""HAR 1.2 recordings: the archive's entries as exchanges, in the order they stand in.

Source: HTTP Archive 1.2 (Odvarko, Jain, Davies; W3C draft 2012-08-14), and what browsers,
proxies and converters write in its name: missing optional fields, HTTP/2 pseudo headers,
base64 request bodies, bodies left out, byte order marks.
"""

from __future__ import annotations

import binascii
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote_plus

import msgspec
from msgspec import Struct

from premortem.capture.counts import CaptureCounts
from premortem.capture.names import word_set
from premortem.capture.split import ENTRY_BYTES_MAX, NotHar, Skipped, Splitter
from premortem.capture.stream import BrokenStream, pieces
from premortem.domain.traffic import Exchange, Pairs, Request, Response, media_type_of
from premortem.errors import InputError

BODY_BYTES_MAX = 32 * 1024 * 1024
"""The default of `body_bytes_max`."""

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
    """One entry, as far as it says something about the exchange."""

    started: str = msgspec.field(name="startedDateTime")
    request: HarRequest
    response: HarResponse
    time: float | None = None
    timings: dict[str, float | str | None] | None = None


class Unusable(Exception):
    """An entry that decodes but makes no exchange; `str` says why."""


_ENTRIES = msgspec.json.Decoder(HarEntry)


def read_entries(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Callable[[int], None] | None = None,
    entry_bytes_max: int = ENTRY_BYTES_MAX,
) -> Iterator[tuple[int, HarEntry]]:
    """The usable entries of the recording at PATH with their indices, one at a time.

    Raises InputError when it is no HAR file; when it is cut short, after its whole entries.
    """
    splitter = Splitter(_ENTRIES.decode, entry_bytes_max=entry_bytes_max)
    index = -1
    try:
        for entry in _split(path, splitter, progress):
            index += 1
            counts.read += 1
            if isinstance(entry, Skipped):
                counts.skip(index, entry.reason)
            else:
                yield index, entry
        if splitter.ended:
            return
        reason = "it ends before its entries do"
    except (NotHar, BrokenStream) as error:
        reason = str(error)
    if splitter.begun:
        raise InputError(
            f"{path} is damaged or cut short: {reason}; the {index + 1} entries before that "
            f"were read. Import the whole file later: only what is missing is added"
        )
    raise InputError(
        f"{path} is not a HAR file ({reason if splitter.fed else 'it is empty'}); "
        f"give a HAR 1.2 archive, plain or gzip"
    )


def _split(
    path: Path, splitter: Splitter[HarEntry], progress: Callable[[int], None] | None
) -> Iterator[HarEntry | Skipped]:
    try:
        for piece in pieces(path, progress=progress):
            yield from splitter.feed(piece)
            if splitter.ended:
                return
    except BrokenStream:
        yield from splitter.finish()
        raise
    yield from splitter.finish()


def read_har(
    path: Path,
    *,
    counts: CaptureCounts,
    body_bytes_max: int = BODY_BYTES_MAX,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Exchange]:
    """Every exchange in the recording at PATH as it was sent: unfiltered, and not redacted.

    Raises InputError as `read_entries` does.
    """
    for index, entry in read_entries(path, counts=counts, progress=progress):
        try:
            exchange = to_exchange(entry, body_bytes_max=body_bytes_max, counts=counts)
        except Unusable as error:
            counts.skip(index, str(error))
        else:
            yield exchange


def to_exchange(entry: HarEntry, *, body_bytes_max: int, counts: CaptureCounts) -> Exchange:
    """The exchange that ENTRY records; larger bodies are left out. Raises Unusable."""
    return Exchange(
        request=_request(entry.request, body_bytes_max, counts),
        response=_response(entry.response, body_bytes_max, counts),
        started_at=timestamp(entry.started),
        duration_ms=_duration_ms(entry),
    )


_URL = re.compile(r"(https?)://(?:[^/?#@]*@)?([^/?#]+)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PATH_SAFE = "/:@!$&'()*+,;=-._~%[]|"
_PATH_OK = re.compile(r"[\w/:@!$&'()*+,;=\-.~%\[\]|]*", re.ASCII)


class Url(Struct, frozen=True):
    """A request's address, taken apart."""

    origin: str
    path: str
    query: str


@lru_cache(maxsize=256)
def parse_url(text: str) -> Url:
    """TEXT as origin, path and raw query; user information and fragment are left out.

    Raises Unusable when it is no absolute http or https URL.
    """
    found = _URL.match(text.strip())
    if found is None:
        raise Unusable("its URL is not an absolute http or https one")
    scheme, authority = found[1].lower(), found[2].lower()
    path = found[3] or "/"
    if not _PATH_OK.fullmatch(path):
        path = quote(path, safe=_PATH_SAFE)
    return Url(
        origin=f"{scheme}://{authority.removesuffix(_DEFAULT_PORTS[scheme])}",
        path=path,
        query=found[4] or "",
    )


def parse_query(text: str) -> Pairs:
    """Names and values of a raw query or form, decoded, in order (URL Standard, 5.1)."""
    if not text:
        return ()
    pairs = []
    plain = "%" not in text and "+" not in text
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if part:
            pairs.append((name, value) if plain else (unquote_plus(name), unquote_plus(value)))
    return tuple(pairs)


TIME_LENGTH_MIN = len("2026-01-02T03:04")
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?"
)


def timestamp(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 date and time; without an offset it is UTC.

    Fractions may have any length. Raises Unusable when it is none.
    """
    if len(text) >= TIME_LENGTH_MIN and text[10] in "T ":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass  # leap seconds and rarer spellings are read below
        else:
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise Unusable("its startedDateTime is no ISO 8601 date and time")
    year, month, day, hour, minute = (int(found[group]) for group in range(1, 6))
    zone: timezone = UTC
    try:
        if found[9]:
            offset = timedelta(hours=int(found[10]), minutes=int(found[11] or 0))
            zone = timezone(-offset if found[9] == "-" else offset)
        whole = datetime(year, month, day, hour, minute, tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        raise Unusable("its startedDateTime is no date of the calendar") from None
    return whole + int(found[6] or 0) + float(f"0.{found[7] or 0}")


def _duration_ms(entry: HarEntry) -> float:
    if entry.time is not None and entry.time >= 0:
        return entry.time
    parts = (entry.timings or {}).items()
    # "ssl" is part of "connect" (HAR 1.2, timings); -1 says that a part does not apply
    return sum(v for k, v in parts if k != "ssl" and isinstance(v, int | float) and v > 0)


_HOP_BY_HOP = word_set(
    "connection keep-alive proxy-connection transfer-encoding te trailer upgrade"
)
"""RFC 9110, 7.6.1."""
_REQUEST_LEFT_OUT = _HOP_BY_HOP | {"host", "content-length"}
_RESPONSE_LEFT_OUT = _HOP_BY_HOP | {"content-encoding", "content-length"}


def _pairs(headers: list[NameValue] | None, left_out: frozenset[str]) -> Pairs:
    """HEADERS in lower case without pseudo headers and those LEFT_OUT or named by `connection`."""
    if not headers:
        return ()
    pairs = []
    named = None
    for header in headers:
        name = header.name.lower()
        if name in left_out:
            if name == "connection":
                named = {part.strip().lower() for part in str(header.value).split(",")}
        elif name and name[0] != ":":
            value = header.value
            pairs.append((name, value if isinstance(value, str) else _plain(value)))
    if named and not named <= {"close", "keep-alive"}:
        return tuple(pair for pair in pairs if pair[0] not in named)
    return tuple(pairs)


def _plain(value: _Text) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _request(recorded: HarRequest, body_bytes_max: int, counts: CaptureCounts) -> Request:
    url = parse_url(recorded.url)
    headers = _pairs(recorded.headers, _REQUEST_LEFT_OUT)
    body = b""
    if recorded.post_data is not None:
        headers, body = _posted(recorded.post_data, headers)
    headers, body = _unpacked(headers, body, body_bytes_max)
    if len(body) > body_bytes_max:
        counts.bodies_dropped += 1
        body = b""
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
            mime_type, body = _multipart(data.params, mime_type)
        else:
            mime_type = mime_type or "application/x-www-form-urlencoded"
            pairs = ((p.name, _plain(p.value)) for p in data.params)
            body = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in pairs).encode()
    return (_typed(headers, mime_type) if body else headers), body


def _typed(headers: Pairs, mime_type: str) -> Pairs:
    if not mime_type or ("content-type", mime_type) in headers:
        return headers
    return (*(pair for pair in headers if pair[0] != "content-type"), ("content-type", mime_type))


_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})', re.IGNORECASE)


def _multipart(params: list[Param], mime_type: str) -> tuple[str, bytes]:
    """The content type, with a boundary, and the body of a form given as PARAMS (RFC 7578)."""
    found = _BOUNDARY.search(mime_type)
    boundary = found[1].strip() if found else "premortem-form-boundary"
    lines = []
    for param in params:
        name = param.name.replace('"', "%22")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if param.file_name:
            head += '; filename="{}"'.format(_plain(param.file_name).replace('"', "%22"))
        if param.content_type:
            head += f"\r\nContent-Type: {_plain(param.content_type)}"
        lines.append(f"{head}\r\n\r\n{_plain(param.value)}\r\n")
    body = "".join(lines) + f"--{boundary}--\r\n"
    return (mime_type if found else f"multipart/form-data; boundary={boundary}"), body.encode()


def _response(recorded: HarResponse, body_bytes_max: int, counts: CaptureCounts) -> Response:
    headers = _pairs(recorded.headers, _RESPONSE_LEFT_OUT)
    content = recorded.content
    body = b""
    if content is not None and content.text:
        mime_type = content.mime_type or ""
        if not media_type_of(headers) and mime_type and mime_type != "x-unknown":
            headers = _typed(headers, mime_type)
        body = _body(content.text, content.encoding, mime_type, "response")
        if len(body) > body_bytes_max:
            counts.bodies_dropped += 1
            body = b""
    elif content is not None and (content.size or 0) > 0:
        counts.bodies_missing += 1
    return Response(status=recorded.status, headers=headers, body=body)


_CHARSET = re.compile(r'charset\s*=\s*"?([\w.:-]+)', re.IGNORECASE)


def _body(text: str, encoding: str | None, mime_type: str, side: str) -> bytes:
    """The bytes that TEXT stands for. Raises Unusable when it is no base64 although it should."""
    if encoding and encoding.strip().lower() == "base64":
        try:
            plain = "".join(text.split()).rstrip("=")
            return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise Unusable(f"its {side} body is not valid base64") from None
    found = _CHARSET.search(mime_type) if "=" in mime_type else None
    charset = found[1].lower() if found else "utf-8"
    if charset in ("utf-8", "utf8"):
        return text.encode("utf-8", "replace")
    try:
        return text.encode(charset)
    except (LookupError, UnicodeError):
        return text.encode("utf-8", "replace")


_UNPACK_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def _unpacked(headers: Pairs, body: bytes, body_bytes_max: int) -> tuple[Pairs, bytes]:
    """A request's content coding undone where the recorder had not done so already.

    What cannot be undone keeps its header, so that it can still be sent as it was.
    """
    coding = next((v.strip().lower() for k, v in headers if k == "content-encoding"), "")
    if not coding or not body:
        return headers, body
    plain = tuple(pair for pair in headers if pair[0] != "content-encoding")
    if coding == "identity":
        return plain, body
    window = _UNPACK_WINDOWS.get(coding)
    if window is None:
        return headers, body
    packed = body[:1] == b"\x78" if coding == "deflate" else body[:2] == b"\x1f\x8b"
    if not packed:
        return plain, body
    try:
        return plain, zlib.decompressobj(window).decompress(body, body_bytes_max + 1)
    except zlib.error:
        return headers, body


def header_of(entry: HarEntry, name: str) -> str:
    """The first value of the response header NAME (lower case); empty when there is none."""
    for header in entry.response.headers or ():
        if header.name.lower() == name:
            return _plain(header.value)
    return ""
