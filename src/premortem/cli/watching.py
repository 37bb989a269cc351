"""Options by which others follow a run, and stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from premortem.cli.context import warn
from premortem.cli.event_lines import event_lines
from premortem.cli.live_view import run_view
from premortem.pipeline.control import Control
from premortem.store import Store

_CONTROL = (
    "Listen on HOST:PORT while the run goes on: GET /status, GET /metrics (Prometheus), "
    "POST /stop. Loopback only, unless --control-token is given."
)
_TOKEN = "Variable, as ${NAME}, with the token that callers of --control must send."  # noqa: S105
_EVENTS = "Write what happens to this file, a JSON object on each line; - is standard output."
_WATCHING = Group("Watching", sort_key=1)


@Parameter(name="*", group=_WATCHING)
@dataclass(frozen=True, kw_only=True)
class Watching:
    """How a run is followed."""

    events_file: Annotated[Path | None, Parameter(name="--events", help=_EVENTS)] = None
    control: Annotated[str, Parameter(help=_CONTROL)] = ""
    control_token: Annotated[str, Parameter(help=_TOKEN)] = ""

    @contextmanager
    def opened(
        self, store: Store, planned: int, *, quiet: bool
    ) -> Iterator[Callable[[Iterator[object]], Iterator[object]]]:
        """What lets events pass and shows them: in the terminal, in a file, over HTTP.

        Raises ConfigError for an address, InputError for a file that cannot be used.
        """
        with ExitStack() as stack:
            takers = [
                stack.enter_context(event_lines(self.events_file)),
                stack.enter_context(run_view(planned, quiet=quiet)),
            ]
            follow: Callable[[Iterator[object]], Iterator[object]] = iter
            if self.control:
                door = Control(
                    self.control,
                    token=self.control_token,
                    order_stop=partial(_stop, store),
                )
                stack.callback(door.close)
                warn(f"  control: http://{door.address}/status")
                follow = door.follow
            yield lambda events: _shown(follow(events), takers)


def _stop(store: Store, run_id: str, reason: str) -> None:
    store.queue.request_stop(run_id, reason=reason)


def _shown(events: Iterator[object], takers: list[Callable[[object], None]]) -> Iterator[object]:
    for event in events:
        for take in takers:
            take(event)
        yield event


WATCHING = Watching()
