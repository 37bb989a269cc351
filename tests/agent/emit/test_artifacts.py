import json
import subprocess
from typing import get_args

import msgspec
import pytest
import yaml

from premortem.agent.emit.artifacts import (
    augmentation_of,
    create_feature_file,
    emit_test_artifacts,
    patch_artifacts,
    validated,
    write_artifacts,
)
from premortem.agent.emit.augmentation import Attempt, Augmentation
from premortem.agent.emit.enrich import (
    apply_role_matrix_to_feature,
    detect_enrichable_feature,
    feature_for,
    propose_new_scenarios,
    write_feature_patch,
)
from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.emit.files import write
from premortem.agent.emit.output_tree import OutputTree
from premortem.agent.emit.test_metadata_yaml import tests_by_handler as by_handler
from premortem.agent.emit.why import COST, explain_why_scenario_matters
from premortem.domain.proposal import FailureModeName, Gap, Judgement, Signal
from premortem.errors import InputError
from tests.agent.emit.samples import CODE, RED, added, refund, scenario
from tests.shared import ROOT

TREE = OutputTree(service="PaymentsService")
PAYMENTS = ROOT / "examples/payments"


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("runner", ["behave", "pytest-bdd", "pytest"])
def test_the_same_again_changes_nothing_and_everything_validates(tmp_path, runner):
    emitted = emit_test_artifacts(tmp_path, refund(), tree=TREE, code=[CODE], runner=runner)
    write_artifacts(tmp_path, emitted)
    before = contents(tmp_path)
    assert validated(tmp_path, emitted).problems == ()
    code = msgspec.structs.replace(CODE, before=CODE.after, names=())
    again = emit_test_artifacts(
        tmp_path,
        refund(),
        tree=TREE,
        code=[code],
        methods={CODE.path: CODE.names},
        runner=runner,
    )
    assert {a.action for a in write_artifacts(tmp_path, again)} == {"unchanged"}
    assert contents(tmp_path) == before


def test_what_is_learned_later_is_added_to_what_stands_there(tmp_path):
    write_artifacts(tmp_path, emit_test_artifacts(tmp_path, refund(), tree=TREE))
    judged = added(
        "Duplicate refund attempt",
        attempts=(Attempt(reason="Missing Then clause", feedback="no outcome"),),
        judgement=Judgement(scenario_id="x", decision="accepted_with_edits", by="qa.alex.k"),
    )
    third = added("Refund of zero", mode="boundary", outcome="invalid")
    augmentation = refund(added=(judged, third))
    write_artifacts(tmp_path, emit_test_artifacts(tmp_path, augmentation, tree=TREE))
    text = (tmp_path / "Tests/test-augmentation-metadata.yaml").read_text()
    found = yaml.safe_load(text)
    assert found["new_scenarios"] == [
        "Duplicate refund attempt",
        "Negative refund",
        "Refund of zero",
    ]
    one = found["scenarios"][0]
    assert {
        "scenario_id": "refund_duplicate",
        "retry_count": 1,
        "retry_reason": "Missing Then clause",
        "last_feedback": "no outcome",
        "status": "resolved",
        "regenerated_by": "test-generator-agent",
        "review_status": "accepted_with_edits",
        "edited_by": "qa.alex.k",
        "feedback_applied": True,
    }.items() <= one.items()
    events = (tmp_path / "Tests/observability-events.jsonl").read_text().splitlines()
    assert [json.loads(e)["event"] for e in events].count("ScenarioReviewed") == 1
    context = json.loads((tmp_path / "Tests/StudioPromptContext.json").read_text())
    assert len(context["prompts"]) == 1
    feedback = (tmp_path / "Tests/qa-feedback.md").read_text()
    assert "Approved Scenarios:" in feedback
    assert "Attempt #1: Missing Then clause -> resolved" in feedback


