"""From a what-if question to scenarios, and from a scenario to its verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from msgspec.structs import replace

from premortem.agent.planning.expand import expand_prompt_into_paths, is_vague, meant_first
from premortem.agent.planning.planner import SCENARIOS_MAX, plan_scenarios
from premortem.agent.steps.bind import bind
from premortem.agent.steps.bindings import ANY, Bindings
from premortem.agent.steps.engine import refuse_unsafe
from premortem.agent.steps.phrases import phrased
from premortem.agent.understanding.index import Index
from premortem.agent.understanding.meaning import Meaning
from premortem.agent.understanding.modes_meant import NothingNamed
from premortem.agent.understanding.reading import checked
from premortem.agent.understanding.understand import understand
from premortem.agent.understanding.wide import ways_meant
from premortem.agent.verdicts.verdict import judge, lint
from premortem.config import Config
from premortem.domain.proposal import Signal
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import InputError

__all__ = ["exchanges_needed", "generate_feature_scenario", "judge", "propose", "refuse_changes"]

FURTHER_MAX = 2
"""Failure modes that are planned beside the one meant, where the question may mean them."""


def propose(
    prompt: str,
    *,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    config: Config,
    bindings: Bindings,
    came_with: Signal | None = None,
    meaning: Meaning | None = None,
) -> tuple[Understanding, list[Scenario]]:
    """What PROMPT was understood to ask, and at most five scenarios for it, the one meant first.

    EXCHANGES: by id, those that `exchanges_needed` names; more of them are more evidence.
    CAME_WITH: what the question was asked about, as `prompt_input.signal_of` reads it. MEANING:
    what a sentence encoder makes of questions, where there is one. A question that names an
    operation and nothing that could go wrong is asked what could.
    Raises InputError when the question fits nothing, or nothing can be planned for it.
    """
    roles = tuple(config.roles)
    heard = tuple(dict.fromkeys((*roles, *bindings.roles)))
    editions = tuple(name for name in bindings.editions if name != ANY)
    asked = checked(prompt)
    index = Index(profile, meaning)
    try:
        understood = understand(
            prompt, profile, roles=heard, editions=editions, index=index, came_with=came_with
        )
        meant = (understood, *_further(understood))
    except NothingNamed:
        services = tuple(bindings.services)
        meant = ways_meant(
            prompt, profile, roles=heard, services=services, index=index, came_with=came_with
        )
        if not meant:
            raise
    meant = tuple(_configured(one, bindings) for one in meant)
    scenarios = _planned(meant, profile, exchanges, bindings=bindings, roles=roles)
    # Ways that were thought of besides the question have questions of their own.
    trace_id = meant[0].trace_id or "prompt-" + sha256(asked.encode()).hexdigest()[:8]
    shown = [_asked(scenario, asked, trace_id) for scenario in scenarios]
    return replace(meant[0], prompt=asked), shown


def _configured(understood: Understanding, bindings: Bindings) -> Understanding:
    """UNDERSTOOD with the configured roles for the names that the binding file gives them."""
    role, owner = bindings.role(understood.role), bindings.role(understood.owner)
    return replace(understood, role=role, owner=owner)


def _further(understood: Understanding) -> Iterator[Understanding]:
    """What the question may mean besides: about the same operation, in no words of its own."""
    # Whoever names a role may want to know what the role may do.
    by_role = ["forbidden_role"] if understood.role else []
    further = dict.fromkeys((*by_role, *understood.further_modes))
    for mode in [mode for mode in further if mode != understood.failure_mode][:FURTHER_MAX]:
        yield replace(
            understood,
            failure_mode=mode,
            prompt="",
            operation_ids=understood.operation_ids[:1],
            values=(),
            further_modes=(),
        )


def _asked(scenario: Scenario, question: str, trace_id: str) -> Scenario:
    origin = replace(scenario.origin, prompt=question)
    return replace(scenario, origin=origin, trace_id=trace_id)


def _planned(
    meant: Sequence[Understanding],
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    bindings: Bindings,
    roles: tuple[str, ...],
) -> list[Scenario]:
    """Scenarios for MEANT, the likeliest first; of several that it may be some of each.

    Raises InputError when none can be planned and run here, with why the first cannot.
    """
    found: dict[str, Scenario] = {}
    refused: InputError | None = None
    for understanding in meant:
        try:
            scenarios = generate_feature_scenario(
                understanding,
                profile=profile,
                exchanges=exchanges,
                roles=roles,
                services=tuple(bindings.services),
                editions=tuple(bindings.editions),
            )
            shown = [phrased(scenario, bindings.phrases) for scenario in scenarios]
            fitting = those_that_bind(shown, bindings=bindings, roles=roles)
        except InputError as error:
            refused = refused or error
            continue
        # Of what it only may mean besides, the first will do.
        kept = fitting if understanding.prompt else fitting[:1]
        found.update((scenario.id, scenario) for scenario in kept)
    if not found and refused is not None:
        raise refused
    return list(found.values())[:SCENARIOS_MAX]


def those_that_bind(
    scenarios: Iterable[Scenario], *, bindings: Bindings, roles: Collection[str]
) -> list[Scenario]:
    """SCENARIOS without those that could not be run here: they are never shown.

    Raises InputError when none is left, with what the first one lacks.
    """
    kept: list[Scenario] = []
    problem = ""
    for scenario in scenarios:
        found = lint(bind(scenario, bindings=bindings, roles=roles))
        problem = problem or found
        if not found:
            kept.append(scenario)
    if not kept and problem:
        raise InputError(f"what was planned cannot be run here: {problem}")
    return kept


def generate_feature_scenario(
    understanding: Understanding,
    *,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    roles: tuple[str, ...],
    services: tuple[str, ...] = (),
    editions: tuple[str, ...] = (),
) -> list[Scenario]:
    """The skill GenerateFeatureScenario: the same question gives the same scenarios.

    A vague one is taken apart: ExpandPromptIntoPaths.

    SERVICES, EDITIONS: those that the binding file can switch; `*`: any.
    """
    if is_vague(understanding, profile):
        paths = expand_prompt_into_paths(
            understanding, profile=profile, exchanges=exchanges, roles=roles
        )
        return meant_first(paths, understanding)
    return plan_scenarios(
        understanding,
        profile=profile,
        exchanges=exchanges,
        roles=roles,
        services=services,
        editions=editions,
    )


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
