"""What we mean to send, what came of it, and what that says: Case, Plan, Result, Finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from premortem.domain.context import Context
from premortem.domain.denial import is_refusal
from premortem.domain.goals import Goals
from premortem.domain.limit import Knee
from premortem.domain.load import Hold, Load, Scale, StopRule
from premortem.domain.places import Place
from premortem.domain.schedule import schedule_of
from premortem.domain.token_change import TokenChange
from premortem.domain.traffic import Request, Response

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110, 9.2.1."""
IDEMPOTENT_METHODS = SAFE_METHODS | {"PUT", "DELETE"}
"""RFC 9110, 9.2.2."""

SourceName = Literal[
    "replay", "sample", "traffic", "schema", "llm", "mutate", "security", "scenario"
]


class Origin(Struct, frozen=True, kw_only=True, gc=False):
    """Where a case comes from."""

    source: SourceName
    parents: tuple[str, ...] = ()
    """Exchange or case ids."""
    model: str = ""
    """Engine and model, where a language model made it."""
    prompt: str = ""
    """12 hex digits of the prompt's template, so that its version is known; empty: no prompt."""
    operator: str = ""
    """What was done to the parent: the mutation's or the boundary's name; empty: nothing."""
    seed: int = 0
    profile_version: str = ""


Expects = Literal["answer", "refusal", "gone", "there", "same", "once", "denied"]
"""What a correct service does. `answer`: nothing more than to answer sanely. `refusal`: 4xx.
`gone`: what the case `against` took away is not there any more. `there`: what it made is there.
`same`: it answers what it answered to the case `against`, but for what is volatile: nothing sent
between the two may have changed anything. `once`: of the cases sent at once with it, the first of
which is `against`, one at most is let through. `denied`: the credentials were taken back by the
case `against`: 401 or 403."""


class Intent(Struct, frozen=True, kw_only=True, gc=False):
    """What a case is meant to be.

    `realistic`: like production, valid as far as profile and specification tell.
    `adversarial`: breaks the one constraint that `breaks` names, e.g.
    `body:/amount exclusiveMinimum`, `auth missing`; `expects` says what a correct service does.
    """

    kind: Literal["realistic", "adversarial"] = "realistic"
    breaks: str = ""
    place: Place | None = None
    expects: Expects = "answer"
    against: int = -1
    """Index in the sequence of the case that the expectation refers to; -1: none."""
    live: bool = False
    """It names what other sequences of the run made: from a fresh state it means something else."""
    certain: bool = False
    """The constraint is declared by the specification, not only learned from traffic."""
    if_passed: int = -1
    """Index of a case without whose 2xx nothing is expected; -1: none."""
    if_refused: int = -1
    """Index of a case without whose refusal (4xx) nothing is expected; -1: none."""

    @property
    def refers(self) -> tuple[int, ...]:
        """Indices of the cases that it is about."""
        return tuple(i for i in (self.against, self.if_passed, self.if_refused) if i >= 0)

    def among(self, index: Mapping[int, int]) -> Intent:
        """The same where cases have the indices that INDEX gives for those they had; where one
        that it is about has none, it expects a sane answer and nothing more."""
        if not self.refers:
            return self
        kept = all(i in index for i in self.refers)
        return replace(
            self,
            against=index.get(self.against, -1),
            if_passed=index.get(self.if_passed, -1),
            if_refused=index.get(self.if_refused, -1),
            expects=self.expects if kept else "answer",
        )

    def given(self, before: Before) -> Intent:
        """What is left of it after BEFORE: where its condition is not met, a sane answer."""
        if self.if_passed < 0 and self.if_refused < 0:
            return self
        passed = self.if_passed < 0 or _status(before, self.if_passed) // 100 == 2
        status = _status(before, self.if_refused) if self.if_refused >= 0 else 0
        refused = self.if_refused < 0 or is_refusal(status, self.breaks)
        return self if passed and refused else replace(self, expects="answer", breaks="")


def _status(before: Before, index: int) -> int:
    sent = before[index] if index < len(before) else None
    return sent.response.status if sent is not None and sent.response is not None else 0


class Binding(Struct, frozen=True, kw_only=True, gc=False):
    """A value of an earlier answer in the same sequence that goes into this request."""

    step: int
    """Index of the producing case in the sequence."""
    select: Place
    """Where in its response; body pointers are concrete here (no `*`)."""
    place: Place
    """Where in this request; `path` places are named by the segment's index (`2` = third)."""
    recorded: str
    """The recorded value's text: the part of the place's text that the live value replaces."""


