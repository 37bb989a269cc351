"""A plan -> requests sent, results stored, findings reproduced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from premortem.analyse import active, group
from premortem.analyse.differential import Differential, Key
from premortem.capture import Redactor
from premortem.checks import Checker, log_error, open_checker, unlike_recorded
from premortem.checks.own import BROKEN
from premortem.config import Config
from premortem.domain.agreement import Agreement
from premortem.domain.condition import parse_condition
from premortem.domain.live import LiveRun
from premortem.domain.run import Finding, Plan, Result, RunSummary, Sequence, Threshold
from premortem.domain.traffic import Profile
from premortem.errors import TargetError
from premortem.generate import Starts, rehomed
from premortem.generate.llm_batch import Progress
from premortem.observe import Reach, Watcher
from premortem.pipeline.accounts import fresh_state
from premortem.pipeline.assembling import Conducted, conducted, resumed
from premortem.pipeline.assistants import Assistants
from premortem.pipeline.conducting import conduct, executor_for, run_batch
from premortem.pipeline.confirming import (
    Bench,
    Confirmed,
    Confirmer,
    Minimising,
    Reproducing,
    open_bench,
)
from premortem.pipeline.covering import Covering, run_coverage
from premortem.pipeline.log_errors import LogErrors
from premortem.pipeline.modelling import quiet
from premortem.pipeline.roles import require
from premortem.pipeline.ruling import with_blueprints
from premortem.pipeline.secrets import clean_result
from premortem.pipeline.supplying import Supply
from premortem.pipeline.timing import scheduled
from premortem.plan import Arranged, Share, arrange
from premortem.run.happenings import Event, Gathered, RunEnded
from premortem.run.safety import refuse_unsafe
from premortem.send.line import Line, open_line
from premortem.store import Store

SUSPICIOUS_MAX = 20_000
"""Failed results held to be grouped; more of the same adds nothing."""


class Prepared(Struct, frozen=True, kw_only=True):
    """A plan whose first part is made, before the first byte is sent."""

    plan: Plan
    run: Conducted
    supply: Supply
    checker: Checker
    arranged: Arranged
    """Its first part: all of it, unless it has more than SLICE_CASES_MAX requests."""
    resume: bool = False
    """Go on with a run that was broken off: the target is left in the state that it is in."""

    @property
    def profile(self) -> Profile:
        """What the cases are made from."""
        return self.supply.profile

    @property
    def rejected(self) -> int:
        """Cases that failed validation so far."""
        return self.supply.rejected

    @property
    def left_out(self) -> int:
        """Recorded requests not replayed: they change accounts that roles sign in with."""
        return self.supply.left_out

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Generated.notes`."""
        return self.supply.notes


class Reported(Struct, frozen=True, kw_only=True):
    """The end: what the run found, confirmed and not."""

    summary: RunSummary
    findings: tuple[Finding, ...]
    unconfirmed: tuple[Finding, ...]
    """Seen, but not again from a fresh state: shown apart, never counted as findings."""
    trouble: str = ""
    """Why not all that was seen could be sent again; empty: it could."""
    broken_checks: tuple[str, ...] = ()
    """Checks of the user's own that raised an error: name, error and line, each said once."""


def prepare(
    plan: Plan,
    *,
    config: Config,
    store: Store,
    clock: Callable[[], float] = time.time,
    progress: Progress = quiet,
) -> Prepared:
    """Generate and arrange the first part of what PLAN asks for. Sends nothing.

    CLOCK: seconds since the epoch, for date windows that are relative to now. PROGRESS: see
    `produce`. Raises NothingLearned without a profile, ConfigError without a target and for
    context parameters that are unknown or contradict, ModelError for a model that is needed and
    cannot be asked.
    """
    plan, schedule = scheduled(plan, store)
    config = with_blueprints(config)
    supply = Supply(plan, config=config, store=store, clock=clock, progress=progress)
    checker = open_checker(supply.profile, config, off=plan.checks_off)
    run = conducted(plan, schedule, config=config, now=clock())
    arranged = supply.part(next(iter(run.parts())))
    return Prepared(plan=plan, run=run, supply=supply, checker=checker, arranged=arranged)


