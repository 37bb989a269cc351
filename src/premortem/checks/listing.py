"""Which checks there are, and which of them are on."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from premortem.checks.check import Severity
from premortem.checks.checker import CHECKS
from premortem.checks.own import load_checks
from premortem.config import Config


class Listed(Struct, frozen=True, kw_only=True):
    """One check, as a person switches it."""

    name: str
    severity: Severity
    """The usual one."""
    on: bool
    description: str
    file: str = ""
    """Of a user's own; empty: built in."""
    off_for: tuple[str, ...] = ()
    """Operations that it is left out of, as the configuration writes them."""


def list_checks(config: Config, off: Collection[str] = ()) -> tuple[Listed, ...]:
    """All checks, in the order in which they report; OFF: of a plan. Raises ConfigError for a
    file of a user's own that cannot be used."""
    off = {*off, *config.checks.off}
    homes = [(check, "") for check in CHECKS]
    for name in config.checks.files:
        homes += [(check, name) for check in load_checks([config.path(name)])]
    return tuple(
        Listed(
            name=check.name,
            severity=check.severity,
            on=check.name not in off,
            description=check.description,
            file=file,
            off_for=tuple(p for p, names in config.checks.off_for.items() if check.name in names),
        )
        for check, file in homes
    )


def own_names(config: Config) -> tuple[str, ...]:
    """Names of the user's own checks. Raises ConfigError."""
    return tuple(check.name for check in load_checks(map(config.path, config.checks.files)))
