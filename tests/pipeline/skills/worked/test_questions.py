"""The seed's worked examples, from its own question or note to titles, roles, tags and methods.

`B:n` is line n of the seed. Steps are the catalogue's; what the seed words otherwise is said in
docs/worked-examples.md.
"""

import json
import re

import pytest

from premortem.domain.proposal import Gap, Signal
from premortem.errors import InputError
from premortem.pipeline.skills.notes import read_enriched, read_note
from tests.shared import ROOT

FEATURES = "Tests/PaymentsService.Specs/Features"


def titles(end):
    return [proposal.title for proposal in end.generated.proposals]


def first(end):
    return end.augmentation.added[0].scenario


def methods(end):
    return [method.name for method in end.generated.methods]


def text(desk, path):
    return (desk.root / path).read_text()


def test_1_a_currency_that_changes_is_refused_in_the_feature_of_the_payment(augmented, desk):
    """B:24-36."""
    end = augmented(
        "What happens if currency is changed mid-transaction?",
        handler="CapturePaymentHandler",
        role="Cashier",
        trace_id="payments-2025-0429",
    )
    scenario = first(end)
    assert scenario.title == "Unexpected currency switch"
    assert scenario.role == "Cashier"
    assert scenario.origin.outcome in ("invalid", "conflict")
    feature = text(desk, f"{FEATURES}/capture_payment.feature")
    assert "Scenario: Unexpected currency switch" in feature
    assert "@trace_id:payments-2025-0429" in feature
    record = text(desk, "Tests/test-augmentation-metadata.yaml")
    assert f"gap_id: {end.generated.gaps[0].id}" in record


def test_2_a_guest_who_broke_something_is_kept_out(augmented):
    """B:100."""
    end = augmented("Guest user caused null ref in production")
    scenario = first(end)
    assert (scenario.role, scenario.origin.outcome) == ("Guest", "denied")
    assert {"security", "auth", "denied"} <= set(scenario.tags)
    assert methods(end) == ["Post_ShouldReturn403_WhenUserIsGuest"]


def test_3_an_amount_changed_while_approved(augmented):
    """B:101."""
    end = augmented("What if amount is changed while approved?")
    assert titles(end)[0] == "Changing amount after approval"
    assert first(end).origin.outcome == "conflict"


def test_4_an_edition_that_lacks_a_test_gets_one_of_its_own(augmented):
    """B:102."""
    end = augmented('Edition "lite" lacks currency test')
    assert titles(end)[0] == "Lite edition currency mismatch"
    assert first(end).edition == "lite"
    assert "edition:lite" in first(end).tags


def test_6_errors_of_a_partial_refund_lead_to_the_limit(augmented):
    """B:153-157: the telemetry's line; how telemetry is watched comes later."""
    end = augmented("Telemetry shows 500 errors during partial refund flow.")
    assert titles(end)[0] == "Partial refund over max limit"
    signal = end.augmentation.signal
    assert (signal.kind, signal.status) == ("telemetry", 500)


def test_7_a_payment_that_comes_twice(augmented, desk):
    """B:160-166: the scenario, the method, both in what is there."""
    end = augmented("What happens if payment is submitted twice?")
    assert titles(end)[0] == "Duplicate payment request is rejected"
    assert methods(end) == ["Handle_ShouldReject_WhenPaymentIsDuplicate"]
    patched = {artifact.path for artifact in end.artifacts if artifact.action == "patched"}
    assert f"{FEATURES}/capture_payment.feature" in patched
    assert "Tests/PaymentsService.UnitTests/CapturePaymentHandlerTests.cs" in patched


def test_8_a_role_that_nobody_tested_does_what_only_it_may(augmented):
    """B:168-173."""
    end = augmented("Coverage shows CFO not tested in enterprise edition")
    assert titles(end) == ["CFO approves high-value invoice"]
    scenario = first(end)
    assert (scenario.role, scenario.edition) == ("CFO", "enterprise")
    assert scenario.origin.outcome == "accepted"
    assert [gap.kind for gap in end.generated.gaps] == ["role"]