def test_another_trace_and_another_trigger_get_documents_of_their_own(tmp_path):
    write_artifacts(tmp_path, emit_test_artifacts(tmp_path, refund(), tree=TREE))
    first = (tmp_path / "Tests/test-augmentation-metadata.yaml").read_text()
    telemetry = Signal(kind="telemetry", text="500", handler="IssueRefundHandler")
    for trace, signal in (("t-2", refund().signal), ("refund-2025-0182", telemetry)):
        augmentation = refund(trace_id=trace, signal=signal, added=(added("More", trace=trace),))
        write_artifacts(tmp_path, emit_test_artifacts(tmp_path, augmentation, tree=TREE))
    text = (tmp_path / "Tests/test-augmentation-metadata.yaml").read_text()
    assert text.startswith(first)
    assert [(d["trace_id"], d["trigger"]) for d in yaml.safe_load_all(text)] == [
        ("refund-2025-0182", "qa_prompt"),
        ("t-2", "qa_prompt"),
        ("refund-2025-0182", "observability"),
    ]


def test_a_read_only_repository_gets_nothing_but_a_patch_that_git_takes(tmp_path):
    top = tmp_path / "repo"
    (top / "Tests").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet"], cwd=top, check=True)
    emitted = emit_test_artifacts(top, refund(), tree=TREE, code=[CODE])
    (top / "Tests").chmod(0o555)
    with pytest.raises(InputError, match="read-only"):
        write_artifacts(top, emitted)
    assert list((top / "Tests").iterdir()) == []
    change = patch_artifacts(emitted, into=tmp_path, repository=top)
    assert write(tmp_path, change).path == "patch-test-trace-0182.diff"
    (top / "Tests").chmod(0o755)
    patch = (tmp_path / change.path).read_bytes()
    subprocess.run(["git", "apply", "-"], cwd=top, input=patch, check=True)
    assert validated(top, emitted).status == "success"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "PaymentsService.Specs/Features/refund_flow.feature",
            "Feature: x\n  Scenario: y\n    Given z\n    gibberish\n",
            "mend it there",
        ),
        ("test-augmentation-metadata.yaml", "a: [", "YAML"),
        ("testgen-observability.jsonl", "{]\n", "JSON"),
        ("StudioPromptContext.json", "[1]", "prompt context"),
        ("PaymentsService.Specs/Features/conftest.py", "def (", "Python"),
    ],
)
def test_a_broken_file_stays_and_nothing_else_is_written(tmp_path, name, text, said):
    path = tmp_path / "Tests" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    before = contents(tmp_path)
    with pytest.raises(InputError, match=said):
        emit_test_artifacts(tmp_path, refund(), tree=TREE, runner="pytest-bdd")
    assert contents(tmp_path) == before


def test_what_is_missing_or_misnamed_in_a_written_file_is_a_problem(tmp_path):
    code = msgspec.structs.replace(CODE, names=("Handle_ShouldThrow_WhenGone", "bad name"))
    emitted = emit_test_artifacts(tmp_path, refund(), tree=TREE, code=[code])
    write_artifacts(tmp_path, emitted)
    feature = tmp_path / "Tests/PaymentsService.Specs/Features/refund_flow.feature"
    feature.write_text(feature.read_text().replace("Scenario: Negative refund", "Scenario: Gone"))
    (tmp_path / "Tests/observability-events.jsonl").write_text("")
    report = validated(tmp_path, emitted)
    assert (report.status, report.lint, report.snapshot) == ("failed", "failed", "failed")
    found = {(p.path.rsplit("/", 1)[-1], p.rule) for p in report.problems}
    assert {
        ("refund_flow.feature", "structure"),
        ("IssueRefundHandlerTests.cs", "structure"),
        ("IssueRefundHandlerTests.cs", "naming"),
        ("observability-events.jsonl", "trace-tag"),
    } <= found


def test_a_finding_that_nobody_ruled_on_asks_for_a_person(tmp_path):
    emitted = emit_test_artifacts(tmp_path, refund(added=(added("Twice", verdict=RED),)))
    write_artifacts(tmp_path, emitted)
    assert validated(tmp_path, emitted).qa_feedback.requires_followup
    assert "does not hold" in (tmp_path / "Tests/hypothesis-report.md").read_text()


