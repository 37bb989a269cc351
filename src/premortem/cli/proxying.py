"""`premortem proxy` and `premortem spool`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from msgspec.structs import asdict, replace
from rich.live import Live
from rich.text import Text

from premortem.cli.context import COMMON, EXIT_CLEAN, Common, err, print_json, say, warn
from premortem.cli.groups import LEARN
from premortem.cli.load_options import seconds
from premortem.cli.progress import bytes_progress
from premortem.config import Config
from premortem.errors import ConfigError
from premortem.pipeline.recording import (
    Imported,
    Picture,
    Proxying,
    import_spool,
    spool_key,
)
from premortem.send.origin import address
from premortem.store import open_store

LOG_EVERY_S = 10
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


app = App(
    name="spool",
    help="What the proxy and the middleware recorded and the store does not hold yet.",
    group=LEARN,
    sort_key=1,
)


def proxy(
    *,
    listen: str = "127.0.0.1:8080",
    upstream: str = "",
    for_: Annotated[str, Parameter(name="--for")] = "",
    sample: str = "",
    rotate: str = "",
    keep: str = "",
    ca: Path | None = None,
    keep_host: bool = False,
    no_record: bool = False,
    common: Common = COMMON,
) -> int:
    """Stand before a service, pass its traffic on, and record it, redacted.

    Point clients at the address it listens on. Another process records: if that is
    slow, dies or has no disk, exchanges are dropped and counted, and traffic passes
    all the same. WebSockets pass unrecorded. Ctrl-C lets requests under way end;
    what was recorded is then in the store.

    For example:

        premortem proxy --listen 127.0.0.1:8080 --upstream http://127.0.0.1:8000
        premortem proxy --for 10m --sample 10%

    Parameters
    ----------
    listen
        Address and port to listen on.
    upstream
        The service, http or https; default: base_url under [target].
    for_
        How long, e.g. 90s, 10m or 1h; default: until Ctrl-C.
    sample
        Share of the clients to record, minute by minute: 10% or 0.1.
    rotate
        Take recorded traffic into the store after so long (5m) or so much (64M).
    keep
        How much may wait for the store before the oldest goes, e.g. 1G.
    ca
        PEM file with further certificate authorities, for an https service.
    keep_host
        Pass the host on as the client named it, not as the service's own.
    no_record
        Only pass traffic on.
    """
    config = _tuned(common.load(), sample=sample, rotate=rotate, keep=keep)
    service = address(upstream or config.target.base_url, key="--upstream (or base_url)")
    if ca is None and config.target.ca:
        ca = config.path(config.target.ca)
    proxying = Proxying(
        config,
        service=service,
        listen=_listen(listen),
        seconds=seconds(for_) if for_ else None,
        record=not no_record,
        keep_host=keep_host,
        ca=ca,
    )
    way = f"{service.origin}{service.prefix}, {'passing on' if no_record else 'recording'}"
    with _live(quiet=common.json) as show:
        last = proxying.run(show, ready=_ready(_listen(listen)[0], way))
    imported = Imported() if no_record else _taken(config, proxying.directory, common)
    if common.json:
        print_json({**asdict(last), "stored": asdict(imported)})
    else:
        _print_end(last, imported)
    return EXIT_CLEAN


def _ready(host: str, way: str) -> Callable[[int], None]:
    def ready(port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        warn(f"http://{shown}:{port} -> {way}; Ctrl-C ends it")
        sys.stderr.flush()

    return ready


def take(directory: Path | None = None, /, *, common: Common = COMMON) -> int:
    """Take recorded segments into the store, and remove them.

    The proxy does so by itself; traffic that a middleware recorded waits for this
    command. Segments that are still written to are left alone.

    For example:

        premortem spool take
        premortem spool take /mnt/app-server/spool

    Parameters
    ----------
    directory
        Where the segments are; default: spool under [capture].
    """
    config = common.load()
    imported = _taken(config, directory or config.path(config.capture.spool), common)
    if common.json:
        print_json(imported)
    else:
        _print_imported(imported)
    return EXIT_CLEAN


def key(*, common: Common = COMMON) -> int:
    """Print the key with which another machine records for this store.

    Set it there as PREMORTEM_SPOOL_KEY; then copy that machine's segments here, and
    take them in with `premortem spool take`. Treat it like a password.

    For example:

        premortem spool key
    """
    with common.opened(make=True) as (_config, store):
        text = spool_key(store)
    if common.json:
        print_json({"key": text})
    else:
        say(text)
    return EXIT_CLEAN


def _taken(config: Config, directory: Path, common: Common) -> Imported:
    with (
        open_store(config.store, Path(config.directory)) as store,
        bytes_progress((), quiet=common.json) as progress,
    ):
        return import_spool(directory, config, store, progress=progress)


def _tuned(config: Config, *, sample: str, rotate: str, keep: str) -> Config:
    """CONFIG with what the command line says. Raises ConfigError."""
    capture = config.capture
    if sample:
        capture = replace(capture, sample=share(sample))
    if rotate and rotate[-1:] in "smh":
        capture = replace(capture, rotate_s=seconds(rotate))
    elif rotate:
        capture = replace(capture, rotate_bytes=size(rotate))
    if keep:
        capture = replace(capture, keep_bytes=size(keep))
    return replace(config, capture=capture)


def share(text: str) -> float:
    """`10%` or `0.1` as a share. Raises ConfigError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= value <= 1:
        raise ConfigError(f"not a share: {text!r}; write it like 10% or 0.1")
    return value


