"""Cases from a profile: replayed, sampled, mutated; composed behind what they need."""

from premortem.generate.aiming import Aiming
from premortem.generate.compose import composed, generate
from premortem.generate.isolate import isolated, unique_places
from premortem.generate.llm import LlmSource
from premortem.generate.llm_mutate import LlmMutator, PartlyByModel
from premortem.generate.mutate import Mutator
from premortem.generate.narrow import Headers, Narrower
from premortem.generate.novelty import Novelty
from premortem.generate.once import first_cycle, once_places
from premortem.generate.order_tokens import TokenKeys, left_out
from premortem.generate.rehome import rehomed
from premortem.generate.replay import recipe_cases, replay, replayed
from premortem.generate.sample import Sampler
from premortem.generate.schema import SchemaSource
from premortem.generate.security import Means, SecuritySource
from premortem.generate.source import AimedSource, CaseSource, SequenceSource
from premortem.generate.starts import Starts

__all__ = [
    "AimedSource",
    "Aiming",
    "CaseSource",
    "Headers",
    "LlmMutator",
    "LlmSource",
    "Means",
    "Mutator",
    "Narrower",
    "Novelty",
    "PartlyByModel",
    "Sampler",
    "SchemaSource",
    "SecuritySource",
    "SequenceSource",
    "Starts",
    "TokenKeys",
    "composed",
    "first_cycle",
    "generate",
    "isolated",
    "left_out",
    "once_places",
    "recipe_cases",
    "rehomed",
    "replay",
    "replayed",
    "unique_places",
]
