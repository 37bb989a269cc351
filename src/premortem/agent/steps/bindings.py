"""premortem.bindings.toml: what the words of scenarios stand for on one particular target.

    [roles]                        # a scenario's role -> the one in premortem.toml
    "Support Agent" = "SupportAgent"

    [states.invoice.approved]      # the "invoice" "..." is in state "approved"
    role = "FinanceManager"
    requests = ["POST /invoices/${id}/approve"]
    read = "GET /invoices/${id}"   # should be in state "approved"
    field = "/status"

    [editions."*"]                 # the edition is "lite"
    headers = { X-Edition = "${value}" }

    [clock]                        # the time is "2028-02-29T12:00:00Z"
    headers = { X-Test-Now = "${value}" }

    [services.payments]            # the service "payments" answers with status 503
    requests = ["POST /_test/payments/answer/${value}"]

    [database]
    url = "postgresql://test:${DB_PASSWORD}@127.0.0.1/ledger"

    [tables]                       # the table "refunds" has 2 rows
    refunds = "public.refunds"

    [events."*"]                   # the event "RefundIssued" is recorded 1 times
    table = "outbox"
    name = "type"

    [phrases."{string} approves the invoice {string}"]
    accepted = "Ann, 2026-11-21"
    steps = ['"${1}" sends "POST" to "/invoices/${2}/approve"']

Credentials, addresses and hooks live here and in premortem.toml, never in a scenario.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, field

from premortem.agent.steps.hooks import (
    Clock,
    Database,
    EventSink,
    StateHook,
    Switch,
    Tokens,
    check_sink,
    check_state,
    check_switch,
    check_tokens,
    listed,
)
from premortem.agent.steps.phrases import Phrase, check_phrases
from premortem.config import Config, Login
from premortem.errors import ConfigError

ANY = "*"
"""The entry for names that have none of their own."""
_TABLE = re.compile(r"[\w$]+(\.[\w$]+)?")


class Bindings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of premortem.bindings.toml; everything may be left out."""

    roles: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, StateHook]] = field(default_factory=dict)
    idempotency_header: str = "Idempotency-Key"
    editions: Mapping[str, Switch] = field(default_factory=dict)
    """`*`: for those that are not named."""
    clock: Clock | None = None
    services: Mapping[str, Switch] = field(default_factory=dict)
    tokens: Tokens | None = None
    database: Database | None = None
    tables: Mapping[str, str] = field(default_factory=dict)
    """A scenario's table -> the one in the database, with its schema where that is needed."""
    events: Mapping[str, EventSink] = field(default_factory=dict)
    phrases: Mapping[str, Phrase] = field(default_factory=dict)
    logins: Mapping[str, Login] = field(default_factory=dict)
    """Configured role -> how it signs in, from premortem.toml; not written in the file."""
    directory: str = "."
    """Where the file lies, for commands and files; not written in it."""

    def role(self, name: str) -> str:
        """The configured role that a scenario's role NAME stands for."""
        return self.roles.get(name, name)

    def hook(self, resource: str, state: str) -> StateHook | None:
        """The hook of `[states.RESOURCE.STATE]`, or None."""
        return self.states.get(resource, {}).get(state)

    def edition(self, name: str) -> Switch | None:
        """How the edition NAME is switched to, or None."""
        return self.editions.get(name) or self.editions.get(ANY)

    def service(self, name: str) -> Switch | None:
        """How the service NAME is made to answer with a status, or None."""
        return self.services.get(name) or self.services.get(ANY)

    def sink(self, event: str) -> EventSink | None:
        """Where the event is seen, or None."""
        return self.events.get(event) or self.events.get(ANY)


def bindings_path(config: Config) -> Path:
    """Where the binding file of CONFIG lies, or would lie."""
    return config.path(config.bindings)


def load_bindings(config: Config) -> Bindings:
    """The bindings beside CONFIG; without a file, those that follow from CONFIG alone.

    Raises ConfigError, with file and place, for anything that could not be carried out.
    """
    path = bindings_path(config)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    return parse_bindings(data, config)


def parse_bindings(data: bytes, config: Config) -> Bindings:
    """What DATA, the binding file of CONFIG, says. Raises ConfigError as `load_bindings` does."""
    path = bindings_path(config)
    try:
        bindings = msgspec.toml.decode(data, type=Bindings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}; mend it there") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    _check(bindings, config, path)
    editions = dict(bindings.editions)
    if ANY not in editions and config.target.edition_header:
        editions[ANY] = Switch(headers={config.target.edition_header: "${value}"})
    logins = {name: role.login for name, role in config.roles.items() if role.login is not None}
    return msgspec.structs.replace(
        bindings, directory=str(path.parent), editions=editions, logins=logins
    )


def _check(bindings: Bindings, config: Config, path: Path) -> None:
    known = set(config.roles)
    for name, role in bindings.roles.items():
        if role not in known:
            raise ConfigError(
                f"{path}: [roles] {name} stands for {role!r}, which premortem.toml does not "
                f"configure; it knows {listed(known, 'role')}"
            )
    for resource, states in bindings.states.items():
        for state, hook in states.items():
            where = f"{path}: [states.{resource}.{state}]"
            check_state(hook, where, known)
            if (hook.sql or hook.read_sql) and bindings.database is None:
                raise ConfigError(f"{where} has SQL, but there is no [database] with its `url`")
    for where, switch in _switches(bindings):
        check_switch(switch, f"{path}: {where}", known)
    if bindings.tokens is not None:
        check_tokens(bindings.tokens, f"{path}: [tokens]", known)
    _check_tables(bindings, path)
    for name, sink in bindings.events.items():
        check_sink(sink, f"{path}: [events.{name}]", known, bindings.tables)
    check_phrases(bindings.phrases, f"{path}:")


def _switches(bindings: Bindings) -> Iterator[tuple[str, Switch]]:
    yield from ((f"[editions.{name}]", switch) for name, switch in bindings.editions.items())
    yield from ((f"[services.{name}]", switch) for name, switch in bindings.services.items())
    if bindings.clock is not None:
        yield "[clock]", bindings.clock


def _check_tables(bindings: Bindings, path: Path) -> None:
    if bindings.tables and bindings.database is None:
        raise ConfigError(f"{path}: [tables] needs a [database] with its `url`")
    for alias, table in bindings.tables.items():
        if _TABLE.fullmatch(table) is None:
            raise ConfigError(f"{path}: [tables] {alias} = {table!r} is no table's name")
