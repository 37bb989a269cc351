"""What a run suspects, sent again from a fresh state, made shorter, and named for what it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from math import inf
from pathlib import Path

import msgspec
from msgspec import Struct

from premortem.analyse import (
    Candidate,
    RequestFaults,
    alike_answers,
    as_declared,
    as_one,
    curl_line,
    finding_of,
    freedom_of,
    kind_of,
    same,
    shared_id,
)
from premortem.analyse.minimise import minimise
from premortem.capture import Redactor
from premortem.checks import Checker, log_error, no_answer, open_checker, unlike_recorded
from premortem.config import Config
from premortem.domain.run import Case, Finding, RunSummary, Sent, Sequence, Verdict
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import TargetError
from premortem.generate import replayed
from premortem.observe.log import LogWatch
from premortem.pipeline.secrets import without_secrets
from premortem.run.reproduce import suffices, tries_for
from premortem.send.line import Line
from premortem.send.target import can_reset

FINDINGS_REPRODUCED_MAX = 200
"""Distinct findings a run reproduces; a target this broken is not helped by more."""
REPRODUCTION_TRIES = 2
DOUBTFUL_TRIES = 5
"""Where it came again only once: how often it then is tried."""
MINIMISE_REQUESTS_MAX = 300
"""Requests that are spent on making one finding shorter."""
MINIMISE_REQUESTS_TOTAL_MAX = 6_000
"""And on all findings of a run."""
MINIMISE_S_MAX = 20.0
MINIMISE_TOTAL_S_MAX = 180.0
"""Resets take their time, too."""
LOG_WAIT_S = 1.0
"""A service may write of its error after it has answered."""
LOG_POLL_S = 0.02
READY_S_MAX = 10.0
"""A target may need so long to come back after what took it down."""

Apart = Callable[[Sequence, str], Sequence]
"""A sequence under names of its own, for targets that cannot be reset; and a salt for them."""


class Reproducing(Struct, frozen=True, kw_only=True):
    """A suspected finding is being sent again from a fresh state."""

    done: int
    total: int
    title: str


class Minimising(Struct, frozen=True, kw_only=True):
    """A finding is being made shorter."""

    done: int
    total: int
    title: str
    cases: int
    """Requests that it takes so far."""


class Confirmed(Struct, frozen=True, kw_only=True):
    """What became of all that a run suspected."""

    findings: tuple[Finding, ...]
    unconfirmed: tuple[Finding, ...]
    trouble: str = ""
    """Why not all could be sent again; empty: it could."""


class Bench:
    """The target, brought to a fresh state as often as it takes, and the checks.

    CHECKER judges, DECLARED does so by the specification alone. CLOCK: seconds, never jumping.
    APART: given where the target cannot be reset. LOG: the target's, where it is followed.
    """

    def __init__(
        self,
        line: Line,
        *,
        fresh: Callable[[], None],
        checker: Checker,
        profile: Profile,
        declared: Checker,
        clock: Callable[[], float],
        apart: Apart | None = None,
        log: LogWatch | None = None,
    ) -> None:
        self.clock = clock
        self.checker = checker
        self.declared = declared
        self.profile = profile
        self.log = log
        self.requests = 0
        """Sent by it so far."""
        self._line = line
        self._fresh = fresh
        self._apart = apart
        self._tries = 0
        self._pause = threading.Event()

    def send(self, sequence: Sequence, *, ready: bool = False) -> tuple[Sequence, tuple[Sent, ...]]:
        """SEQUENCE sent from a fresh state, and what came; READY: only to a target that answers
        others, its last request over a connection of its own. Raises TargetError."""
        self._tries += 1
        if self._apart is not None:
            sequence = self._apart(sequence, f"again {self._tries}")
        self._fresh()
        if ready:
            self._line.wait_ready(timeout_s=READY_S_MAX)
        self.requests += len(sequence.cases)
        return sequence, self._line.send_sequence(sequence, apart=ready)

    def shows(self, sequence: Sequence, verdict: Verdict) -> Shown | None:
        """What came of SEQUENCE when its last case gives VERDICT again; None: it does not."""
        mark = self.log.mark() if self.log is not None else 0
        # A target that is gone answers nothing, and one that closed the connection behind an
        # earlier failure neither: both say nothing about this request.
        tried, sent = self.send(sequence, ready=verdict.check == no_answer.NAME)
        if verdict.check == log_error.NAME:
            again = same(verdict, self._logged(sent[-1], mark))
        elif verdict.check == unlike_recorded.NAME:
            again = unlike_recorded.shows_again(verdict, sent[-1])
        else:
            again = same(verdict, self.checker.check(tried.cases[-1], sent[-1], sent[:-1]))
        if again is None:
            return None
        return Shown(sequence=sequence, sent=sent, verdict=again, cause=self._cause(sent[-1], mark))

    def _logged(self, sent: Sent, mark: int) -> tuple[Verdict, ...]:
        """What the log says since MARK behind an answer that says all is well."""
        ends_at = self.clock() + LOG_WAIT_S
        while self.log is not None:
            found = tuple(log_error.judge_lines(sent, self.log.since(mark)))
            if found or self.clock() >= ends_at:
                return found
            self._pause.wait(LOG_POLL_S)
        return ()

    def _cause(self, sent: Sent, mark: int) -> str:
        """What the log says of a failure since MARK; it may be written after the answer."""
        response = sent.response
        if self.log is None or response is None or response.status < 500:
            return ""
        ends_at = self.clock() + LOG_WAIT_S
        while True:
            errors = [line.error for line in self.log.since(mark) if line.error is not None]
            if errors:
                return errors[-1].signature
            if self.clock() >= ends_at:
                return ""
            self._pause.wait(LOG_POLL_S)


def open_bench(
    line: Line,
    profile: Profile,
    *,
    config: Config,
    fresh: Callable[[], None],
    off: Collection[str] = (),
    apart: Apart | None = None,
    log: Path | None = None,
    everything: bool = False,
) -> Bench:
    """A bench for the target behind LINE. OFF: checks that a plan leaves out, EVERYTHING: none
    that the configuration does; APART: used where
    the target cannot be reset; LOG: the file its log comes to."""
    return Bench(
        line,
        fresh=fresh,
        checker=open_checker(profile, config, off=off, everything=everything),
        declared=open_checker(as_declared(profile), config, off=off, everything=everything),
        profile=profile,
        clock=time.monotonic,
        apart=None if can_reset(config.target) else apart,
        log=LogWatch(log) if log is not None else None,
    )


class Shown(Struct, frozen=True, kw_only=True):
    """A sequence that showed a verdict."""

    sequence: Sequence
    sent: tuple[Sent, ...]
    verdict: Verdict
    cause: str = ""
    """By the target's log; empty: it is not followed, or says nothing."""


