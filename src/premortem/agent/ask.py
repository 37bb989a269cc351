"""From a what-if question to scenarios, and from a scenario to its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from premortem.agent.bind import bind
from premortem.agent.bindings import Bindings
from premortem.agent.engine import refuse_unsafe
from premortem.agent.planner import plan_scenarios
from premortem.agent.understand import understand
from premortem.agent.verdict import judge
from premortem.config import Config
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import Exchange, Profile

__all__ = ["exchanges_needed", "generate_feature_scenario", "judge", "propose", "refuse_changes"]


def propose(
    prompt: str,
    *,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    config: Config,
    bindings: Bindings,
) -> tuple[Understanding, list[Scenario]]:
    """What PROMPT was understood to ask, and at most five scenarios for it, the one meant first.

    EXCHANGES: by id, those that `exchanges_needed` names; more of them are more evidence.
    Raises InputError when the question fits nothing, or nothing can be planned for it.
    """
    roles = tuple(dict.fromkeys((*config.roles, *bindings.roles)))
    understanding = understand(prompt, profile, roles=roles)
    scenarios = generate_feature_scenario(
        understanding, profile=profile, exchanges=exchanges, roles=roles
    )
    return understanding, scenarios


def generate_feature_scenario(
    understanding: Understanding,
    *,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    roles: tuple[str, ...],
) -> list[Scenario]:
    """The skill GenerateFeatureScenario: the same question gives the same scenarios."""
    return plan_scenarios(understanding, profile=profile, exchanges=exchanges, roles=roles)


def refuse_changes(
    scenarios: Iterable[Scenario], *, bindings: Bindings, roles: tuple[str, ...], target: str
) -> None:
    """Raise UnsafeTarget when one of SCENARIOS would change data; nobody allowed that at TARGET."""
    for scenario in scenarios:
        refuse_unsafe(bind(scenario, bindings=bindings, roles=roles), bindings, target=target)


EVIDENCE_MAX = 5_000
"""Captured exchanges worth reading beside those that are needed: refusals, repetitions."""


def exchanges_needed(profile: Profile) -> frozenset[str]:
    """Ids of the exchanges that scenarios are planned from: recipes' steps and exemplars."""
    steps = (
        step.exchange_id
        for operation in profile.operations
        for recipe in operation.recipes
        for step in recipe.steps
    )
    exemplars = (i for operation in profile.operations for i in operation.exemplars)
    return frozenset((*steps, *exemplars))
