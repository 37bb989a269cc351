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
from premortem.models.lessons import Lesson
from premortem.models.llamacpp import Addition, name_of
from premortem.models.minilm import MiniLM
from premortem.models.opening import (
    Described,
    choose,
    described,
    described_encoder,
    file_of,
    known,
    open_engine,
)
from premortem.models.tuning import Pack, Stepped, Tuner, memory_bytes
from premortem.models.weights import require_training

__all__ = [
    "BUILT_IN",
    "ENCODER",
    "Addition",
    "Ask",
    "Described",
    "Engine",
    "Failed",
    "Lesson",
    "MiniLM",
    "Outcome",
    "Pack",
    "Reply",
    "Stepped",
    "Tuner",
    "Usage",
    "cached_file",
    "choose",
    "described",
    "described_encoder",
    "fetch",
    "fetch_several",
    "file_of",
    "find_cached",
    "known",
    "memory_bytes",
    "name_of",
    "open_engine",
    "require_training",
]
