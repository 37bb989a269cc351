"""From a question to an executed test: Signal, Gap, Scenario, its verdict and judgement."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from msgspec import Struct

from premortem.domain.proposal import OutcomeClass

Keyword = Literal["Given", "When", "Then", "And"]


class Step(Struct, frozen=True, kw_only=True):
    """One line of a scenario."""

    keyword: Keyword
    text: str
    docstring: str = ""
    """JSON text of a body or an expectation; empty: none."""
    table: tuple[tuple[str, ...], ...] = ()
    """Rows of a data table below it, the first one its columns' names; empty: none."""


UNCERTAIN = "uncertain"
"""Tag of a scenario whose expectation has evidence against it, too: red, it is no finding."""


class ScenarioOrigin(Struct, frozen=True, kw_only=True):
    """Where a scenario comes from."""

    source: Literal["prompt", "file"] = "prompt"
    prompt: str = ""
    failure_mode: str = ""
    skill: str = "GenerateFeatureScenario"
    parents: tuple[str, ...] = ()
    """Exchange ids of the recipe it was planned from."""
    profile_version: str = ""
    expectation: str = ""
    """Where the expected outcome comes from: specification, captured answers, role matrix,
    convention; in words."""
    outcome: OutcomeClass | Literal[""] = ""
    """What the scenario asserts that a correct service does; empty: nobody said."""
    model: str = ""
    """The language model that planned it; empty: none did."""


class Scenario(Struct, frozen=True, kw_only=True):
    """A titled sequence of steps."""

    title: str
    feature: str
    steps: tuple[Step, ...]
    origin: ScenarioOrigin
    operation_id: str = ""
    role: str = ""
    edition: str = ""
    trace_id: str = ""
    tags: tuple[str, ...] = ()
    """Without `@`, no spaces."""

    @property
    def id(self) -> str:
        """12 hex digits of title and steps."""
        lines = (
            f"{s.keyword} {s.text}\n{s.docstring}" + (f"\n{s.table}" if s.table else "")
            for s in self.steps
        )
        text = "\n".join([self.title, *lines])
        return sha256(text.encode()).hexdigest()[:12]


class StepResult(Struct, frozen=True, kw_only=True):
    """What came of one step."""

    step: Step
    status: Literal["passed", "failed", "undefined", "skipped", "broken"]
    """`broken`: it could not be carried out (no answer, value missing), which says nothing."""
    detail: str = ""


class Heard(Struct, frozen=True, kw_only=True):
    """One request of a run and what came back, cut to what a card can hold."""

    phase: Literal["before", "question", "after"]
    """Before the request in question, that request, and what was looked at afterwards."""
    role: str = ""
    """Whose credentials it carried; empty: none."""
    request: str
    """`POST /invoices/inv-1/approve`."""
    body: str = ""
    status: int = 0
    """0: no answer."""
    answer: str = ""
    """Its body; without an answer what went wrong."""
    duration_ms: float = 0.0


class Evidence(Struct, frozen=True, kw_only=True):
    """What a verdict stands on besides its steps."""

    heard: tuple[Heard, ...] = ()
    """Of the run that shows it, in order."""
    noticed: tuple[str, ...] = ()
    """What the specification says against answers of that run, though no step asks for it."""
    cells_new: tuple[str, ...] = ()
    """What it tried that nothing had tried before: `POST /refunds body:/amount boundary, Guest`."""
    in_coverage: bool = False
    """The coverage report counts its requests."""
    runner: str = ""
    """The test runner that was asked whether it sees the written scenario; empty: none was."""
    runner_sees: bool = False
    runner_said: str = ""
    """Why it does not; empty: it does, or was not asked."""
    duration_s: float = 0.0
    """How long all runs took."""


class ScenarioVerdict(Struct, frozen=True, kw_only=True):
    """What running a scenario showed.

    `regression`: stable green, and red under an injected fault. `finding`: stable red.
    `junk`: unbound, flaky, broken, or green whatever happens.
    """

    outcome: Literal["regression", "finding", "junk"]
    reason: str
    runs: tuple[Literal["green", "red", "broken"], ...]
    steps: tuple[StepResult, ...]
    """Of the run that shows it."""
    faults_killed: tuple[str, ...] = ()
    faults_survived: tuple[str, ...] = ()
    evidence: Evidence = Evidence()


class Understanding(Struct, frozen=True, kw_only=True):
    """What was understood of a question, and what was not."""

    prompt: str
    failure_mode: str
    operation_ids: tuple[str, ...]
    """Best first."""
    field: str = ""
    role: str = ""
    """Who does it; `anonymous`: nobody signed in."""
    not_understood: tuple[str, ...] = ()
    """Words that decided nothing."""
    further_modes: tuple[str, ...] = ()
    """What the question may mean besides, or may lead to, best first; without `failure_mode`."""
    entity: str = ""
    """The thing it is about, in the singular: `refund`."""
    state: str = ""
    """The state that the thing is said to be in before: `approved`, `locked`, `half paid`."""
    edition: str = ""
    outcomes: tuple[OutcomeClass, ...] = ()
    """What the question itself says a correct service does: `... is rejected`; mostly empty."""
    values: tuple[str, ...] = ()
    """Names of the edge values asked for (`agent.boundaries`), the clearest first."""
    owner: str = ""
    """Whose thing it is, where another's is meant and the question names a known role."""
    beside: tuple[str, ...] = ()
    """Operations that the question names besides: what happened before, what was left out."""
    times: int = 2
    """How often, or how many at once."""
    given: tuple[tuple[str, str], ...] = ()
    """Fields and the values to send, JSON texts, as the asker set them."""
    trace_id: str = ""
    blueprint_id: str = ""
    handler: str = ""
