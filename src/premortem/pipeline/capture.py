"""Recordings -> redacted exchanges in the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from premortem.capture import CaptureCounts, capture_har
from premortem.config import Config
from premortem.store import Store

Progress = Callable[[Path, int], None]


class Captured(Struct, frozen=True, kw_only=True):
    """What an import did."""

    files: tuple[str, ...]
    read: int
    added: int
    duplicates: int
    """Kept by the filters, but in the store already."""
    dropped: Mapping[str, int]
    """Reason -> exchanges."""
    malformed: tuple[tuple[str, int, str], ...]
    """(file, index of the entry, reason), the first ones."""
    malformed_total: int
    redacted: Mapping[str, int]
    """Rule -> values replaced."""
    bodies_dropped: int = 0
    """Bodies over `body_bytes_max`; their exchanges are kept without them."""
    bodies_missing: int = 0
    """Response bodies that the recordings themselves left out."""
    seconds: float


def capture(
    paths: Iterable[Path], *, config: Config, store: Store, progress: Progress | None = None
) -> Captured:
    """Import the HAR files PATHS; importing one twice adds nothing.

    Raises InputError for a file that is no HAR; what was whole before the fault is stored.
    """
    started = time.perf_counter()
    counts = CaptureCounts()
    names: list[str] = []
    malformed: list[tuple[str, int, str]] = []
    added = duplicates = 0
    for path in paths:
        known = len(counts.malformed)
        exchanges = capture_har(
            path,
            config=config,
            redaction_key=store.redaction_key,
            counts=counts,
            progress=_bind_path(progress, path),
        )
        report = store.add_exchanges(exchanges)
        added += report.added
        duplicates += report.duplicates
        names.append(str(path))
        malformed += [(str(path), index, why) for index, why in counts.malformed[known:]]
    return Captured(
        files=tuple(names),
        read=counts.read,
        added=added,
        duplicates=duplicates,
        dropped=dict(counts.dropped),
        malformed=tuple(malformed),
        malformed_total=counts.malformed_total,
        redacted=dict(counts.redacted),
        bodies_dropped=counts.bodies_dropped,
        bodies_missing=counts.bodies_missing,
        seconds=time.perf_counter() - started,
    )


def _bind_path(progress: Progress | None, path: Path) -> Callable[[int], None] | None:
    return None if progress is None else lambda position: progress(path, position)
