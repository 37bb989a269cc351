"""The seed's worked examples, their artifact side, on the seed's own input."""

import json
import shutil

import msgspec
import yaml

from premortem.agent.emit.artifacts import emit_test_artifacts, validated, write_artifacts
from premortem.agent.emit.augmentation import Attempt, Augmentation, CoverageState
from premortem.agent.emit.enrich import (
    apply_role_matrix_to_feature,
    detect_enrichable_feature,
    propose_new_scenarios,
    write_feature_patch,
)
from premortem.agent.emit.event_logs import SkillSpan
from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.emit.git_patch import patch_name
from premortem.agent.emit.output_tree import OutputTree
from premortem.agent.emit.report_markdown import coverage_delta, self_check, self_evaluation
from premortem.agent.emit.story_markdown import story
from premortem.agent.emit.summary_markdown import (
    augmentation_summary,
    generate_studio_markdown_summary,
    studio_summary_markdown,
)
from premortem.agent.emit.validation_report import report_change, validate_generated_tests
from premortem.domain.proposal import Artifact, Gap, Judgement, Signal
from tests.agent.emit.samples import CODE, DENIED, GREEN, added, refund, scenario
from tests.shared import ROOT

TREE = OutputTree(service="PaymentsService")
BEFORE = """Feature: Capture payment

  Scenario: Successful payment
    Given a cashier submits a valid payment
    Then the payment is recorded
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def written(tmp_path, augmentation, **named):
    emitted = emit_test_artifacts(tmp_path, augmentation, tree=TREE, **named)
    write_artifacts(tmp_path, emitted)
    return emitted


def test_14_a_refund_issued_twice_becomes_the_seed_s_tree_of_files(tmp_path):
    both = (
        added("Refund is issued twice"),
        added("Negative refund amount", mode="boundary", outcome="invalid"),
    )
    written(tmp_path, refund(added=both), code=[CODE])
    made = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert {
        "Tests/PaymentsService.Specs/Features/refund_flow.feature",
        "Tests/PaymentsService.UnitTests/IssueRefundHandlerTests.cs",
        "Tests/test-augmentation-metadata.yaml",
        "Tests/test-metadata.yaml",
        "Tests/testgen-observability.jsonl",
        "Tests/observability-events.jsonl",
        "Tests/qa-augmented-tests.md",
        "Tests/qa-report.md",
        "Tests/qa-feedback.md",
        "Tests/hypothesis-report.md",
        "Tests/StudioPromptContext.json",
        "Tests/prompt-to-test/refund-2025-0182.json",
    } <= made
    text = (tmp_path / "Tests/PaymentsService.Specs/Features/refund_flow.feature").read_text()
    feature = parse_feature(text, path="it")
    assert feature.title == "Refund flow edge cases"
    assert [s.title for s in feature.scenarios] == [
        "Refund is issued twice",
        "Negative refund amount",
    ]
    assert {
        "trace_id:refund-2025-0182",
        "augmented_by:test-generator-agent",
        "source:prompt",
    } <= set(feature.tags)
    assert patch_name("payments-2025-0427") == "patch-test-trace-0427.diff"


def test_14_the_metadata_have_the_seed_s_fields(tmp_path):
    written(tmp_path, refund(), code=[CODE])
    found = yaml.safe_load((tmp_path / "Tests/test-augmentation-metadata.yaml").read_text())
    expected = {
        "trace_id": "refund-2025-0182",
        "augmented_by": "test-generator-agent",
        "source": "studio-prompt",
        "test_type": "bdd + unit",
        "new_scenarios": ["Duplicate refund attempt", "Negative refund"],
        "linked_artifacts": ["refund_flow.feature", "IssueRefundHandlerTests.cs"],
        "roles_covered": ["SupportAgent"],
    }
    assert {name: found[name] for name in expected} == expected


def test_14_the_summary_and_the_log_say_what_the_seed_s_say(tmp_path):
    emitted = written(tmp_path, refund(), code=[CODE])
    assert lines(studio_summary_markdown(emitted.augmentation)) == [
        "### QA Scenario Augmentation -> Trace: refund-2025-0182",
        "Added 2 BDD scenarios to `refund_flow.feature`",
        "Appended 1 unit test to `IssueRefundHandlerTests.cs`",
        "- Scenario: Duplicate refund attempt -> status: handled",
        "- Scenario: Negative refund -> validator failed as expected",
        'Reasoning: Triggered by QA prompt "What if refund is issued twice?"',
    ]
    log = (tmp_path / "Tests/testgen-observability.jsonl").read_text().splitlines()
    assert json.loads(log[0]) == {
        "event": "TestAugmented",
        "trace_id": "refund-2025-0182",
        "source": "qa_prompt",
        "scenario": "Duplicate refund attempt",
        "roles_covered": ["SupportAgent"],
        "edition": "lite",
    }


def test_17_a_refund_denied_twice_leaves_the_seed_s_span(tmp_path):
    signal = Signal(
        kind="prompt",
        text="What if refund is denied twice?",
        trace_id="refund-2025-0142",
        handler="IssueRefundHandler",
        blueprint_id="usecase-8041",
        edition="lite",
        origin="studio",
    )
    one = added("Repeat refund denial handling", trace="refund-2025-0142", prompt=signal.text)
    augmentation = Augmentation(trace_id="refund-2025-0142", signal=signal, added=(one,))
    span = SkillSpan(skill="GenerateFeatureScenario", scenario_title="Refund denied twice")
    written(tmp_path, augmentation, spans=[span])
    log = (tmp_path / "Tests/testgen-observability.jsonl").read_text().splitlines()
    assert {
        "span": "testgen.GenerateFeatureScenario",
        "trace_id": "refund-2025-0142",
        "handler": "IssueRefundHandler",
        "edition": "lite",
        "source": "qa_prompt",
        "scenario_title": "Refund denied twice",
    } in [json.loads(line) for line in log]
    summary = (tmp_path / "Tests/qa-augmented-tests.md").read_text()
    assert "Scenario: Repeat refund denial handling" in summary


def test_18_lint_snapshot_and_coverage_inclusion_are_checked(tmp_path):
    emitted = written(tmp_path, refund(), code=[CODE])
    report = validated(tmp_path, emitted)
    assert (report.status, report.problems) == ("success", ())
    assert (report.lint, report.snapshot, report.coverage_inclusion) == ("passed",) * 3
    assert (
        "# Asked: What if refund is issued twice?" in next(tmp_path.rglob("*.feature")).read_text()
    )


def test_23_a_null_amount_in_the_log_becomes_the_seed_s_metadata(tmp_path):
    signal = Signal(
        kind="telemetry",
        text="Amount cannot be null",
        trace_id="refund-2025-0143",
        span_id="a4e12d78e",
        handler="IssueRefundHandler",
        event="NullReferenceException",
        origin="AppInsights",
        payload='{"RefundAmount": null, "CustomerId": "8d2..."}',
    )
    one = added(
        "Refund with null amount",
        trace="refund-2025-0143",
        mode="missing_value",
        outcome="invalid",
        prompt="",
        asserts=("Amount must not be null",),
    )
    augmentation = Augmentation(trace_id="refund-2025-0143", signal=signal, added=(one,))
    code = msgspec.structs.replace(
        CODE, after=CODE.after.replace(b"0182", b"0143"), names=CODE.names
    )
    written(tmp_path, augmentation, code=[code])
    found = yaml.safe_load((tmp_path / "Tests/test-augmentation-metadata.yaml").read_text())
    expected = {
        "generated_by": "test-generator-agent",
        "trigger": "observability",
        "trace_id": "refund-2025-0143",
        "span_id": "a4e12d78e",
        "origin": "AppInsights",
        "test_artifact": "IssueRefundHandlerTests.cs",
        "scenario": "Refund with null amount",
        "asserts": ["Amount must not be null"],
    }
    assert {name: found[name] for name in expected} == expected


def payment(tmp_path):
    shutil.copytree(ROOT / "examples/payments/Tests", tmp_path / "Tests")
    signal = Signal(
        kind="prompt",
        text="What if payment is submitted twice?",
        handler="CapturePaymentHandler",
        edition="enterprise",
        origin="studio",
    )
    named = {"trace": "payments-2025-0321", "edition": "enterprise", "prompt": signal.text}
    twice = added("Duplicate payment submission", entity="payment", role="Cashier", **named)
    guest = scenario(
        "Guest creates a payment",
        mode="forbidden_role",
        outcome="denied",
        role="Guest",
        steps=DENIED,
        **named,
    )
    feature = parse_feature(BEFORE, path="it")
    matrix = {"Cashier": True, "Guest": False}
    roles = apply_role_matrix_to_feature(feature, matrix=matrix, candidates=[guest])
    denied = msgspec.structs.replace(twice, scenario=roles.scenarios[0])
    return roles, Augmentation(trace_id="payments-2025-0321", signal=signal, added=(twice, denied))


def test_27_capture_payment_is_enriched_and_keeps_what_it_had(tmp_path):
    roles, augmentation = payment(tmp_path)
    assert (roles.covered, roles.unplanned) == (("Cashier",), ())
    emitted = written(tmp_path, augmentation)
    path = "Tests/PaymentsService.Specs/Features/capture_payment.feature"
    text = (tmp_path / path).read_text()
    assert text.startswith(BEFORE)
    feature = parse_feature(text, path=path)
    assert [s.title for s in feature.scenarios] == [
        "Successful payment",
        "Duplicate payment submission",
        "Guest user attempts payment",
    ]
    assert {"auth", "denied", "security", "prompt", "edition:enterprise"} <= set(
        feature.scenarios[2].tags
    )
    summary = generate_studio_markdown_summary(
        emitted.augmentation, feature=feature.title, path=path
    )
    assert lines(summary) == [
        "### Test Scenario Expansion for Capture payment",
        "Trace: payments-2025-0321",
        'Trigger: Studio prompt "What if payment is submitted twice?"',
        "Appended to `capture_payment.feature`:",
        "- Scenario: Duplicate payment submission",
        "- Scenario: Guest user attempts payment",
        "@tags: security, edge, regression, prompt-driven",
    ]


def test_27_the_metadata_tell_of_the_roles_that_came_in(tmp_path):
    written(tmp_path, payment(tmp_path)[1])
    found = yaml.safe_load((tmp_path / "Tests/test-augmentation-metadata.yaml").read_text())
    expected = {
        "scenario_source": "test-generator-agent",
        "trace_id": "payments-2025-0321",
        "trigger": "qa_prompt",
        "augmented_roles": ["Guest"],
        "edition": "enterprise",
        "security_test": True,
    }
    assert {name: found[name] for name in expected} == expected
    patched = (tmp_path / "Tests/test-metadata.yaml").read_text()
    kept = (ROOT / "examples/payments/Tests/test-metadata.yaml").read_text()
    assert patched.startswith(kept)
    assert yaml.safe_load(patched)["augmented_by"] == "test-generator-agent"
    assert yaml.safe_load(patched)["augmented_tests"][1]["security_test"] is True


def test_27_by_the_skills_one_by_one(tmp_path):
    folder = tmp_path / "Features"
    folder.mkdir()
    (folder / "capture_payment.feature").write_text(BEFORE)
    (folder / "refund_flow.feature").write_text("Feature: Refund flow\n")
    found = detect_enrichable_feature(folder, handler="CapturePaymentHandler")
    assert found.path == "capture_payment.feature"
    new = propose_new_scenarios(found.feature, [scenario("A"), scenario("Successful  payment")])
    assert [s.title for s in new] == ["A"]
    change = write_feature_patch(folder, found.path, new)
    assert change.after.startswith(BEFORE.encode())
    assert b"@prompt-driven" in change.after


GAPS = (
    Gap(what="No BDD scenario for CFO in CreateInvoice", kind="role", role="CFO"),
    Gap(what="no test for zero amount", kind="edge", field="Amount", failure_mode="boundary"),
    Gap(what="no feature for duplicate invoice error", kind="scenario"),
    Gap(what="no edition-specific `.feature` for enterprise", kind="edition", edition="enterprise"),
)


def test_30_the_agent_s_check_of_itself_reads_as_the_seed_s():
    planned = (
        "`.feature` addition for CFO path",
        "Validator test: Amount = 0",
        "Unit test: Handle_ShouldReject_WhenInvoiceExists",
    )
    text = self_evaluation(
        GAPS, about="CreateInvoiceHandler", trace_id="invoice-2025-0142", planned=planned
    )
    assert lines(text)[:7] == [
        "### Self-Evaluation Summary: CreateInvoiceHandler (Trace: invoice-2025-0142)",
        "Missing:",
        "- [ ] Role: CFO",
        "- [ ] Negative validator test: ZeroAmount",
        "- [ ] Scenario: Duplicate invoice error",
        "- [ ] Edition-specific: `enterprise` test case",
        "Planned augmentation steps: 3",
    ]
    assert self_check(GAPS) == {
        "self_check_result": "failed",
        "missing_roles": ["CFO"],
        "untested_conditions": ["ZeroAmount", "DuplicateInvoice"],
        "edition_variants_missing": ["enterprise"],
        "next_actions": [
            'trigger GenerateFeatureScenario(prompt="What if invoice already exists?")',
            "trigger GenerateValidatorTest(field=Amount, condition=Zero)",
        ],
    }


def test_30_what_closes_a_gap_says_so_in_its_metadata(tmp_path):
    signal = Signal(kind="self", handler="CreateInvoiceHandler", blueprint_id="usecase-9241")
    one = added("Invoice exists already", entity="invoice", trace="invoice-2025-0142", prompt="")
    augmentation = Augmentation(
        trace_id="invoice-2025-0142", signal=signal, added=(one,), gaps=GAPS[2:3]
    )
    written(tmp_path, augmentation)
    found = yaml.safe_load((tmp_path / "Tests/test-augmentation-metadata.yaml").read_text())
    expected = {
        "augmented_by": "test-generator-agent",
        "trigger": "self-evaluation",
        "gap_id": "auto-detected",
        "source_blueprint": "usecase-9241",
        "gap_resolved": True,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["scenarios"][0]["gap_id"] == GAPS[2].id


def test_42_the_story_has_the_seed_s_lines_and_its_seven_tags():
    one = added(
        "Refund is issued twice",
        trace="refund-2025-0143",
        edition="lite",
        attempts=(Attempt(reason="Missing THEN clause"),),
        comments=("Consider rephrasing expected outcome",),
        judgement=Judgement(scenario_id="x", decision="accepted", by="qa.alex.k"),
        delivered="commit 1a2b3c4",
    )
    signal = Signal(
        kind="prompt", text="What if refund is attempted more than once?", origin="studio"
    )
    unit = Artifact(path="a.cs", kind="csharp", action="patched", test_kind="unit", names=("A_B",))
    augmentation = Augmentation(
        trace_id="refund-2025-0143",
        signal=signal,
        added=(one,),
        artifacts=(unit,),
        asked_by="qa.alex.k",
    )
    text = story(augmentation, one)
    told = lines(text)
    for line in (
        "### Scenario: Refund is issued twice",
        "Trace: refund-2025-0143",
        'Source: QA prompt -> "What if refund is attempted more than once?"',
        "Test generated:",
        "- Type: BDD + Unit",
        "- Edition: `lite`",
        "- Roles tested: `SupportAgent`",
        "Scenario Summary:",
        "Feedback:",
        "- Attempt #1: Missing THEN clause -> resolved",
        '- QA Comment: "Consider rephrasing expected outcome"',
        "Status: Approved and committed by QA",
    ):
        assert line in told
    assert yaml.safe_load(text.split("```yaml\n")[1].split("```")[0]) == {
        "trace_id": "refund-2025-0143",
        "scenario_id": "refund_duplicate",
        "prompt_source": "studio.prompt.qa.alex.k",
        "edition": "lite",
        "role": "SupportAgent",
        "retry_count": 1,
        "source_skill": "GenerateFeatureScenario",
    }


def test_44_the_delta_of_before_and_after_reads_as_the_seed_s():
    before = CoverageState(unit_tests=3, feature_scenarios=1, roles_tested=("FinanceManager",))
    after = CoverageState(
        unit_tests=5, feature_scenarios=3, roles_tested=("FinanceManager", "Guest", "CFO")
    )
    text = coverage_delta("invoice-2025-0147", before, after)
    assert text.splitlines() == [
        "trace_id: invoice-2025-0147",
        "coverage_before:",
        "  unit_tests: 3",
        "  feature_scenarios: 1",
        "  roles_tested: [FinanceManager]",
        "coverage_after:",
        "  unit_tests: 5",
        "  feature_scenarios: 3",
        "  roles_tested: [FinanceManager, Guest, CFO]",
        "delta:",
        "  feature_scenarios: +2",
        "  unit_tests: +2",
        "  roles_tested: +2",
    ]


def test_45_the_validation_report_has_the_seed_s_fields(tmp_path):
    yes = Judgement(scenario_id="x", decision="accepted", by="qa.alex.k")
    named = {"trace": "refund-2025-0143", "judgement": yes}
    both = (
        added("Refund is issued twice", edition="lite", **named),
        added("Guest refunds", mode="forbidden_role", outcome="denied", role="Guest", **named),
    )
    code = msgspec.structs.replace(CODE, after=CODE.after.replace(b"0182", b"0143"))
    signal = Signal(kind="prompt", text="What if?", handler="IssueRefundHandler")
    augmentation = Augmentation(trace_id="refund-2025-0143", signal=signal, added=both)
    emitted = written(tmp_path, augmentation, code=[code])
    report = validate_generated_tests(tmp_path, emitted.augmentation)
    report = json.loads(report_change(tmp_path, "validation-report.json", report).after)
    expected = {
        "trace_id": "refund-2025-0143",
        "status": "success",
        "scenarios_added": 2,
        "unit_tests_appended": 1,
        "qa_feedback": {"accepted": 2, "rejected": 0, "requires_followup": False},
        "assertions_present": True,
        "tags": ["edge", "regression", "security", "edition:lite"],
    }
    assert {name: report[name] for name in expected} == expected


def test_46_the_summary_counts_as_the_seed_s():
    yes = Judgement(scenario_id="x", decision="accepted")
    named = {"trace": "invoice-2025-0142", "edition": "enterprise", "judgement": yes}
    both = (
        added("CFO creates an invoice", role="CFO", outcome="accepted", **named),
        added("Guest creates one", mode="forbidden_role", role="Guest", **named),
    )
    signal = Signal(
        kind="prompt", text="What if invoice already exists?", handler="CreateInvoiceHandler"
    )
    unit = Artifact(path="a.cs", kind="csharp", action="patched", test_kind="unit", names=("A_B",))
    tagged = tuple(
        msgspec.structs.replace(one, scenario=msgspec.structs.replace(one.scenario, tags=(tag,)))
        for one, tag in zip(both, ("security", "edge"), strict=True)
    )
    augmentation = Augmentation(
        trace_id="invoice-2025-0142",
        signal=signal,
        added=tagged,
        artifacts=(unit,),
        before=CoverageState(handlers=(1, 2), role_editions=(14, 25)),
        after=CoverageState(handlers=(1, 2), role_editions=(25, 25)),
    )
    assert lines(augmentation_summary(augmentation)) == [
        "### Test Augmentation Summary -> CreateInvoiceHandler",
        "Trace: invoice-2025-0142",
        'Prompt: "What if invoice already exists?"',
        "Tests Added:",
        "- Scenarios: 2",
        "- Unit Tests: 1",
        "- Roles Added: [CFO, Guest]",
        "Tags:",
        "- @security",
        "- @edge",
        "- @edition:enterprise",
        "QA Feedback:",
        "- Accepted: 2",
        "- Rejected: 0",
        "- Retry: 0",
        "Coverage Delta: +22%",
    ]


def test_a_verdict_that_no_runner_saw_is_no_inclusion(tmp_path):
    unseen = msgspec.structs.replace(
        GREEN, evidence=msgspec.structs.replace(GREEN.evidence, runner_sees=False)
    )
    emitted = written(tmp_path, refund(added=(added("Twice", verdict=unseen),)))
    assert validated(tmp_path, emitted).coverage_inclusion == "failed"
