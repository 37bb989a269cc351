"""What every format's messages are made of: addresses, queries, headers, codings, times.

Sources: RFC 9110 (HTTP semantics), RFC 3986 (URIs), the URL Standard (forms), ISO 8601.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote_plus

from msgspec import Struct

from premortem.capture.counts import CaptureCounts
from premortem.capture.names import word_set
from premortem.domain.traffic import Pairs
from premortem.send.coding import NotDecodable, TooLarge, decoded

BODY_BYTES_MAX = 32 * 1024 * 1024
"""The default of `body_bytes_max`."""
FORM = "application/x-www-form-urlencoded"


class Unusable(Exception):
    """An entry that decodes but makes no exchange; `str` says why."""


class NotHttp(Unusable):
    """An entry that is whole, but of something else than an HTTP request."""

    def __init__(self) -> None:
        super().__init__("not http")


_URL = re.compile(r"(https?)://(?:[^/?#@]*@)?([^/?#]+)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PATH_SAFE = "/:@!$&'()*+,;=-._~%[]|"
_PATH_OK = re.compile(r"[\w/:@!$&'()*+,;=\-.~%\[\]|]*", re.ASCII)
_NOT_FETCHED = ("data:", "blob:", "about")
_HTTP = re.compile(r"https?://", re.IGNORECASE)
TARGETS_MAX = 1024
"""Targets of request lines that are remembered: traffic asks for few again and again."""


class Url(Struct, frozen=True):
    """A request's address, taken apart."""

    origin: str
    """Empty where a recording does not name it."""
    path: str
    query: str


@lru_cache(maxsize=256)
def parse_url(text: str) -> Url:
    """TEXT as origin, path and raw query; user information and fragment are left out.

    Raises NotHttp for another scheme, Unusable when it is no absolute http or https URL.
    """
    found = _URL.match(text.strip())
    if found is None:
        if not _HTTP.match(text.lstrip()) and ("://" in text or text[:5] in _NOT_FETCHED):
            raise NotHttp
        raise Unusable("its URL is not an absolute http or https one")
    scheme, authority = found[1].lower(), found[2].lower()
    return Url(
        origin=f"{scheme}://{authority.removesuffix(_DEFAULT_PORTS[scheme])}",
        path=_path(found[3] or "/"),
        query=found[4] or "",
    )


@lru_cache(maxsize=TARGETS_MAX)
def parse_target(origin: str, target: str) -> Url:
    """The address of a request line: TARGET in origin form (`/path?query`), or absolute.

    ORIGIN, which may be empty, is used where TARGET names none. Raises as `parse_url` does.
    """
    if not target.startswith("/"):
        return parse_url(target)
    path, _, query = target.partition("#")[0].partition("?")
    if not origin:
        return Url(origin="", path=_path(path), query=query)
    return Url(origin=parse_url(origin).origin, path=_path(path), query=query)


def _path(text: str) -> str:
    return text if _PATH_OK.fullmatch(text) else quote(text, safe=_PATH_SAFE)


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


