"""The bytes of a file, plain or gzip, piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from premortem.errors import InputError

PIECE_BYTES = 256 * 1024
"""Read at once: enough that per-piece work vanishes, little enough to stay flat."""
UNPACKED_BYTES_MAX = 1024 * 1024
"""Unpacked at once, so that a piece that unpacks a thousandfold does not fill the memory."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31
"""zlib: a window of 32 KiB (15), with a gzip header (16)."""


class BrokenStream(Exception):
    """The file ends or turns to junk inside; `str` says how."""


def pieces(path: Path, *, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """The unpacked bytes of PATH in pieces of at most `UNPACKED_BYTES_MAX`.

    Gzip (RFC 1952, several members too) is told by its magic number, not by name.
    PROGRESS is called with the number of bytes of the file itself read so far.
    Raises InputError when the file cannot be opened, BrokenStream when its gzip is damaged.
    """
    try:
        file = path.open("rb")
    except IsADirectoryError:
        raise InputError(f"{path} is a directory; name the recording inside it") from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; check the name and the permissions"
        ) from None
    with file:
        raw = _raw(file, progress)
        head = next(raw, b"")
        if head.startswith(_GZIP_MAGIC):
            yield from _unpack(head, raw)
        elif head:
            yield head
            yield from raw


def _raw(file: BinaryIO, progress: Callable[[int], None] | None) -> Iterator[bytes]:
    total = 0
    while piece := file.read(PIECE_BYTES):
        total += len(piece)
        if progress is not None:
            progress(total)
        yield piece


def _unpack(head: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    piece: bytes | None = head
    while piece is not None:
        while piece:
            if unpacker.eof:
                piece = piece.lstrip(b"\0")
                if not piece.startswith(_GZIP_MAGIC[: len(piece)]):
                    return  # what stands behind the last member is not ours
                if not piece:
                    break
                unpacker = zlib.decompressobj(_GZIP_WINDOW)
            try:
                out = unpacker.decompress(piece, UNPACKED_BYTES_MAX)
            except zlib.error as error:
                raise BrokenStream(f"its gzip data is damaged ({error})") from None
            piece = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if out:
                yield out
        piece = next(raw, None)
    if not unpacker.eof:
        raise BrokenStream("its gzip data ends too early")
