"""The lines of a file, plain or gzip, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from premortem.capture.recording import Progress, damaged
from premortem.capture.stream import BrokenStream, pieces

LINE_BYTES_MAX = 1024 * 1024
"""A longer line is passed over without being held."""


def lines(path: Path, *, progress: Progress | None = None) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, line without its end) of the file at PATH; None for one that is too long.

    Raises InputError when it cannot be read, and for damaged gzip after the whole lines.
    """
    rest, number, skipping = b"", 0, False
    try:
        for piece in pieces(path, progress=progress):
            found = piece.split(b"\n")
            found[0] = rest + found[0]
            rest = found.pop()
            for line in found:
                number += 1
                too_long = skipping or len(line) > LINE_BYTES_MAX
                skipping = False
                yield number, None if too_long else line.removesuffix(b"\r")
            if len(rest) > LINE_BYTES_MAX:
                rest, skipping = b"", True
    except BrokenStream as error:
        raise damaged(path, str(error), read=number) from None
    if rest or skipping:
        yield number + 1, None if skipping else rest.removesuffix(b"\r")
