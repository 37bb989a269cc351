"""Cases from a profile: replayed, sampled, mutated; composed behind what they need."""

from premortem.generate.compose import generate
from premortem.generate.mutate import Mutator
from premortem.generate.replay import recipe_cases, replay
from premortem.generate.sample import Sampler

__all__ = ["Mutator", "Sampler", "generate", "recipe_cases", "replay"]