ENRICHED = """trace_id: invoice-2025-0143
blueprint_id: usecase-9241
existing_coverage:
  unit_tests: 3
  bdd_scenarios: 2
  roles_tested: [FinanceManager]
  roles_missing: [CFO, Guest]
telemetry:
  recent_errors:
    - event: "NullReference in RefundProcessor"
    - code: 500
    - payload: "RefundAmount: null"
qa_prompt: "What if refund is issued twice?"
dto_structure:
  RefundRequest:
    - RefundAmount: decimal
    - Reason: string
"""


def test_10_the_enriched_input_leads_to_scenario_method_and_missing_role(augmented, desk):
    """B:213-231."""
    signal = read_enriched(ENRICHED, source="input.yaml")
    assert json.loads(signal.payload) == {"RefundAmount": None}
    end = augmented(signal)
    assert titles(end)[0] == "Duplicate refund prevention"
    assert methods(end) == ["Handle_ShouldThrow_WhenRefundIsDuplicate"]
    roles = {p.scenario.role: p.scenario.origin.outcome for p in end.generated.proposals[1:]}
    assert set(roles) >= {"CFO", "Guest"}
    assert "@trace_id:invoice-2025-0143" in text(desk, f"{FEATURES}/refund_flow.feature")


@pytest.mark.parametrize(
    ("said", "title", "role", "edition"),
    [
        ("What if currency is changed post approval?", None, None, ""),
        (
            "Bug #4812: missing test for customer type = corporate",
            "Invoice with customer type corporate",
            "FinanceManager",
            "",
        ),
        ("Add auth scenario for Guest user in lite edition", None, "Guest", "lite"),
    ],
)
def test_11_people_s_words_as_they_come(augmented, said, title, role, edition):
    """B:235-237; what comes of them is lost in the document."""
    end = augmented(said)
    assert title in (None, titles(end)[0])
    assert role in (None, first(end).role)
    assert first(end).edition == edition
    if said.startswith("Bug"):
        assert (end.augmentation.signal.kind, end.augmentation.signal.origin) == ("bug", "#4812")
    if "auth scenario" in said:
        assert first(end).origin.outcome == "denied"
        assert methods(end) == ["Post_ShouldReturn403_WhenGuestTriesToCreateInvoice"]


def test_14_a_refund_that_is_issued_twice_and_one_that_is_negative(augmented, desk):
    """B:286-340: one trace, two questions."""
    context = {
        "handler": "IssueRefundHandler",
        "trace_id": "refund-2025-0182",
        "edition": "lite",
        "origin": "studio",
    }
    twice = augmented("What if refund is issued twice?", **context)
    assert titles(twice)[0] == "Refund is issued twice"
    negative = augmented("What happens if refund amount is negative?", **context)
    assert titles(negative)[0] == "Negative refund amount"
    assert methods(negative) == ["Handle_ShouldThrow_WhenRefundAmountIsNegative"]
    log = text(desk, "Tests/testgen-observability.jsonl").splitlines()
    expected = {
        "event": "TestAugmented",
        "trace_id": "refund-2025-0182",
        "source": "qa_prompt",
        "scenario": "Refund is issued twice",
        "roles_covered": ["SupportAgent"],
        "edition": "lite",
        "at": 1000.0,
    }
    assert expected in [json.loads(line) for line in log]


def test_17_a_refund_denied_twice(augmented, desk):
    """B:375-386 and 526-533."""
    end = augmented(
        "What if refund is denied twice?",
        handler="IssueRefundHandler",
        blueprint_id="usecase-8041",
        trace_id="refund-2025-0142",
    )
    assert titles(end)[0] == "Repeat refund denial handling"
    assert methods(end) == ["Handle_ShouldThrow_WhenRefundIsDeniedTwice"]
    assert "### QA Scenario Augmentation" in end.markdown
    log = map(json.loads, text(desk, "Tests/testgen-observability.jsonl").splitlines())
    span = next(line for line in log if line.get("scenario_title") == titles(end)[0])
    assert span["span"] == "testgen.GenerateFeatureScenario"
    assert (span["trace_id"], span["handler"]) == ("refund-2025-0142", "IssueRefundHandler")


