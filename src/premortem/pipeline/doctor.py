"""What is missing or wrong, and how to mend it."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from premortem.config import Config, RoleConfig
from premortem.errors import ConfigError, PremortemError
from premortem.learn import load_spec
from premortem.observe import Watcher
from premortem.pipeline.roles import resolve_all
from premortem.send.opening import new_sender
from premortem.send.target import wait_ready
from premortem.store import open_store

PYTHON_MIN = (3, 11)
FREE_BYTES_MIN = 200 * 1024 * 1024
"""Room below which an import of ordinary size may not fit."""
TARGET_WAIT_S_MAX = 3.0
METRICS_WAIT_S_MAX = 5.0
"""A rate needs two readings."""
METRICS_LOOK_S = 0.05


class Diagnosis(Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    detail: str
    mend: str = ""


def examine(
    load: Callable[[], Config], *, file: Path | None, python: tuple[int, ...]
) -> Iterator[Diagnosis]:
    """Look at everything a run needs. Sends one request: to the target's `ready` path.

    FILE is what LOAD reads; None: there is none, and LOAD gives the built-in defaults.
    """
    version = ".".join(map(str, python))
    if python >= PYTHON_MIN:
        yield Diagnosis(subject="python", state="ok", detail=version)
    else:
        yield Diagnosis(
            subject="python", state="wrong", detail=version, mend="install Python 3.11 or newer"
        )
    try:
        config = load()
    except PremortemError as error:
        yield Diagnosis(subject="configuration", state="wrong", detail=str(error))
        return
    if file is None:
        yield Diagnosis(
            subject="configuration",
            state="wrong",
            detail="there is no premortem.toml here or in a folder above",
            mend="premortem init writes a commented one",
        )
    else:
        yield Diagnosis(subject="configuration", state="ok", detail=str(file))
    yield _store(config)
    yield from _target(config)
    yield from _roles(config.roles)
    yield from _metrics(config)


def _metrics(config: Config) -> Iterator[Diagnosis]:
    """The target's own metrics, read as a run would read them."""
    if not config.metrics:
        return
    mend = "mend [metrics] in premortem.toml; see docs/control.md"
    try:
        with Watcher(config.metrics, directory=config.path(".")) as watcher:
            ends = time.monotonic() + METRICS_WAIT_S_MAX
            while watcher.lost() and time.monotonic() < ends:
                time.sleep(METRICS_LOOK_S)
            found, lost = watcher.latest(), watcher.lost()
    except ConfigError as error:
        yield Diagnosis(subject="metrics", state="wrong", detail=str(error), mend=mend)
        return
    if found:
        said = ", ".join(f"{name} = {value:.6g}" for name, value in sorted(found.items()))
        yield Diagnosis(subject="metrics", state="ok", detail=said)
    if lost:
        yield Diagnosis(subject="metrics", state="wrong", detail=lost, mend=mend)


def _store(config: Config) -> Diagnosis:
    if config.store.url:
        return _opened(config)
    place = config.path(config.store.path)
    room = next((folder for folder in place.parents if folder.exists()), Path("/"))
    free = shutil.disk_usage(room).free
    if free < FREE_BYTES_MIN:
        mend = f"free some space on the disk of {room}"
        detail = f"only {free // 1024**2} MB are free"
        return Diagnosis(subject="store", state="wrong", detail=detail, mend=mend)
    if not place.exists():
        detail = f"{place} is not there yet; the first capture makes it"
        return Diagnosis(subject="store", state="note", detail=detail)
    return _opened(config)


def _opened(config: Config) -> Diagnosis:
    try:
        with open_store(config.store, Path(config.directory)) as store:
            stats = store.stats()
            store.integrity()
            profiles = len(store.profiles())
    except PremortemError as error:
        return Diagnosis(subject="store", state="wrong", detail=str(error))
    detail = (
        f"{stats.path}: {stats.exchanges:,} exchanges, {profiles} "
        f"profile{'' if profiles == 1 else 's'}, {stats.bytes / 1e6:.1f} MB, intact"
    )
    mend = "" if profiles else "premortem capture har FILE; premortem learn"
    return Diagnosis(subject="store", state="ok", detail=detail, mend=mend)


def _target(config: Config) -> Iterator[Diagnosis]:
    target = config.target
    if not target.base_url:
        mend = "set `base_url` under [target] in premortem.toml"
        yield Diagnosis(subject="target", state="wrong", detail="none is named", mend=mend)
        return

    async def probe() -> None:
        wait_s = min(TARGET_WAIT_S_MAX, target.ready_timeout_s)
        async with new_sender(target, connections_max=1, timeout_s=wait_s) as sender:
            await wait_ready(sender, target, timeout_s=wait_s)

    try:
        asyncio.run(probe())
        yield Diagnosis(subject="target", state="ok", detail=f"{target.base_url} answers")
    except PremortemError as error:
        yield Diagnosis(subject="target", state="wrong", detail=str(error))
    if not target.disposable:
        yield Diagnosis(
            subject="target",
            state="note",
            detail="not marked disposable: only GET, HEAD and OPTIONS will be sent",
            mend="set `disposable = true` when its data may be changed",
        )
    elif not (target.reset.command or target.reset.request):
        yield Diagnosis(
            subject="target",
            state="note",
            detail="no way back to a fresh state is configured; reproductions are less certain",
            mend="set [target.reset] with a command or a request",
        )
    if target.spec:
        try:
            title = load_spec(config.path(target.spec)).title
            yield Diagnosis(subject="specification", state="ok", detail=title)
        except PremortemError as error:
            mend = "mend the document, or leave `spec` out and learn from traffic alone"
            yield Diagnosis(subject="specification", state="wrong", detail=str(error), mend=mend)


def _roles(roles: Mapping[str, RoleConfig]) -> Iterator[Diagnosis]:
    if not roles:
        yield Diagnosis(
            subject="roles",
            state="note",
            detail="none: requests go out without credentials",
            mend="add a [roles.NAME] section for each kind of user",
        )
    for name, role in roles.items():
        try:
            resolve_all(name, role)
            yield Diagnosis(subject=f"role {name}", state="ok", detail="credentials are there")
        except ConfigError as error:
            variables = re.findall(r"environment variable (\S+) ", str(error))
            mend = f"export {variables[0]}=..." if variables else ""
            yield Diagnosis(subject=f"role {name}", state="wrong", detail=str(error), mend=mend)
