"""Continuous capture: what a proxy or a middleware spools gets into the store, a bit at a time."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from premortem.capture.proxy import Counts, Proxy, Recording, Report
from premortem.capture.sampling import Sampler
from premortem.capture.spool import read_spool, segments
from premortem.config import Config
from premortem.errors import InputError, StoreError
from premortem.send.connect import tls_context
from premortem.send.line import new_loop
from premortem.send.origin import Address
from premortem.store import Store, open_store

LOOK_S = 0.5
"""The picture is renewed this often."""
IMPORT_EVERY_S = 2.0
"""Closed segments are looked for this often."""


class Imported(Struct, frozen=True, kw_only=True):
    """What became of the segments of a spool."""

    segments: int = 0
    """Taken in, and removed."""
    added: int = 0
    duplicates: int = 0
    waiting: int = 0
    """Segments left where they are, because the store or they themselves could not be used."""
    trouble: str = ""
    """Why."""


class Picture(Struct, frozen=True, kw_only=True):
    """How a proxy stands."""

    elapsed_s: float
    clients: int
    passed: int
    not_sampled: int
    recorded: int
    """On the disk."""
    dropped: int
    """Should have been recorded and were not: the recorder was slow, dead, or had no disk."""
    filtered: int
    """Left out by the filters of `[capture]`."""
    refused: int
    failed: int
    aborted: int
    upgraded: int
    added_ms_p50: float
    added_ms_p99: float
    """What the proxy itself took, per exchange."""
    trouble: str = ""


def spool_key(store: Store) -> str:
    """What another machine needs to write segments for STORE, in base64: PREMORTEM_SPOOL_KEY."""
    return b64encode(store.redaction_key).decode()


def import_spool(
    directory: Path,
    config: Config,
    store: Store,
    *,
    progress: Callable[[Path, int], None] | None = None,
) -> Imported:
    """Take the segments in DIRECTORY that nobody writes to into STORE, and remove them.

    What is in the store already is not added again, so an import that broke off may be repeated.
    The store is locked for a batch at a time. A segment that cannot be read stays, and `trouble`
    says why; so do all of them while another process writes to the store.
    """
    del config  # what was recorded was filtered then
    done = added = duplicates = 0
    trouble = ""
    waiting = segments(directory)
    for path in waiting:
        show = None if progress is None else _bound(progress, path)
        try:
            report = store.add_exchanges(read_spool(path, key=store.redaction_key, progress=show))
        except InputError as error:
            trouble = str(error)
            continue
        except StoreError as error:
            trouble = str(error)
            break
        added += report.added
        duplicates += report.duplicates
        path.unlink(missing_ok=True)
        done += 1
    return Imported(
        segments=done,
        added=added,
        duplicates=duplicates,
        waiting=len(waiting) - done,
        trouble=trouble,
    )


def _bound(progress: Callable[[Path, int], None], path: Path) -> Callable[[int], None]:
    return lambda position: progress(path, position)


class Proxying:
    """A proxy with its recording and its imports, from `run` to its end."""

    def __init__(
        self,
        config: Config,
        *,
        service: Address,
        listen: tuple[str, int],
        seconds: float | None = None,
        record: bool = True,
        keep_host: bool = False,
        ca: Path | None = None,
    ) -> None:
        """Reads the store's key, making the store at the first use. Raises our errors."""
        self._config, self._service, self._listen = config, service, listen
        self._seconds = seconds
        self.directory = config.path(config.capture.spool)
        self._tls = tls_context(ca) if service.scheme == "https" else None
        self._keep_host = keep_host
        self._key = b""
        self._sampler = Sampler(config.capture.sample)
        self._record = record
        if record:
            with open_store(config.store, Path(config.directory)) as store:
                self._key = store.redaction_key
        self._importer: BaseProcess | None = None
        self.port = 0

    def run(
        self, show: Callable[[Picture], None], *, ready: Callable[[int], None] = lambda _port: None
    ) -> Picture:
        """Pass traffic until the time is up, or SIGINT or SIGTERM; how it stood at the end.

        READY is called with the port once it listens. Raises ConfigError when it cannot.
        """
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(self._run(show, ready))

    def _everything(self) -> Config:
        """The configuration without its hosts: nothing else comes by."""
        return replace(self._config, capture=replace(self._config.capture, hosts=("*",)))

    async def _run(self, show: Callable[[Picture], None], ready: Callable[[int], None]) -> Picture:
        recording = None
        if self._record:
            recording = Recording(
                self._everything(),
                key=self._key,
                directory=self.directory,
                sampler=self._sampler,
            )
        proxy = Proxy(
            self._service,
            recording=recording,
            body_bytes_max=self._config.capture.body_bytes_max,
            tls=self._tls,
            keep_host=self._keep_host,
        )
        started = time.monotonic()
        self.port = await proxy.open(*self._listen)
        with _stopped_by_signals() as stop:
            ready(self.port)
            gc.collect()
            gc.freeze()  # what is there now stays: nothing to look through again and again
            imported = started
            while not stop.is_set():
                left = LOOK_S
                if self._seconds is not None:
                    left = min(left, self._seconds - (time.monotonic() - started))
                    if left <= 0:
                        break
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), left)
                show(picture(proxy, elapsed_s=time.monotonic() - started))
                if recording is not None and time.monotonic() - imported >= IMPORT_EVERY_S:
                    imported = time.monotonic()
                    self._import()
            await proxy.close()
        if self._importer is not None:
            self._importer.join()
        return picture(proxy, elapsed_s=time.monotonic() - started)

    def _import(self) -> None:
        """Take closed segments in, in another process: this one has traffic to pass."""
        busy = self._importer is not None and self._importer.is_alive()
        if busy or not any(path.suffix == ".spool" for path in segments(self.directory)):
            return
        context = multiprocessing.get_context("spawn")
        self._importer = context.Process(
            target=import_apart, args=(self._config,), name="premortem-import", daemon=False
        )
        self._importer.start()


def import_apart(config: Config) -> None:
    """Take the spool of CONFIG in; what goes wrong is tried again with the next segment."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(StoreError), open_store(config.store, Path(config.directory)) as store:
        import_spool(config.path(config.capture.spool), config, store)


@contextmanager
def _stopped_by_signals() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    numbers: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in numbers:
            loop.add_signal_handler(number, stop.set)
    except (NotImplementedError, RuntimeError, ValueError):
        numbers = ()  # Windows, or not the main thread: there only the time ends it
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def picture(proxy: Proxy, *, elapsed_s: float) -> Picture:
    """How PROXY stands."""
    counts: Counts = proxy.counts
    recording = proxy.recording
    report = recording.report if recording is not None else Report()
    trouble = report.trouble
    if recording is not None and not recording.pid and not proxy.draining:
        trouble = "the recorder died; it is started again"
    return Picture(
        elapsed_s=elapsed_s,
        clients=proxy.active,
        passed=counts.passed,
        not_sampled=counts.not_sampled,
        recorded=report.written,
        dropped=(recording.dropped if recording is not None else 0) + report.lost,
        filtered=sum(report.dropped.values()) + report.malformed,
        refused=counts.refused,
        failed=counts.failed,
        aborted=counts.aborted,
        upgraded=counts.upgraded,
        added_ms_p50=counts.added_ms(0.5),
        added_ms_p99=counts.added_ms(0.99),
        trouble=trouble,
    )
