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
from premortem.domain.run import Case, Finding, Plan, Result, RunSummary, Sent, Sequence
from premortem.domain.traffic import Profile
from premortem.errors import ConfigError, TargetError
from premortem.generate import first_cycle, isolated, once_places, replay, unique_places
from premortem.generate.llm_batch import Progress
from premortem.pipeline.accounts import (
    account_cases,
    account_changes,
    credential_tokens,
    fresh_state,
)
from premortem.pipeline.generate import produce, recorded
from premortem.pipeline.modelling import quiet
from premortem.pipeline.roles import require
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
    checker: Checker
    arranged: Arranged
    rejected: int
    accounts: tuple[Case, ...]
    """Sent first, and after every reset; not counted among the planned."""
    left_out: int
    """Recorded requests not replayed: they change accounts that roles sign in with."""
    notes: tuple[str, ...] = ()
    """See `Generated.notes`."""


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
    """Generate and arrange what PLAN asks for. Sends nothing.

    CLOCK: seconds since the epoch, for date windows that are relative to now. PROGRESS: see
    `produce`. Raises NothingLearned without a profile, ConfigError without a target and for
    context parameters that are unknown or contradict, ModelError for a model that is needed and
    cannot be asked.
    """
    if not config.target.base_url:
        raise ConfigError("no target is named; set `base_url` under [target] in premortem.toml")
    profile = store.profile(plan.profile)
    checker = Checker(profile, off=plan.checks_off)
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
        context=plan.context,
        now=(began := clock()),
        credentials=credential_tokens(config, store.redaction_key),
        progress=progress,
    )
    store.save_rejections(made.rejections)
    accounts = account_cases(profile, exchanges, config=config, redaction_key=store.redaction_key)
    identities = config.identities | credential_tokens(config, store.redaction_key)
    made_already = {parent for case in accounts for parent in case.origin.parents}
    changing = account_changes(exchanges, identities) - made_already
    rest = {id_: e for id_, e in exchanges.items() if id_ not in made_already | changing}

    unique, once = unique_places(profile, exchanges), once_places(profile, exchanges)
    now = f"{began:.3f}"

    def apart(sequence: Sequence, number: int, kind: str = "cycle") -> Sequence:
        salt = f"{plan.seed} {kind} {number}"
        keep = identities
        return isolated(sequence, salt=salt, keep=keep, unique=unique, once=once, run=now)

    arranged = arrange(
        plan,
        first_cycle(list(replay(profile, rest)), salt=now),
        [apart(sequence, i, "generated") for i, sequence in enumerate(made.sequences)],
        again=apart,
    )
    return Prepared(
        plan=plan,
        profile=profile,
        checker=checker,
        arranged=arranged,
        rejected=len(made.rejections),
        accounts=accounts,
        left_out=len(changing),
        notes=made.notes,
    )


def execute(
    prepared: Prepared, *, config: Config, store: Store, stop: threading.Event
) -> Iterator[Event | Reproducing | Reported]:
    """Run what was prepared; the last event is Reported. Results and findings are stored as they
    come, the summary as soon as everything is sent.

    STOP, an interrupt or a target that breaks down while findings are reproduced ends that
    early: the rest stays unconfirmed. Raises UnsafeTarget, and ConfigError for a role whose
    variables are not set, before anything is sent; TargetDown when nobody answers.
    """
    plan, checker = prepared.plan, prepared.checker
    sequences = prepared.arranged.sequences
    require(config, (case.role for sequence in sequences for case in sequence.cases))
    with open_line(
        config,
        connections_max=plan.in_flight_max,
        timeout_s=plan.timeout_s,
        redaction_key=store.redaction_key,
    ) as line:
        refuse_unsafe(sequences, line)
        line.wait_ready()
        fresh = fresh_state(line, prepared.accounts)
        fresh()
        redactor = Redactor(store.redaction_key, config.redact)
        collected = _Collected(store, redactor)
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
        store.save_run(collected.summary)
        candidates = group(
            collected.suspicious,
            sequences=sequences,
            ignored=active(store.ignored(), date.today()),
        )[:FINDINGS_REPRODUCED_MAX]
        findings: list[Finding] = []
        unconfirmed: list[Finding] = []
        trouble = ""
        for index, candidate in enumerate(candidates):
            again = partial(_reproduced, candidate, line, fresh, checker, collected.summary, config)
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
    summary = msgspec.structs.replace(collected.summary, findings=tuple(f.id for f in findings))
    store.save_run(summary)
    yield Reported(
        summary=summary,
        findings=tuple(findings),
        unconfirmed=tuple(unconfirmed),
        trouble=trouble,
    )


def without_secrets(sent: Sent, redactor: Redactor) -> Sent:
    """SENT as it may be stored: an answer to a login holds a live token."""
    response = redactor.response(sent.response) if sent.response is not None else None
    return msgspec.structs.replace(sent, request=redactor.request(sent.request), response=response)


class _Collected:
    """Stores results as they come and keeps the suspicious ones for grouping."""

    def __init__(self, store: Store, redactor: Redactor) -> None:
        self._store = store
        self._redactor = redactor
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
            kept = [
                msgspec.structs.replace(r, sent=without_secrets(r.sent, self._redactor))
                for r in failed + passed
            ]
            self._store.save_results(self.run_id, kept)


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
