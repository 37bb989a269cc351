"""A plan -> requests sent, results stored, findings reproduced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import msgspec
from msgspec import Struct

from premortem.analyse import Candidate, curl_line, finding_of, group
from premortem.checks import Checker
from premortem.config import Config
from premortem.domain.run import SAFE_METHODS, Finding, Plan, Result, RunSummary
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import ConfigError, UnsafeTarget
from premortem.generate import replay
from premortem.pipeline.generate import produce, recorded
from premortem.plan import Arranged, arrange
from premortem.run import Event, ResultBatch, RunEnded, reproduce, run_plan
from premortem.send import Session
from premortem.store import Store

FINDINGS_REPRODUCED_MAX = 200
"""Distinct findings a run reproduces; a target this broken is not helped by more."""
REPRODUCTION_TRIES = 2
PASSING_STORED_MAX = 2_000
"""Results without a verdict that are kept in full, of one run; the rest is counted."""


class Prepared(Struct, frozen=True, kw_only=True):
    """Everything a plan needs, before the first byte is sent."""

    plan: Plan
    profile: Profile
    arranged: Arranged
    rejected: int


class Reproducing(Struct, frozen=True, kw_only=True):
    """A suspected finding is being sent again from a fresh state."""

    done: int
    total: int
    candidate: Candidate


class Reported(Struct, frozen=True, kw_only=True):
    """The end: what the run found, confirmed and not."""

    summary: RunSummary
    findings: tuple[Finding, ...]
    unconfirmed: tuple[Finding, ...]
    """Seen once, but not again when reproduced: not reported as findings."""


def prepare(plan: Plan, *, config: Config, store: Store) -> Prepared:
    """Generate and arrange what PLAN asks for. Sends nothing.

    Raises UnsafeTarget when it would change data where nobody allowed it, NothingLearned
    without a profile.
    """
    if not config.target.base_url:
        raise ConfigError("no target is named; set `base_url` under [target] in premortem.toml")
    profile = store.profile(plan.profile)
    exchanges = recorded(store, profile)
    production = production_of(profile, exchanges, plan)
    made = produce(
        profile,
        exchanges,
        config=config,
        count=plan.planned_dynamic,
        weights=plan.sources,
        operations=plan.operations,
        seed=plan.seed,
        safe_only=plan.safe_methods_only,
    )
    store.save_rejections(made.rejections)
    arranged = arrange(plan, production, made.sequences)
    if not config.target.disposable:
        for sequence in arranged.sequences:
            for case in sequence.cases:
                if case.request.method not in SAFE_METHODS:
                    raise UnsafeTarget(
                        target=config.target.base_url,
                        method=case.request.method,
                        operation_id=case.operation_id,
                    )
    return Prepared(
        plan=plan, profile=profile, arranged=arranged, rejected=len(made.rejections)
    )


def production_of(profile: Profile, exchanges: Mapping[str, Exchange], plan: Plan) -> list:
    """The recorded flows as sequences, narrowed to what PLAN allows."""
    sequences = list(replay(profile, exchanges))
    if not plan.operations and not plan.safe_methods_only:
        return sequences
    return [s for s in sequences if s.cases]


def execute(
    prepared: Prepared,
    *,
    config: Config,
    store: Store,
    stop: threading.Event,
    clock: Callable[[], float] = time.time,
) -> Iterator[Event | Reproducing | Reported]:
    """Run what was prepared; the last event is Reported. Results are stored as they come."""
    checker = Checker(prepared.profile, off=prepared.plan.checks_off)
    run_id = uuid4().hex[:12]
    session = Session(config, redaction_key=store.redaction_key, plan=prepared.plan)
    session.wait_ready()
    session.reset()
    suspicious: list[Result] = []
    stored = 0
    summary: RunSummary | None = None
    events = run_plan(
        prepared.arranged, prepared.plan, session=session, check=checker.check, stop=stop, clock=clock
    )
    for event in events:
        if isinstance(event, ResultBatch):
            failed = [result for result in event.results if result.verdicts]
            passed = [result for result in event.results if not result.verdicts]
            kept = passed[: max(0, PASSING_STORED_MAX - stored)]
            stored += len(kept)
            suspicious += failed
            store.save_results(run_id, failed + kept)
        if isinstance(event, RunEnded):
            summary = msgspec.structs.replace(event.summary, id=run_id)
            store.save_run(summary)
        else:
            yield event
    assert summary is not None  # noqa: S101 - run_plan always ends with RunEnded
    yield from _confirm(suspicious, summary, checker, session, config, store, stop, clock)
