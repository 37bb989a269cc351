"""Starts the real services that tests and benches talk to; every one ends by its own handle."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.shared import ROOT, shared

USERS = ("guest", "cashier", "support", "analyst", "finance", "cfo")
PASSWORDS = {f"LEDGER_PASSWORD_{user.upper()}": f"{user}-secret" for user in USERS}
KINTO_CONFIG = """
[target]
base_url = "{base}"
disposable = true
ready = "/v1/__heartbeat__"
spec = "{spec}"
[target.reset]
request = "POST /v1/__flush__"
[capture]
hosts = ["*"]
[roles.alice]
basic = "alice:${{ALICE_PASSWORD}}"
[roles.bob]
basic = "bob:${{BOB_PASSWORD}}"
[roles.carol]
basic = "carol:${{CAROL_PASSWORD}}"
"""
READY_S_MAX = 120


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns once URL answers with any status."""
    deadline = time.monotonic() + READY_S_MAX
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def running(command: list[str], *, cwd: Path, ready: str, **environment: str) -> Iterator[None]:
    """COMMAND as a process until the block ends."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_up(ready, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=15)


@contextmanager
def ledger(*, defects: str = "", port: int = 0) -> Iterator[str]:
    """The sample service with DEFECTS on (`all`, `L01,L06`, or none); gives its base URL."""
    port = port or free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "ledger", "--port", str(port)]
    settings = {"LEDGER_TEST_HOOKS": "1", "LEDGER_DEFECTS": defects, **PASSWORDS}
    with running(command, cwd=ROOT / "examples" / "ledger", ready=f"{base}/health", **settings):
        yield base


@contextmanager
def kinto(directory: Path) -> Iterator[str]:
    """A fresh Kinto with its memory backend; skips where `make targets` was not run.

    Its settings, with the plugin that empties it on request, are written into DIRECTORY.
    """
    program = ROOT / ".build" / "kinto" / "bin" / "kinto"
    if not program.exists():
        pytest.skip("Kinto is not installed; run `make targets`")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    accounts = "                 kinto.plugins.accounts\n"
    flush = accounts + accounts.replace("accounts", "flush")
    settings = directory / "kinto.ini"
    settings.write_text(shared("targets/kinto/kinto.ini").read_text().replace(accounts, flush))
    command = [str(program), "start", "--ini", str(settings), "--port", str(port)]
    ready = f"{base}/v1/__heartbeat__"
    with running(command, cwd=directory, ready=ready, KINTO_INI=str(settings)):
        yield base


_RESTORE = """import sqlite3
source, target = sqlite3.connect({snapshot!r}), sqlite3.connect({database!r}, timeout=20)
source.backup(target)
target.close()
"""


# What it read of the data base before, it keeps: collections, permissions.
_FORGET = """import urllib.request
request = urllib.request.Request({url!r}, method="POST")
request.add_header("Authorization", "Bearer {token}")
urllib.request.urlopen(request, timeout=20).close()
"""


@contextmanager
def phoenix(directory: Path) -> Iterator[tuple[str, str]]:
    """A fresh Phoenix with authentication, and the command that restores its first state.

    Skips without PHOENIX_VENV, the environment it is installed in (see shared/targets). It takes
    half a minute to start.
    """
    program = Path(os.environ.get("PHOENIX_VENV", "")) / "bin" / "phoenix"
    if not os.environ.get("PHOENIX_VENV") or not program.exists():
        pytest.skip("PHOENIX_VENV names no environment with Phoenix in it")
    port = free_port()
    os.environ["PHOENIX_ADMIN_SECRET"] = "ZYXWVUTSRQponmlkjihgfedcba9876543210abcd"
    settings = {
        "PHOENIX_WORKING_DIR": str(directory),
        "PHOENIX_PORT": str(port),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ENABLE_AUTH": "true",
        "PHOENIX_SECRET": "abcdEFGH1234567890abcdEFGH1234567890ab",
    }
    base = f"http://127.0.0.1:{port}"
    command = [str(program), "serve"]
    with running(command, cwd=directory, ready=f"{base}/healthz", **settings):
        database, snapshot = directory / "phoenix.db", directory / "snapshot.db"
        with sqlite3.connect(database, timeout=20) as live, sqlite3.connect(snapshot) as copy:
            live.backup(copy)
        restore = directory / "restore.py"
        restore.write_text(_RESTORE.format(snapshot=str(snapshot), database=str(database)))
        yield base, f"{sys.executable} {restore}"


@contextmanager
def directus(directory: Path) -> Iterator[tuple[str, str]]:
    """A fresh Directus with the small blog of `shared/targets` in it, and the command that restores
    its first state.

    Skips where it is not installed (`make bench-defects` does that).
    """
    place = ROOT / ".build" / "directus"
    node = shutil.which("node")
    if node is None or not (place / "seed" / "db.sqlite").exists():
        pytest.skip("Directus is not installed; docs/access-matrices.md says how")
    lines = shared("targets/directus/env.example").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    port = free_port()
    os.environ["DIRECTUS_ADMIN_TOKEN"] = settings["ADMIN_TOKEN"]
    database, snapshot = directory / "db.sqlite", directory / "snapshot.db"
    for copy in (database, snapshot):
        shutil.copy(place / "seed" / "db.sqlite", copy)
    for folder in ("uploads", "ext"):
        (directory / folder).mkdir(exist_ok=True)
    base = f"http://127.0.0.1:{port}"
    restore = directory / "restore.py"
    restore.write_text(
        _RESTORE.format(snapshot=str(snapshot), database=str(database))
        + _FORGET.format(url=f"{base}/utils/cache/clear?system", token=settings["ADMIN_TOKEN"])
    )
    command = [node, str(place / "node_modules" / "directus" / "cli.js"), "start"]
    settings |= {"PORT": str(port), "LOG_LEVEL": "fatal"}
    with running(command, cwd=directory, ready=f"{base}/server/ping", **settings):
        yield base, f"{sys.executable} {restore}"
