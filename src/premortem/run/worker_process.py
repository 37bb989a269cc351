"""`python -m premortem.run.worker_process ID FD`: one worker over an inherited socket."""

from __future__ import annotations

import asyncio
import socket
import sys

from premortem.run.frames import FramePort
from premortem.run.worker import Worker
from premortem.send.line import new_loop


async def hosted(worker_id: str, descriptor: int) -> None:
    """The worker WORKER_ID over the socket DESCRIPTOR, until it has left."""
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor))
    port = FramePort(reader, writer)
    try:
        await Worker(port, worker_id=worker_id).run()
    finally:
        await port.close()


def main() -> None:
    """Run until the controller lets go."""
    worker_id, descriptor = sys.argv[1], int(sys.argv[2])
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(hosted(worker_id, descriptor))


if __name__ == "__main__":
    main()