def write_query(pairs: Pairs) -> str:
    """PAIRS as a query or a form's body; the reverse of `parse_query`."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


TIME_LENGTH_MIN = len("2026-01-02T03:04")
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?"
)


def timestamp(text: str, *, name: str = "startedDateTime") -> float:
    """Seconds since the epoch of an ISO 8601 date and time; without an offset it is UTC.

    Fractions may have any length. Raises Unusable, which names the field NAME, when it is none.
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
        raise Unusable(f"its {name} is no ISO 8601 date and time")
    year, month, day, hour, minute = (int(found[group]) for group in range(1, 6))
    zone: timezone = UTC
    try:
        if found[9]:
            offset = timedelta(hours=int(found[10]), minutes=int(found[11] or 0))
            zone = timezone(-offset if found[9] == "-" else offset)
        whole = datetime(year, month, day, hour, minute, tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        raise Unusable(f"its {name} is no date of the calendar") from None
    return whole + int(found[6] or 0) + float(f"0.{found[7] or 0}")


def http_date(text: str) -> float | None:
    """Seconds since the epoch of a date in a header (RFC 9110, 5.6.7); None for none."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


_HOP_BY_HOP = word_set(
    "connection keep-alive proxy-connection transfer-encoding te trailer upgrade"
)
"""RFC 9110, 7.6.1."""
REQUEST_LEFT_OUT = _HOP_BY_HOP | {"host", "content-length"}
RESPONSE_LEFT_OUT = _HOP_BY_HOP | {"content-length"}


def end_to_end(headers: Pairs, left_out: frozenset[str]) -> Pairs:
    """HEADERS in lower case without pseudo headers and those LEFT_OUT or named by `connection`."""
    pairs = []
    named = None
    for name, value in headers:
        name = name.lower()
        if name in left_out:
            if name == "connection":
                named = {part.strip().lower() for part in value.split(",")}
        elif name and name[0] != ":":
            pairs.append((name, value))
    if named and not named <= {"close", "keep-alive"}:
        return tuple(pair for pair in pairs if pair[0] not in named)
    return tuple(pairs)


def typed(headers: Pairs, mime_type: str) -> Pairs:
    """HEADERS with MIME_TYPE, unless it is empty, as their only content type."""
    if not mime_type or ("content-type", mime_type) in headers:
        return headers
    return (*(pair for pair in headers if pair[0] != "content-type"), ("content-type", mime_type))


_CHARSET = re.compile(r'charset\s*=\s*"?([\w.:-]+)', re.IGNORECASE)


def encoded(text: str, mime_type: str) -> bytes:
    """TEXT in the character set that MIME_TYPE names, UTF-8 where it names none that can be."""
    found = _CHARSET.search(mime_type) if "=" in mime_type else None
    charset = found[1].lower() if found else "utf-8"
    if charset in ("utf-8", "utf8"):
        return text.encode("utf-8", "replace")
    try:
        return text.encode(charset)
    except (LookupError, UnicodeError):
        return text.encode("utf-8", "replace")


_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})', re.IGNORECASE)


class Part(Struct, frozen=True, kw_only=True):
    """A field of a form of parts."""

    name: str
    value: str = ""
    file_name: str = ""
    content_type: str = ""


def multipart(parts: list[Part], mime_type: str) -> tuple[str, bytes]:
    """The content type, with a boundary, and the body of a form of PARTS (RFC 7578)."""
    found = _BOUNDARY.search(mime_type)
    boundary = found[1].strip() if found else "premortem-form-boundary"
    lines = []
    for part in parts:
        name = part.name.replace('"', "%22")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if part.file_name:
            head += '; filename="{}"'.format(part.file_name.replace('"', "%22"))
        if part.content_type:
            head += f"\r\nContent-Type: {part.content_type}"
        lines.append(f"{head}\r\n\r\n{part.value}\r\n")
    body = "".join(lines) + f"--{boundary}--\r\n"
    return (mime_type if found else f"multipart/form-data; boundary={boundary}"), body.encode()


_MAGIC = {"gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


def unpacked(
    headers: Pairs, body: bytes, *, body_bytes_max: int, counts: CaptureCounts
) -> tuple[Pairs, bytes]:
    """HEADERS and BODY with the content coding undone, where the recorder had not done so.

    What cannot be undone is dropped and counted: nobody could redact what is in it. The same
    for a body larger than BODY_BYTES_MAX.
    """
    coding = next((v.strip().lower() for k, v in headers if k == "content-encoding"), "")
    if coding:
        headers = tuple(pair for pair in headers if pair[0] != "content-encoding")
        try:
            body = _undone(body, coding, body_bytes_max)
        except NotDecodable:
            if not _readable(body):  # else the recorder undid the coding and left the header
                counts.bodies_coded += 1
                body = b""
        except TooLarge:
            counts.bodies_dropped += 1
            body = b""
    if len(body) > body_bytes_max:
        counts.bodies_dropped += 1
        body = b""
    return headers, body


def _undone(body: bytes, coding: str, bytes_max: int) -> bytes:
    """BODY without CODING. Raises NotDecodable, TooLarge."""
    magic = _MAGIC.get(coding)
    if not body or coding == "identity":
        return body
    if magic is not None and not body.startswith(magic):
        raise NotDecodable
    plain = decoded(body, coding, bytes_max)
    if plain is body:
        raise NotDecodable  # a coding that nobody here knows
    return plain


def _readable(body: bytes) -> bool:
    try:
        return body.isascii() or bool(body.decode())
    except UnicodeDecodeError:
        return False
