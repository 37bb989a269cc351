"""Cases from a profile: replayed, sampled, mutated; composed behind what they need."""

from typing import TYPE_CHECKING

from premortem.domain.on_demand import on_demand

if TYPE_CHECKING:
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
    from premortem.generate.replay import recipe_cases, replayed
    from premortem.generate.sample import Sampler
    from premortem.generate.schema import SchemaSource
    from premortem.generate.security import Means, SecuritySource
    from premortem.generate.source import AimedSource, CaseSource, SequenceSource
    from premortem.generate.starts import DeclaredWay, Starts

__all__ = [
    "AimedSource",
    "Aiming",
    "CaseSource",
    "DeclaredWay",
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
    "replayed",
    "unique_places",
]

_HOMES = {
    "aiming": ("Aiming",),
    "compose": ("composed", "generate"),
    "isolate": ("isolated", "unique_places"),
    "llm": ("LlmSource",),
    "llm_mutate": ("LlmMutator", "PartlyByModel"),
    "mutate": ("Mutator",),
    "narrow": ("Headers", "Narrower"),
    "novelty": ("Novelty",),
    "once": ("first_cycle", "once_places"),
    "order_tokens": ("TokenKeys", "left_out"),
    "rehome": ("rehomed",),
    "replay": ("recipe_cases", "replayed"),
    "sample": ("Sampler",),
    "schema": ("SchemaSource",),
    "security": ("Means", "SecuritySource"),
    "source": ("AimedSource", "CaseSource", "SequenceSource"),
    "starts": ("DeclaredWay", "Starts"),
}
__getattr__ = on_demand(__name__, _HOMES)