class Case(Struct, frozen=True, kw_only=True, gc=False):
    """One request we mean to send, and why it exists."""

    request: Request
    operation_id: str
    origin: Origin
    intent: Intent = Intent()
    role: str = ""
    """Whose credentials to send; empty: none."""
    bindings: tuple[Binding, ...] = ()
    recorded_status: int = 0
    """What production answered to the same request in the same state; 0: never sent so."""
    recorded_reason: str = ""
    """What production said when it refused, in a word or a line without values; empty: nothing."""
    setup: bool = False
    """It is there to bring about the state that a later case of the sequence needs."""
    together: int = 0
    """Neighbours in a sequence with the same number are sent at once; 0: one after the other."""
    token: TokenChange | None = None
    """Credentials that are not as the target gave them; None: they are."""

    @property
    def id(self) -> str:
        """16 hex digits naming request, role and what was done to the credentials; two roads to one
        request are one case."""
        named = self.role.encode() + b"\0" + self.request.canonical_bytes()
        named += b"" if self.token is None else repr(self.token).encode()
        return sha256(named).hexdigest()[:16]


class Sequence(Struct, frozen=True, kw_only=True, gc=False):
    """Cases sent one after the other; later ones may use values of earlier answers."""

    cases: tuple[Case, ...]

    @property
    def id(self) -> str:
        """16 hex digits of its cases in order."""
        return sha256("".join(case.id for case in self.cases).encode()).hexdigest()[:16]

    @property
    def remembers(self) -> bool:
        """Whether a check needs what came of earlier cases of it."""
        return any(case.together or case.intent.refers for case in self.cases)

    @property
    def replays(self) -> bool:
        """Whether production sent all of it in this order."""
        return all(c.origin.source == "replay" and c.recorded_status for c in self.cases)

    @property
    def groups(self) -> tuple[tuple[Case, ...], ...]:
        """Its cases in order: those that are sent at once in one group, others alone."""
        found: list[list[Case]] = []
        for case in self.cases:
            if found and case.together and found[-1][-1].together == case.together:
                found[-1].append(case)
            else:
                found.append([case])
        return tuple(map(tuple, found))

    def upto(self, index: int) -> Sequence:
        """The cases up to and including INDEX."""
        return Sequence(cases=self.cases[: index + 1])

    def beside(self, index: int) -> tuple[int, ...]:
        """Indices of the cases that are sent at once with the one at INDEX, its own left out."""
        start = end = index
        together = self.cases[index].together
        while together and start and self.cases[start - 1].together == together:
            start -= 1
        while together and end + 1 < len(self.cases) and self.cases[end + 1].together == together:
            end += 1
        return tuple(i for i in range(start, end + 1) if i != index)

    def only(self, indices: Iterable[int]) -> Sequence:
        """The cases at INDICES, in that order, what they say of each other indexed anew.

        A binding to a case that is left out goes with it, and so does an expectation.
        """
        order = list(indices)
        index = {old: new for new, old in enumerate(order)}
        return Sequence(cases=tuple(_reindexed(self.cases[i], index) for i in order))


