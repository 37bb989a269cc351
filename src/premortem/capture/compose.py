"""Recordings as exchanges that may be stored: filtered, tagged, redacted, whatever their format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from premortem.capture.counts import CaptureCounts
from premortem.capture.filters import EntryFilter
from premortem.capture.har import read_entries
from premortem.capture.message import Unusable
from premortem.capture.recording import Progress, Recording
from premortem.capture.redact import Redactor
from premortem.capture.tag import Tagger
from premortem.config import Config
from premortem.domain.traffic import Exchange


def capture_recordings(
    recordings: Iterable[tuple[int, Recording]],
    *,
    config: Config,
    redaction_key: bytes,
    counts: CaptureCounts,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Exchange]:
    """The exchanges of RECORDINGS, as a reader yields them, that CONFIG keeps, redacted.

    One at a time; COUNTS is filled on the way. Raises ConfigError for filters that cannot be, and
    what the reader raises.
    """
    intake = Intake(config, redaction_key, counts=counts, environment=environment)
    for index, recording in recordings:
        exchange = intake.take(index, recording)
        if exchange is not None:
            yield exchange


class Intake:
    """Takes recordings in one by one, in order. Raises ConfigError for filters that cannot be."""

    def __init__(
        self,
        config: Config,
        redaction_key: bytes,
        *,
        counts: CaptureCounts,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.counts = counts
        self._keep = EntryFilter(config)
        self._tagger = Tagger(config, redaction_key, environment=environment)
        self._redactor = Redactor(redaction_key, config.redact)
        self._body_bytes_max = config.capture.body_bytes_max

    def take(self, index: int, recording: Recording) -> Exchange | None:
        """The exchange that may be stored; None when it is left out, and `counts` says why."""
        counts = self.counts
        try:
            reason = self._keep.reason(recording)
            if reason:
                counts.dropped[reason] += 1
                return None
            exchange = recording.exchange(body_bytes_max=self._body_bytes_max, counts=counts)
        except Unusable as error:
            counts.skip(index, str(error))
            return None
        tags = self._tagger.tag(exchange, recording.sender)
        counts.kept += 1
        return self._redactor.exchange(replace(exchange, tags=tags), counts.redacted)


def capture_har(
    path: Path,
    *,
    config: Config,
    redaction_key: bytes,
    counts: CaptureCounts,
    progress: Progress | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Exchange]:
    """The exchanges in the HAR file at PATH that CONFIG keeps, redacted, one at a time.

    Raises InputError when PATH is no HAR or is cut short (after its whole entries were yielded).
    """
    return capture_recordings(
        read_entries(path, counts=counts, progress=progress),
        config=config,
        redaction_key=redaction_key,
        counts=counts,
        environment=environment,
    )
