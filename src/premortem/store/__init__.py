"""The store: captured, learned, generated and found values, encrypted, in one file."""

from premortem.store.query import (
    Added,
    StoredScenario,
    StoreStats,
    TrafficFilter,
    TrafficRow,
)
from premortem.store.results import RESULTS_FULL_MAX
from premortem.store.store import Store, open_store

__all__ = [
    "RESULTS_FULL_MAX",
    "Added",
    "Store",
    "StoreStats",
    "StoredScenario",
    "TrafficFilter",
    "TrafficRow",
    "open_store",
]
