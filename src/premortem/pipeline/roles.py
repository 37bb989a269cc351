"""Whether the roles' credentials are there, looked at before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable

from premortem.config import Config, RoleConfig, resolve
from premortem.errors import ConfigError


def require(config: Config, names: Iterable[str]) -> None:
    """Raise ConfigError when a variable of one of the roles NAMES is not set.

    Roles that CONFIG does not know are left to the sender: captured ones may have no credentials.
    """
    for name in sorted(set(names)):
        role = config.roles.get(name)
        if role is not None:
            resolve_all(name, role)


def resolve_all(name: str, role: RoleConfig) -> None:
    """Raise ConfigError, which names ROLE, when one of its variables is not set."""
    values = [*role.header.values(), role.basic, role.bearer, role.cookie]
    if role.login is not None:
        values += [*role.login.json.values(), *role.login.form.values()]
    for value in values:
        try:
            resolve(value)
        except ConfigError as error:
            raise ConfigError(f"role {name}: {error}") from None
