"""What security tests work with, and what they may be sent to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from premortem.config import Config, resolve
from premortem.domain.run import Plan
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import ConfigError, InputError
from premortem.generate import Means, TokenKeys, left_out
from premortem.learn.openapi import server_paths

SECURITY = "security"
SOURCES = {SECURITY: 60, "mutate": 30, "schema": 10}
"""Weights of a plan for security."""
DYNAMIC = "50%"
"""Of its requests; setups count as production."""
SPECIFICATIONS_MAX = 8
"""Read ones whose servers are remembered: every part of a run asks anew."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def secured(plan: Plan) -> Plan:
    """PLAN with its generated part for security."""
    return replace(plan, sources=SOURCES, dynamic=DYNAMIC, sequences=True)


def refuse_security(plan: Plan, config: Config) -> None:
    """Raise ConfigError where PLAN's security tests must not be sent to CONFIG's target."""
    if not plan.sources.get(SECURITY):
        return
    host = (urlsplit(config.target.base_url).hostname or "").lower()
    if not config.target.disposable:
        raise ConfigError(
            f"security tests change data on {host}, which is not disposable; set `disposable = "
            "true` under [target] if nobody needs what it holds, or give `security` no weight"
        )
    if host not in LOOPBACK and host not in config.security.hosts:
        raise ConfigError(
            f"security tests would be sent to {host}, which is not this machine; if its owner "
            f'agrees, say so: `hosts = ["{host}"]` under [security] in premortem.toml'
        )


def means_of(config: Config, *, environment: Mapping[str, str] = os.environ) -> Means:
    """What security tests have beside a profile; a key whose variable is not set is none."""
    tokens, security = config.tokens, config.security
    key = tokens.key
    try:
        resolve(key, environment=environment)
    except ConfigError:
        key = ""
    keys = TokenKeys(forge=tokens.forge, key=key, algorithm=tokens.algorithm, public=tokens.public)
    return Means(
        keys=keys,
        roles=tuple(sorted(config.roles)),
        burst=security.burst_max,
        attempts=security.attempts_max,
        listed=_listed(config),
    )


def _listed(config: Config) -> tuple[str, ...]:
    """Below what the target's specification has everything; empty where it says nothing."""
    path = config.path(config.target.spec)
    if not config.target.spec or not path.is_file():
        return ()
    return _servers(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=SPECIFICATIONS_MAX)
def _servers(path: Path, _changed_ns: int) -> tuple[str, ...]:
    try:
        return server_paths(path)
    except InputError:
        return ()  # who learns from it says so


def security_notes(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    config: Config,
    weights: Mapping[str, int],
) -> tuple[str, ...]:
    """What security tests leave out, and why; empty where the plan has none."""
    if not weights.get(SECURITY):
        return ()
    return left_out(profile, exchanges, means_of(config).keys)
