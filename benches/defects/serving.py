"""One service as a process of its own, under coverage, with its log in a file."""

from __future__ import annotations

import http.client
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.defects.reached import coverage_settings
from benches.defects.services import Service, environment

SIGNALS = ((signal.SIGINT, 20), (signal.SIGTERM, 20), (signal.SIGKILL, 10))
"""What ends it and how many seconds each may take; both of the first save its coverage."""
LOG = "service.log"


class ServiceDown(Exception):
    """It did not come up, or is gone."""


@contextmanager
def serving(service: Service, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """SERVICE, fresh, in FOLDER; ended at the end, its coverage written by then."""
    extra = service.prepare(folder, port=port)
    command = service.command(folder, port=port)
    if service.language == "python":
        settings = f"--rcfile={coverage_settings(service, folder)}"
        python = str(Path(command[0]).parent / "python")
        command = [python, "-m", "coverage", "run", settings, *command]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_hears_interrupts,
        )
        try:
            _wait_until_up(service, process, port, folder)
            yield process
        finally:
            _end(process)


def _hears_interrupts() -> None:
    # What a shell starts in the background ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_until_up(
    service: Service, process: subprocess.Popen[bytes], port: int, folder: Path
) -> None:
    deadline = time.monotonic() + service.ready_s_max
    while True:
        try:
            if asked(port, "GET", service.ready) < 500:
                return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServiceDown(f"{service.name} did not start; its log: {folder / LOG}")
        time.sleep(0.2)


def asked(port: int, method: str, path: str, *, body: str = "", authorization: str = "") -> int:
    """The status of one request to the loopback's PORT. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": "application/json"} if body else {}
    if authorization:
        headers["authorization"] = authorization
    try:
        connection.request(method, path, body=body.encode() or None, headers=headers)
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, seconds in SIGNALS:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
