"""What a binding file may say of one target: requests, switches, tables, sinks of events.

Each is a section of premortem.bindings.toml; `bindings` puts them together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from premortem.errors import ConfigError

REQUESTS_MAX = 20
"""Requests, or SQL statements, that one hook may carry out."""
WITHIN_MS_MAX = 60_000.0
_REQUEST = re.compile(r"([A-Z]+) (/\S*)")


class HookRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request of a hook, where it needs more than method and path."""

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


Requests = tuple[str | HookRequest, ...]


class StateHook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[states.RESOURCE.STATE]`: how a thing is brought into a state and how that is seen."""

    role: str = ""
    """Whose credentials the requests carry; empty: none."""
    requests: Requests = ()
    """`${id}` stands for the id that the step names."""
    sql: tuple[str, ...] = ()
    """Statements that bring it about, after the requests; `:id` stands for the id."""
    read: str = ""
    """`GET /invoices/${id}`."""
    field: str = ""
    """JSON pointer, or the name of a field at the top, in what `read` answers."""
    read_sql: str = ""
    """In place of `read`: `SELECT status FROM invoices WHERE id = :id`."""
    value: str = ""
    """What it holds in this state; empty: the state's own name."""

    @property
    def steps(self) -> tuple[HookRequest, ...]:
        """The requests in one form."""
        return requests_of(self.requests, self.role)


class Switch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the world around a request is set: an edition, a clock, a service behind.

    `${value}` stands for what the step says: the edition, the time, the status.
    """

    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Sent with every request of the scenario from then on."""
    role: str = ""
    requests: Requests = ()
    command: str = ""
    """Run by the shell in the binding file's folder, with PREMORTEM_VALUE set."""
    restore: Requests = ()
    """Sent when the scenario has ended, where a reset does not undo it."""
    restore_command: str = ""

    @property
    def steps(self) -> tuple[HookRequest, ...]:
        """The requests in one form."""
        return requests_of(self.requests, self.role)

    @property
    def restore_steps(self) -> tuple[HookRequest, ...]:
        """The requests that undo it, in one form."""
        return requests_of(self.restore, self.role)


class Clock(Switch, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[clock]`: how the target's time is set."""

    format: Literal["iso", "epoch_s", "epoch_ms", "http"] = "iso"
    """How it wants the time: as the step has it, or in another form."""


class Tokens(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tokens]`: how a token with other claims is made. Without it only its signature can be
    broken."""

    key: str = ""
    """`${NAME}` of the variable with the key that signs JSON Web Tokens (HMAC)."""
    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    request: str = ""
    """Or: a request whose answer holds such a token; `${role}`, `${claim}`, `${value}`."""
    json: Any = None
    role: str = ""
    token: str = "/token"  # noqa: S105 - a JSON pointer
    header: str = "Authorization"
    prefix: str = "Bearer "

    @property
    def requests(self) -> tuple[HookRequest, ...]:
        """The request in the form that hooks have."""
        if not self.request:
            return ()
        return (HookRequest(request=self.request, role=self.role, json=self.json),)


class Database(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[database]`: the target's own, for steps about tables."""

    url: str
    """`sqlite:///ledger.db`, `postgresql://test:${DB_PASSWORD}@127.0.0.1/ledger`."""


