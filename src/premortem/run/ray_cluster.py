"""A Ray cluster: one that runs already, or one of this machine's own for the time of a run."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from premortem.errors import ConfigError, StartError

OBJECT_STORE_BYTES = 80 * 1024 * 1024
"""Of a cluster of our own; messages do not go through it, and Ray wants no less."""
KNOCK_S_MAX = 5.0
"""Who does not take a connection within this is not there."""
FOLDER_CHARACTERS_MAX = 40
"""Ray makes Unix sockets below its folder, whose paths may have 103 on some systems."""
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_worker_niceness": "0",
}
"""Nothing is reported to anybody, no advice on accelerators, no call starts a cluster, and a
cluster of our own runs workers like other processes: by default they give way (nice 15)."""


class RayCluster:
    """ADDRESS: as `ray.init` takes it; empty: RAY_ADDRESS, and without that a cluster on this
    machine, reached from this machine alone, with room for CPUS. Raises ConfigError without Ray.
    """

    def __init__(self, address: str, *, cpus: float) -> None:
        self._address = address or os.environ.get("RAY_ADDRESS", "")
        self._cpus = cpus
        self._folder: Path | None = None
        self._ours = False
        """This is what connected this process, and is what disconnects it."""
        self.host = ""
        """The address of this machine that the nodes can reach."""
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        if not self._address and "ray" not in sys.modules:
            stay_inside()
        self.ray = _imported()

    @property
    def joined(self) -> bool:
        """`join` has been called."""
        return bool(self.host)

    def join(self) -> None:
        """Start or connect. Raises StartError."""
        if self.joined:
            return
        if self.ray.is_initialized():  # the program that we are part of has done it
            used = self.ray.get_runtime_context().gcs_address
            if self._address not in ("", "auto", used):
                raise StartError(
                    f"this program uses the Ray cluster at {used} already, and can use no other; "
                    f"leave out `ray_address` under [scale] and RAY_ADDRESS, or run in a program "
                    f"of its own"
                )
            self.host = self._own_host()
            return
        options: dict[str, Any] = {"address": self._address}
        if not self._address:
            options = self._own_options()
        try:
            self._knock()
            with _handlers_kept():
                self._ours = True
                self.ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
            # Deaths are told by us; Ray would print them to standard output, into our JSON.
            self.ray._private.worker._worker_logs_enabled = False
        except (OSError, RuntimeError, ValueError, self.ray.exceptions.RayError) as error:
            self.leave()
            raise StartError(self._trouble(error)) from None
        self.host = self._own_host()

    def leave(self) -> None:
        """Disconnect; a cluster of our own ends, all its processes with it."""
        if self._ours:
            with _handlers_kept(), suppress(OSError):
                self.ray.shutdown()
        self._ours, self.host = False, ""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _knock(self) -> None:
        """Somebody has to answer at the address: Ray itself tries for minutes. Raises OSError."""
        host, colon, port = self._address.rpartition("//")[2].rpartition(":")
        if colon and port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), KNOCK_S_MAX).close()

    def _own_options(self) -> dict[str, Any]:
        self._folder = _short_folder()
        return {
            "address": "local",
            "num_cpus": max(1, round(self._cpus)),
            "num_gpus": 0,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_temp_dir": str(self._folder),
        }

    def _own_host(self) -> str:
        """This machine's address on its way to the cluster's head; nothing is sent for it."""
        if self._address.startswith("ray://"):
            head = urlsplit(self._address).hostname or ""
        else:
            head = self.ray.get_runtime_context().gcs_address.rpartition(":")[0].strip("[]")
        family = socket.AF_INET6 if ":" in head else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((head, 9))
            return str(probe.getsockname()[0])

    def _trouble(self, error: Exception) -> str:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        if self._address:
            return (
                f"cannot use the Ray cluster at {self._address}: {lines[0]}; see with "
                f"`ray status` that it runs, or mend `ray_address` under [scale] or RAY_ADDRESS"
            )
        return (
            f'cannot start Ray on this machine: {lines[0]}; `executor = "local"` under [scale] '
            f"does without it"
        )


def _imported() -> Any:
    try:
        import ray
    except ImportError:
        raise ConfigError(
            '`executor = "ray"` under [scale] needs Ray, which is not installed; install it '
            "with `pip install 'premortem[ray]'`, here and on all nodes, or use "
            '`executor = "local"`'
        ) from None
    return ray


def stay_inside() -> None:
    """What Ray reads when it is imported: nobody else, here or elsewhere, may use our cluster.

    Where a program has imported it before, Ray's own way holds: a token in the user's folder.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    # In spite of its name it is what makes Ray listen on 127.0.0.1 alone.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def _short_folder() -> Path:
    folder = tempfile.gettempdir()
    if len(folder) > FOLDER_CHARACTERS_MAX:
        folder = "/tmp"  # noqa: S108 - the name below it is random, the folder is ours alone
    return Path(tempfile.mkdtemp(prefix="pm-ray-", dir=folder))


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; it is ours to stop a run with."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)
