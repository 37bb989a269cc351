"""A message's body as a value: JSON as it is, forms as one flat object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from premortem.domain.traffic import Request, Response

BODY_BYTES_MAX = 4 * 1024 * 1024
"""Larger bodies are counted, not read: their shape would not differ."""
FORM_FIELDS_MAX = 2000
LEAVES_MAX = 20_000
"""Leaves of one body that are looked at."""
DEPTH_MAX = 24

_MULTIPART_PART = re.compile(rb"\r?\n\r?\n")


class File(Struct, frozen=True, kw_only=True):
    """A file in a multipart form; its content says nothing about the service."""

    media_type: str


class Body(Struct, frozen=True, kw_only=True):
    """What a body holds."""

    kind: Literal["json", "form", "multipart", "other", "none"]
    value: Any = None
    """JSON value; for forms name -> text, list of texts, or File."""


EMPTY = Body(kind="none")
OTHER = Body(kind="other")


def read_body(message: Request | Response) -> Body:
    """The body of MESSAGE; what cannot be read as what it claims to be is `other`."""
    data = message.body
    if not data:
        return EMPTY
    if len(data) > BODY_BYTES_MAX:
        return OTHER
    media_type = message.media_type
    if media_type == "application/x-www-form-urlencoded":
        return _form(data)
    if media_type == "multipart/form-data":
        return _multipart(data, message.header("content-type") or "")
    looks = data[:1] in b"{[" and media_type in ("", "text/plain", "text/html", "text/javascript")
    if media_type.endswith(("/json", "+json")) or looks:
        try:
            return Body(kind="json", value=msgspec.json.decode(data))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return OTHER
    return OTHER


def _form(data: bytes) -> Body:
    try:
        pairs = parse_qsl(
            data.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX, separator="&"
        )
    except (UnicodeDecodeError, ValueError):
        return OTHER
    return Body(kind="form", value=_gather(pairs))


def _multipart(data: bytes, content_type: str) -> Body:
    """The parts of multipart/form-data (RFC 7578)."""
    boundary = _parameters(content_type).get("boundary", "")
    if not boundary:
        return OTHER
    pairs: list[tuple[str, Any]] = []
    for part in data.split(b"--" + boundary.encode())[1 : FORM_FIELDS_MAX + 1]:
        head, blank, content = _halves(part)
        if not blank:
            continue
        headers = {
            key.strip().lower(): value.strip()
            for key, _, value in (
                line.partition(":") for line in head.decode("latin-1").splitlines()
            )
        }
        named = _parameters(headers.get("content-disposition", ""))
        if "name" not in named:
            continue
        if "filename" in named:
            kind = headers.get("content-type", "application/octet-stream")
            pairs.append((named["name"], File(media_type=kind.partition(";")[0].strip())))
        else:
            text = content.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")
            pairs.append((named["name"], text))
    return Body(kind="multipart", value=_gather(pairs)) if pairs else OTHER


def _halves(part: bytes) -> tuple[bytes, bool, bytes]:
    found = _MULTIPART_PART.search(part)
    if found is None:
        return part, False, b""
    return part[: found.start()].strip(), True, part[found.end() :]


def _parameters(header: str) -> dict[str, str]:
    """The parameters of a header such as content-disposition (RFC 2045, 5.1)."""
    message = Message()
    message["content-type"] = header
    pairs = message.get_params(failobj=[], unquote=True)
    return {key.lower(): value for key, value in pairs if isinstance(value, str)}


def _gather(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Pairs as an object; a name that comes again makes a list."""
    out: dict[str, Any] = {}
    for name, value in pairs:
        if name not in out:
            out[name] = value
        elif isinstance(out[name], list):
            out[name].append(value)
        else:
            out[name] = [out[name], value]
    return out


def leaves(value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(pointer tokens, `*` for array items; scalar) of a value, in document order.

    At most LEAVES_MAX of them, DEPTH_MAX deep.
    """
    left = LEAVES_MAX
    stack: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while stack and left:
        tokens, item = stack.pop()
        if isinstance(item, dict):
            if len(tokens) < DEPTH_MAX:
                stack.extend(((*tokens, str(key)), child) for key, child in reversed(item.items()))
        elif isinstance(item, list):
            if len(tokens) < DEPTH_MAX:
                stack.extend(((*tokens, "*"), child) for child in reversed(item))
        else:
            left -= 1
            yield tokens, item
