"""A worker on a node of a Ray cluster: runs there, talks to its controller over a socket.

Nodes need this package and its extra `ray`, in the controller's version; nothing of the store.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Mapping

import msgspec

import premortem
from premortem.config import Config
from premortem.run.frames import FramePort
from premortem.run.worker import Worker
from premortem.send.line import new_loop

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
CONNECT_S = 10.0
"""A controller that cannot be reached from a node within this is not reachable at all."""
SILENCE_S = 4
"""A machine that is gone without a word is given up after so many whole seconds."""
TOKEN_BYTES = 32


class Hosted:
    """The actor: one worker, in a process of its own."""

    def run(
        self,
        worker_id: str,
        *,
        version: str,
        address: tuple[str, int],
        token: bytes,
        environment: Mapping[str, str],
    ) -> str:
        """Work until let go; empty, or why it could not begin.

        ADDRESS: the controller's door, which opens once for TOKEN. ENVIRONMENT: the variables
        that the configuration mentions; they come in memory and stay there.
        """
        if version != premortem.__version__:
            return (
                f"{socket.gethostname()} has premortem {premortem.__version__}, "
                f"the controller {version}; install the same version on all nodes"
            )
        os.environ.update(environment)
        try:
            connection = socket.create_connection(address, CONNECT_S)
        except OSError as error:
            return (
                f"{socket.gethostname()} cannot reach the controller at "
                f"{address[0]}:{address[1]} ({error.strerror or error}); nodes have to be able to "
                f"connect to the machine that `premortem run` is started on"
            )
        watch_silence(connection)
        connection.sendall(token)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_worked(worker_id, connection))
        return ""


async def _worked(worker_id: str, connection: socket.socket) -> None:
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection)
    port = FramePort(reader, writer)
    try:
        await Worker(port, worker_id=worker_id).run()
    finally:
        await port.close()


def watch_silence(connection: socket.socket) -> None:
    """Let CONNECTION break when the other machine says nothing for SILENCE_S (RFC 1122,
    4.2.3.6; RFC 5482)."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": 1,
        "TCP_KEEPINTVL": 1,
        "TCP_KEEPCNT": SILENCE_S - 1,
        "TCP_USER_TIMEOUT": SILENCE_S * 1000,
    }
    for name, value in options.items():
        if hasattr(socket, name):  # not every system has all of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def mentioned(config: Config, *, environment: Mapping[str, str]) -> dict[str, str]:
    """What of ENVIRONMENT a worker needs: what target and roles of CONFIG mention as `${NAME}`.

    The store's password is not among it, nor a model's key: workers use neither.
    """
    text = msgspec.json.encode((config.target, config.roles)).decode()
    names = dict.fromkeys(_VARIABLE.findall(text))
    return {name: environment[name] for name in names if name in environment}
