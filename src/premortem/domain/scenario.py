"""From a question to an executed test: Signal, Gap, Scenario, its verdict and judgement."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from msgspec import Struct

Keyword = Literal["Given", "When", "Then", "And"]


class Step(Struct, frozen=True, kw_only=True):
    """One line of a scenario."""

    keyword: Keyword
    text: str
    docstring: str = ""
    """JSON text of a body or an expectation; empty: none."""


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
        lines = (f"{s.keyword} {s.text}\n{s.docstring}" for s in self.steps)
        text = "\n".join([self.title, *lines])
        return sha256(text.encode()).hexdigest()[:12]


class StepResult(Struct, frozen=True, kw_only=True):
    """What came of one step."""

    step: Step
    status: Literal["passed", "failed", "undefined", "skipped", "broken"]
    """`broken`: it could not be carried out (no answer, value missing), which says nothing."""
    detail: str = ""


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


class Understanding(Struct, frozen=True, kw_only=True):
    """What was understood of a question, and what was not."""

    prompt: str
    failure_mode: str
    operation_ids: tuple[str, ...]
    """Best first."""
    field: str = ""
    role: str = ""
    not_understood: tuple[str, ...] = ()
    """Words that decided nothing."""
