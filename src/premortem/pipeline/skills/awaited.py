"""The skills that are not here yet, with the part of Premortem that brings them."""

from __future__ import annotations

from msgspec import Struct

from premortem.domain.proposal import SkillPart


class Awaited(Struct, frozen=True, kw_only=True):
    """One of them."""

    name: str
    part: SkillPart
    does: str
    """In one sentence."""


_TOLD: dict[SkillPart, tuple[tuple[str, str], ...]] = {
    "telemetry": (
        ("MapTelemetryToTestInput", "A log entry or span becomes the input of a test."),
        ("AnalyzeErrorFrequencySpans", "Handlers whose spans fail again and again."),
        ("InferGapsFromUnhandledSpans", "Spans that no test's trace covers."),
        ("GenerateEdgeScenarioFromLog", "A log entry becomes the scenario of that edge."),
        ("SuggestAssertionFromError", "An error's message becomes what a test expects."),
        ("AttachTestToTelemetrySource", "A test gets the trace and span that it came from."),
    ),
    "memory": (
        ("FindSimilarScenarios", "Scenarios of related traces that can be taken over."),
        ("InferTestsFromRelatedDTOs", "Edges that fields of other objects have in common."),
        ("PredictTestGapsFromPastBugs", "Tests that bugs with like symptoms ask for."),
        ("ClusterUncoveredRoles", "Untested roles in groups that one plan covers."),
        ("LearnFromQAEdits", "What people accepted, changed and rejected, kept for later."),
        ("SuggestAssertionsBasedOnMemory", "What was asserted in like cases before."),
        ("RetryScenario", "A rejected scenario once more, with what was said of it."),
    ),
}
AWAITED: tuple[Awaited, ...] = tuple(
    Awaited(name=name, part=part, does=does) for part, told in _TOLD.items() for name, does in told
)
"""In the order of the parts; one that is here meanwhile counts as here."""