class EventSink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[events.NAME]`: where an event is seen once it happened; exactly one of `read`, `table` and
    `file`. `[events."*"]` is for all others; `${value}` stands for the event's name."""

    read: str = ""
    """`GET /_test/events?type=${value}`: its answer holds the events."""
    role: str = ""
    list: str = ""
    """JSON pointer to their list, or to their number, in what `read` answers."""
    table: str = ""
    """An alias of `[tables]`."""
    file: str = ""
    """A file with a JSON document on each line."""
    name: str = ""
    """What holds an event's name: a column of the table, or a JSON pointer into an event. Empty:
    all of them count."""
    within_ms: float = 0.0
    """How long to wait for one that comes later."""


def requests_of(requests: Requests, role: str) -> tuple[HookRequest, ...]:
    """REQUESTS in one form; ROLE is for those that name none."""
    return tuple(
        HookRequest(request=r, role=role)
        if isinstance(r, str)
        else msgspec.structs.replace(r, role=r.role or role)
        for r in requests
    )


def check_state(hook: StateHook, where: str, roles: Collection[str]) -> None:
    """Raise ConfigError when HOOK, which stands at WHERE, could not be carried out."""
    if not (hook.requests or hook.sql or hook.read or hook.read_sql):
        raise ConfigError(
            f"{where} has neither `requests` nor `read`, nor the same as SQL; it could do nothing"
        )
    if bool(hook.read) != bool(hook.field):
        raise ConfigError(f"{where}: `read` and `field` only mean something together")
    if hook.read and hook.read_sql:
        raise ConfigError(f"{where}: `read` and `read_sql` exclude each other")
    if len(hook.requests) + len(hook.sql) > REQUESTS_MAX:
        count = len(hook.requests) + len(hook.sql)
        raise ConfigError(f"{where} has {count} requests and statements; at most {REQUESTS_MAX}")
    check_requests(hook.steps, where, roles)
    if hook.read:
        check_read(hook.read, hook.role, where, roles)


def check_switch(switch: Switch, where: str, roles: Collection[str]) -> None:
    """The same of a switch."""
    if not (switch.headers or switch.requests or switch.command):
        raise ConfigError(f"{where} has no `headers`, `requests` or `command`; it could do nothing")
    if len(switch.requests) + len(switch.restore) > REQUESTS_MAX:
        raise ConfigError(f"{where} has more than {REQUESTS_MAX} requests")
    check_requests((*switch.steps, *switch.restore_steps), where, roles)


def check_tokens(tokens: Tokens, where: str, roles: Collection[str]) -> None:
    """The same of the section about tokens."""
    if bool(tokens.key) == bool(tokens.request):
        raise ConfigError(f"{where} needs one of `key` and `request`")
    if tokens.request:
        check_requests(tokens.requests, where, roles)


def check_sink(
    sink: EventSink, where: str, roles: Collection[str], tables: Collection[str]
) -> None:
    """The same of a sink; TABLES are the aliases there are."""
    named = [name for name in ("read", "table", "file") if getattr(sink, name)]
    if len(named) != 1:
        raise ConfigError(f"{where} needs exactly one of `read`, `table` and `file`")
    if sink.table and sink.table not in tables:
        raise ConfigError(
            f"{where}: {sink.table!r} is not under [tables]; there: {listed(tables, 'table')}"
        )
    if not 0 <= sink.within_ms <= WITHIN_MS_MAX:
        raise ConfigError(f"{where}: within_ms must be between 0 and {WITHIN_MS_MAX:g}")
    if sink.read:
        check_read(sink.read, sink.role, where, roles)


def check_read(read: str, role: str, where: str, roles: Collection[str]) -> None:
    """Raise ConfigError unless READ is a GET that ROLE may send."""
    request = HookRequest(request=read, role=role)
    check_requests((request,), where, roles)
    if request.method != "GET":
        raise ConfigError(f"{where}: `read` must be a GET")


def check_requests(requests: Collection[HookRequest], where: str, roles: Collection[str]) -> None:
    """Raise ConfigError for one of REQUESTS that is none, or whose role nobody configured."""
    for one in requests:
        if _REQUEST.fullmatch(one.request) is None:
            raise ConfigError(
                f"{where}: {one.request!r} is no request; write it like "
                f'"POST /things/${{id}}/approve"'
            )
        if one.role and one.role not in roles:
            raise ConfigError(
                f"{where}: role {one.role!r} is not in premortem.toml; it knows "
                f"{listed(roles, 'role')}"
            )


def changes(requests: Collection[HookRequest]) -> Iterator[tuple[str, str]]:
    """Method and path of each of REQUESTS."""
    return ((request.method, request.path) for request in requests)


def listed(names: Collection[str], what: str) -> str:
    """NAMES as a message shows them."""
    return ", ".join(sorted(names)) or f"no {what}"
