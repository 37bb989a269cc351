"""A plan -> requests sent, results stored, findings reproduced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date

import msgspec
from msgspec import Struct

from premortem.analyse import Candidate, active, curl_line, finding_of, group
from premortem.checks import Checker
from premortem.config import Config
from premortem.domain.run import Case, Finding, Plan, Result, RunSummary, Sequence
from premortem.domain.traffic import Profile
from premortem.errors import ConfigError
from premortem.generate import isolated, replay
from premortem.pipeline.accounts import account_cases, fresh_state
from premortem.pipeline.generate import produce, recorded
from premortem.plan import Arranged, arrange
from premortem.run import Event, ResultBatch, RunEnded, RunStarted, reproduce, run_plan
from premortem.run.runner import refuse_unsafe
from premortem.send.line import Line, open_line
from premortem.store import Store

FINDINGS_REPRODUCED_MAX = 200
"""Distinct findings a run reproduces; a target this broken is not helped by more."""
REPRODUCTION_TRIES = 2
PASSING_STORED_MAX = 2_000
"""Results without a verdict that are kept in full, of one run; the rest is counted."""
SUSPICIOUS_MAX = 20_000
"""Failed results held to be grouped; more of the same adds nothing."""


class Prepared(Struct, frozen=True, kw_only=True):
    """Everything a plan needs, before the first byte is sent."""

    plan: Plan
    profile: Profile
    arranged: Arranged
    rejected: int
    accounts: tuple[Case, ...]
    """Sent first, and after every reset; not counted among the planned."""


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


def prepare(plan: Plan, *, config: Config, store: Store) -> Prepared:
    """Generate and arrange what PLAN asks for. Sends nothing.

    Raises NothingLearned without a profile, ConfigError without a target.
    """
    if not config.target.base_url:
        raise ConfigError("no target is named; set `base_url` under [target] in premortem.toml")
    profile = store.profile(plan.profile)
    exchanges = recorded(store, profile)
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
    accounts = account_cases(profile, exchanges, config=config, redaction_key=store.redaction_key)
    made_already = {parent for case in accounts for parent in case.origin.parents}
    rest = {id_: exchange for id_, exchange in exchanges.items() if id_ not in made_already}
    identities = {name for role in config.roles.values() for name in role.identities}

    def apart(sequence: Sequence, number: int, kind: str = "cycle") -> Sequence:
        return isolated(sequence, salt=f"{plan.seed} {kind} {number}", keep=identities)

    arranged = arrange(
        plan,
        list(replay(profile, rest)),
        [apart(sequence, i, "generated") for i, sequence in enumerate(made.sequences)],
        again=apart,
    )
    return Prepared(
        plan=plan,
        profile=profile,
        arranged=arranged,
        rejected=len(made.rejections),
        accounts=accounts,
    )


def execute(
    prepared: Prepared, *, config: Config, store: Store, stop: threading.Event
) -> Iterator[Event | Reproducing | Reported]:
    """Run what was prepared; the last event is Reported. Results are stored as they come.

    Raises UnsafeTarget before anything is sent, TargetDown when nobody answers.
    """
    plan = prepared.plan
    checker = Checker(prepared.profile, off=plan.checks_off)
    with open_line(
        config,
        connections_max=plan.in_flight_max,
        timeout_s=plan.timeout_s,
        redaction_key=store.redaction_key,
    ) as line:
        refuse_unsafe(prepared.arranged.sequences, line)
        line.wait_ready()
        fresh = fresh_state(line, prepared.accounts)
        fresh()
        collected = _Collected(store)
        for event in run_plan(
            prepared.arranged,
            plan,
            line=line,
            checker=checker.check,
            stop=stop,
            profile_version=prepared.profile.version,
        ):
            collected.take(event)
            if not isinstance(event, RunEnded):
                yield event
        candidates = group(
            collected.suspicious,
            sequences=prepared.arranged.sequences,
            ignored=active(store.ignored(), date.today()),
        )
        findings: list[Finding] = []
        unconfirmed: list[Finding] = []
        for index, candidate in enumerate(candidates[:FINDINGS_REPRODUCED_MAX]):
            title = candidate.verdict.title
            yield Reproducing(done=index, total=len(candidates), title=title)
            finding = _reproduced(
                candidate, line, fresh, checker, run_id=collected.run_id, config=config, stop=stop
            )
            (findings if finding.reproduced else unconfirmed).append(finding)
    summary = msgspec.structs.replace(
        collected.summary, id=collected.run_id, findings=tuple(f.id for f in findings)
    )
    store.save_findings(findings)
    store.save_run(summary)
    yield Reported(summary=summary, findings=tuple(findings), unconfirmed=tuple(unconfirmed))


class _Collected:
    """Stores results as they come and keeps the suspicious ones for grouping."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._passing = 0
        self.run_id = ""
        self.suspicious: list[Result] = []
        self.summary: RunSummary

    def take(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.run_id = event.run_id
        elif isinstance(event, RunEnded):
            self.summary = event.summary
        elif isinstance(event, ResultBatch):
            failed = [result for result in event.results if result.verdicts]
            passed = [result for result in event.results if not result.verdicts]
            passed = passed[: PASSING_STORED_MAX - self._passing]
            self._passing += len(passed)
            self.suspicious += failed[: SUSPICIOUS_MAX - len(self.suspicious)]
            self._store.save_results(self.run_id, failed + passed)


def _reproduced(
    candidate: Candidate,
    line: Line,
    fresh: Callable[[], None],
    checker: Checker,
    *,
    run_id: str,
    config: Config,
    stop: threading.Event,
) -> Finding:
    """CANDIDATE sent again from a fresh state: its shortest sequence first, then all before it.

    After STOP nothing is sent any more, and it stays unconfirmed.
    """
    sequence, again = candidate.sequences[0], 0
    for sequence in () if stop.is_set() else candidate.sequences:
        again = reproduce(
            sequence,
            candidate.verdict,
            client=line,
            reset=fresh,
            checker=checker.check,
            tries=REPRODUCTION_TRIES,
        )
        if again == REPRODUCTION_TRIES:
            break
    return finding_of(
        candidate,
        sequence=sequence,
        reproduced=again,
        tries=REPRODUCTION_TRIES,
        curl=curl_line(
            candidate.sent.request,
            base_url=config.target.base_url,
            role=candidate.case.role,
            roles=config.roles,
        ),
        run_id=run_id,
    )