def prepare_resumed(
    live: LiveRun,
    *,
    config: Config,
    store: Store,
    clock: Callable[[], float] = time.time,
    progress: Progress = quiet,
) -> Prepared:
    """What is left of a run that was broken off, with the profile that it began with.

    Raises as `prepare` does.
    """
    plan = msgspec.structs.replace(live.plan, profile=live.profile_version)
    plan, schedule = scheduled(plan, store)
    config = with_blueprints(config)
    supply = Supply(plan, config=config, store=store, clock=clock, progress=progress)
    checker = open_checker(supply.profile, config, off=plan.checks_off)
    run = resumed(msgspec.structs.replace(live, plan=plan), schedule, config=config)
    nothing = arrange(plan, [], [], share=Share(planned=0, planned_dynamic=0))
    return Prepared(
        plan=plan, run=run, supply=supply, checker=checker, arranged=nothing, resume=True
    )


def execute(
    prepared: Prepared,
    *,
    config: Config,
    store: Store,
    stop: threading.Event,
    shorter: bool = True,
) -> Iterator[Event | Reproducing | Minimising | Reported]:
    """Run what was prepared; the last event is Reported. Results and findings are stored as they
    come, the summary as soon as everything is sent.

    What was found is made SHORTER, at the price of some requests. STOP, an interrupt or a target
    that breaks down while findings are reproduced ends that early: the rest stays unconfirmed.
    Raises UnsafeTarget, and ConfigError for a role whose variables are not set or a metric that
    cannot be watched, before anything is sent; TargetDown when nobody answers.
    """
    plan, supply, config = prepared.plan, prepared.supply, with_blueprints(config)
    sequences = prepared.arranged.sequences
    roles = {case.role for sequence in sequences for case in sequence.cases}
    require(config, roles)
    with (
        closing(supply),
        open_line(
            config,
            connections_max=plan.in_flight_max,
            timeout_s=plan.timeout_s,
            redaction_key=store.redaction_key,
        ) as line,
        Watcher(config.metrics, directory=config.path(".")) as sight,
        Reach(config, (operation.id for operation in prepared.profile.operations)) as reach,
    ):
        refuse_unsafe(sequences, config.target)
        line.wait_ready()
        line.wait(line.client.sign_in(sorted(roles)))
        fresh = fresh_state(line, supply.accounts)
        if not prepared.resume:
            fresh()
        collected = _Collected(supply, prepared.checker)
        header = config.target.edition_header
        covers = Covering(prepared.profile, edition_header=header, run_id=prepared.run.run_id)
        redactor = Redactor(store.redaction_key, config.redact)
        logged = LogErrors(reach.log_path if _is_on(prepared.checker, log_error.NAME) else None)
        events = conduct(
            prepared.run,
            supply,
            config=config,
            store=store,
            executor=executor_for(prepared.run, config),
            stop=stop,
            clean=partial(clean_result, redactor),
            resume=prepared.resume,
            sight=sight,
            assistants=_assistants(plan, config),
        )
        for event in events:
            collected.take(event)
            if isinstance(event, Gathered):
                covers.take(event.results, supply.sequence)
                logged.take(event, supply.sequence)
            if not isinstance(event, RunEnded):
                yield event
        store.save_run(collected.summary)
        shared = plan.scale.controllers_max > 1
        agreements = collected.settled(store, shared=shared)
        stored = shared or prepared.resume
        covered = run_coverage(covers, collected.summary, store, reach, stored=stored)
        store.coverage.save(msgspec.structs.replace(covered, agreements=agreements))
        collected.add_logged(logged, line, stop)
        bench = _bench(prepared, line, config, fresh=fresh, log=reach.log_path)
        yield from _confirmed(prepared, collected, bench, config, store, stop=stop, shorter=shorter)


def _bench(
    prepared: Prepared,
    line: Line,
    config: Config,
    *,
    fresh: Callable[[], None],
    log: Path | None,
) -> Bench:
    return open_bench(
        line,
        prepared.profile,
        config=config,
        fresh=fresh,
        off=prepared.plan.checks_off,
        apart=prepared.supply.apart,
        log=log,
    )


def _is_on(checker: Checker, name: str) -> bool:
    return any(check.name == name for check in checker.checks)


def _judged(summary: RunSummary, findings: list[Finding]) -> tuple[Threshold, ...]:
    """The thresholds; those on findings can be judged only once they were sent again."""
    judged = []
    for threshold in summary.judged:
        condition = parse_condition(threshold.text)
        if condition.metric == "findings":
            wanted = condition.operation
            number = float(sum(not wanted or f.operation_id == wanted for f in findings))
            threshold = Threshold(text=threshold.text, value=number, held=condition.holds(number))
        judged.append(threshold)
    return tuple(judged)


