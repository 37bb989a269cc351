"""An open line to the target: the sender's event loop in a thread of its own.

Everything outside `send/` and the runner is synchronous; it calls through this door.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from premortem.config import Config
from premortem.domain.run import Case, Sent, Sequence
from premortem.domain.traffic import Response
from premortem.send.auth import Credentials
from premortem.send.client import Client
from premortem.send.opening import new_sender
from premortem.send.patience import Patience
from premortem.send.transport import Transport

T = TypeVar("T")


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it exists, asyncio's elsewhere (Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Line:
    """A client and the loop it lives on."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.loop = loop

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What WORK gives, run on the line's loop; its errors are raised here."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def wait_ready(self, *, timeout_s: float | None = None) -> None:
        """Return once the target answers. Raises TargetDown or TargetError."""
        self.wait(self.client.wait_ready(timeout_s=timeout_s))

    def reset(self) -> bool:
        """Bring the target to a fresh state; False when no way is configured."""
        return self.wait(self.client.reset())

    def send_case(self, case: Case, answers: tuple[Response | None, ...] = ()) -> Sent:
        """CASE sent now."""
        return self.wait(self.client.send_case(case, answers))

    def send_sequence(self, sequence: Sequence, *, apart: bool = False) -> tuple[Sent, ...]:
        """SEQUENCE sent now, one case after the other; APART: see `Client.send_sequence`."""
        return self.wait(self.client.send_sequence(sequence, apart=apart))


@contextmanager
def open_line(
    config: Config,
    *,
    connections_max: int = 64,
    timeout_s: float = 10.0,
    users_per_role: int = 1,
    redaction_key: bytes = b"",
    environment: Mapping[str, str] = os.environ,
    now: Callable[[], float] | None = None,
    patience: Patience | None = None,
) -> Iterator[Line]:
    """A line to `config.target`, closed at the end. Raises ConfigError.

    Nothing is sent by opening it. PATIENCE: waits where the target refuses for the rate.
    """
    sender = new_sender(
        config.target,
        connections_max=connections_max,
        timeout_s=timeout_s,
        directory=Path(config.directory),
        now=now,
    )
    sender.patience = patience
    credentials = Credentials(config.roles, redaction_key=redaction_key, environment=environment)
    loop = new_loop()
    thread = threading.Thread(target=loop.run_forever, name="premortem-line", daemon=True)
    thread.start()
    line = Line(Client(config, sender, credentials, users_per_role=users_per_role), loop)
    try:
        line.wait(sender.__aenter__())
        yield line
    finally:
        line.wait(_closed(sender))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _closed(sender: Transport) -> None:
    await sender.__aexit__(None, None, None)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