def size(text: str) -> int:
    """`64M`, `1G`, `100000` in bytes. Raises ConfigError."""
    match = re.fullmatch(r"(\d+)([KMGkmg]?)(?:i?[Bb])?", text)
    if match is None or not int(match[1]):
        raise ConfigError(f"not a size: {text!r}; write it like 64M or 1G")
    return int(match[1]) * _BYTES[match[2].lower()]


def _listen(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--listen {text!r}: write it like 127.0.0.1:8080")
    return host, int(port)


@contextmanager
def _live(*, quiet: bool) -> Iterator[Callable[[Picture], None]]:
    """A line that is renewed; where nobody looks, one every LOG_EVERY_S."""
    if quiet:
        yield lambda _picture: None
        return
    if not err.is_terminal:
        told = [0.0]

        def log(picture: Picture) -> None:
            if picture.elapsed_s - told[0] >= LOG_EVERY_S:
                told[0] = picture.elapsed_s
                warn(f"  {_spelled(picture)}")

        yield log
        return
    with Live(console=err, transient=True, auto_refresh=False) as live:
        yield lambda picture: live.update(Text(_spelled(picture)), refresh=True)


def _spelled(picture: Picture) -> str:
    parts = [
        f"{picture.passed:,} passed",
        f"{picture.recorded:,} recorded",
        f"{picture.dropped:,} dropped",
    ]
    for count, name in (
        (picture.not_sampled, "not sampled"),
        (picture.filtered, "filtered"),
        (picture.refused, "refused"),
        (picture.failed, "unanswered"),
        (picture.aborted, "left by their client"),
        (picture.upgraded, "upgraded"),
    ):
        if count:
            parts.append(f"{count:,} {name}")
    parts.append(f"{picture.clients:,} clients, p99 added {picture.added_ms_p99:.2f} ms")
    line = ", ".join(parts)
    return f"{line}; {picture.trouble}" if picture.trouble else line


def _print_end(last: Picture, imported: Imported) -> None:
    say(f"{_spelled(last)}, in {last.elapsed_s:.0f} s")
    _print_imported(imported)
    if imported.added:
        say("next: premortem learn")


def _print_imported(imported: Imported) -> None:
    say(
        (f"{imported.added:,} added", "bold"),
        f" to the store from {imported.segments:,} segments"
        + (f", {imported.duplicates:,} there already" if imported.duplicates else ""),
    )
    if imported.waiting:
        warn((f"  {imported.waiting:,} segments wait: {imported.trouble}", "yellow"))


app.command(take)
app.command(key)
