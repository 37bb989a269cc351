"""The names of the seed's worked examples, from the questions' own words."""

import pytest

from premortem.agent.code.code_tests import names_from_assertions, suggest_test_method
from premortem.agent.code.names import access_name, unit_name
from premortem.agent.code.question import read_code_question
from premortem.agent.knowledge.csharp import dtos_in_csharp, read_csharp
from premortem.agent.knowledge.rules import (
    infer_assertions_from_dto,
    infer_assertions_from_related_dtos,
)
from premortem.domain.proposal import Dto, DtoField, DtoRule

ROLES = ("Guest", "CFO", "Analyst", "SupportAgent", "FinanceManager")
REFUND = Dto(
    name="RefundRequest",
    language="blueprint",
    fields=(
        DtoField(
            name="RefundAmount",
            type="number",
            declared_type="decimal",
            rules=(
                DtoRule(kind="greater_than", value="0", message="Refund amount must be positive"),
            ),
        ),
        DtoField(name="Reason", type="string", declared_type="string"),
    ),
)


@pytest.mark.parametrize(
    ("prompt", "word", "name"),
    [
        # B:160-166, B:213-231, B:441-462, B:280
        ("What happens if payment is submitted twice?", None, "WhenPaymentIsDuplicate"),
        ("What if refund is issued twice?", "Throw", "WhenRefundIsDuplicate"),
        (
            "What if refund is attempted twice for the same transaction?",
            "Throw",
            "WhenRefundIsDuplicate",
        ),
        ("What if refund exceeds limit?", "Reject", "WhenRefundExceedsLimit"),
        # B:375-386: what is denied twice was never issued, so it is no duplicate
        ("What if refund is denied twice?", None, "WhenRefundIsDeniedTwice"),
        # B:577-585, B:968-1015
        ("What if refund is issued while invoice is locked?", "Throw", "WhenInvoiceIsLocked"),
        ("What if invoice already exists?", None, "WhenInvoiceExists"),
        # B:251-260
        ("What happens if refund amount is negative?", "Throw", "WhenRefundAmountIsNegative"),
        # other domains
        ("What if a parcel is shipped twice?", None, "WhenParcelIsShippedTwice"),
        ("What if a booking is created twice?", None, "WhenBookingIsDuplicate"),
        ("What if the quantity is zero?", "Fail", "WhenQuantityIsZero"),
        ("What if a seat is sold while the show is cancelled?", "Fail", "WhenShowIsCancelled"),
    ],
)
def test_a_handler_test_is_named_by_what_the_question_says(prompt, word, name):
    question = read_code_question(prompt, roles=ROLES)
    expected = f"Handle_Should{word or 'Reject'}_{name}"
    assert unit_name(question, word=word) == expected


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        # B:898-906 and B:1310-1325
        (
            "What if CFO tries to cancel a refund after it was approved?",
            "Cancel_ShouldFail_WhenAlreadyApproved_ByCFO",
        ),
        (
            "What happens if CFO cancels after approval?",
            "Cancel_ShouldFail_WhenAlreadyApproved_ByCFO",
        ),
        ("What if payment is cancelled after capture?", "Cancel_ShouldFail_WhenAlreadyCaptured"),
        ("What if an order is shipped after it was paid?", "Ship_ShouldFail_WhenAlreadyPaid"),
    ],
)
def test_a_forbidden_transition_names_the_verb_and_the_state(prompt, name):
    assert unit_name(read_code_question(prompt, roles=ROLES)) == name


@pytest.mark.parametrize(
    ("prompt", "broad", "name"),
    [
        # B:725-745, B:1118-1124 (found by similarity), B:100
        (
            "What happens if Guest user tries to approve invoice?",
            False,
            "Post_ShouldReturn403_WhenGuestTriesToApproveInvoice",
        ),
        (
            "What if an Analyst tries to approve a payment?",
            True,
            "Post_ShouldReturn403_WhenUserIsAnalyst",
        ),
        ("Guest user caused null ref in production", False, "Post_ShouldReturn403_WhenUserIsGuest"),
        (
            "What if a visitor edits a page?",
            False,
            "Post_ShouldReturn403_WhenVisitorTriesToEditPage",
        ),
    ],
)
def test_a_test_of_access_names_status_role_and_deed(prompt, broad, name):
    question = read_code_question(prompt, roles=(*ROLES, "visitor"))
    assert question.failure_mode == "forbidden_role"
    assert access_name(question, method="post", status=403, broad=broad) == name


def test_the_method_of_the_negative_refund_is_the_seeds():
    """B:299-309, on B's own structure: no validator's source, a message that it knows."""
    made = suggest_test_method(
        "What happens if refund amount is negative?", "IssueRefundHandler", REFUND
    )
    lines = [line.strip() for line in made.source.splitlines() if line.strip()]
    assert lines == [
        "[TestMethod]",
        '[AugmentedBy("test-generator-agent")]',
        "public async Task Handle_ShouldFail_WhenRefundAmountIsNegative()",
        "{",
        "var input = new RefundRequest { RefundAmount = -100 };",
        "var result = await handler.Handle(input);",
        "Assert.IsFalse(result.IsSuccess);",
        'Assert.AreEqual("Refund amount must be positive", result.Error.Message);',
        "}",
    ]


def test_assertions_of_the_refund_request_are_the_seeds():
    """B:598-607."""
    source = b"""public class RefundRequest {
[Required]
public decimal Amount { get; set; }
[MaxLength(200)]
public string Reason { get; set; }
}"""
    (dto,) = dtos_in_csharp(read_csharp({"RefundRequest.cs": source}))
    assert [(a.says, a.expects) for a in infer_assertions_from_dto(dto)] == [
        ("Amount = 0", 'IsFailure("Amount must be greater than 0")'),
        ("Reason = 300 chars", 'IsFailure("Reason too long")'),
    ]


def test_an_object_without_rules_borrows_those_of_its_like():
    """B:1155-1162: memory shows Amount = 0 and Currency = ""."""
    source = b"""public class PaymentRequest {
public decimal Amount { get; set; }
public string Currency { get; set; }
}"""
    (dto,) = dtos_in_csharp(read_csharp({"PaymentRequest.cs": source}))
    wanted = ("Handle_ShouldFail_WhenAmountIsZero", "Validate_ShouldReject_WhenCurrencyIsEmpty")
    assert names_from_assertions(infer_assertions_from_related_dtos(dto, ())) == wanted
    other = Dto(
        name="Order",
        language="csharp",
        fields=(
            DtoField(
                name="Amount",
                type="number",
                rules=(DtoRule(kind="maximum", value="10", source="Order.cs:3"),),
            ),
        ),
    )
    first, second = infer_assertions_from_related_dtos(dto, (other,))
    assert first.condition == "TooHigh"
    assert first.source == "Order.Amount (Order.cs:3)"
    assert not first.stated
    assert second.condition == "Empty"
