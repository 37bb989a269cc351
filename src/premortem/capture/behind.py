"""The recording behind a middleware: a bounded queue, and a thread that spools.

Each process of a service has its own queue, thread and segments; after a fork they begin anew.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections import deque
from collections.abc import Mapping
from multiprocessing import util
from pathlib import Path

from msgspec.structs import replace

from premortem import config as configuration
from premortem.capture.observed import Copies, Observed, Observer
from premortem.capture.sampling import Sampler
from premortem.capture.spool import KEY_BYTES, Limits, SpoolWriter
from premortem.config import Config
from premortem.errors import ConfigError

QUEUE_BYTES_MAX = 16 * 1024 * 1024
"""Of what the thread has not taken yet; further exchanges are dropped, and counted."""
COPIES_BYTES_MAX = 64 * 1024 * 1024
"""Of the bodies of requests under way."""
BODY_BYTES_MAX = 1024 * 1024
"""Of one copied body: this is another's process, whose memory is not ours."""
TICK_S = 0.5
RETRY_S = 5.0
CLOSE_S_MAX = 5.0
OVERHEAD_BYTES = 500
VARIABLE = "PREMORTEM_SPOOL_KEY"

_log = logging.getLogger("premortem")


class Behind:
    """Takes what a middleware observed; no method raises, or waits for a disk."""

    def __init__(
        self,
        *,
        directory: Path | None,
        sample: float | None,
        key: bytes | None,
        config: Config | None,
        environment: Mapping[str, str],
    ) -> None:
        """Raises ConfigError when SAMPLE is no share."""
        if config is None:
            file = configuration.find(Path.cwd())
            config = configuration.load(file) if file else Config(directory=str(Path.cwd()))
        # Everything that comes by here is the service's own traffic.
        capture = replace(config.capture, hosts=("*",))
        self._config = replace(config, capture=capture)
        self._directory = directory or config.path(capture.spool)
        self._key = key
        self._environment = environment
        self._share = capture.sample if sample is None else sample
        self.copies = Copies(
            body_bytes_max=min(BODY_BYTES_MAX, capture.body_bytes_max), bytes_max=COPIES_BYTES_MAX
        )
        self.dropped = 0
        """Exchanges that were to be recorded and were not."""
        self.written = 0
        """Exchanges on the disk, by this process."""
        self.trouble = ""
        self._begin()

    def _begin(self) -> None:
        """Anew, for this process."""
        self._pid = os.getpid()
        self._sampler = Sampler(self._share)
        self._queue: deque[Observed] = deque()
        self._queued = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closing = self._off = False
        self.dropped = self.written = 0
        self.copies.held = 0

    def wants(self, who: bytes) -> bool:
        """Whether to copy a request of WHO."""
        return self._sampler.wants(who, time.time())

    def offer(self, observed: Observed) -> None:
        """Record OBSERVED, unless the queue is full."""
        if os.getpid() != self._pid:
            self._begin()
        size = OVERHEAD_BYTES + len(observed.request_body or b"")
        size += len(observed.response_body or b"")
        with self._lock:
            if self._off or self._queued + size > QUEUE_BYTES_MAX:
                self.dropped += 1
                return
            self._queue.append(observed)
            self._queued += size
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(
                    target=self._run, name="premortem-record", daemon=True
                )
                self._thread.start()
                # `atexit` is not run in the workers that multiprocessing starts; this is in both.
                util.Finalize(None, self.close, exitpriority=100)

    def close(self) -> None:
        """Write down what is left; at most CLOSE_S_MAX. What comes later begins a new segment."""
        thread = self._thread
        if os.getpid() != self._pid or thread is None:
            return
        with self._lock:
            self._closing = True
        self._wake.set()
        thread.join(CLOSE_S_MAX)
        with self._lock:
            if not thread.is_alive():
                self._thread, self._closing = None, False

    # The thread's side.

    def _run(self) -> None:
        try:
            key = self._key or self._found_key()
            observer = Observer(self._config, key, environment=self._environment)
            writer = SpoolWriter(
                self._directory, key, limits=Limits.of(self._config.capture), now=time.time
            )
        except Exception as error:  # the service's traffic goes on without us
            self._give_up(error)
            return
        blocked_until = 0.0
        while True:
            self._wake.wait(TICK_S)
            closing = self._closing
            for observed in self._taken():
                if time.monotonic() < blocked_until:
                    self.dropped += 1
                    continue
                try:
                    exchange = observer.take(observed)
                    if exchange is not None:
                        writer.write(exchange)
                except OSError as error:
                    blocked_until = time.monotonic() + RETRY_S
                    self._tell(error)
                except Exception as error:
                    self.dropped += 1
                    self._tell(error)
            try:
                writer.close() if closing else writer.tick()
            except OSError as error:
                self._tell(error)
            self.written = writer.written
            if closing:
                return

    def _taken(self) -> list[Observed]:
        with self._lock:
            taken = list(self._queue)
            self._queue.clear()
            self._queued = 0
        return taken

    def _found_key(self) -> bytes:
        """From the environment, or from the store that the configuration names."""
        text = self._environment.get(VARIABLE, "")
        if text:
            try:
                key = b64decode(text, validate=True)
            except (Base64Error, ValueError):
                key = b""
            if len(key) != KEY_BYTES:
                raise ConfigError(f"{VARIABLE} is not what `premortem spool key` prints")
            return key
        # Only here: a service that is given the key needs neither a store nor its libraries.
        from premortem.store import open_store

        with open_store(self._config.store, Path(self._config.directory)) as store:
            return store.redaction_key

    def _give_up(self, error: Exception) -> None:
        self._tell(error)
        with self._lock:
            self._off = True
            self.dropped += len(self._queue)
            self._queue.clear()

    def _tell(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self.trouble:
            self.trouble = text
            _log.warning("premortem does not record: %s", text)
