"""The store: captured, learned, generated and found values, encrypted."""

from premortem.store.cases import REJECTIONS_KEPT_MAX
from premortem.store.purge import Doomed, Purged, Wanted
from premortem.store.query import (
    Added,
    Counted,
    StoredScenario,
    StoreStats,
    TrafficFilter,
    TrafficRow,
)
from premortem.store.results import RESULTS_FULL_MAX
from premortem.store.rotation import Rotated, rotate_key
from premortem.store.store import Store, open_store

__all__ = [
    "REJECTIONS_KEPT_MAX",
    "RESULTS_FULL_MAX",
    "Added",
    "Counted",
    "Doomed",
    "Purged",
    "Rotated",
    "Store",
    "StoreStats",
    "StoredScenario",
    "TrafficFilter",
    "TrafficRow",
    "Wanted",
    "open_store",
    "rotate_key",
]