def test_18_a_refund_attempted_twice_is_checked_after_it_was_written(augmented, desk):
    """B:441-462: lint, snapshot; inclusion in coverage where it was run."""
    end = augmented(
        "What if refund is attempted twice for the same transaction?",
        handler="IssueRefundHandler",
        dto="RefundRequest",
        origin="#REFD-2203",
    )
    assert methods(end) == ["Handle_ShouldThrow_WhenRefundIsDuplicate"]
    assert end.generated.proposals[0].scenario.origin.outcome == "conflict"
    assert (end.report.lint, end.report.snapshot) == ("passed", "passed")
    assert end.report.coverage_inclusion == "not_checked"
    assert end.augmentation.signal.origin == "#REFD-2203"
    assert "qa-augmented-tests.md" in "".join(a.path for a in end.artifacts)


def test_19_a_refund_while_the_invoice_is_locked(augmented, desk):
    """B:577-585: the error that the code throws."""
    end = augmented("What if refund is issued while invoice is locked?")
    assert first(end).origin.failure_mode == "forbidden_transition"
    (method,) = end.generated.methods
    assert method.expects == "InvoiceLockedException"
    assert {a.kind for a in end.artifacts} >= {"feature", "csharp", "metadata"}


def test_20_an_amount_that_is_too_high_is_five_scenarios(augmented):
    """B:588-594: the one that was meant stands first."""
    end = augmented("What if the amount is too high?")
    assert sorted(titles(end)) == sorted(
        [
            "Amount equals max allowed",
            "Amount exceeds max allowed",
            "Amount is null",
            "Amount is string",
            "Amount submitted twice",
        ]
    )


def test_25_a_guest_who_tries_to_approve(augmented, desk):
    """B:725-745."""
    end = augmented(
        "What happens if Guest user tries to approve invoice?",
        edition="enterprise",
        trace_id="invoice-2025-0147",
    )
    assert methods(end) == ["Post_ShouldReturn403_WhenGuestTriesToApproveInvoice"]
    scenario = first(end)
    tags = {"auth", "denied", "security", "edition:enterprise"}
    assert tags <= set(scenario.tags)
    assert "the response status is 403" in [step.text for step in scenario.steps]
    feature = text(desk, f"{FEATURES}/invoice_approval.feature")
    assert "@trace_id:invoice-2025-0147" in feature
    assert "security_test: true" in text(desk, "Tests/test-augmentation-metadata.yaml")


def test_28_a_refund_rejected_twice_is_feature_and_code(augmented):
    """B:879-883; what people say of it is kept elsewhere."""
    end = augmented("What if refund is rejected twice?", handler="IssueRefundHandler")
    kinds = {artifact.kind for artifact in end.artifacts if artifact.names}
    assert {"feature", "csharp"} <= kinds
    assert titles(end)[0] == "Repeat refund denial handling"


def test_29_a_refund_that_was_approved_is_not_cancelled(augmented):
    """B:898-906."""
    end = augmented("What if CFO tries to cancel a refund after it was approved?")
    assert titles(end)[0] == "CFO cannot cancel approved refund"
    assert methods(end) == ["Cancel_ShouldFail_WhenAlreadyApproved_ByCFO"]


