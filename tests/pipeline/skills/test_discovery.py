"""The ten skills that find what is untested, on the sample and on the seed's example (B:968)."""

import msgspec
import pytest

from premortem.domain.proposal import Signal
from premortem.errors import InputError
from premortem.pipeline.augmenting import Recipe, augment
from premortem.pipeline.skills import skill_named
from premortem.pipeline.skills.skill import perform

FEATURES = "Tests/PaymentsService.Specs/Features"


def names(shown):
    return [test.name for test in shown]


def written(room, **said):
    *_, end = augment(Signal(**{"kind": "prompt", **said}), room=room, recipe=Recipe(write=True))
    return end


def test_scan_trace_test_completeness_finds_the_gaps_of_the_seed_s_example(skilled):
    """Example 30: CFO, zero amount, the duplicate invoice, enterprise; and what to do next."""
    found = skilled(
        "ScanTraceTestCompleteness",
        trace_id="invoice-2025-0142",
        blueprint_id="usecase-9241",
        handler="CreateInvoiceHandler",
        roles_allowed=["FinanceManager", "CFO"],
        tested_roles=["FinanceManager"],
    )
    assert found.tested_roles == ("FinanceManager",)
    assert found.metadata["self_check_result"] == "failed"
    assert found.metadata["missing_roles"] == ["CFO"]
    assert found.metadata["edition_variants_missing"] == ["enterprise"]
    assert {"ZeroAmount", "InvoiceExists"} <= set(found.metadata["untested_conditions"])
    assert {
        'trigger GenerateFeatureScenario(prompt="What if invoice already exists?")',
        "trigger GenerateValidatorTest(field=Amount, condition=Zero)",
    } <= set(found.metadata["next_actions"])
    told = found.markdown.splitlines()
    assert told[0] == (
        "### Self-Evaluation Summary: CreateInvoiceHandler (Trace: invoice-2025-0142)"
    )
    for line in (
        "- [ ] Role: CFO",
        "- [ ] Negative validator test: ZeroAmount",
        "- [ ] Edition-specific: `enterprise` test case",
        "- .feature addition for CFO path",
        "- Validator test: Amount = 0",
        "- Unit test: invoice already exists",
    ):
        assert line in told, line


def test_what_the_example_lacks_is_closed_and_then_complete(skilled, room):
    *_, end = augment(
        Signal(kind="self", handler="CreateInvoiceHandler", trace_id="invoice-2025-0142"),
        room=room,
        recipe=Recipe(write=True),
    )
    assert end.coverage_delta > 0
    found = skilled("ScanTraceTestCompleteness", trace_id="invoice-2025-0142")
    assert found.handler == "CreateInvoiceHandler"
    assert "CFO" in found.tested_roles
    assert "missing_roles" not in found.metadata
    assert "edition_variants_missing" not in found.metadata


def test_a_trace_that_nothing_speaks_of_needs_a_handler(skilled):
    with pytest.raises(InputError, match=r"nothing says which handler .*--set handler="):
        skilled("ScanTraceTestCompleteness", trace_id="t-0")
    with pytest.raises(InputError, match="ask EnumerateUntestedRoles with the handler"):
        skilled("DetectUncoveredRoles", trace_id="t-0")


def test_scan_coverage_by_trace(skilled, room):
    [none] = skilled("ScanCoverageByTrace", trace_id="refund-2025-0182").traces
    assert (none.tests, none.coverage) == ((), 0.0)
    written(
        room,
        text="What if refund is issued twice?",
        handler="IssueRefundHandler",
        trace_id="refund-2025-0182",
        edition="lite",
    )
    [trace] = skilled("ScanCoverageByTrace", trace_id="refund-2025-0182").traces
    assert trace.handler == "IssueRefundHandler"
    assert (trace.unit_tests, trace.feature_scenarios) == (1, 1)
    assert (trace.roles_tested, trace.editions_tested) == (("SupportAgent",), ("lite",))
    assert "Refund is issued twice" in names(trace.tests)
    assert 0 < trace.coverage < 100
    every = skilled("ScanCoverageByTrace").traces
    assert "refund-2025-0182" in [one.trace_id for one in every]


def test_fetch_missing_scenarios_by_handler(skilled):
    [found] = skilled("FetchMissingScenariosByHandler", handler="CreateInvoiceHandler").handlers
    assert found.operation.startswith("POST ")
    asked = {one.kind: one.prompt for one in reversed(found.missing)}
    assert asked["role"] == "What if CFO creates an invoice?"
    assert asked["unit"] == "What if invoice already exists?"
    assert asked["edition"] == "What if FinanceManager creates an invoice in enterprise?"
    assert "amount is zero" in " ".join(one.prompt for one in found.missing)
    modes = {one.failure_mode for one in found.missing if one.kind == "scenario"}
    assert modes
    assert all(one.prompt.endswith("?") for one in found.missing)


