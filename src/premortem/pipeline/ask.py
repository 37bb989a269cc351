"""A question -> scenarios, run and judged, written as feature files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import chain, islice

from msgspec import Struct

from premortem.agent.ask import EVIDENCE_MAX, exchanges_needed, judge, propose, refuse_changes
from premortem.agent.bindings import load_bindings
from premortem.agent.connection import client_factory
from premortem.agent.emit.feature import write_feature, write_step_library
from premortem.config import Config
from premortem.domain.scenario import Scenario, ScenarioVerdict, Understanding
from premortem.pipeline.accounts import account_cases, fresh_state
from premortem.pipeline.covering import Covering, overheard
from premortem.send.line import open_line
from premortem.store import Store


class Proposed(Struct, frozen=True, kw_only=True):
    """What the question was understood to ask, and the scenarios planned for it."""

    understanding: Understanding
    scenarios: tuple[Scenario, ...]


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
    clock: Callable[[], float] = time.time,
) -> Iterator[Proposed | Judged | Asked]:
    """Plan scenarios for QUESTION and, with RUN, judge them and write those that are no junk.

    Raises InputError when the question fits nothing, NothingLearned without a profile,
    UnsafeTarget when a scenario changes data on a target that is not disposable.
    """
    profile = store.profile()
    bindings = load_bindings(config)
    more = (id_ for flow in profile.flows for id_ in flow.exchange_ids)
    needed = dict.fromkeys(chain(sorted(exchanges_needed(profile)), more))
    exchanges = store.exchanges_by_id(list(islice(needed, EVIDENCE_MAX)))
    understanding, scenarios = propose(
        question,
        profile=profile,
        exchanges=exchanges,
        config=config,
        bindings=bindings,
    )
    yield Proposed(understanding=understanding, scenarios=tuple(scenarios))
    verdicts: list[ScenarioVerdict] = []
    files: dict[str, None] = {}
    if run:
        if not config.target.disposable:
            target, roles = config.target.base_url, tuple(config.roles)
            refuse_changes(scenarios, bindings=bindings, roles=roles, target=target)
        accounts = account_cases(
            profile, exchanges, config=config, redaction_key=store.redaction_key
        )
        factory = client_factory(config, environment=os.environ, redaction_key=store.redaction_key)
        run_id = f"ask {sha256(f'{question} {clock()}'.encode()).hexdigest()[:8]}"
        header = config.target.edition_header
        covering = Covering(profile, edition_header=header, run_id=run_id)
        with open_line(config, redaction_key=store.redaction_key) as line:
            line.wait_ready()
            for scenario in scenarios:
                verdict = judge(
                    scenario,
                    client_factory=overheard(factory, covering, profile),
                    reset=fresh_state(line, accounts),
                    bindings=bindings,
                    roles=tuple(config.roles),
                    clock=clock,
                    unsafe_target="" if config.target.disposable else config.target.base_url,
                )
                verdicts.append(verdict)
                store.save_scenario(scenario, verdict, at=clock())
                if verdict.outcome != "junk":
                    folder = config.path(config.features)
                    written = write_feature(scenario, folder, outcome=verdict.outcome)
                    write_step_library(folder)
                    files[str(written.path)] = None
                yield Judged(scenario=scenario, verdict=verdict)
        store.coverage.save(covering.finished((), at=clock()))
    yield Asked(
        understanding=understanding,
        scenarios=tuple(scenarios),
        verdicts=tuple(verdicts),
        files=tuple(files),
    )
