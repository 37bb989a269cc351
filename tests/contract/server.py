"""A throwaway PostgreSQL from the installed binaries, for one process of tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

START_S_MAX = 30
PASSWORD = "correct-horse"


def binaries() -> Path | None:
    """The folder that holds initdb and postgres, or None."""
    found = [Path(path).resolve().parent for path in [shutil.which("postgres")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in found if (f / "initdb").exists() and (f / "postgres").exists()), None)


def required() -> Path:
    """The folder of `binaries`; without one the test is skipped, but never where CI runs."""
    folder = binaries()
    if folder is None:
        missing = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        if os.environ.get("CI") or os.environ.get("PREMORTEM_CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


class Server:
    """A server on a port of 127.0.0.1, and on a socket in its own folder."""

    def __init__(self, folder: Path, port: int, command: list[str]) -> None:
        self.folder, self.port, self._command = folder, port, command
        self._made = 0
        self.start()

    def start(self) -> None:
        """Start it, after `stop` once more, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.folder)
        _wait(self)

    def stop(self) -> None:
        """End it in the way that does not wait for clients."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def url(self, database: str = "postgres", *, user: str = "premortem") -> str:
        return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def database(self) -> str:
        """The address of a new, empty database."""
        self._made += 1
        self.run(f"CREATE DATABASE store_{self._made}")
        return self.url(f"store_{self._made}")


def _account() -> tuple[list[str], int | None, int | None]:
    """How to run a command as somebody who is not root, and whose the folder must be."""
    if os.geteuid() != 0:
        return [], None, None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return prefix, user.pw_uid, user.pw_gid
    raise RuntimeError("there is no account postgres or nobody to run PostgreSQL as")


@contextmanager
def started(*, durable: bool = False) -> Iterator[Server]:
    """A server that is gone, with all its data, at the end; DURABLE: it writes as in production."""
    folder = Path(mkdtemp(prefix="premortem-pg-", dir="/tmp"))
    server = None
    try:
        prefix, uid, gid = _account()
        if uid is not None and gid is not None:
            os.chown(folder, uid, gid)
        path, port = required(), _free_port()
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = str(folder / "data")
        initdb = [str(path / "initdb"), "-D", data, "-U", "premortem", "-A", "scram-sha-256"]
        initdb += [f"--pwfile={secret}", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run([*prefix, *initdb], check=True, capture_output=True, cwd=folder)
        safety = "on" if durable else "off"
        options = {
            "fsync": safety,
            "synchronous_commit": safety,
            "full_page_writes": safety,
            "unix_socket_directories": str(folder),
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "lc_messages": "C",
        }
        command = [*prefix, str(path / "postgres"), "-D", data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        server = Server(folder, port, command)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _wait(server: Server) -> None:
    deadline = time.monotonic() + START_S_MAX
    while True:
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            if time.monotonic() > deadline or server.process.poll() is not None:
                log = (server.folder / "log").read_text()[-2000:]
                raise RuntimeError(f"PostgreSQL did not start: {log}") from None
            time.sleep(0.05)
        else:
            return
