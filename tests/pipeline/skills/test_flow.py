"""The eight skills of the agent's road, one by one."""

import msgspec
import pytest

from premortem.errors import InputError
from premortem.pipeline.skills import skill_named
from premortem.pipeline.skills.skill import perform

SIGNAL = {
    "kind": "prompt",
    "text": "What if refund is issued twice?",
    "handler": "IssueRefundHandler",
    "trace_id": "refund-2025-0182",
    "edition": "lite",
}


@pytest.fixture
def road(room):
    """The results of the skills up to what is emitted, each asked with the one before it."""

    def done(name, **asked):
        return perform(skill_named(name), msgspec.json.encode(asked), room).result

    def go(signal=SIGNAL, *, close="asked", write=False):
        context = done("LoadTestContext", **signal)
        gaps = done("IdentifyTestGap", **msgspec.structs.asdict(context))
        templates = done(
            "PlanScenarioTemplates", **{**msgspec.structs.asdict(gaps), "close": close}
        )
        generated = done("GenerateTestScenarios", **msgspec.structs.asdict(templates))
        emission = done("EmitTestArtifacts", generated=generated, write=write)
        return context, gaps, templates, generated, emission

    return go


def test_the_road_is_the_same_each_time(road):
    assert msgspec.json.encode(road()) == msgspec.json.encode(road())


def test_load_test_context(skilled):
    context = skilled("LoadTestContext", **SIGNAL)
    assert context.operation_ids == ("POST /api/refund",)
    assert context.dto.name == "RefundRequest"
    assert context.roles_allowed == context.roles_tested == ("SupportAgent",)
    assert [name for name, _ in context.editions] == ["lite", "enterprise"]
    assert context.signal.blueprint_id == "usecase-9241"
    names = [test.name for test in context.existing]
    assert "Handle_ShouldThrow_WhenInvoiceIsUnknown" in names
    assert "Support agent issues a refund" in names


def test_load_test_context_finds_the_handler_that_the_words_name(skilled):
    context = skilled("LoadTestContext", kind="prompt", text="Who may create invoice twice?")
    assert context.handler == "CreateInvoiceHandler"
    assert context.signal.trace_id.startswith("prompt-")


def test_load_test_context_says_what_it_does_not_understand(skilled):
    context = skilled("LoadTestContext", kind="prompt", text="Is the weather fine?")
    assert context.understanding is None
    assert context.not_understood


def test_identify_test_gap(road):
    _, found, *_ = road()
    gaps = [(gap.kind, gap.what) for gap in found.gaps]
    assert gaps[0] == ("scenario", "What if refund is issued twice")
    assert ("unit", "no test for invoice locked error") in gaps
    assert ("edge", "no test for zero refund amount") in gaps
    assert ("edition", "no edition-specific `.feature` for enterprise") in gaps
    assert not any("invoice not found" in what for _, what in gaps)


def test_nothing_to_test_is_said(skilled):
    context = skilled("LoadTestContext", kind="prompt", text="Is the weather fine?")
    with pytest.raises(InputError, match="nothing to test"):
        skilled("IdentifyTestGap", **msgspec.structs.asdict(context))


def test_plan_scenario_templates_closes_what_was_asked_alone(road):
    _, found, planned, *_ = road()
    (template,) = planned.templates
    assert template.test_kinds == ("bdd", "unit")
    assert template.feature.endswith("refund_flow.feature")
    assert len(planned.open_gaps) == len(found.gaps) - 1
    assert len(road(close="all")[2].templates) == len(found.gaps)


def test_generate_test_scenarios(road):
    *_, generated, _ = road()
    assert generated.proposals[0].title == "Refund is issued twice"
    assert [m.name for m in generated.methods] == ["Handle_ShouldThrow_WhenRefundIsDuplicate"]
    assert generated.left_out == ()


def test_editions_get_the_roles_that_they_have(road):
    *_, generated, _ = road({"kind": "self", "handler": "IssueRefundHandler"})
    lite = {p.scenario.role: p.scenario.origin.outcome
            for p in generated.proposals if p.scenario.edition == "lite"}  # fmt: skip
    assert lite["SupportAgent"] == "accepted"
    assert "denied" in lite.values()
    assert not set(lite) & {"CFO", "FinanceManager", "Analyst"}


def test_emit_test_artifacts_is_a_patch_at_first(road, room):
    before = {path: path.read_bytes() for path in room.root.rglob("*") if path.is_file()}
    *_, emission = road()
    assert "+  Scenario: Refund is issued twice" in emission.patch
    assert not emission.written
    for path, data in before.items():
        if ".premortem" not in path.parts:
            assert path.read_bytes() == data


def test_what_was_not_written_cannot_be_validated(road, skilled):
    *_, emission = road()
    with pytest.raises(InputError, match="nothing was written"):
        skilled("ValidateGeneratedTests", emission=emission)


def test_validate_generated_tests(road, skilled):
    *_, emission = road(write=True)
    report = skilled("ValidateGeneratedTests", emission=emission)
    assert (report.status, report.problems) == ("success", ())
    assert (report.lint, report.snapshot) == ("passed", "passed")
    assert (report.scenarios_added, report.unit_tests_appended) == (1, 1)


def test_emit_observability(road, skilled, room):
    *_, emission = road(write=True)
    log = room.root / "Tests/testgen-observability.jsonl"
    before = log.read_text()
    skilled("EmitObservability", emission=emission)
    assert log.read_text() == before
    asked = {
        "emission": emission,
        "spans": [{"skill": "IdentifyTestGap", "retry_count": 1, "retry_reason": "late"}],
    }
    perform(skill_named("EmitObservability"), msgspec.json.encode(asked), room)
    added = msgspec.json.decode(log.read_text().removeprefix(before))
    assert added["span"] == "testgen.IdentifyTestGap"
    assert (added["retry_count"], added["retry_reason"]) == (1, "late")


def test_studio_summary_markdown(road, skilled):
    *_, emission = road()
    text = skilled("StudioSummaryMarkdown", emission=emission).markdown
    assert text.startswith("### QA Scenario Augmentation -> Trace: refund-2025-0182\n")
    assert "Added 1 BDD scenario to `refund_flow.feature`" in text