def _reindexed(case: Case, index: Mapping[int, int]) -> Case:
    if case.bindings:
        kept = tuple(replace(b, step=index[b.step]) for b in case.bindings if b.step in index)
        case = replace(case, bindings=kept)
    intent = case.intent.among(index)
    return case if intent is case.intent else replace(case, intent=intent)


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to run; a TOML file that a person can write. Everything has a default."""

    name: str = "plan"
    profile: str = "latest"
    """Profile version, or `latest`."""
    dynamic: str = "40%"
    """Share of the planned requests that is generated; the rest replays production."""
    rate_per_second: float = 50.0
    duration_s: float = 60.0
    requests_max: int = 0
    """Ends the plan earlier; 0: rate x duration decides."""
    sources: Mapping[str, int] = field(
        default_factory=lambda: {"sample": 40, "schema": 30, "mutate": 30}
    )
    """Weights of the generated part."""
    operations: tuple[str, ...] = ()
    """Only these operations; empty: all."""
    exclude_operations: tuple[str, ...] = ()
    """None of these, not even as setup or replay: what must never be called."""
    sequences: bool = True
    """Also sequences in an order that production did not show, or several requests at once."""
    context: Context = Context()
    """Who sends, what kind of requests, within which data ranges."""
    seed: int = 1
    in_flight_max: int = 64
    timeout_s: float = 10.0
    safe_methods_only: bool = False
    checks_off: tuple[str, ...] = ()
    load: Load = Load()
    """How the rate goes over the plan; `constant`, at `rate_per_second`, unless it says more."""
    connections: int = 0
    """So many connections, each sending its next request when the answer before is there; the
    rate is then the most that they make together. 0: the rate decides."""
    users_per_role: int = 1
    """Sessions of each role, each with tokens and cookies of its own."""
    thresholds: tuple[str, ...] = ()
    """What must hold of the whole run for it to pass: `p99_ms < 250`, `error_ratio < 0.01`."""
    stop: tuple[StopRule, ...] = ()
    """When the run ends by itself."""
    hold: Hold = Hold()
    scale: Scale = Scale()
    goals: Goals = Goals()
    """What to reach; the cases of a slice are then made with what came of earlier ones."""
    require_metrics: bool = False
    """Losing sight of the target's metrics ends the run."""
    keep_all: bool = False
    """Keep every result in full, up to the store's limit for one run; else those that failed,
    the first ones of each kind, and a sample."""
    resend_unsafe: bool = False
    """Send again what may have reached the target already, though a second time may do harm."""

    @property
    def planned(self) -> int:
        """Requests this plan sends: its schedule's, or `requests_max` if that is less.

        With `connections` and for `find_limit` the most that it may send; for a `timeline`
        `requests_max`, which `schedule.counted` sets. Raises ValueError for a load that means
        nothing.
        """
        return self.requests_max if self.load.shape == "timeline" else schedule_of(self).total

    @property
    def dynamic_share(self) -> float:
        """`dynamic` as a fraction. Raises ValueError when it is no percentage."""
        return share(self.dynamic)

    @property
    def planned_dynamic(self) -> int:
        """round(planned x share); what is left replays production."""
        return round(self.planned * self.dynamic_share)


class Fault(Struct, frozen=True, kw_only=True):
    """Why no usable answer came: a network fault is data, not an error of ours."""

    kind: Literal["connect", "timeout", "reset", "garbage", "too_large", "tls", "unbound"]
    """`unbound`: a value it needs never came, so it was not sent."""
    detail: str
    sent: bool
    """Whether the request may have reached the target."""


class Sent(Struct, frozen=True, kw_only=True):
    """A request as it went out and what came back: exactly one of `response` and `fault`."""

    request: Request
    response: Response | None = None
    fault: Fault | None = None
    intended_at: float = 0.0
    """Seconds since the epoch at which it should have gone out."""
    lag_ms: float = 0.0
    """How much later it went out."""
    duration_ms: float = 0.0
    """From sending to the whole answer."""


Before = tuple[Sent | None, ...]
"""What came of the cases of a sequence, by their index; None: not ended, or not kept. Of cases
sent at once those behind the judged one are there, too."""


class Result(Struct, frozen=True, kw_only=True):
    """What came of one case in a run."""

    case: Case
    sequence_id: str
    position: int
    """Index in its sequence."""
    sent: Sent
    verdicts: tuple[Verdict, ...] = ()

    @property
    def outcome(self) -> Literal["answered", "faulted", "unknown"]:
        """Each planned case ends in exactly one. `unknown`: sent, its outcome lost."""
        if self.sent.response is not None:
            return "answered"
        fault = self.sent.fault
        unsafe = self.case.request.method not in IDEMPOTENT_METHODS
        return "unknown" if fault is not None and fault.sent and unsafe else "faulted"


class Verdict(Struct, frozen=True, kw_only=True):
    """What one check said of a result. Only failures are kept."""

    check: str
    """Its name: `server_error`."""
    title: str
    """One line, without values of the request."""
    signature: str
    """The normalised core that findings are grouped by: no ids, times or addresses."""
    evidence: str = ""
    severity: Literal["high", "medium", "low"] = "medium"
    recorded: tuple[tuple[str, str], ...] = ()
    """(place, JSON text that production had there), of an answer held against a recorded one."""


FindingKind = Literal["defect", "drift", "flaky"]
"""`drift`: the document and what production itself answered disagree, so that one of the two has
to be mended. `flaky`: it came again in some of the tries only."""