class _Again(Struct, frozen=True, kw_only=True):
    """How often a candidate came again, and with what."""

    sequence: Sequence
    shown: Shown | None = None
    times: int = 0
    tries: int = 0
    found_with: int = 0
    """Requests before it was made shorter; 0: it was not tried."""


class Confirmer:
    """Sends what was suspected again, gravest first.

    What comes again is made shorter where SHORTER, gets its kind, and is given to SAVE. EXCHANGES:
    the recorded ones, by id. IGNORED: ids that are not reported. ELSEWHERE: a case on things that
    were there in mid-run -> a sequence that makes such things first, or None.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        config: Config,
        summary: RunSummary,
        exchanges: Mapping[str, Exchange],
        redactor: Redactor,
        save: Callable[[Finding], None],
        ignored: Collection[str] = (),
        shorter: bool = True,
        elsewhere: Callable[[Case], Sequence | None] = lambda _case: None,
    ) -> None:
        self._bench = bench
        self._config = config
        self._summary = summary
        self._recorded = Recorded(bench.profile, exchanges)
        self._faults = RequestFaults(bench.profile)
        self._redactor = redactor
        self._save = save
        self._ignored = ignored
        self._shorter = shorter
        self._elsewhere = elsewhere
        self._spent = 0
        """Requests that making shorter took so far."""
        self._ends_at = inf
        """When making shorter ends, on the bench's clock."""
        self._findings: dict[str, Finding] = {}

    def confirm(
        self, candidates: list[Candidate], *, stop: Callable[[], bool]
    ) -> Iterator[Reproducing | Minimising | Confirmed]:
        """The last event is Confirmed. STOP, an interrupt or a target that breaks down ends it
        early: the rest stays unconfirmed."""
        candidates = candidates[:FINDINGS_REPRODUCED_MAX]
        self._ends_at = self._bench.clock() + MINIMISE_TOTAL_S_MAX
        unconfirmed: list[Finding] = []
        trouble = ""
        for index, candidate in enumerate(candidates):
            again = _Again(sequence=candidate.sequences[0])
            if not (trouble or stop()):
                yield Reproducing(done=index, total=len(candidates), title=candidate.title)
                try:
                    again = self._again(candidate)
                    for shorter in self._shortened(again, stop):
                        again = shorter
                        yield Minimising(
                            done=index,
                            total=len(candidates),
                            title=candidate.title,
                            cases=len(again.sequence.cases),
                        )
                    self._take_others(candidate, again)
                except (TargetError, KeyboardInterrupt) as error:
                    trouble = str(error) or "stopped by the user"
            finding = self._finding(candidate, again)
            if again.shown is None:
                unconfirmed.append(finding)
            else:
                self._take(finding)
        found = tuple(f for f in self._findings.values() if f.id not in self._ignored)
        yield Confirmed(findings=found, unconfirmed=tuple(unconfirmed), trouble=trouble)

    def _take_others(self, candidate: Candidate, first: _Again) -> None:
        """Where the log tells errors apart that look like one: those beside the FIRST."""
        if first.shown is None or not first.shown.cause:
            return
        seen = {first.shown.cause}
        for example, sequences in candidate.others:
            found = self._bench.shows(sequences[0], example.verdict)
            if found is None or not found.cause or found.cause in seen:
                continue
            seen.add(found.cause)
            other = msgspec.structs.replace(
                candidate, examples=(example,), sequences=sequences, count=1, others=()
            )
            again = self._again(other)
            *_, again = [again, *self._shortened(again, lambda: False)]
            if again.shown is not None:
                self._take(self._finding(other, again))

    def _again(self, candidate: Candidate) -> _Again:
        """CANDIDATE sent again: its shortest sequence first, then all that went before it."""
        best = _Again(sequence=candidate.sequences[0])
        for sequence in self._ways_to(candidate):
            tries = tries_for(sequence, REPRODUCTION_TRIES)
            times, tried, shown = 0, 0, None
            while tried < tries:
                found = self._bench.shows(sequence, candidate.verdict)
                tried += 1
                times += found is not None
                shown = found or shown
                if tried == REPRODUCTION_TRIES and 0 < times < tried:
                    tries = DOUBTFUL_TRIES
            again = _Again(sequence=sequence, shown=shown, times=times, tries=tried)
            if times * best.tries > best.times * tried or best.shown is None:
                best = again
            if suffices(sequence, times, tried):
                break
        return best

    def _ways_to(self, candidate: Candidate) -> Iterator[Sequence]:
        yield from candidate.sequences
        case = candidate.sequences[0].cases[-1]
        moved = self._elsewhere(case) if case.intent.live else None
        if moved is not None:
            yield moved

    def _shortened(self, again: _Again, stop: Callable[[], bool]) -> Iterator[_Again]:
        """AGAIN with less and less; nothing where it cannot, or should not, be less."""
        shown, bench = again.shown, self._bench
        if shown is None or not self._shorter:
            return
        if not suffices(again.sequence, again.times, again.tries):
            return
        if shown.cause and any(shown.cause == f.cause for f in self._findings.values()):
            return  # it is one with what was made short already
        freedom = freedom_of(again.sequence, shown.sent, shown.verdict, bench.declared.check)
        search = minimise(again.sequence, shown.sent, freedom, fits=self._faults.no_worse)
        began, limit_s = bench.requests, min(self._ends_at, bench.clock() + MINIMISE_S_MAX)
        most = min(MINIMISE_REQUESTS_MAX, MINIMISE_REQUESTS_TOTAL_MAX - self._spent)
        again = msgspec.structs.replace(again, found_with=len(again.sequence.cases))
        yield again
        try:
            sequence = next(search)
            while bench.requests - began + len(sequence.cases) <= most:
                if stop() or bench.clock() >= limit_s:
                    break
                found = bench.shows(sequence, shown.verdict)
                if (
                    found is not None
                    and found.cause == shown.cause
                    and alike_answers(found.sent[-1], shown.sent[-1])
                ):
                    again = msgspec.structs.replace(again, sequence=sequence, shown=found)
                    yield again
                    sequence = search.send(found.sent)
                else:
                    sequence = search.send(None)
        except StopIteration:
            pass
        finally:
            self._spent += bench.requests - began

    def _finding(self, candidate: Candidate, again: _Again) -> Finding:
        shown, config = again.shown, self._config
        sent = shown.sent[-1] if shown is not None else candidate.sent
        case = again.sequence.cases[-1]
        made = finding_of(
            candidate,
            sequence=again.sequence,
            reproduced=again.times,
            tries=again.tries,
            curl=curl_line(
                sent.request,
                base_url=config.target.base_url,
                role=case.role,
                roles=config.roles,
            ),
            run_id=self._summary.id,
            first_seen_at=self._summary.started_at,
            sent=sent,
        )
        made = msgspec.structs.replace(made, found_with=again.found_with)
        if shown is None:
            return made
        made = msgspec.structs.replace(made, verdict=shown.verdict, cause=shown.cause)
        if not shown.cause or sent.response is None:
            return made
        title = f"fails with {sent.response.status}: {shown.cause}"
        return msgspec.structs.replace(made, title=title)

    def _take(self, finding: Finding) -> None:
        """Keep FINDING, as one with those of the same cause."""
        operation = self._bench.profile.operation(finding.operation_id)
        kind, why = kind_of(
            finding,
            declared=operation.declared if operation is not None else (),
            recorded=self._recorded.cases(finding.operation_id),
            judge=self._bench.checker.check,
        )
        finding = msgspec.structs.replace(
            finding, kind=kind, kind_reason=why, sent=without_secrets(finding.sent, self._redactor)
        )
        finding = msgspec.structs.replace(finding, id=shared_id(finding))
        known = self._findings.get(finding.id)
        if known is not None:
            finding = as_one(known, finding)
        self._findings[finding.id] = finding
        if finding.id not in self._ignored:
            self._save(finding)


class Recorded:
    """What production asked and answered, as cases to be judged."""

    def __init__(self, profile: Profile, exchanges: Mapping[str, Exchange]) -> None:
        self._profile = profile
        self._exchanges = exchanges

    def cases(self, operation_id: str) -> Iterator[tuple[Case, Sent]]:
        """Recorded requests of the operation, each as it was answered."""
        operation = self._profile.operation(operation_id)
        for exchange_id in operation.exemplars if operation is not None else ():
            exchange = self._exchanges.get(exchange_id)
            if exchange is None:
                continue
            for case in replayed(self._profile, self._exchanges, [exchange_id]):
                yield case, Sent(request=exchange.request, response=exchange.response)