def test_30_the_gaps_of_the_created_invoice_are_found_and_closed(augmented, desk):
    """B:968-1015."""
    signal = Signal(
        kind="self",
        handler="CreateInvoiceHandler",
        trace_id="invoice-2025-0142",
        blueprint_id="usecase-9241",
    )
    end = augmented(signal)
    found = {(gap.kind, gap.role or gap.edition or gap.what) for gap in end.generated.gaps}
    assert {
        ("role", "CFO"),
        ("edge", "no test for zero amount"),
        ("unit", "no test for invoice exists error"),
        ("edition", "enterprise"),
    } <= found
    assert {
        "Handle_ShouldReject_WhenInvoiceExists",
        "Validate_ShouldReject_WhenAmountIsZero",
    } <= set(methods(end))
    assert any(p.scenario.role == "CFO" for p in end.generated.proposals)
    record = text(desk, "Tests/test-augmentation-metadata.yaml")
    for line in ("trigger: self-evaluation", "gap_id: auto-detected", "gap_resolved: true",
                 "source_blueprint: usecase-9241"):  # fmt: skip
        assert line in record


def test_15_a_role_that_coverage_misses_is_proposed_summed_up_and_noted(augmented, desk):
    """B:356, 369-372; people approve it in the Studio."""
    end = augmented("No BDD scenario for CFO role in ApproveInvoice")
    assert {p.scenario.role for p in end.generated.proposals} == {"CFO"}
    assert first(end).origin.outcome == "accepted"
    assert "No BDD scenario for CFO role in ApproveInvoice" in end.markdown
    record = text(desk, "Tests/test-augmentation-metadata.yaml")
    for line in ("source: coverage-gap", "handler: ApproveInvoice", "roles_covered: [CFO]"):
        assert line in record or line.replace("[CFO]", "\n  - CFO").replace(": \n", ":\n") in record


def test_43_a_cancellation_after_approval(augmented, desk):
    """B:1310-1325; a trace is QA-verified once people accepted it."""
    end = augmented("What happens if CFO cancels after approval?")
    assert methods(end) == ["Cancel_ShouldFail_WhenAlreadyApproved_ByCFO"]
    assert first(end).role == "CFO"
    assert "### Scenario: " in text(desk, "Tests/qa-augmented-tests.md")


def test_gaps_say_what_and_keep_their_name():
    gap = Gap(what="no test for zero amount", kind="edge", field="Amount")
    assert gap.id == Gap(what="no test for zero amount", kind="edge", field="Amount").id
    assert gap.id != Gap(what="no test for too high amount", kind="edge", field="Amount").id


def test_the_page_names_all_examples_and_tests_that_there_are():
    page = (ROOT / "docs" / "worked-examples.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .+? \| (.+?) \| (.*?) ?\|$", page, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 48))
    files = {
        "worked": "pipeline/skills/worked/test_questions.py",
        "emit": "agent/emit/test_examples.py",
    }
    for number, tests, later in rows:
        named = re.findall(r"`([^`]+)`", tests)
        assert named or later, number
        for name in named:
            place, _, function = name.partition("::")
            place = files.get(place, re.sub(r"^code/", "agent/code/", place))
            source = (ROOT / "tests" / place).read_text()
            assert f"def {function.rstrip('*')}" in source, (number, name)


@pytest.mark.parametrize(
    ("given", "problem"),
    [("- a", "no `qa_prompt`"), ("a: [", "is no YAML"), ("qa_prompt: ''", "no `qa_prompt`")],
)
def test_an_enriched_input_that_is_none_is_said(given, problem):
    with pytest.raises(InputError, match=problem):
        read_enriched(given, source="input.yaml")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("No role test found for CFO in CancelInvoiceHandler", ("coverage", "CFO", 0)),
        ("No BDD scenario for CFO role in ApproveInvoice", ("coverage", "CFO", 0)),
        ("Spike in 400 errors on POST /api/refund", ("telemetry", "", 400)),
        ("No test for Nobody in ApproveInvoice", ("prompt", "", 0)),
        ("Packer is not tested in the lite edition", ("prompt", "", 0)),
        ("What if 500 items are bought?", ("prompt", "", 0)),
    ],
)
def test_notes_are_read_by_their_form(said, read):
    signal, _ = read_note(Signal(kind="prompt", text=said), roles=("CFO", "Guest"))
    assert (signal.kind, signal.role, signal.status) == read
