"""A scenario -> the recorded requests that it was planned from."""

from __future__ import annotations

from premortem.domain.scenario import Scenario
from premortem.store import Store, TrafficRow

ORIGINS_SHOWN_MAX = 100


def origins(scenario: Scenario, *, store: Store) -> tuple[TrafficRow, ...]:
    """What production sent, in the order it was recorded; without what was purged since."""
    found = store.exchanges_by_id(scenario.origin.parents[:ORIGINS_SHOWN_MAX])
    rows = (
        TrafficRow(
            id=exchange.id,
            method=exchange.request.method,
            host=exchange.request.origin,
            path=exchange.request.path,
            status=exchange.response.status if exchange.response is not None else 0,
            started_at=exchange.started_at,
            duration_ms=exchange.duration_ms,
            role=exchange.tags.role,
            bytes=len(exchange.request.body),
        )
        for exchange in found.values()
    )
    return tuple(sorted(rows, key=lambda row: row.started_at))
