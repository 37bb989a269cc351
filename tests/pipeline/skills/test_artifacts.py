"""The skills that write feature files and what is told of them."""

import pytest

from premortem.errors import InputError

FEATURES = "Tests/PaymentsService.Specs/Features"
CAPTURE = f"{FEATURES}/capture_payment.feature"
TWICE = "What if payment is submitted twice?"


@pytest.fixture
def twice(skilled):
    made = skilled(
        "GenerateFeatureScenario",
        prompt=TWICE,
        context={"trace_id": "payments-2025-0321", "edition": "enterprise"},
    )
    return made.proposals[0].scenario


def test_create_feature_file(skilled, room, twice):
    asked = {"scenarios": [twice], "handler": "SettleInvoiceHandler", "service": "PaymentsService"}
    shown = skilled("CreateFeatureFile", **asked)
    path = f"{FEATURES}/invoice_flow.feature"
    assert (shown.artifact.path, shown.artifact.action) == (path, "created")
    assert not (room.root / path).exists()
    skilled("CreateFeatureFile", **asked, write=True)
    assert "@trace_id:payments-2025-0321" in (room.root / path).read_text()
    again = skilled("CreateFeatureFile", **asked, write=True)
    assert (again.artifact.action, again.patch) == ("unchanged", "")


def test_detect_enrichable_feature(skilled):
    found = skilled("DetectEnrichableFeature", handler="CapturePaymentHandler")
    assert (found.path, found.scenarios) == (CAPTURE, ("Successful payment",))
    assert skilled("DetectEnrichableFeature", entity="parcel").path == ""


def test_propose_new_scenarios(skilled, room, twice):
    asked = {"path": CAPTURE, "ask": {"prompt": TWICE}}
    made = skilled("ProposeNewScenarios", **asked)
    assert made.feature == "Capture payment"
    assert made.proposals[0].title == twice.title
    skilled("WriteFeaturePatch", path=CAPTURE, scenarios=[twice], write=True)
    left = skilled("ProposeNewScenarios", **asked).proposals
    assert twice.title not in [p.title for p in left]


def test_propose_new_scenarios_needs_a_feature(skilled):
    with pytest.raises(InputError, match="not there or empty"):
        skilled("ProposeNewScenarios", path=f"{FEATURES}/none.feature", ask={"prompt": TWICE})


def test_apply_role_matrix_to_feature(skilled):
    asked = {"path": CAPTURE, "operation": "POST /api/payment", "edition": "enterprise"}
    made = skilled("ApplyRoleMatrixToFeature", **asked)
    assert made.covered == ("Cashier",)
    assert "Guest user attempts payment" in [p.title for p in made.proposals]
    only = skilled("ApplyRoleMatrixToFeature", **asked, matrix={"Guest": False, "Auditor": True})
    assert [p.title for p in only.proposals] == ["Guest user attempts payment"]
    assert only.unplanned == ("Auditor",)


def test_insert_scenario_tags(skilled):
    guest = skilled(
        "GenerateFeatureScenario",
        prompt="What happens if Guest user tries to approve invoice?",
        context={"edition": "enterprise"},
    )
    tagged = skilled(
        "InsertScenarioTags", scenario=guest.proposals[0].scenario, outcome="regression"
    )
    expected = {"auth", "denied", "edition:enterprise", "prompt", "security", "regression"}
    assert expected <= set(tagged.scenario.tags)


def test_write_feature_patch_keeps_what_stood_there(skilled, room, twice):
    before = (room.root / CAPTURE).read_bytes()
    skilled("WriteFeaturePatch", path=CAPTURE, scenarios=[twice], write=True)
    after = (room.root / CAPTURE).read_bytes()
    assert after.startswith(before)
    assert b"@prompt-driven" in after
    skilled("WriteFeaturePatch", path=CAPTURE, scenarios=[twice], write=True)
    assert (room.root / CAPTURE).read_bytes() == after


def test_a_broken_feature_is_left_alone_and_said(skilled, room, twice):
    (room.root / CAPTURE).write_text(
        "Feature: Capture payment\n  Scenario: A\n    Given x\n  oops\n"
    )
    with pytest.raises(InputError, match=r"capture_payment\.feature"):
        skilled("WriteFeaturePatch", path=CAPTURE, scenarios=[twice], write=True)
    assert "oops" in (room.root / CAPTURE).read_text()


def told(twice):
    signal = {
        "kind": "prompt",
        "text": TWICE,
        "trace_id": "payments-2025-0321",
        "edition": "enterprise",
        "origin": "studio",
    }
    return {"signal": signal, "scenarios": [twice]}


def test_emit_test_metadata(skilled, twice):
    record = skilled("EmitTestMetadata", **told(twice)).record
    expected = {
        "trace_id": "payments-2025-0321",
        "augmented_by": "test-generator-agent",
        "source": "studio-prompt",
        "trigger": "qa_prompt",
        "edition": "enterprise",
        "new_scenarios": [twice.title],
    }
    assert {name: record[name] for name in expected} == expected


def test_generate_studio_markdown_summary(skilled, twice):
    made = skilled(
        "GenerateStudioMarkdownSummary", **told(twice), feature="Capture Payment", path=CAPTURE
    )
    assert made.markdown.startswith("### Test Scenario Expansion for Capture Payment\n")
    assert f'Trigger: Studio prompt "{TWICE}"' in made.markdown


def test_explain_why_scenario_matters(skilled, twice):
    why = skilled("ExplainWhyScenarioMatters", scenario=twice, entity="payment").why
    assert "twice" in why
    assert "POST /api/payment" in why
