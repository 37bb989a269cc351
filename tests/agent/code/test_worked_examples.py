"""The seed's worked examples, their C# side, on its own inputs and over the sample's sources."""

import pytest

from premortem.agent.code.code_tests import Provenance, generate_validator_test, suggest_test_method
from premortem.agent.knowledge.blueprint import read_blueprint
from premortem.agent.knowledge.reading import read_code
from tests.shared import ROOT

ENRICHED = b"""trace_id: invoice-2025-0143
blueprint_id: usecase-9241
existing_coverage:
  unit_tests: 3
  bdd_scenarios: 2
  roles_tested: [FinanceManager]
  roles_missing: [CFO, Guest]
qa_prompt: "What if refund is issued twice?"
dto_structure:
  RefundRequest:
    - RefundAmount: decimal
    - Reason: string
"""
"""B:213-230."""
GUEST = """[TestMethod]
[TraceId("invoice-2025-0147")]
[Edition("enterprise")]
[AugmentedBy("test-generator-agent")]
public async Task Post_ShouldReturn403_WhenGuestTriesToApproveInvoice()
{
    var client = factory.CreateClientWithRole("Guest");
    var response = await client.PostAsJsonAsync("/api/invoice/approve", validPayload);

    Assert.AreEqual(HttpStatusCode.Forbidden, response.StatusCode);
}"""
"""B:727-736."""


@pytest.fixture(scope="module")
def sample():
    return read_code(ROOT / "examples" / "payments")


def suggested(sample, prompt, handler="", **rest):
    return suggest_test_method(
        prompt,
        handler,
        code=sample.csharp,
        dtos=sample.dtos,
        roles=sample.blueprint.roles,
        operations=sample.operations,
        **rest,
    )


def test_a_guest_who_approves_is_the_seeds_method_with_and_without_code(sample):
    """B:725-745."""
    prompt = "What happens if Guest user tries to approve invoice?"
    provenance = Provenance(trace_id="invoice-2025-0147", edition="enterprise")
    read = suggested(sample, prompt, provenance=provenance)
    assumed = suggest_test_method(prompt, provenance=provenance)
    assert read.source == assumed.source == GUEST
    assert (read.test_kind, read.class_name) == ("integration", "InvoiceApiTests")


def test_the_enriched_input_names_the_duplicate_refund(sample):
    """B:213-231: the object is the blueprint's, the habit of its test class says Throw."""
    plan = read_blueprint(ENRICHED, origin="input.yaml")
    (dto,) = plan.dtos
    assert [(f.name, f.type) for f in dto.fields] == [
        ("RefundAmount", "number"),
        ("Reason", "string"),
    ]
    prompt = "What if refund is issued twice?"
    assert suggested(sample, prompt, "IssueRefundHandler").name == (
        "Handle_ShouldThrow_WhenRefundIsDuplicate"
    )
    alone = suggest_test_method(prompt, "IssueRefundHandler", dto)
    assert alone.name == "Handle_ShouldReject_WhenRefundIsDuplicate"
    assert "var input = new RefundRequest();" in alone.source


def test_a_locked_invoice_is_expected_to_throw_what_the_handler_throws(sample):
    """B:577-585: InvoiceLockedException."""
    prompt = "What if refund is issued while invoice is locked?"
    made = suggested(sample, prompt, "IssueRefundHandler")
    assert made.expects == "InvoiceLockedException"
    assert "Assert.ThrowsExceptionAsync<InvoiceLockedException>" in made.source
    assert "Status = InvoiceStatus.Locked" in made.source


def test_a_repeated_payment_extends_the_class_of_its_handler(sample):
    """B:160-166."""
    made = suggested(sample, "What happens if payment is submitted twice?")
    assert (made.class_name, made.name) == (
        "CapturePaymentHandlerTests",
        "Handle_ShouldReject_WhenPaymentIsDuplicate",
    )


def test_the_refund_that_is_attempted_twice_says_where_its_expectation_stands(sample):
    """B:441-462."""
    prompt = "What if refund is attempted twice for the same transaction?"
    made = suggested(sample, prompt, "IssueRefundHandler")
    assert made.class_name == "IssueRefundHandlerTests"
    assert made.stated.endswith("DuplicateRefundException")


def test_the_gap_of_the_created_invoice_becomes_a_validator_test(sample):
    """B:968-1015: GenerateValidatorTest(field=Amount, condition=Zero)."""
    dto = sample.dto("CreateInvoiceInput", language="csharp")
    made = generate_validator_test(
        "Amount", "Zero", dto, code=sample.csharp, validators=sample.validators
    )
    assert made.name == "Validate_ShouldReject_WhenAmountIsZero"


def test_the_guest_of_the_null_reference_becomes_a_test_of_access(sample):
    """B:100: what a Guest ran into in production was theirs to be refused before."""
    made = suggested(sample, "Guest user caused null ref in production")
    assert made.name == "Post_ShouldReturn403_WhenUserIsGuest"
    assert made.test_kind == "integration"
    assert "the path is a guess" in made.open_points[0]
