"""A question -> scenarios, run and judged, written as feature files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from premortem.agent.ask import propose, refuse_changes
from premortem.agent.planning.llm_plan import plan_with_model, planning_engine
from premortem.agent.steps.bindings import load_bindings
from premortem.agent.understanding.meaning import open_meaning
from premortem.config import Config
from premortem.domain.proposal import Signal
from premortem.domain.scenario import Scenario, ScenarioVerdict, Understanding
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import ModelError
from premortem.pipeline.judging import judging, read_exchanges
from premortem.store import Store


class Proposed(Struct, frozen=True, kw_only=True):
    """What the question was understood to ask, and the scenarios planned for it."""

    understanding: Understanding
    scenarios: tuple[Scenario, ...]
    model: str = ""
    """The language model that planned; empty: none did."""
    notes: tuple[str, ...] = ()
    """What the model offered and why it did not count."""


class Judged(Struct, frozen=True, kw_only=True):
    """One scenario was run."""

    scenario: Scenario
    verdict: ScenarioVerdict


class Asked(Struct, frozen=True, kw_only=True):
    """The end: all of it."""

    understanding: Understanding
    scenarios: tuple[Scenario, ...]
    verdicts: tuple[ScenarioVerdict, ...]
    """Of the scenarios, in order; empty when nothing was run."""
    files: tuple[str, ...]
    """Feature files that hold the scenarios which are no junk."""


def ask(
    question: str,
    *,
    config: Config,
    store: Store,
    run: bool = True,
    write: bool = True,
    came_with: Signal | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[Proposed | Judged | Asked]:
    """Plan scenarios for QUESTION and, with RUN, judge them and, with WRITE, write those that are
    no junk. CAME_WITH: what it was asked about, as `agent.prompt_input.signal_of` reads it.

    Raises InputError when the question fits nothing, NothingLearned without a profile,
    UnsafeTarget when a scenario changes data on a target that is not disposable.
    """
    profile = store.profile()
    exchanges = read_exchanges(profile, store)
    proposed = _proposed(question, profile, exchanges, config=config, came_with=came_with)
    yield proposed
    verdicts: list[ScenarioVerdict] = []
    files: dict[str, None] = {}
    for event, path in (
        _judged(proposed, profile, exchanges, config=config, store=store, write=write, clock=clock)
        if run
        else ()
    ):
        verdicts.append(event.verdict)
        if path:
            files[path] = None
        yield event
    yield Asked(
        understanding=proposed.understanding,
        scenarios=proposed.scenarios,
        verdicts=tuple(verdicts),
        files=tuple(files),
    )


def _proposed(
    question: str,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    config: Config,
    came_with: Signal | None,
) -> Proposed:
    """What QUESTION was understood to ask, and scenarios for it: by the larger model, where one is
    configured and answers, else without."""
    bindings = load_bindings(config)
    notes: tuple[str, ...] = ()
    engine = planning_engine(config)
    if engine is not None:
        try:
            planned = plan_with_model(
                question,
                engine=engine,
                profile=profile,
                exchanges=exchanges,
                bindings=bindings,
                roles=tuple(config.roles),
                came_with=came_with,
                meaning=open_meaning(),
            )
            return Proposed(
                understanding=planned.understanding,
                scenarios=planned.scenarios,
                model=planned.model,
                notes=planned.rejected,
            )
        except ModelError as error:
            notes = (f"planned without a language model: {error}",)
        finally:
            engine.close()
    understanding, scenarios = propose(
        question,
        profile=profile,
        exchanges=exchanges,
        config=config,
        bindings=bindings,
        came_with=came_with,
        meaning=open_meaning(),
    )
    return Proposed(understanding=understanding, scenarios=tuple(scenarios), notes=notes)


def _judged(
    proposed: Proposed,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    config: Config,
    store: Store,
    write: bool,
    clock: Callable[[], float],
) -> Iterator[tuple[Judged, str]]:
    """Each scenario judged, and the file that it was written to; empty: none."""
    if not config.target.disposable:
        # All of them before any is sent.
        target, roles = config.target.base_url, tuple(config.roles)
        bindings = load_bindings(config)
        refuse_changes(proposed.scenarios, bindings=bindings, roles=roles, target=target)
    with judging(
        config=config, store=store, profile=profile, exchanges=exchanges, clock=clock
    ) as judge:
        for scenario in proposed.scenarios:
            verdict, path = judge.settle(scenario, write=write)
            yield Judged(scenario=scenario, verdict=verdict), path