def test_fetch_missing_scenarios_of_every_handler_begins_with_the_one_that_lacks_most(skilled):
    found = skilled("FetchMissingScenariosByHandler").handlers
    assert {"IssueRefundHandler", "ApproveInvoice"} <= {one.handler for one in found}
    counts = [len(one.missing) for one in found]
    assert counts == sorted(counts, reverse=True)


def test_enumerate_untested_roles(skilled):
    found = skilled("EnumerateUntestedRoles", handler="CreateInvoiceHandler")
    assert found.tested == ("FinanceManager",)
    paths = {path.role: path.expected for path in found.untested}
    assert next(iter(paths)) == "CFO"
    assert paths["CFO"] == "allowed"
    assert paths["Guest"] == "denied"
    assert "FinanceManager" not in paths
    assert found.untested[0].because == "the blueprint allows FinanceManager, CFO"
    assert found.untested[0].prompt == "What if CFO creates an invoice?"


def test_in_an_edition_only_its_tests_and_roles_count(skilled):
    found = skilled("EnumerateUntestedRoles", handler="CreateInvoiceHandler", edition="enterprise")
    assert found.tested == ()
    assert [p.role for p in found.untested if p.expected == "allowed"] == ["FinanceManager", "CFO"]
    lite = skilled("EnumerateUntestedRoles", handler="CreateInvoiceHandler", edition="lite")
    assert {p.role for p in lite.untested} == {"SupportAgent", "Cashier", "Guest"}
    with pytest.raises(InputError, match="no edition 'pro'; there are lite, enterprise"):
        skilled("EnumerateUntestedRoles", handler="CreateInvoiceHandler", edition="pro")


def test_detect_uncovered_roles_of_a_trace(skilled, room):
    written(
        room,
        text="What if refund is issued twice?",
        handler="IssueRefundHandler",
        trace_id="refund-2025-0182",
    )
    [found] = skilled("DetectUncoveredRoles", trace_id="refund-2025-0182").handlers
    assert found.handler == "IssueRefundHandler"
    assert found.tested == ("SupportAgent",)
    assert "Guest" in {path.role for path in found.untested}


def test_check_missing_feature_paths(skilled):
    found = skilled("CheckMissingFeaturePaths", handler="IssueRefundHandler")
    assert found.features == (f"{FEATURES}/refund_flow.feature",)
    [success] = [path for path in found.paths if path.kind == "success"]
    assert names(success.shown_by) == ["Support agent issues a refund"]
    assert "refused: invoice locked" in found.missing
    assert "it succeeds" not in found.missing


def test_a_path_that_a_scenario_speaks_of_is_not_missing(skilled, room):
    path = room.root / FEATURES / "refund_flow.feature"
    path.write_text(
        path.read_text() + "\n  Scenario: A locked invoice is not refunded\n"
        "    Given a locked invoice\n    When a support agent refunds it\n"
        "    Then it is rejected because the invoice is locked\n"
    )
    found = skilled("CheckMissingFeaturePaths", handler="IssueRefundHandler")
    assert "refused: invoice locked" not in found.missing


def test_validate_edge_coverage(skilled):
    found = skilled("ValidateEdgeCoverage", name="CreateInvoiceInput")
    assert not found.complete
    assert "Amount = 0" in found.untested
    kinds = {(edge.field, edge.condition): edge.kind for edge in found.edges}
    assert kinds["Amount", "Zero"] == "range"
    assert "trigger GenerateValidatorTest(field=Amount, condition=Zero)" in found.next_actions


def test_an_edge_that_a_test_sends_or_names_is_covered(skilled, room):
    written(room, text="What happens if refund amount is negative?", handler="IssueRefundHandler")
    source = room.root / "Tests/PaymentsService.UnitTests/IssueRefundHandlerTests.cs"
    assert "RefundAmount" in source.read_text()
    path = room.root / FEATURES / "refund_flow.feature"
    path.write_text(
        path.read_text() + "\n  Scenario: Nothing is refunded\n    Given a paid invoice\n"
        '    When a support agent asks for {"RefundAmount": 0}\n    Then it is rejected\n'
    )
    edges = skilled("ValidateEdgeCoverage", name="RefundRequest").edges
    zero = next(e for e in edges if (e.field, e.condition) == ("RefundAmount", "Zero"))
    assert names(zero.tested_by) == ["Nothing is refunded"]


def test_an_object_that_is_not_there_is_said(skilled):
    with pytest.raises(InputError, match="there is no object 'Nope'; there are"):
        skilled("ValidateEdgeCoverage", name="Nope")


