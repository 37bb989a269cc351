"""What the worked examples of the seed are about, in the catalogue's steps."""

from __future__ import annotations

from premortem.agent.emit.augmentation import Added, Augmentation
from premortem.agent.emit.files import Change
from premortem.domain.proposal import Signal
from premortem.domain.scenario import (
    Evidence,
    Scenario,
    ScenarioOrigin,
    ScenarioVerdict,
    Step,
)

TWICE = (
    Step(keyword="Given", text='the actor "ann" has role "SupportAgent"'),
    Step(keyword="And", text='"ann" sends "POST" to "/api/refund" with:', docstring='{"a": 1}'),
    Step(keyword="When", text='"ann" sends "POST" to "/api/refund" with:', docstring='{"a": 1}'),
    Step(keyword="Then", text="the response status is 409"),
    Step(keyword="And", text='the response field "/code" equals "DuplicateRefund"'),
)
DENIED = (
    Step(keyword="Given", text='the actor "guest" has role "Guest"'),
    Step(keyword="When", text='"guest" sends "POST" to "/api/payment" with:', docstring="{}"),
    Step(keyword="Then", text="the response status is 403"),
)
GREEN = ScenarioVerdict(
    outcome="regression",
    reason="green in 5 of 5 runs, red under 3 of 3 injected faults",
    runs=("green",) * 5,
    steps=(),
    faults_killed=("dropped check",),
    evidence=Evidence(in_coverage=True, runner="behave", runner_sees=True),
)
RED = ScenarioVerdict(
    outcome="finding", reason="the status is 201, not 409", runs=("red",) * 5, steps=()
)


def scenario(
    title,
    *,
    mode="duplicate",
    outcome="conflict",
    role="SupportAgent",
    trace="refund-2025-0182",
    steps=TWICE,
    edition="",
    prompt="What if refund is issued twice?",
    operation="POST /api/refund",
    feature="Refunds",
) -> Scenario:
    origin = ScenarioOrigin(
        prompt=prompt, failure_mode=mode, outcome=outcome, expectation="the specification says 409"
    )
    return Scenario(
        title=title,
        feature=feature,
        steps=steps,
        origin=origin,
        operation_id=operation,
        role=role,
        edition=edition,
        trace_id=trace,
    )


def added(title, *, entity="refund", verdict=GREEN, **named) -> Added:
    own = {
        name: named.pop(name)
        for name in ("asserts", "attempts", "comments", "judgement", "delivered", "feature_file")
        if name in named
    }
    return Added(scenario=scenario(title, **named), verdict=verdict, entity=entity, **own)


REFUND_SIGNAL = Signal(
    kind="prompt",
    text="What if refund is issued twice?",
    trace_id="refund-2025-0182",
    handler="IssueRefundHandler",
    origin="studio",
    edition="lite",
)
METHOD = b"""public class IssueRefundHandlerTests
{
    [TestMethod]
    [TraceId("refund-2025-0182")]
    [AugmentedBy("test-generator-agent")]
    public async Task Handle_ShouldThrow_WhenRefundAmountIsNegative()
    {
    }
}
"""
CODE = Change(
    path="Tests/PaymentsService.UnitTests/IssueRefundHandlerTests.cs",
    before=None,
    after=METHOD,
    kind="csharp",
    test_kind="unit",
    names=("Handle_ShouldThrow_WhenRefundAmountIsNegative",),
)


def refund(**changed) -> Augmentation:
    """Example 14: refund twice, two scenarios and a method."""
    two = (
        added("Duplicate refund attempt"),
        added("Negative refund", mode="boundary", outcome="invalid"),
    )
    values = {"trace_id": "refund-2025-0182", "signal": REFUND_SIGNAL, "added": two}
    return Augmentation(**{**values, **changed})
