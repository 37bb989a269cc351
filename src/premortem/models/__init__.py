"""Language models behind one protocol: one that runs here, and any endpoint that speaks OpenAI's.

Engines are opened by name (`opening.open_engine`) or made directly; nothing here imports the
embedded engine before a model is opened, so that everything else works without it.
"""

from premortem.models.engine import Ask, Engine, Failed, Outcome, Reply, Usage
from premortem.models.fetch import BUILT_IN, cached_file, fetch, find_cached
from premortem.models.opening import Described, choose, described, open_engine

__all__ = [
    "BUILT_IN",
    "Ask",
    "Described",
    "Engine",
    "Failed",
    "Outcome",
    "Reply",
    "Usage",
    "cached_file",
    "choose",
    "described",
    "fetch",
    "find_cached",
    "open_engine",
]
