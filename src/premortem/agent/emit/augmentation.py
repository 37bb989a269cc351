"""One go of adding tests: what set it off, what was made, what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from premortem.agent.emit.tags import is_security
from premortem.domain.proposal import Artifact, Gap, Judgement, Signal
from premortem.domain.scenario import Scenario, ScenarioVerdict

SCENARIOS_MAX = 1_000
"""Of one augmentation."""


class Attempt(Struct, frozen=True, kw_only=True):
    """An earlier form of a scenario, and why it was made anew."""

    reason: str
    """`Missing THEN clause`."""
    feedback: str = ""
    """What a person said of it."""
    resolved: bool = True


class Added(Struct, frozen=True, kw_only=True):
    """One scenario that was made."""

    scenario: Scenario
    verdict: ScenarioVerdict | None = None
    """None: it was not run."""
    entity: str = ""
    """The thing it is about: `refund`."""
    asserts: tuple[str, ...] = ()
    """What it or its test methods assert, in words: `Amount must not be null`."""
    attempts: tuple[Attempt, ...] = ()
    comments: tuple[str, ...] = ()
    """What people said of it."""
    judgement: Judgement | None = None
    delivered: str = ""
    """The commit or patch that brought it where it belongs; empty: none yet."""
    feature_file: str = ""
    """Path of the file that holds it."""
    embedding_source: str = ""
    """What it was found similar to: `prompt: unauthorized refund`."""


class CoverageState(Struct, frozen=True, kw_only=True):
    """What tests of a trace or handler there are, as counts; of each share: done and whole."""

    unit_tests: int = 0
    feature_scenarios: int = 0
    roles_tested: tuple[str, ...] = ()
    handlers: tuple[int, int] = (0, 0)
    """With at least one unit test; all."""
    negative_fields: tuple[int, int] = (0, 0)
    """Fields of data transfer objects with a negative test; all."""
    role_editions: tuple[int, int] = (0, 0)
    """Pairs of role and edition with a test; all that are allowed or denied by declaration."""
    complete_steps: tuple[int, int] = (0, 0)
    """Scenarios with a When and a Then; all."""
    real_assertions: tuple[int, int] = (0, 0)
    """Scenarios and methods that assert something of an answer; all."""

    @property
    def coverage(self) -> float:
        """Percent in [0, 100]: the mean of the five shares, of those whose whole is known."""
        shares = (
            self.handlers,
            self.negative_fields,
            self.role_editions,
            self.complete_steps,
            self.real_assertions,
        )
        known = [min(done / whole, 1.0) for done, whole in shares if whole > 0]
        return 100 * sum(known) / len(known) if known else 0.0


class CoverageRow(Struct, frozen=True, kw_only=True):
    """How many tests there are of one thing."""

    by: Literal["trace", "handler", "role", "edition"]
    name: str
    before: int
    after: int


class Augmentation(Struct, frozen=True, kw_only=True):
    """What one signal led to."""

    trace_id: str
    signal: Signal
    added: tuple[Added, ...] = ()
    gaps: tuple[Gap, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    """What was written, test methods too."""
    asked_by: str = ""
    """`qa.alex.k`."""
    enriches: bool = False
    """The scenarios went into feature files that people have."""
    last_modified_by: str = "test-generator-agent"
    before: CoverageState | None = None
    """The tests there are without those that the agent made for this trace."""
    after: CoverageState | None = None
    """The same with its own."""
    coverage_rows: tuple[CoverageRow, ...] = ()
    """The tests before and after by trace, handler, role and edition."""

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios alone."""
        return tuple(one.scenario for one in self.added)

    @property
    def methods(self) -> tuple[str, ...]:
        """Test methods that were appended."""
        return tuple(n for a in self.artifacts if a.kind in ("csharp", "pytest") for n in a.names)

    @property
    def retry_count(self) -> int:
        """How often scenarios were made anew."""
        return sum(len(one.attempts) for one in self.added)

    @property
    def coverage_delta(self) -> float:
        """`testgen.coverage.delta`: percentage points of `CoverageState.coverage` gained."""
        if self.before is None or self.after is None:
            return 0.0
        return self.after.coverage - self.before.coverage


_SOURCES = {
    "prompt": "prompt",
    "instruction": "prompt",
    "coverage": "coverage-gap",
    "telemetry": "telemetry",
    "bug": "bug-report",
    "edition": "edition-gap",
    "role": "security-inference",
    "rule": "business-rule",
    "self": "self-evaluation",
}
_TRIGGERS = {
    "prompt": "qa_prompt",
    "instruction": "qa_prompt",
    "telemetry": "observability",
    "self": "self-evaluation",
}


def source(signal: Signal) -> str:
    """Where it comes from, as metadata name it: `studio-prompt`, `telemetry`."""
    name = _SOURCES[signal.kind]
    return f"studio-{name}" if name == "prompt" and signal.origin == "studio" else name


def tag_source(signal: Signal) -> str:
    """The same for a `@source:` tag: `prompt`, `security-inference`."""
    return _SOURCES[signal.kind]


def log_source(signal: Signal) -> str:
    """The same for logs and spans: `qa_prompt`, `telemetry`."""
    return _TRIGGERS[signal.kind] if source(signal).endswith("prompt") else source(signal)


def trigger(signal: Signal) -> str:
    """What set it off: `qa_prompt`, `observability`, `self-evaluation`."""
    return _TRIGGERS.get(signal.kind, _SOURCES[signal.kind].replace("-", "_"))


def prompt_source(augmentation: Augmentation) -> str:
    """Who asked, and where: `studio.prompt.qa.alex.k`; empty where nobody asked."""
    signal = augmentation.signal
    if not source(signal).endswith("prompt"):
        return ""
    parts = (signal.origin or "cli", "prompt", augmentation.asked_by)
    return ".".join(part for part in parts if part)


def roles_of(scenarios: Iterable[Scenario]) -> list[str]:
    """The roles that SCENARIOS test, each once, in order."""
    return list(dict.fromkeys(s.role for s in scenarios if s.role))


def scenario_ids(augmentation: Augmentation) -> dict[str, str]:
    """Scenario.id -> the id that people read: `refund_duplicate`, and `refund_duplicate_2`."""
    ids: dict[str, str] = {}
    for one in augmentation.added:
        base = readable_id(one)
        name, count = base, 2
        while name in ids.values():
            name, count = f"{base}_{count}", count + 1
        ids[one.scenario.id] = name
    return ids


def readable_id(one: Added) -> str:
    """What it is about, and how that goes wrong: `refund_duplicate`."""
    parts = (one.entity or one.scenario.feature, one.scenario.origin.failure_mode or "scenario")
    words = re.sub(r"[^a-z0-9]+", "_", " ".join(parts).lower())
    return words.strip("_")


def security_test(augmentation: Augmentation) -> bool:
    """Whether one of its scenarios is a security test."""
    return any(is_security(scenario) for scenario in augmentation.scenarios)
