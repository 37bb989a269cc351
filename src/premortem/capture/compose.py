"""A recording as exchanges that may be stored: read, filtered, tagged, redacted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from premortem.capture.counts import CaptureCounts
from premortem.capture.filters import EntryFilter
from premortem.capture.har import Unusable, read_entries, to_exchange
from premortem.capture.redact import Redactor
from premortem.capture.tag import Tagger
from premortem.config import Config
from premortem.domain.traffic import Exchange


def capture_har(
    path: Path,
    *,
    config: Config,
    redaction_key: bytes,
    counts: CaptureCounts,
    progress: Callable[[int], None] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Exchange]:
    """The exchanges in the HAR file at PATH that CONFIG keeps, redacted, one at a time.

    COUNTS is filled on the way. PROGRESS is called with the bytes of the file read so far.
    Raises ConfigError for filters that cannot be, InputError when PATH is no HAR or is cut short
    (after its whole entries were yielded).
    """
    keep = EntryFilter(config)
    tagger = Tagger(config, redaction_key, environment=environment)
    redactor = Redactor(redaction_key, config.redact)
    body_bytes_max = config.capture.body_bytes_max
    for index, entry in read_entries(path, counts=counts, progress=progress):
        try:
            reason = keep.reason(entry)
            if reason:
                counts.dropped[reason] += 1
                continue
            exchange = to_exchange(entry, body_bytes_max=body_bytes_max, counts=counts)
        except Unusable as error:
            counts.skip(index, str(error))
            continue
        tags = tagger.tag(exchange)
        counts.kept += 1
        yield redactor.exchange(replace(exchange, tags=tags), counts.redacted)
