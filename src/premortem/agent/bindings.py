"""premortem.bindings.toml: what the words of scenarios stand for on one particular target.

    [roles]                        # a scenario's role -> the one in premortem.toml
    "Support Agent" = "SupportAgent"

    [states.invoice.approved]      # the "invoice" "..." is in state "approved"
    role = "FinanceManager"
    requests = ["POST /invoices/${id}/approve"]
    read = "GET /invoices/${id}"   # should be in state "approved"
    field = "/status"

Credentials, addresses and hooks live here and in premortem.toml, never in a scenario.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from premortem.config import Config
from premortem.errors import ConfigError

REQUESTS_MAX = 20
"""Requests that one state hook may send."""
_REQUEST = re.compile(r"([A-Z]+) (/\S*)")


class HookRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request of a state hook, where it needs more than method and path."""

    request: str
    """`POST /invoices/${id}/approve`."""
    role: str = ""
    """Whose credentials; empty: the hook's own role."""
    json: Any = None

    @property
    def method(self) -> str:
        """Upper case."""
        return self.request.partition(" ")[0]

    @property
    def path(self) -> str:
        """With `${id}` in it, and query."""
        return self.request.partition(" ")[2]


class StateHook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[states.RESOURCE.STATE]`: how a thing is brought into a state and how that is seen."""

    role: str = ""
    """Whose credentials the requests carry; empty: none."""
    requests: tuple[str | HookRequest, ...] = ()
    """`${id}` stands for the id that the step names."""
    read: str = ""
    """`GET /invoices/${id}`."""
    field: str = ""
    """JSON pointer, or the name of a field at the top, in what `read` answers."""
    value: str = ""
    """What it holds in this state; empty: the state's own name."""

    @property
    def steps(self) -> tuple[HookRequest, ...]:
        """The requests in one form."""
        return tuple(
            HookRequest(request=r, role=self.role)
            if isinstance(r, str)
            else msgspec.structs.replace(r, role=r.role or self.role)
            for r in self.requests
        )


class Bindings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of premortem.bindings.toml; everything may be left out."""

    roles: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, StateHook]] = field(default_factory=dict)
    idempotency_header: str = "Idempotency-Key"

    def role(self, name: str) -> str:
        """The configured role that a scenario's role NAME stands for."""
        return self.roles.get(name, name)

    def hook(self, resource: str, state: str) -> StateHook | None:
        """The hook of `[states.RESOURCE.STATE]`, or None."""
        return self.states.get(resource, {}).get(state)


def load_bindings(config: Config) -> Bindings:
    """The bindings beside CONFIG; empty ones when there is no file.

    Raises ConfigError, with file and place, for anything that could not be carried out.
    """
    path = config.path(config.bindings)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Bindings()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    try:
        bindings = msgspec.toml.decode(data, type=Bindings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}; mend it there") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    _check(bindings, config, path)
    return bindings


def _check(bindings: Bindings, config: Config, path: Path) -> None:
    known = set(config.roles)
    for name, role in bindings.roles.items():
        if role not in known:
            raise ConfigError(
                f"{path}: [roles] {name} stands for {role!r}, which premortem.toml does not "
                f"configure; it knows {_listed(known)}"
            )
    for resource, states in bindings.states.items():
        for state, hook in states.items():
            _check_hook(hook, f"{path}: [states.{resource}.{state}]", known)


def _check_hook(hook: StateHook, where: str, known: set[str]) -> None:
    if not hook.requests and not hook.read:
        raise ConfigError(f"{where} has neither `requests` nor `read`; it could do nothing")
    if bool(hook.read) != bool(hook.field):
        raise ConfigError(f"{where}: `read` and `field` only mean something together")
    if len(hook.requests) > REQUESTS_MAX:
        raise ConfigError(f"{where} has {len(hook.requests)} requests; at most {REQUESTS_MAX}")
    reads = (HookRequest(request=hook.read, role=hook.role),) if hook.read else ()
    for step in (*hook.steps, *reads):
        if _REQUEST.fullmatch(step.request) is None:
            raise ConfigError(
                f"{where}: {step.request!r} is no request; write it like "
                f'"POST /things/${{id}}/approve"'
            )
        if step.role and step.role not in known:
            raise ConfigError(
                f"{where}: role {step.role!r} is not in premortem.toml; it knows {_listed(known)}"
            )
    if reads and reads[0].method != "GET":
        raise ConfigError(f"{where}: `read` must be a GET")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no role"