def test_the_file_that_is_enriched_is_the_one_about_the_same():
    tests = PAYMENTS / "Tests"
    found = detect_enrichable_feature(tests, handler="CapturePayment")
    assert found.path == "PaymentsService.Specs/Features/capture_payment.feature"
    refunds = detect_enrichable_feature(tests, entity="refund")
    assert refunds.path == "PaymentsService.Specs/Features/refund_flow.feature"
    assert not refunds.ours
    assert detect_enrichable_feature(tests, entity="parcel") is None


def test_a_broken_feature_stands_in_the_way_only_of_its_own_kind(tmp_path):
    (tmp_path / "refund_flow.feature").write_text("gibberish")
    (tmp_path / "payments.feature").write_text("Feature: Payments\n")
    found = detect_enrichable_feature(tmp_path, entity="payment")
    assert (found.path, len(found.unreadable)) == ("payments.feature", 1)
    with pytest.raises(InputError, match="refund_flow"):
        detect_enrichable_feature(tmp_path, entity="refund")


def test_a_proposal_that_closes_the_worst_gap_comes_first():
    feature = parse_feature("Feature: x\n", path="it")
    gaps = (
        Gap(what="a", kind="edge", failure_mode="boundary", score=2.0),
        Gap(what="b", kind="edge", failure_mode="duplicate", score=1.0),
    )
    candidates = [
        scenario("A"),
        scenario("B", mode="boundary"),
        scenario("a"),
        scenario("C", mode="injection"),
    ]
    found = propose_new_scenarios(feature, candidates, gaps=gaps, count_max=2)
    assert [s.title for s in found] == ["B", "A"]


def test_a_role_for_which_nothing_was_planned_is_said():
    feature = parse_feature(
        "Feature: Invoice approval access control\n  Scenario: x\n    Given support agents\n",
        path="it",
    )
    guest = scenario("G", role="Guest", outcome="denied", mode="forbidden_role")
    cfo = scenario("CFO approves high-value invoice", role="CFO", outcome="accepted")
    matrix = {"SupportAgent": False, "CFO": True, "Guest": False, "Analyst": False}
    found = apply_role_matrix_to_feature(feature, matrix=matrix, candidates=[guest, cfo])
    assert [s.title for s in found.scenarios] == [
        "CFO approves high-value invoice",
        "Guest user attempts approval",
    ]
    assert (found.covered, found.unplanned) == (("SupportAgent",), ("Analyst",))


def test_a_patch_of_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="create the feature"):
        write_feature_patch(tmp_path, "x.feature", [scenario("A")])


def test_a_feature_is_created_for_a_handler_in_its_place(tmp_path):
    one = scenario("Guest user attempts approval", edition="enterprise", trace="invoice-2025-0147")
    change = create_feature_file(
        tmp_path, "ApproveInvoiceHandler", [one], tree=TREE, source="security-inference"
    )
    assert change.path == "Tests/PaymentsService.Specs/Features/invoice_flow.feature"
    assert parse_feature(change.after.decode(), path="it").tags == (
        "edition:enterprise",
        "trace_id:invoice-2025-0147",
        "augmented_by:test-generator-agent",
        "source:security-inference",
    )
    assert feature_for("IssueRefundHandler")[1] == "refund_flow.feature"


def test_files_have_their_kinds_places():
    assert TREE.path("unit", "A.cs") == "Tests/PaymentsService.UnitTests/A.cs"
    assert TREE.path("integration", "A.cs") == "Tests/PaymentsService.IntegrationTests/A.cs"
    assert OutputTree(folder="").path("bdd", "a.feature") == "a.feature"
    with pytest.raises(InputError, match="no name"):
        TREE.path("unit", "../A.cs")


def test_the_metadata_of_others_tell_which_files_test_a_handler():
    text = (PAYMENTS / "Tests/test-metadata.yaml").read_text()
    assert by_handler(text, path="it")["IssueRefundHandler"] == (
        "IssueRefundHandlerTests.cs",
        "refund_flow.feature",
    )


