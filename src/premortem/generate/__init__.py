"""Cases from a profile: replayed, sampled, mutated; composed behind what they need."""

from premortem.generate.compose import generate
from premortem.generate.isolate import isolated, unique_places
from premortem.generate.mutate import Mutator
from premortem.generate.replay import recipe_cases, replay, replayed
from premortem.generate.sample import Sampler

__all__ = [
    "Mutator",
    "Sampler",
    "generate",
    "isolated",
    "recipe_cases",
    "replay",
    "replayed",
    "unique_places",
]
