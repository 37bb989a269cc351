"""What leads to a scenario and what becomes of it: signals, gaps, artifacts, judgements.

Signal -> Gap -> Scenario -> Artifact -> Judgement
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal

from msgspec import Struct

FailureModeName = Literal[
    "duplicate",
    "boundary",
    "missing_value",
    "wrong_type",
    "unknown_value",
    "unit_switch",
    "forbidden_role",
    "invalid_token",
    "others_data",
    "unknown_reference",
    "forbidden_transition",
    "wrong_order",
    "stale_change",
    "concurrent_change",
    "retry_after_timeout",
    "over_total",
    "pagination_edge",
    "time_edge",
    "injection",
    "mass_assignment",
    "dependency_failure",
]
"""The ways in which a service may be used wrongly; `agent.failure_modes` explains each."""

OutcomeClass = Literal[
    "accepted", "invalid", "denied", "not_found", "conflict", "unchanged", "one_wins", "unavailable"
]
"""What a correct service does with the request in question. `unchanged`: answered with success,
and nothing changed further. `one_wins`: of several at once exactly one succeeds. `unavailable`:
what it needs is down; it says so in good order (502, 503, 504), and nothing changed."""

SignalKind = Literal[
    "prompt", "instruction", "coverage", "telemetry", "bug", "edition", "role", "rule", "self"
]
TestKind = Literal["unit", "integration", "bdd"]
ArtifactKind = Literal[
    "feature", "csharp", "pytest", "glue", "metadata", "log", "markdown", "patch", "bundle"
]
SkillPart = Literal[
    "pipeline", "discovery", "generation", "artifacts", "telemetry", "security", "memory"
]
"""The parts that the agent's skills belong to."""
Decision = Literal[
    "accepted",
    "accepted_with_edits",
    "needs_correction",
    "not_relevant",
    "edited",
    "undone",
    "delivered",
]
"""The QA agent's feedback values: accept, accept after an edit, retry, reject. `edited`: rewritten,
and nothing decided yet. `undone` takes the one before it back. `delivered`: its file was committed
or handed over as a patch."""


class DtoRule(Struct, frozen=True, kw_only=True):
    """One constraint of a field and the message it is refused with."""

    kind: Literal[
        "required",
        "minimum",
        "maximum",
        "greater_than",
        "less_than",
        "min_length",
        "max_length",
        "pattern",
        "one_of",
        "format",
        "precision",
        "custom",
    ]
    value: str = ""
    """The bound as text: `0`, `200`, `^[A-Z]{3}$`, `EUR|USD`."""
    message: str = ""
    """What the validator says; empty: it is not known."""
    source: str = ""
    """Where it stands: `RefundRequest.cs:12`, `[MaxLength(200)]`, `RuleFor`."""


class DtoField(Struct, frozen=True, kw_only=True):
    """One field of a data transfer object."""

    name: str
    type: str
    """In the terms of JSON Schema: string, integer, number, boolean, object, array."""
    declared_type: str = ""
    """As the source has it: `decimal`, `Optional[int]`, `VARCHAR(20)`."""
    nullable: bool = False
    rules: tuple[DtoRule, ...] = ()


class Dto(Struct, frozen=True, kw_only=True):
    """A data transfer object as some source declares it."""

    name: str
    fields: tuple[DtoField, ...]
    language: Literal["csharp", "python", "openapi", "json_schema", "sql", "blueprint"]
    origin: str = ""
    """File, or file and line."""

    def field(self, name: str) -> DtoField | None:
        """The field NAME, whatever its case and underscores."""
        wanted = name.replace("_", "").lower()
        return next((f for f in self.fields if f.name.replace("_", "").lower() == wanted), None)


class Signal(Struct, frozen=True, kw_only=True):
    """Something that says a test may be missing."""

    kind: SignalKind
    text: str = ""
    """The prompt, the log's message, the bug's title."""
    trace_id: str = ""
    span_id: str = ""
    blueprint_id: str = ""
    operation_id: str = ""
    """The operation that it speaks of, where it names one."""
    handler: str = ""
    validator: str = ""
    dto: str = ""
    role: str = ""
    roles: tuple[str, ...] = ()
    edition: str = ""
    origin: str = ""
    """The system it came from: `studio`, `AppInsights`, `#4812`."""
    event: str = ""
    status: int = 0
    """An HTTP status that it speaks of; 0: none."""
    payload: str = ""
    """JSON text of the request or log payload."""
    field_values: tuple[tuple[str, str], ...] = ()
    """`--set field=value`: JSON texts by field."""


class Gap(Struct, frozen=True, kw_only=True):
    """What exactly is untested, with its signals and the impact of leaving it."""

    what: str
    """In one line: `No BDD scenario for CFO in ApproveInvoice`."""
    kind: Literal["role", "edition", "edge", "scenario", "assertion", "unit", "event", "bug"]
    operation_id: str = ""
    handler: str = ""
    field: str = ""
    role: str = ""
    edition: str = ""
    failure_mode: str = ""
    signals: tuple[Signal, ...] = ()
    score: float = 0.0
    """Higher: rather close this one first."""
    impact: str = ""

    @property
    def id(self) -> str:
        """Stable: 8 hex digits of what is untested, whatever told of it."""
        parts = (
            self.kind,
            self.operation_id,
            self.handler,
            self.field,
            self.role,
            self.edition,
            self.failure_mode,
            self.what if self.kind in ("bug", "unit", "edge") else "",
        )
        return sha256("\n".join(parts).encode()).hexdigest()[:8]


class Artifact(Struct, frozen=True, kw_only=True):
    """A file that was written for tests."""

    path: str
    """Below the output folder, with `/`."""
    kind: ArtifactKind
    action: Literal["created", "patched", "unchanged"]
    test_kind: TestKind | None = None
    names: tuple[str, ...] = ()
    """Scenario titles or test methods that it gained."""


class Judgement(Struct, frozen=True, kw_only=True):
    """What a person decided about a proposal: one line of a log that is only appended to."""

    scenario_id: str
    decision: Decision
    reason: str = ""
    """In the person's words; of a delivery: the commit or the patch."""
    by: str = ""
    at: float = 0.0
    """Seconds since the epoch."""
    edited_id: str = ""
    """The scenario as the person left it; empty: as proposed."""


class Standing(Struct, frozen=True, kw_only=True):
    """What a log of judgements comes to, by scenario."""

    decisions: Mapping[str, Judgement]
    """The one that stands, of each scenario that has one."""
    delivered: Mapping[str, Judgement]
    """Where an accepted one went."""
    last: str = ""
    """The scenario that was decided about last and can still be taken back; empty: none."""


def standing(log: Iterable[Judgement]) -> Standing:
    """What LOG, oldest first, comes to; what was undone counts no more."""
    made: dict[str, list[Judgement]] = {}
    order: list[str] = []
    delivered: dict[str, Judgement] = {}
    for judgement in log:
        name = judgement.scenario_id
        if judgement.decision == "delivered":
            delivered[name] = judgement
        elif judgement.decision != "undone":
            made.setdefault(name, []).append(judgement)
            order.append(name)
        elif made.get(name):
            made[name].pop()
            delivered.pop(name, None)
            order.reverse()
            order.remove(name)
            order.reverse()
    decisions = {name: stack[-1] for name, stack in made.items() if stack}
    open_ = (name for name in reversed(order) if name not in delivered)
    return Standing(decisions=decisions, delivered=delivered, last=next(open_, ""))