def test_compare_bug_fix_to_test_set(skilled, room):
    """Example 40: no test is found, so a scenario is to be made."""
    bug = {"bug_id": "#4871", "title": "Refund allowed after approval"}
    found = skilled("CompareBugFixToTestSet", **bug)
    assert (found.covered, found.gap.kind) == (False, "bug")
    assert found.next_actions == (
        'trigger GenerateFeatureScenario(prompt="Refund allowed after approval")',
    )
    path = room.root / FEATURES / "refund_flow.feature"
    before = path.read_text()
    path.write_text(
        before + "\n  Scenario: Prevent refund after approval\n    Given an approved refund\n"
        "    When a support agent refunds it after approval\n    Then it is rejected\n"
    )
    found = skilled("CompareBugFixToTestSet", **bug)
    assert found.covered
    assert names(found.shown_by) == ["Prevent refund after approval"]
    path.write_text(before + "\n  # bug #4871\n  @bug:4871\n  Scenario: As it was\n    Given x\n")
    assert names(skilled("CompareBugFixToTestSet", bug_id="#4871").named_by) == ["As it was"]


def test_a_bug_that_nobody_describes_is_asked_about(skilled):
    with pytest.raises(InputError, match="no test names the bug #1; say what it is about"):
        skilled("CompareBugFixToTestSet", bug_id="#1")


def test_identify_edition_test_gaps(skilled, room):
    found = {one.edition: one for one in skilled("IdentifyEditionTestGaps").editions}
    assert list(found) == ["lite", "enterprise"]
    assert "IssueRefundHandler" in found["lite"].handlers_missing
    assert "CreateInvoiceHandler" not in found["lite"].handlers_missing
    assert "CreateInvoiceHandler" in found["enterprise"].handlers_missing
    written(
        room,
        text="What if refund is issued twice?",
        handler="IssueRefundHandler",
        edition="lite",
    )
    lite = skilled("IdentifyEditionTestGaps").editions[0]
    assert "IssueRefundHandler" in lite.handlers_tested
    assert lite.scenarios == 1


def test_without_editions_it_says_where_they_are_declared(skilled, room):
    (room.root / "blueprint.yaml").unlink()
    found = skilled("IdentifyEditionTestGaps")
    assert (found.editions, "blueprint" in found.note) == ((), True)


def test_suggest_missing_assertions(skilled, room):
    found = skilled("SuggestMissingAssertions")
    shown = {one.name: one.problem for one in found.missing}
    assert shown["Successful payment"] == "it has no When"
    assert "CFO approves an invoice" not in shown
    path = room.root / FEATURES / "refund_flow.feature"
    path.write_text(
        path.read_text() + "\n  Scenario: Refund is issued twice\n"
        "    When a support agent refunds it twice\n"
    )
    asked = {"path": f"{FEATURES}/refund_flow.feature"}
    [one] = skilled("SuggestMissingAssertions", **asked).missing
    assert (one.name, one.problem, one.line) == ("Refund is issued twice", "it has no Then", 8)
    assert one.suggestions[0] == "Then the response status is 409"


def test_a_test_method_that_asserts_nothing_is_told(skilled, room):
    path = room.root / "Tests/PaymentsService.UnitTests/IssueRefundHandlerTests.cs"
    text = path.read_text()
    path.write_text(
        text.rstrip().removesuffix("}\n}").rstrip()
        + "\n\n        [TestMethod]\n        public void Handle_ShouldReject_WhenIdle()\n"
        "        {\n        }\n    }\n}\n"
    )
    found = {one.name: one for one in skilled("SuggestMissingAssertions").missing}
    one = found["Handle_ShouldReject_WhenIdle"]
    assert one.problem == "it asserts nothing"
    assert one.suggestions == ("Assert.IsFalse(result.IsSuccess);",)


def test_a_file_that_is_not_there_is_said(skilled):
    with pytest.raises(InputError, match=r"none\.feature is not there or empty"):
        skilled("SuggestMissingAssertions", path="none.feature")


@pytest.mark.parametrize(
    "name",
    ["EnumerateUntestedRoles", "CheckMissingFeaturePaths", "FetchMissingScenariosByHandler"],
)
def test_a_handler_that_is_not_there_is_said_with_near_ones(room, name):
    with pytest.raises(InputError, match=r"no handler 'IssueRefundHandlr' .*IssueRefundHandler"):
        perform(skill_named(name), msgspec.json.encode({"handler": "IssueRefundHandlr"}), room)


def test_they_work_without_anything_learned(bare):
    found = perform(
        skill_named("FetchMissingScenariosByHandler"), b'{"handler": "CreateInvoiceHandler"}', bare
    )
    assert {one.kind for one in found.result.handlers[0].missing} >= {"role", "edge", "unit"}
