"""The recorder: a process of its own that filters, tags, redacts and spools what it is handed.

It reads frames from standard input (a length of 4 bytes, big-endian, then MessagePack): first
its settings, then exchanges. Once a second it says on standard output what it has done.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from premortem.capture.observed import Observer, decode
from premortem.capture.spool import Limits, SpoolWriter, is_full
from premortem.config import Config

READ_BYTES = 1024 * 1024
FRAME_LENGTH_BYTES = 4
FRAME_BYTES_MAX = 256 * 1024 * 1024
TICK_S = 0.5
RETRY_S = 5.0
"""After the disk took nothing, it is tried again after so long."""
NICENESS = 5
"""The traffic comes first where cores are few."""


class Settings(Struct, frozen=True, kw_only=True):
    """What a recorder has to know; it gets it through the pipe, not the command line."""

    config: Config
    key: bytes
    directory: str


class Report(Struct, frozen=True, kw_only=True):
    """What a recorder has done so far; one JSON line a second."""

    read: int = 0
    kept: int = 0
    written: int = 0
    """Exchanges on the disk."""
    lost: int = 0
    """Exchanges that the disk did not take, and exchanges that it failed on."""
    dropped: Mapping[str, int] = {}
    """Reason -> exchanges that the filters leave out."""
    malformed: int = 0
    redacted: Mapping[str, int] = {}
    bodies_dropped: int = 0
    closed: int = 0
    """Segments closed: they can be taken in."""
    removed: int = 0
    """Segments removed to keep the spool within its limits."""
    trouble: str = ""
    """Why nothing can be written at the moment."""


class Recorder:
    """What the process does, apart from where its bytes come from."""

    def __init__(self, settings: Settings) -> None:
        config = settings.config
        self._observer = Observer(config, settings.key)
        self._writer = SpoolWriter(
            Path(settings.directory),
            settings.key,
            limits=Limits.of(config.capture),
            now=time.time,
        )
        self._failed = 0
        self._full_until = 0.0
        self._trouble = ""

    def take(self, frame: bytes) -> None:
        """One exchange as it came."""
        try:
            exchange = self._observer.take(decode(frame))
        except Exception as error:  # one exchange must not end the recording
            self._failed += 1
            self._trouble = f"an exchange could not be recorded: {type(error).__name__}"
            return
        if exchange is None:
            return
        if self._full_until and time.monotonic() < self._full_until:
            self._failed += 1
            return
        try:
            self._writer.write(exchange)
        except OSError as error:
            self._refused(error)

    def tick(self) -> None:
        """Every TICK_S: what is due goes to the disk."""
        try:
            self._writer.tick()
        except OSError as error:
            self._refused(error)
        else:
            if self._full_until and time.monotonic() >= self._full_until:
                self._full_until, self._trouble = 0.0, ""

    def close(self) -> None:
        """Nothing more comes."""
        try:
            self._writer.close()
        except OSError as error:
            self._refused(error)

    def _refused(self, error: OSError) -> None:
        why = "the disk is full" if is_full(error) else (error.strerror or str(error))
        self._trouble = f"the spool cannot be written: {why}"
        self._full_until = time.monotonic() + RETRY_S

    def report(self) -> Report:
        """What was done so far."""
        counts, writer = self._observer.counts, self._writer
        return Report(
            read=counts.read,
            kept=counts.kept,
            written=writer.written,
            lost=writer.lost + self._failed,
            dropped=dict(counts.dropped),
            malformed=counts.malformed_total,
            redacted=dict(counts.redacted),
            bodies_dropped=counts.bodies_dropped,
            closed=writer.closed,
            removed=writer.removed,
            trouble=self._trouble,
        )


def frames(descriptor: int) -> Iterator[bytes | None]:
    """What comes through DESCRIPTOR, frame by frame; None at least every TICK_S, to its end."""
    buffer = bytearray()
    ticked = time.monotonic()
    while True:
        ready, _, _ = select.select([descriptor], [], [], TICK_S)
        if time.monotonic() - ticked >= TICK_S:
            ticked = time.monotonic()
            yield None
        if not ready:
            continue
        data = os.read(descriptor, READ_BYTES)
        if not data:
            return
        buffer += data
        at = 0
        while len(buffer) - at >= FRAME_LENGTH_BYTES:
            size = int.from_bytes(buffer[at : at + FRAME_LENGTH_BYTES], "big")
            if size > FRAME_BYTES_MAX:
                return
            start, end = at + FRAME_LENGTH_BYTES, at + FRAME_LENGTH_BYTES + size
            if len(buffer) < end:
                break
            yield bytes(memoryview(buffer)[start:end])
            at = end
        del buffer[:at]


def main() -> None:
    """Run until standard input ends."""
    os.nice(NICENESS)
    stream = frames(sys.stdin.fileno())
    first = next(frame for frame in stream if frame is not None)
    recorder = Recorder(msgspec.msgpack.decode(first, type=Settings))
    told = 0.0
    for frame in stream:
        if frame is not None:
            recorder.take(frame)
            continue
        recorder.tick()
        if time.monotonic() - told >= 1.0:
            told = time.monotonic()
            _tell(recorder.report())
    recorder.close()
    _tell(recorder.report())


def _tell(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()
