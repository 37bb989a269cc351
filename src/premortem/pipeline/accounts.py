"""Accounts that production made for its roles, made again in a fresh state.

Where a recording shows how a role came by its password (`PUT /accounts/alice`), a reset target
has forgotten it. Without the account every later request of the role means something else, so
these requests go out first, after every reset, before anything else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from urllib.parse import unquote

from premortem.config import Config, RoleConfig
from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.domain.traffic import Exchange, Profile
from premortem.generate import replayed
from premortem.send.auth import Credentials
from premortem.send.line import Line

ACCOUNTS_MAX = 100
"""Requests that make accounts; a configuration has fewer roles."""


def account_ids(
    exchanges: Mapping[str, Exchange],
    *,
    roles: Mapping[str, RoleConfig],
    tokens: Collection[str],
) -> tuple[str, ...]:
    """Ids of the recorded exchanges that gave ROLES their credentials, in recorded order.

    TOKENS: redaction tokens of the roles' credentials. A login holds one, too, but makes nothing.
    """
    logins = {role.login.request for role in roles.values() if role.login is not None}
    found: dict[tuple[str, str], tuple[float, str]] = {}
    for exchange_id, exchange in exchanges.items():
        request = exchange.request
        if request.method in SAFE_METHODS or not 200 <= exchange.response.status < 300:
            continue
        if f"{request.method} {request.path}" in logins:
            continue
        text = request.body.decode("utf-8", "replace")
        if any(token in text for token in tokens):
            at = (exchange.started_at, exchange_id)
            key = (request.method, request.path)
            found[key] = min(found.get(key, at), at)
    return tuple(exchange_id for _, exchange_id in sorted(found.values())[:ACCOUNTS_MAX])


def account_changes(exchanges: Mapping[str, Exchange], identities: Collection[str]) -> set[str]:
    """Ids of the recorded exchanges that changed an account which a role signs in with.

    Flows are replayed side by side: one that deletes the account ends all others of its role.
    """
    return {
        exchange_id
        for exchange_id, exchange in exchanges.items()
        if exchange.request.method not in SAFE_METHODS
        and 200 <= exchange.response.status < 300
        and not {unquote(part) for part in exchange.request.path.split("/")}.isdisjoint(identities)
    }


def account_cases(
    profile: Profile, exchanges: Mapping[str, Exchange], *, config: Config, redaction_key: bytes
) -> tuple[Case, ...]:
    """What to send after a reset so that the roles of CONFIG can sign in; often nothing."""
    if not config.target.disposable:
        return ()
    tokens = credential_tokens(config, redaction_key)
    ids = account_ids(exchanges, roles=config.roles, tokens=tokens)
    return replayed(profile, exchanges, ids)


def credential_tokens(config: Config, redaction_key: bytes) -> frozenset[str]:
    """Redaction tokens of CONFIG's credentials: what the sender replaces by the real ones.
    None for a target that is not disposable: nothing signs in there but roles.
    """
    if not config.target.disposable:
        return frozenset()
    roles = config.roles
    return Credentials(roles, redaction_key=redaction_key, environment=os.environ).tokens


def fresh_state(line: Line, accounts: tuple[Case, ...]) -> Callable[[], None]:
    """What brings the target behind LINE to a fresh state, its roles' ACCOUNTS included."""

    def fresh() -> None:
        line.reset()
        if accounts:
            line.send_sequence(Sequence(cases=accounts))

    return fresh
