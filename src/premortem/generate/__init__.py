"""Cases from a profile: replayed, sampled, mutated; composed behind what they need."""

from premortem.generate.compose import generate
from premortem.generate.isolate import isolated, unique_places
from premortem.generate.llm import LlmSource
from premortem.generate.llm_mutate import LlmMutator, PartlyByModel
from premortem.generate.mutate import Mutator
from premortem.generate.narrow import Headers, Narrower
from premortem.generate.once import first_cycle, once_places
from premortem.generate.replay import recipe_cases, replay, replayed
from premortem.generate.sample import Sampler
from premortem.generate.schema import SchemaSource
from premortem.generate.source import CaseSource, SequenceSource

__all__ = [
    "CaseSource",
    "Headers",
    "LlmMutator",
    "LlmSource",
    "Mutator",
    "Narrower",
    "PartlyByModel",
    "Sampler",
    "SchemaSource",
    "SequenceSource",
    "first_cycle",
    "generate",
    "isolated",
    "once_places",
    "recipe_cases",
    "replay",
    "replayed",
    "unique_places",
]
