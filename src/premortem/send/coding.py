"""Content codings of answers (RFC 9110, 8.4), undone with a limit against bombs."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import zstandard

CODINGS_MAX = 4
"""Codings stacked on one body; nobody honest uses more than one."""


class TooLarge(Exception):
    """The body is larger than allowed once its coding is undone."""


class NotDecodable(Exception):
    """The body is not what its `content-encoding` says."""


def decoded(body: bytes, content_encoding: str, bytes_max: int) -> bytes:
    """BODY without its codings, at most BYTES_MAX bytes; an unknown coding is left as it is.

    Raises TooLarge or NotDecodable.
    """
    codings = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
    if len(codings) > CODINGS_MAX:
        raise NotDecodable(f"{len(codings)} content codings on one body")
    for name in reversed(codings):
        if name == "identity" or not body:
            continue
        decode = _DECODERS.get(name)
        if decode is None:
            return body
        body = decode(body, bytes_max)
    return body


def _inflated(body: bytes, window_bits: int, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    room = bytes_max
    while body:
        stream = zlib.decompressobj(window_bits)
        try:
            part = stream.decompress(body, room + 1)
        except zlib.error as error:
            raise NotDecodable(str(error)) from None
        if len(part) > room:
            raise TooLarge
        if not stream.eof:
            raise NotDecodable("the compressed body is cut off")
        parts.append(part)
        room -= len(part)
        body = stream.unused_data if stream.unused_data[:2] == b"\x1f\x8b" else b""
    return b"".join(parts)


def _gzip(body: bytes, bytes_max: int) -> bytes:
    return _inflated(body, 31, bytes_max)


def _deflate(body: bytes, bytes_max: int) -> bytes:
    """The zlib wrapping that RFC 9110 means, or the bare stream that some servers send."""
    try:
        return _inflated(body, 15, bytes_max)
    except NotDecodable:
        return _inflated(body, -15, bytes_max)


def _zstd(body: bytes, bytes_max: int) -> bytes:
    stream = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    parts: list[bytes] = []
    room = bytes_max
    try:
        # One block of input at a time: a block holds at most 128 KiB of output (RFC 8878).
        for start in range(0, len(body), 4096):
            if stream.eof:
                break
            part = stream.decompress(body[start : start + 4096])
            room -= len(part)
            if room < 0:
                raise TooLarge
            parts.append(part)
    except zstandard.ZstdError as error:
        raise NotDecodable(str(error)) from None
    if not stream.eof:
        raise NotDecodable("the compressed body is cut off")
    return b"".join(parts)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
