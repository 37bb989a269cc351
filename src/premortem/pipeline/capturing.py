"""Recordings -> redacted exchanges in the store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from premortem.capture import (
    FORMATS,
    CaptureCounts,
    Format,
    ReadOptions,
    capture_recordings,
    detect,
)
from premortem.config import Config
from premortem.errors import InputError
from premortem.store import Store

Progress = Callable[[Path, int], None]
FILES_MAX = 10_000
"""Files of one directory, with those inside it."""
PASSED_OVER_LISTED_MAX = 100
"""Files of directories that hold nothing of the kind and are named; further ones are counted."""


class Captured(Struct, frozen=True, kw_only=True):
    """What an import did."""

    files: tuple[str, ...]
    formats: tuple[str, ...] = ()
    """Of each of the files, by name."""
    passed_over: tuple[str, ...] = ()
    """Files in directories that are of no such format, the first ones."""
    passed_over_total: int = 0
    read: int
    added: int
    duplicates: int
    """Kept by the filters, but in the store already."""
    dropped: Mapping[str, int]
    """Reason -> exchanges."""
    malformed: tuple[tuple[str, int, str], ...]
    """(file, index of the entry or number of the line, reason), the first ones."""
    malformed_total: int
    redacted: Mapping[str, int]
    """Rule -> values replaced."""
    bodies_dropped: int = 0
    """Bodies over `body_bytes_max`; their exchanges are kept without them."""
    bodies_missing: int = 0
    """Response bodies that the recordings themselves left out."""
    bodies_coded: int = 0
    """Bodies in a content coding that cannot be undone here, and so not redacted; dropped."""
    left_out: Mapping[str, int] = {}
    """What recordings do not hold, such as a variable's value -> parts left out for it."""
    seconds: float


class _Found(Struct):
    """The files to read, and what lay beside them."""

    files: list[tuple[Path, Format]] = []
    passed_over: list[str] = []
    passed_over_total: int = 0


def capture(
    paths: Iterable[Path],
    *,
    config: Config,
    store: Store,
    progress: Progress | None = None,
    form: str = "",
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
) -> Captured:
    """Import the recordings PATHS; importing one twice adds nothing.

    FORM: the name of their format in `FORMATS`; empty: each file's content tells. Directories
    stand for the files inside them that are of that format, or of any.
    Raises InputError for a file of no such format; what was whole before a fault is stored.
    """
    started = time.perf_counter()
    counts = CaptureCounts()
    malformed: list[tuple[str, int, str]] = []
    added = duplicates = 0
    found = _find(paths, form, options)
    for path, known in found.files:
        mark = len(counts.malformed)
        recordings = known.read(
            path, counts=counts, progress=_bind_path(progress, path), options=options
        )
        exchanges = capture_recordings(
            recordings, config=config, redaction_key=store.redaction_key, counts=counts
        )
        report = store.add_exchanges(exchanges)
        added += report.added
        duplicates += report.duplicates
        malformed += [(str(path), index, why) for index, why in counts.malformed[mark:]]
    return Captured(
        files=tuple(str(path) for path, _ in found.files),
        formats=tuple(known.name for _, known in found.files),
        passed_over=tuple(found.passed_over),
        passed_over_total=found.passed_over_total,
        read=counts.read,
        added=added,
        duplicates=duplicates,
        dropped=dict(counts.dropped),
        malformed=tuple(malformed),
        malformed_total=counts.malformed_total,
        redacted=dict(counts.redacted),
        bodies_dropped=counts.bodies_dropped,
        bodies_missing=counts.bodies_missing,
        bodies_coded=counts.bodies_coded,
        left_out=dict(counts.left_out),
        seconds=time.perf_counter() - started,
    )


def _find(paths: Iterable[Path], form: str, options: ReadOptions) -> _Found:
    """The files that PATHS stand for, with their formats. Raises InputError."""
    found = _Found()
    for path in paths:
        if path.is_dir():
            known = len(found.files)
            for file in _inside(path):
                name = detect(file, options)
                if name and form in ("", name):
                    found.files.append((file, FORMATS[name]))
                    continue
                found.passed_over_total += 1
                if len(found.passed_over) < PASSED_OVER_LISTED_MAX:
                    found.passed_over.append(str(file))
            if len(found.files) == known:
                raise InputError(
                    f"no file in {path} is {FORMATS[form].title if form else _any_format()}; "
                    f"name the recordings themselves"
                )
            continue
        name = form or detect(path, options)
        if not name:
            raise InputError(
                f"{path} has none of the known formats; give {_any_format()}. If you know what it "
                f"is, name the format (premortem capture log FILE): its errors say more"
            )
        found.files.append((path, FORMATS[name]))
    return found


def _inside(directory: Path) -> Iterator[Path]:
    """The files in DIRECTORY and the folders inside it, by name; hidden ones left out."""
    count = 0
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith("."):
                continue
            count += 1
            if count > FILES_MAX:
                raise InputError(
                    f"{directory} holds more than {FILES_MAX} files; name smaller folders"
                )
            yield Path(folder) / name


def _any_format() -> str:
    *titles, last = (known.title for known in FORMATS.values())
    return f"{', '.join(titles)} or {last}"


def _bind_path(progress: Progress | None, path: Path) -> Callable[[int], None] | None:
    return None if progress is None else lambda position: progress(path, position)