def test_what_is_there_is_found_again_though_its_feature_was_renamed(tmp_path):
    both = (added("Twice"), msgspec.structs.replace(added("Late"), entity="late fee"))
    write_artifacts(tmp_path, emit_test_artifacts(tmp_path, refund(added=both), tree=TREE))
    folder = tmp_path / "Tests/PaymentsService.Specs/Features"
    assert {p.name for p in folder.glob("*.feature")} == {
        "refund_flow.feature",
        "late_fee_flow.feature",
    }
    (folder / "refund_flow.feature").rename(folder / "other.feature")
    emitted = emit_test_artifacts(tmp_path, refund(added=both), tree=TREE)
    features = [c for c in emitted.changes if c.kind == "feature"]
    assert [(c.path.rsplit("/")[-1], c.names) for c in features] == [
        ("other.feature", ()),
        ("late_fee_flow.feature", ()),
    ]


def test_every_failure_mode_says_what_it_may_cost():
    assert set(COST) == set(get_args(FailureModeName))


def test_why_a_scenario_matters_claims_only_what_was_run():
    one = scenario("Twice")
    said = explain_why_scenario_matters(one, entity="refund")
    assert "a refund sent again takes effect a second time" in said
    assert "today" not in said
    gap = Gap(what="No scenario repeats a refund", kind="scenario", impact="Money is paid twice")
    more = explain_why_scenario_matters(one, entity="refund", gap=gap, verdict=RED)
    assert "It closes a gap: No scenario repeats a refund. Money is paid twice." in more
    assert "The service does otherwise today: the status is 201, not 409." in more


def test_without_scenarios_only_what_is_told_is_written(tmp_path):
    nothing = Augmentation(trace_id="t-0", signal=Signal(kind="self", handler="X"))
    emitted = emit_test_artifacts(tmp_path, nothing)
    assert {c.kind for c in emitted.changes} <= {"metadata", "log", "markdown", "bundle"}


def test_junk_is_never_written(tmp_path):
    junk = msgspec.structs.replace(RED, outcome="junk")
    both = (added("Twice"), added("Whatever", verdict=junk))
    write_artifacts(tmp_path, emit_test_artifacts(tmp_path, refund(added=both), tree=TREE))
    assert not [p for p, data in contents(tmp_path).items() if b"Whatever" in data]


def test_an_augmentation_is_made_of_what_was_judged():
    signal = Signal(kind="prompt", text="What if?")
    judgement = Judgement(scenario_id="x", decision="accepted", by="ann")
    one = scenario("Twice", operation="POST /invoices/{invoice_id}/approve", trace="prompt-1")
    made = augmentation_of(signal, [(one, RED)], judgements={one.id: judgement}, asked_by="ann")
    assert (made.trace_id, made.added[0].entity) == ("prompt-1", "invoice")
    assert made.added[0].judgement == judgement
    nested = scenario("A", operation="POST /customers/{id}/credit_notes")
    assert augmentation_of(signal, [(nested, None)]).added[0].entity == "credit note"
    assert augmentation_of(signal, [(scenario("A"), None)]).added[0].entity == "refund"


@pytest.mark.parametrize("runner", ["behave", "pytest"])
def test_a_hostile_question_stays_text_in_every_file(tmp_path, runner):
    hostile = (
        "What if?\n### Scenario: x\n---\na: [\n<script>alert(1)</script> <!-- premortem 0 --> "
        '```\n"""\nFeature: y\n@z \x1b[2J \u2028 {"a": 1} */ \\' + "long " * 2_000
    )
    signal = Signal(kind="prompt", text=hostile, handler="IssueRefundHandler")
    one = added("Twice", prompt=hostile)
    one = msgspec.structs.replace(one, comments=(hostile,), asserts=(hostile,))
    emitted = emit_test_artifacts(
        tmp_path, Augmentation(trace_id="refund-2025-0182", signal=signal, added=(one,)),
        runner=runner,
    )  # fmt: skip
    write_artifacts(tmp_path, emitted)
    assert validated(tmp_path, emitted).problems == ()
    feature = parse_feature((tmp_path / "Tests/refund_flow.feature").read_text(), path="it")
    assert [s.title for s in feature.scenarios] == ["Twice"]
    found = yaml.safe_load((tmp_path / "Tests/test-augmentation-metadata.yaml").read_text())
    assert found["prompt"] == hostile
    text = (tmp_path / "Tests/qa-augmented-tests.md").read_text()
    assert text.count("\n### Scenario:") == 1
    assert "\x1b" not in text
    assert " <script>" not in text
