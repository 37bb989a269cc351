"""What one asks a store for, and the plain values it answers with."""

from __future__ import annotations

import re
from fnmatch import translate

from msgspec import Struct
from sqlalchemy import ColumnElement, or_

from premortem.domain.scenario import Scenario, ScenarioVerdict
from premortem.errors import InputError
from premortem.store.tables import exchanges

_STATUS = re.compile(r"([1-5])(xx|XX|\d\d)")


class TrafficFilter(Struct, frozen=True, kw_only=True):
    """Which exchanges; what is empty or None does not narrow."""

    method: str = ""
    """In any case."""
    host: str = ""
    """With or without the port."""
    path: str = ""
    """Glob over the whole path without query, case sensitive: `/invoices/*`; `*` spans `/`."""
    status: str = ""
    """`404`, or a class: `4xx`."""
    role: str = ""
    since: float | None = None
    """Started at or after; seconds since the epoch."""
    until: float | None = None
    """Started before."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """What the clear columns can tell. Raises InputError when `status` is none."""
        found: list[ColumnElement[bool]] = []
        if self.method:
            found.append(exchanges.c.method == self.method.upper())
        if self.host:
            host = self.host.lower()
            with_port = exchanges.c.host.startswith(host + ":", autoescape=True)
            found.append(or_(exchanges.c.host == host, with_port))
        if self.status:
            found.append(_status(self.status))
        if self.role:
            found.append(exchanges.c.role == self.role)
        if self.since is not None:
            found.append(exchanges.c.started_at >= self.since)
        if self.until is not None:
            found.append(exchanges.c.started_at < self.until)
        return found

    def path_pattern(self) -> re.Pattern[str] | None:
        """What paths must match, which only decrypted heads can tell; None: any."""
        return re.compile(translate(self.path)) if self.path else None


def _status(text: str) -> ColumnElement[bool]:
    match = _STATUS.fullmatch(text)
    if match is None:
        raise InputError(f"not a status: {text!r}; write it like 404 or 4xx")
    if match[2].isdigit():
        return exchanges.c.status == int(text)
    return exchanges.c.status.between(int(match[1]) * 100, int(match[1]) * 100 + 99)


class TrafficRow(Struct, frozen=True, kw_only=True):
    """One line of a list of exchanges."""

    id: str
    method: str
    host: str
    path: str
    status: int
    started_at: float
    """Seconds since the epoch, UTC."""
    duration_ms: float
    role: str
    bytes: int
    """Of both bodies."""


class Added(Struct, frozen=True, kw_only=True):
    """What became of exchanges that were given to the store."""

    added: int
    duplicates: int
    """Left out: they, or the same earlier in the same import, are there already."""


class StoredScenario(Struct, frozen=True, kw_only=True):
    """A scenario and what running it last showed."""

    scenario: Scenario
    verdict: ScenarioVerdict
    at: float


class StoreStats(Struct, frozen=True, kw_only=True):
    """How much a store holds."""

    path: str
    bytes: int
    """On disk, the write-ahead log included."""
    schema_version: int
    key_source: str
    """Where the key came from, in words."""
    exchanges: int
    bodies: int
    """Distinct bodies that are stored apart from their heads."""
    blocks: int
    profiles: int
    cases: int
    rejections: int
    runs: int
    results: int
    findings: int
    scenarios: int
