"""What one asks a store for, and the plain values it answers with."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from premortem.domain.scenario import Scenario, ScenarioVerdict
from premortem.errors import InputError

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

    def accepts(self) -> Callable[[str, str, int, str], bool] | None:
        """Whether method, host, status and role are asked for; None: all are.

        Raises InputError when `status` is none.
        """
        if not (self.method or self.host or self.status or self.role):
            return None
        method, asked_host = self.method.upper(), self.host.lower()
        low, high = _statuses(self.status) if self.status else (0, 0)

        def accepted(of_method: str, host: str, status: int, role: str) -> bool:
            return (
                (not method or of_method == method)
                and (not asked_host or host == asked_host or host.startswith(asked_host + ":"))
                and (not high or low <= status <= high)
                and (not self.role or role == self.role)
            )

        return accepted


def _statuses(text: str) -> tuple[int, int]:
    match = _STATUS.fullmatch(text)
    if match is None:
        raise InputError(f"not a status: {text!r}; write it like 404 or 4xx")
    if match[2].isdigit():
        return int(text), int(text)
    return int(match[1]) * 100, int(match[1]) * 100 + 99


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


class Counted(Struct, frozen=True, kw_only=True):
    """How many exchanges match."""

    count: int
    exact: bool
    """False: worked out from a part of the paths, because there are many."""


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
    """Where it lies: a path, or an address without the password."""
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
