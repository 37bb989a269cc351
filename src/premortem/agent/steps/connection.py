"""A client for scenarios, made from the configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from premortem.agent.steps.bind import RACE_MAX
from premortem.config import Config
from premortem.errors import ConfigError
from premortem.send.auth import Credentials
from premortem.send.client import Client
from premortem.send.opening import new_sender
from premortem.send.patience import Patience

CONNECTIONS_MAX = RACE_MAX
"""As many as one step may send at once."""
TIMEOUT_S = 30.0


def client_factory(
    config: Config,
    *,
    environment: Mapping[str, str],
    redaction_key: bytes = b"",
    shared: Credentials | None = None,
    patience: Patience | None = None,
) -> Callable[[], AbstractAsyncContextManager[Client]]:
    """Opens a client for the target of CONFIG. SHARED: credentials of all of them, so that a role
    signs in once. PATIENCE: waits where the target refuses for the rate. Raises ConfigError when
    CONFIG names no target."""
    if not config.target.base_url:
        raise ConfigError("no target is named; set `base_url` under [target] in premortem.toml")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        sender = new_sender(
            config.target,
            connections_max=CONNECTIONS_MAX,
            timeout_s=TIMEOUT_S,
            directory=Path(config.directory),
        )
        sender.patience = patience
        async with sender:
            credentials = shared or Credentials(
                config.roles, redaction_key=redaction_key, environment=environment
            )
            yield Client(config, sender, credentials)

    return opened
