"""An operation -> what could go wrong with it, each way as a scenario, run where that is wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice

import msgspec
from msgspec import Struct

from premortem.agent.ask import generate_feature_scenario, refuse_changes, those_that_bind
from premortem.agent.planning.planner import Inapplicable
from premortem.agent.steps.bindings import Bindings, load_bindings
from premortem.agent.understanding.explore import Risk, explained, find_operation
from premortem.agent.understanding.explore import explore as risks_of
from premortem.config import Config
from premortem.domain.scenario import Scenario, ScenarioVerdict
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import InputError
from premortem.pipeline.judging import judging, read_exchanges
from premortem.store import Store

_WORDED = frozenset({"boundary", "injection", "pagination_edge", "time_edge"})
"""Failure modes whose question says which value is meant."""


class Considered(Struct, frozen=True, kw_only=True):
    """One way in which the operation may be used wrongly."""

    risk: Risk
    told: str
    """The risk in one line."""
    scenario: Scenario | None = None
    """What it was planned as; None: it could not be."""
    why_not: str = ""
    verdict: ScenarioVerdict | None = None
    """None: it was not run."""


class Explored(Struct, frozen=True, kw_only=True):
    """The end: all of it, the likeliest first."""

    operation_id: str
    considered: tuple[Considered, ...]
    files: tuple[str, ...] = ()
    """Feature files that hold the scenarios which are no junk."""


def explore(
    said: str,
    *,
    config: Config,
    store: Store,
    run: bool = False,
    modes_max: int = 0,
    clock: Callable[[], float] = time.time,
) -> Iterator[Considered | Explored]:
    """What could go wrong with the operation that SAID names, by id or in words; with RUN each is
    judged, and written where it is no junk. What makes no sense of the operation is left out.
    MODES_MAX: that many of them; 0: all.

    Raises InputError for an operation that nobody knows, NothingLearned without a profile,
    UnsafeTarget when a scenario changes data on a target that is not disposable.
    """
    profile = store.profile()
    operation = find_operation(said, profile)
    bindings = load_bindings(config)
    exchanges = read_exchanges(profile, store)
    roles = tuple(config.roles)
    risks = risks_of(operation, profile, roles=roles, services=tuple(bindings.services))
    planned = (_planned(risk, profile, exchanges, bindings=bindings, roles=roles) for risk in risks)
    considered = list(islice(_distinct(planned), modes_max or None))
    found: list[Considered] = []
    files: dict[str, None] = {}
    for one, path in (
        _run(considered, profile, exchanges, config=config, store=store, clock=clock)
        if run
        else ((one, "") for one in considered)
    ):
        found.append(one)
        if path:
            files[path] = None
        yield one
    yield Explored(operation_id=operation.id, considered=tuple(found), files=tuple(files))


def _distinct(planned: Iterable[Considered | None]) -> Iterator[Considered]:
    """Those of PLANNED that make sense; of several that send the same, the likeliest."""
    seen: set[str] = set()
    for one in planned:
        if one is None or (one.scenario is not None and one.scenario.id in seen):
            continue
        if one.scenario is not None:
            seen.add(one.scenario.id)
        yield one


def _planned(
    risk: Risk,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    bindings: Bindings,
    roles: tuple[str, ...],
) -> Considered | None:
    """RISK with the first scenario for it that can be run here; None: it makes no sense of the
    operation, or what was planned in its place is another's."""
    told, understood = explained(risk), risk.understanding
    # Nobody asked: what the plan calls itself says more than a question that fits any operation.
    prompt = understood.prompt if understood.failure_mode in _WORDED else ""
    try:
        scenarios = generate_feature_scenario(
            msgspec.structs.replace(understood, prompt=prompt),
            profile=profile,
            exchanges=exchanges,
            roles=roles,
            services=tuple(bindings.services),
            editions=tuple(bindings.editions),
        )
        fitting = those_that_bind(scenarios, bindings=bindings, roles=roles)
    except Inapplicable:
        return None
    except InputError as error:
        return Considered(risk=risk, told=told, why_not=str(error))
    for scenario in fitting:
        if scenario.origin.failure_mode == understood.failure_mode:
            return Considered(risk=risk, told=told, scenario=_asked(scenario, understood.prompt))
    return None


def _asked(scenario: Scenario, question: str) -> Scenario:
    """SCENARIO as what came of QUESTION."""
    origin = msgspec.structs.replace(scenario.origin, prompt=question)
    trace_id = "prompt-" + sha256(question.encode()).hexdigest()[:8]
    return msgspec.structs.replace(scenario, origin=origin, trace_id=trace_id)


def _run(
    considered: Sequence[Considered],
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    config: Config,
    store: Store,
    clock: Callable[[], float],
) -> Iterator[tuple[Considered, str]]:
    """Each with its verdict, and the file that it was written to; empty: none."""
    if not config.target.disposable:
        # All of them before any is sent.
        scenarios = [one.scenario for one in considered if one.scenario is not None]
        target, bindings = config.target.base_url, load_bindings(config)
        refuse_changes(scenarios, bindings=bindings, roles=tuple(config.roles), target=target)
    with judging(
        config=config, store=store, profile=profile, exchanges=exchanges, clock=clock
    ) as judge:
        for one in considered:
            if one.scenario is None:
                yield one, ""
                continue
            verdict, path = judge.settle(one.scenario)
            yield msgspec.structs.replace(one, verdict=verdict), path
