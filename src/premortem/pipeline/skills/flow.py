"""The eight skills of the agent's own road, each with the result of the one before it.

LoadTestContext -> IdentifyTestGap -> PlanScenarioTemplates -> GenerateTestScenarios
-> EmitTestArtifacts -> ValidateGeneratedTests -> EmitObservability -> StudioSummaryMarkdown
"""

from __future__ import annotations

from premortem.domain.proposal import Signal
from premortem.pipeline.skills.context import TestContext
from premortem.pipeline.skills.emission import (
    AboutEmission,
    Emit,
    Observing,
    emit,
    observe,
    summarise,
    validate,
)
from premortem.pipeline.skills.planning import (
    Gaps,
    Templates,
    generate_test_scenarios,
    identify_test_gap,
    load_test_context,
    plan_scenario_templates,
)
from premortem.pipeline.skills.skill import Skill

FLOW_SKILLS = (
    Skill(
        name="LoadTestContext",
        part="pipeline",
        does="A signal with all that is known of it: operation, handler, object, roles, tests.",
        asks=Signal,
        perform=load_test_context,
    ),
    Skill(
        name="IdentifyTestGap",
        part="pipeline",
        does="What of a context is untested: the question, roles, refusals, edges, editions.",
        asks=TestContext,
        perform=identify_test_gap,
    ),
    Skill(
        name="PlanScenarioTemplates",
        part="pipeline",
        does="Which kinds of test close which gap, and where they go.",
        asks=Gaps,
        perform=plan_scenario_templates,
    ),
    Skill(
        name="GenerateTestScenarios",
        part="pipeline",
        does="Scenarios and test methods for the gaps.",
        asks=Templates,
        perform=generate_test_scenarios,
    ),
    Skill(
        name="EmitTestArtifacts",
        part="pipeline",
        does="Feature files, test methods, metadata, logs and Markdown, as a patch or written.",
        asks=Emit,
        perform=emit,
        writes=True,
    ),
    Skill(
        name="ValidateGeneratedTests",
        part="pipeline",
        does="What was written, read again: naming, format, trace tags, structure.",
        asks=AboutEmission,
        perform=validate,
    ),
    Skill(
        name="EmitObservability",
        part="pipeline",
        does="The two logs that tell what was generated, and from what.",
        asks=Observing,
        perform=observe,
        writes=True,
    ),
    Skill(
        name="StudioSummaryMarkdown",
        part="pipeline",
        does="What was added for a trace, where, and what came of it, as Markdown.",
        asks=AboutEmission,
        perform=summarise,
    ),
)
