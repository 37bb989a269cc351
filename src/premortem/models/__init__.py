"""Language models behind one protocol: one that runs here, and any endpoint that speaks OpenAI's;
and a sentence encoder.

Engines are opened by name (`opening.open_engine`) or made directly; nothing here imports the
embedded engine before a model is opened, so that everything else works without it.
"""

from premortem.models.engine import Ask, Engine, Failed, Outcome, Reply, Usage
from premortem.models.fetch import (
    BUILT_IN,
    ENCODER,
    cached_file,
    fetch,
    fetch_several,
    find_cached,
)
from premortem.models.minilm import MiniLM
from premortem.models.opening import (
    Described,
    choose,
    described,
    described_encoder,
    open_engine,
)

__all__ = [
    "BUILT_IN",
    "ENCODER",
    "Ask",
    "Described",
    "Engine",
    "Failed",
    "MiniLM",
    "Outcome",
    "Reply",
    "Usage",
    "cached_file",
    "choose",
    "described",
    "described_encoder",
    "fetch",
    "fetch_several",
    "find_cached",
    "open_engine",
]