class Turn(Struct, frozen=True, kw_only=True):
    """A finding's state changed: it was sent again without failing, or it came back."""

    state: Literal["fixed", "back"]
    at: float
    """Seconds since the epoch."""
    run_id: str = ""
    """Empty: it was replayed."""


class Finding(Struct, frozen=True, kw_only=True):
    """One defect: results with the same fingerprint, with a way to see it again."""

    id: str
    """8 hex digits of operation, check and signature, stable across runs; of check and cause
    alone for what is one finding whatever the operation."""
    operation_id: str
    check: str
    title: str
    signature: str
    severity: Literal["high", "medium", "low"]
    count: int
    """Results with this fingerprint in the run that reported it."""
    sequence: Sequence
    """Ends with the case that shows it."""
    verdict: Verdict
    sent: Sent
    """The request and the answer that showed it."""
    reproduced: int
    """How often of `reproduction_tries` it came again from a fresh state."""
    reproduction_tries: int
    curl: str = ""
    run_id: str = ""
    first_seen_at: float = 0.0
    kind: FindingKind = "defect"
    kind_reason: str = ""
    """Why it is of that kind."""
    cause: str = ""
    """What the target's log says of it, the same for one defect wherever it surfaces; empty: the
    log is not watched, or says nothing."""
    operations: tuple[str, ...] = ()
    """Further operations that show it, by name."""
    found_with: int = 0
    """Requests of the sequence before it was made shorter; 0: it was not tried."""
    history: tuple[Turn, ...] = ()
    """Since it was first seen, oldest first; at most HISTORY_MAX, the oldest left out."""

    @property
    def state(self) -> Literal["open", "fixed", "back"]:
        """As far as it was last looked at."""
        return self.history[-1].state if self.history else "open"


HISTORY_MAX = 100


class Ignored(Struct, frozen=True, kw_only=True):
    """A person's word that a finding is not to be reported."""

    finding_id: str
    reason: str
    until: str = ""
    """ISO date after which it is reported again; empty: for good."""
    at: float = 0.0


class Threshold(Struct, frozen=True, kw_only=True):
    """What had to hold of a run, and what was measured."""

    text: str
    """`p99_ms < 250`."""
    value: float | None
    """None: nothing was measured, so it does not hold."""
    held: bool


class RunSummary(Struct, frozen=True, kw_only=True):
    """A run as a whole. planned = answered + faulted + unknown + left."""

    id: str
    plan: Plan
    profile_version: str
    started_at: float
    duration_s: float
    planned: int
    planned_dynamic: int
    answered: int
    faulted: int
    unknown: int
    left: int
    """Not sent: stopped before their turn."""
    setup: int
    """Of the production part: sent to bring generated cases into their state."""
    stopped: str = ""
    """Why it ended early; empty: it did not."""
    statuses: Mapping[str, int] = {}
    """Status class (`2xx`) -> count."""
    by_operation: Mapping[str, Mapping[str, int]] = {}
    """Operation id -> status class, or `none` where no answer came -> count; empty: not counted."""
    by_source: Mapping[str, int] = {}
    faults: Mapping[str, int] = {}
    """Kind of fault -> cases without an answer; `unbound` ones were not even sent."""
    recorded_class_matched: int = 0
    recorded_class_total: int = 0
    """Replayed cases whose status class was the recorded one, and all replayed."""
    latency_ms: Mapping[str, float] = {}
    """`p50`, `p90`, `p99`, `max`, from the intended send time."""
    lag_ms_p99: float = 0.0
    findings: tuple[str, ...] = ()
    judged: tuple[Threshold, ...] = ()
    """The plan's thresholds with what was measured."""
    knee: Knee | None = None
    """Of a search for the limit."""
    dead: Mapping[str, str] = {}
    """Jobs that were given up -> why; their cases are among `left`."""
    workers: int = 1
    """The most that there were at once."""
    worker_cpu_s: float = 0.0
    """User and system time of all workers."""
    resumed: int = 0
    """How often it was gone on with after it was broken off."""

    @property
    def passed(self) -> bool:
        """No threshold was broken."""
        return all(threshold.held for threshold in self.judged)


def share(text: str) -> float:
    """`40%` or `0.4` as a fraction in [0, 1]. Raises ValueError otherwise."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"not a share: {text!r}; write it like 40% or 0.4")
    return value
