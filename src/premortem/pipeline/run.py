"""A plan -> requests sent, results stored, findings reproduced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

import msgspec
from msgspec import Struct

from premortem.analyse import Candidate, active, curl_line, finding_of, group
from premortem.capture import Redactor
from premortem.checks import Checker
from premortem.config import Config
from premortem.domain.condition import parse_condition
from premortem.domain.live import LiveRun
from premortem.domain.run import Finding, Plan, Result, RunSummary, Sequence, Threshold
from premortem.domain.traffic import Profile
from premortem.errors import TargetError
from premortem.generate.llm_batch import Progress
from premortem.observe import Watcher
from premortem.pipeline.accounts import fresh_state
from premortem.pipeline.assembling import Conducted, conducted, resumed
from premortem.pipeline.assistants import Assistants
from premortem.pipeline.conducting import conduct, executor_for, run_batch
from premortem.pipeline.modelling import quiet
from premortem.pipeline.roles import require
from premortem.pipeline.secrets import clean_result, without_secrets
from premortem.pipeline.supplying import Supply
from premortem.pipeline.timing import scheduled
from premortem.plan import Arranged, Share, arrange
from premortem.run.happenings import Event, Gathered, RunEnded
from premortem.run.reproduce import reproduce
from premortem.run.safety import refuse_unsafe
from premortem.send.line import Line, open_line
from premortem.store import Store

FINDINGS_REPRODUCED_MAX = 200
"""Distinct findings a run reproduces; a target this broken is not helped by more."""
REPRODUCTION_TRIES = 2
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


class Reproducing(Struct, frozen=True, kw_only=True):
    """A suspected finding is being sent again from a fresh state."""

    done: int
    total: int
    title: str


class Reported(Struct, frozen=True, kw_only=True):
    """The end: what the run found, confirmed and not."""

    summary: RunSummary
    findings: tuple[Finding, ...]
    unconfirmed: tuple[Finding, ...]
    """Seen, but not again from a fresh state: shown apart, never counted as findings."""
    trouble: str = ""
    """Why not all that was seen could be sent again; empty: it could."""


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
    supply = Supply(plan, config=config, store=store, clock=clock, progress=progress)
    checker = Checker(supply.profile, off=plan.checks_off)
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
    supply = Supply(plan, config=config, store=store, clock=clock, progress=progress)
    checker = Checker(supply.profile, off=plan.checks_off)
    run = resumed(msgspec.structs.replace(live, plan=plan), schedule, config=config)
    nothing = arrange(plan, [], [], share=Share(planned=0, planned_dynamic=0))
    return Prepared(
        plan=plan, run=run, supply=supply, checker=checker, arranged=nothing, resume=True
    )


def execute(
    prepared: Prepared, *, config: Config, store: Store, stop: threading.Event
) -> Iterator[Event | Reproducing | Reported]:
    """Run what was prepared; the last event is Reported. Results and findings are stored as they
    come, the summary as soon as everything is sent.

    STOP, an interrupt or a target that breaks down while findings are reproduced ends that
    early: the rest stays unconfirmed. Raises UnsafeTarget, and ConfigError for a role whose
    variables are not set or a metric that cannot be watched, before anything is sent; TargetDown
    when nobody answers.
    """
    plan, supply = prepared.plan, prepared.supply
    sequences = prepared.arranged.sequences
    roles = {case.role for sequence in sequences for case in sequence.cases}
    require(config, roles)
    with (
        open_line(
            config,
            connections_max=plan.in_flight_max,
            timeout_s=plan.timeout_s,
            redaction_key=store.redaction_key,
        ) as line,
        Watcher(config.metrics, directory=config.path(".")) as sight,
    ):
        refuse_unsafe(sequences, config.target)
        line.wait_ready()
        line.wait(line.client.sign_in(sorted(roles)))
        fresh = fresh_state(line, supply.accounts)
        if not prepared.resume:
            fresh()
        collected = _Collected(supply)
        redactor = Redactor(store.redaction_key, config.redact)
        for event in conduct(
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
        ):
            collected.take(event)
            if not isinstance(event, RunEnded):
                yield event
        store.save_run(collected.summary)
        if plan.scale.controllers_max > 1:
            collected.add_stored(store)
        yield from _reproduce_all(prepared, collected, line, fresh, config, store, stop)


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


def _reproduce_all(
    prepared: Prepared,
    collected: _Collected,
    line: Line,
    fresh: Callable[[], None],
    config: Config,
    store: Store,
    stop: threading.Event,
) -> Iterator[Reproducing | Reported]:
    redactor = Redactor(store.redaction_key, config.redact)
    candidates = group(
        collected.suspicious,
        sequences=collected.sequences.values(),
        ignored=active(store.ignored(), date.today()),
    )[:FINDINGS_REPRODUCED_MAX]
    findings: list[Finding] = []
    unconfirmed: list[Finding] = []
    trouble = ""
    for index, candidate in enumerate(candidates):
        again = partial(
            _reproduced, candidate, line, fresh, prepared.checker, collected.summary, config
        )
        if trouble or stop.is_set():
            unconfirmed.append(again(tries=0))
            continue
        yield Reproducing(done=index, total=len(candidates), title=candidate.title)
        try:
            finding = again(tries=REPRODUCTION_TRIES)
        except (TargetError, KeyboardInterrupt) as error:
            trouble = str(error) or "stopped by the user"
            finding = again(tries=0)
        if finding.reproduced:
            sent = without_secrets(finding.sent, redactor)
            finding = msgspec.structs.replace(finding, sent=sent)
            store.save_findings([finding])
        (findings if finding.reproduced else unconfirmed).append(finding)
    summary = msgspec.structs.replace(
        collected.summary,
        findings=tuple(f.id for f in findings),
        judged=_judged(collected.summary, findings),
    )
    store.save_run(summary)
    yield Reported(
        summary=summary,
        findings=tuple(findings),
        unconfirmed=tuple(unconfirmed),
        trouble=trouble,
    )


class _Collected:
    """Keeps the suspicious results for grouping, with the sequences they belong to."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply
        self.suspicious: list[Result] = []
        self.sequences: dict[str, Sequence] = {}
        self.summary: RunSummary

    def take(self, event: Event) -> None:
        if isinstance(event, RunEnded):
            self.summary = event.summary
        elif isinstance(event, Gathered):
            failed = [result for result in event.results if result.verdicts]
            for result in failed:
                self._add(result, self._supply.sequence(result.sequence_id))

    def add_stored(self, store: Store) -> None:
        """What other controllers saw, too: it lies in the store."""
        mine = {(result.sequence_id, result.position) for result in self.suspicious}
        for result in store.results(self.summary.id, failed=True):
            if (result.sequence_id, result.position) not in mine:
                sequence = store.sequence(run_batch(self.summary.id), result.sequence_id)
                self._add(result, sequence)

    def _add(self, result: Result, sequence: Sequence | None) -> None:
        if len(self.suspicious) < SUSPICIOUS_MAX:
            self.suspicious.append(result)
            if sequence is not None:
                self.sequences[sequence.id] = sequence


def _reproduced(
    candidate: Candidate,
    line: Line,
    fresh: Callable[[], None],
    checker: Checker,
    summary: RunSummary,
    config: Config,
    *,
    tries: int,
) -> Finding:
    """CANDIDATE sent again from a fresh state: its shortest sequence first, then all before it.

    With no TRIES nothing is sent, and it stays unconfirmed.
    """
    sequence, again = candidate.sequences[0], 0
    for sequence in candidate.sequences if tries else ():
        again = reproduce(
            sequence,
            candidate.verdict,
            client=line,
            reset=fresh,
            checker=checker.check,
            tries=tries,
        )
        if again == tries:
            break
    return finding_of(
        candidate,
        sequence=sequence,
        reproduced=again,
        tries=tries,
        curl=curl_line(
            candidate.sent.request,
            base_url=config.target.base_url,
            role=candidate.case.role,
            roles=config.roles,
        ),
        run_id=summary.id,
        first_seen_at=summary.started_at,
    )
