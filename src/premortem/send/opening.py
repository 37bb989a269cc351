"""Which sender a target gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from premortem.config import TargetConfig
from premortem.send.http import Sender
from premortem.send.transport import Transport

if TYPE_CHECKING:
    from premortem.send.curl import CurlSender


def new_sender(
    target: TargetConfig,
    *,
    connections_max: int = 64,
    timeout_s: float = 10.0,
    directory: Path = Path(),
    now: Callable[[], float] | None = None,
) -> Transport:
    """The sender that speaks TARGET's `http`; see `http.Sender` for the rest. Raises ConfigError.

    CONNECTIONS_MAX bounds the requests under way at once; in HTTP/2 they share connections.
    """
    made: type[Sender | CurlSender] = Sender
    if target.http == "2":
        from premortem.send.curl import CurlSender  # an extra: only when it is asked for

        made = CurlSender
    return made(
        target,
        connections_max=connections_max,
        timeout_s=timeout_s,
        directory=directory,
        now=now,
    )
