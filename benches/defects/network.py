"""A network of its own for each cycle, where the system lets us: nothing can leave it."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
"""SIOCGIFFLAGS, SIOCSIFFLAGS and IFF_UP: netdevice(7)."""


def isolation() -> list[str]:
    """What goes before a command to give it a network of its own; nothing where that is refused."""
    program = shutil.which("unshare")
    if program is None or os.geteuid() != 0:
        return []
    tried = subprocess.run([program, "-n", "true"], capture_output=True, check=False)
    return [program, "-n"] if tried.returncode == 0 else []


def bring_up_loopback() -> None:
    """In a new network the loopback is down; does nothing where it is up or may not be changed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        name = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(door, _GET_FLAGS, name))[1]
        if not flags & _UP:
            fcntl.ioctl(door, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))


def free_port() -> int:
    """A port of the loopback, with the next one free, too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
