"""The skills about code: nothing is learned of a service for them."""

import msgspec
import pytest

from premortem.errors import InputError
from premortem.pipeline.skills import skill_named
from premortem.pipeline.skills.skill import perform

TEST = "Tests/PaymentsService.UnitTests/IssueRefundHandlerTests.cs"
REFUND = """public class RefundRequest {
[Required]
public decimal Amount { get; set; }
[MaxLength(200)]
public string Reason { get; set; }
}"""
"""B:598-603."""


def done(bare, name, /, **asked):
    return perform(skill_named(name), msgspec.json.encode(asked), bare).result


def test_suggest_test_method(bare):
    made = done(
        bare,
        "SuggestTestMethod",
        prompt="What happens if payment is submitted twice?",
        context={"handler": "CapturePaymentHandler", "trace_id": "payment-2025-0147"},
    )
    assert made.name == "Handle_ShouldReject_WhenPaymentIsDuplicate"
    assert '[TraceId("payment-2025-0147")]' in made.source


def test_infer_assertions_from_dto_of_a_source_text(bare):
    made = done(bare, "InferAssertionsFromDTO", name="RefundRequest", source=REFUND)
    assert [(one.says, one.expects) for one in made.assertions] == [
        ("Amount = 0", 'IsFailure("Amount must be greater than 0")'),
        ("Reason = 300 chars", 'IsFailure("Reason too long")'),
    ]


def test_infer_assertions_from_dto_of_the_code(bare):
    made = done(bare, "InferAssertionsFromDTO", name="CreateInvoiceInput")
    assert "Amount = 0" in [one.says for one in made.assertions]


def test_an_unknown_object_is_said_with_those_that_there_are(bare):
    with pytest.raises(InputError, match=r"no object 'Nothing'; there are .*RefundRequest"):
        done(bare, "InferAssertionsFromDTO", name="Nothing")


def test_generate_validator_test(bare):
    made = done(
        bare,
        "GenerateValidatorTest",
        dto="CreateInvoiceInput",
        field="Amount",
        condition="Zero",
        trace_id="invoice-2025-0142",
    )
    assert made.name == "Validate_ShouldReject_WhenAmountIsZero"
    assert made.class_name == "CreateInvoiceInputValidatorTests"


def test_append_test_method_shows_a_patch_then_writes_once(bare):
    asked = {
        "path": TEST,
        "ask": {
            "prompt": "What if refund is issued twice?",
            "context": {"handler": "IssueRefundHandler"},
        },
    }
    before = (bare.root / TEST).read_bytes()
    shown = done(bare, "AppendTestMethod", **asked)
    assert "+        public async Task Handle_ShouldThrow_WhenRefundIsDuplicate()" in shown.patch
    assert (bare.root / TEST).read_bytes() == before
    assert done(bare, "AppendTestMethod", **asked, write=True).artifact.action == "patched"
    after = (bare.root / TEST).read_bytes()
    assert done(bare, "AppendTestMethod", **asked, write=True).artifact.action == "unchanged"
    assert (bare.root / TEST).read_bytes() == after
    end = b"    }\n}\n"
    assert before.endswith(end)
    assert after.startswith(before.removesuffix(end))


def test_append_test_method_takes_a_method_as_it_is(bare):
    method = "[TestMethod]\npublic void Handle_ShouldHold_Always()\n{\n}"
    made = done(bare, "AppendTestMethod", path=TEST, method=method, write=True)
    assert made.artifact.names == ("Handle_ShouldHold_Always",)


def test_append_test_method_needs_a_method_or_a_question(bare):
    with pytest.raises(InputError, match="needs `method`, or `ask`"):
        done(bare, "AppendTestMethod", path=TEST)