def _assistants(plan: Plan, config: Config) -> Assistants | None:
    least, most = plan.scale.controllers_min, plan.scale.controllers_max
    return Assistants(config, least=least, most=most) if most > 1 else None


def _confirmed(
    prepared: Prepared,
    collected: _Collected,
    bench: Bench,
    config: Config,
    store: Store,
    *,
    stop: threading.Event,
    shorter: bool,
) -> Iterator[Reproducing | Minimising | Reported]:
    quiet = active(store.ignored(), date.today())
    candidates = group(collected.suspicious, sequences=collected.sequences.values(), ignored=quiet)
    starts = Starts(prepared.supply.profile, prepared.supply.exchanges)
    confirmer = Confirmer(
        bench,
        config=config,
        summary=collected.summary,
        exchanges=prepared.supply.exchanges,
        redactor=Redactor(store.redaction_key, config.redact),
        save=lambda finding: store.save_findings([finding]),
        ignored=quiet,
        shorter=shorter,
        elsewhere=partial(rehomed, starts=starts),
    )
    for event in confirmer.confirm(candidates, stop=stop.is_set):
        if not isinstance(event, Confirmed):
            yield event
            continue
        summary = msgspec.structs.replace(
            collected.summary,
            findings=tuple(f.id for f in event.findings),
            judged=_judged(collected.summary, list(event.findings)),
        )
        store.save_run(summary)
        yield Reported(
            summary=summary,
            findings=event.findings,
            unconfirmed=event.unconfirmed,
            trouble=event.trouble,
            broken_checks=tuple(collected.broken),
        )


class _Collected:
    """Keeps the suspicious results for grouping, with the sequences they belong to."""

    def __init__(self, supply: Supply, checker: Checker) -> None:
        self._supply = supply
        differs = _is_on(checker, unlike_recorded.NAME)
        self._differing = Differential(supply.exchanges, supply.sequence) if differs else None
        self.suspicious: list[Result] = []
        self.sequences: dict[str, Sequence] = {}
        self.broken: dict[str, None] = {}
        """What is wrong with checks of the user's own, in the order in which it showed."""
        self.summary: RunSummary

    def take(self, event: Event) -> None:
        if isinstance(event, RunEnded):
            self.summary = event.summary
        elif isinstance(event, Gathered):
            self._supply.gathered(event)
            if self._differing is not None:
                self._differing.take(event.results)
            failed = [result for result in event.results if result.verdicts]
            for result in failed:
                self._add(result, self._supply.sequence(result.sequence_id))

    def settled(self, store: Store, *, shared: bool) -> tuple[Agreement, ...]:
        """Take in what other controllers saw, if SHARED, and what differs from what was recorded.
        Gives how often it was as recorded."""
        if shared:
            self._add_stored(store)
        return self._add_differing(self._differing, store) if self._differing is not None else ()

    def _add_stored(self, store: Store) -> None:
        """What other controllers saw, too: it lies in the store."""
        mine = {(result.sequence_id, result.position) for result in self.suspicious}
        for result in store.results(self.summary.id, failed=True):
            if (result.sequence_id, result.position) not in mine:
                sequence = store.sequence(run_batch(self.summary.id), result.sequence_id)
                self._add(result, sequence)

    def add_logged(self, logged: LogErrors, line: Line, stop: threading.Event) -> None:
        """Results behind which the target's log tells of an error."""
        try:
            for result, sequence in logged.suspicious(line, stop=stop.is_set):
                self._add(result, sequence)
        except (TargetError, KeyboardInterrupt):
            return  # what else is to be sent again will say so

    def _add_differing(self, differing: Differential, store: Store) -> tuple[Agreement, ...]:
        before = store.coverage.of_all() if differing.differs else None
        places: set[Key] = set()
        for result, sequence, keys in differing.suspicious(before.agreements if before else ()):
            self._add(result, sequence)
            places |= keys
        return differing.agreements(without=places)

    def _add(self, result: Result, sequence: Sequence | None) -> None:
        about_checks = [v for v in result.verdicts if v.signature.startswith(BROKEN)]
        if about_checks:
            self.broken |= {f"{v.check}: {v.evidence}": None for v in about_checks}
            rest = tuple(v for v in result.verdicts if v not in about_checks)
            result = msgspec.structs.replace(result, verdicts=rest)
        if result.verdicts and len(self.suspicious) < SUSPICIOUS_MAX:
            self.suspicious.append(result)
            if sequence is not None:
                self.sequences[sequence.id] = sequence
