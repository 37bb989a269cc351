"""Methods for the sample, compiled and run: what it refuses passes, its gap fails."""

import shutil
import subprocess
from pathlib import Path

import pytest

from premortem.agent.code.code_tests import (
    Provenance,
    SuggestedMethod,
    append_suggested,
    generate_validator_test,
    suggest_test_method,
)
from premortem.agent.emit.files import read, write
from premortem.agent.knowledge.reading import Code, read_code
from tests.shared import ROOT

PAYMENTS = ROOT / "examples" / "payments"
STUBS = sorted((ROOT / "tests" / "agent" / "code" / "stubs").glob("*.cs"))
COMPILED = shutil.which("mcs") is not None and shutil.which("mono") is not None
PLACES = {
    "unit": "Tests/PaymentsService.UnitTests",
    "integration": "Tests/PaymentsService.IntegrationTests",
}
REFUNDS, PAID = "IssueRefundHandler", "CapturePaymentHandler"
QUESTIONS = {
    ("What if refund is issued twice?", REFUNDS): "Handle_ShouldThrow_WhenRefundIsDuplicate",
    (
        "What happens if refund amount is negative?",
        REFUNDS,
    ): "Handle_ShouldThrow_WhenRefundAmountIsNegative",
    ("What if the refund amount is null?", REFUNDS): "Handle_ShouldThrow_WhenRefundAmountIsNull",
    (
        "What if refund is issued while invoice is locked?",
        REFUNDS,
    ): "Handle_ShouldThrow_WhenInvoiceIsLocked",
    ("What if refund is denied twice?", REFUNDS): "Handle_ShouldThrow_WhenRefundIsDeniedTwice",
    ("What if the reason is too long?", REFUNDS): "Handle_ShouldThrow_WhenReasonIsTooLong",
    ("What if the invoice does not exist?", REFUNDS): "Handle_ShouldThrow_WhenInvoiceIsUnknown",
    (
        "What happens if payment is submitted twice?",
        PAID,
    ): "Handle_ShouldReject_WhenPaymentIsDuplicate",
    ("What if the amount is zero?", PAID): "Handle_ShouldFail_WhenAmountIsZero",
    (
        "What if invoice already exists?",
        "CreateInvoiceHandler",
    ): "Handle_ShouldReject_WhenInvoiceExists",
    (
        "What happens if Guest user tries to approve invoice?",
        "",
    ): "Post_ShouldReturn403_WhenGuestTriesToApproveInvoice",
    (
        "What if an anonymous user approves an invoice?",
        "",
    ): "Post_ShouldReturn401_WhenAnonymousTriesToApproveInvoice",
    (
        "What if CFO tries to cancel a refund after it was approved?",
        "",
    ): "Cancel_ShouldFail_WhenAlreadyApproved_ByCFO",
}
GAP = "CancelRefundHandlerTests.Cancel_ShouldFail_WhenAlreadyApproved_ByCFO"
LACKING = "CancelRefundRequestTests.Validate_ShouldReject_WhenRefundIdIsTooLong"


def suggested(code: Code, prompt: str, handler: str) -> SuggestedMethod:
    return suggest_test_method(
        prompt,
        handler,
        code=code.csharp,
        dtos=code.dtos,
        roles=code.blueprint.roles,
        operations=code.operations,
        provenance=Provenance(trace_id="refund-2025-0182", edition="lite"),
    )


def put(root: Path, method: SuggestedMethod) -> None:
    path = f"{PLACES[method.test_kind]}/{method.class_name}.cs"
    namespace = PLACES[method.test_kind].split("/")[1]
    write(root, append_suggested(read(root, path), method, path=path, namespace=namespace))


def ran(root: Path, where: Path) -> dict[str, str]:
    """The outcome of every test method by class and name."""
    sources = [*STUBS, *sorted(root.rglob("*.cs"))]
    made = subprocess.run(
        ["mcs", "-nologo", f"-out:{where / 'tests.exe'}", *map(str, sources)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    done = subprocess.run(
        ["mono", str(where / "tests.exe")], capture_output=True, text=True, timeout=100
    )
    lines = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    return {name: outcome for outcome, name in lines}


@pytest.fixture(scope="module")
def code() -> Code:
    return read_code(PAYMENTS)


@pytest.mark.parametrize(("asked", "name"), QUESTIONS.items(), ids=QUESTIONS.values())
def test_a_question_about_the_sample_becomes_a_named_method(code, asked, name):
    method = suggested(code, *asked)
    assert method.name == name
    assert not method.open_points
    assert '[TraceId("refund-2025-0182")]' in method.source
    assert '[AugmentedBy("test-generator-agent")]' in method.source


@pytest.mark.skipif(not COMPILED, reason="mono-mcs is not installed")
def test_appended_methods_compile_and_only_the_gap_fails(code, tmp_path):
    root = tmp_path / "payments"
    shutil.copytree(PAYMENTS, root)
    methods = [suggested(code, *asked) for asked in QUESTIONS]
    refund = code.dto("RefundRequest", language="csharp")
    cancel = code.dto("CancelRefundRequest", language="csharp")
    for field, condition, dto in (
        ("RefundAmount", "Zero", refund),
        ("Reason", "TooLong", refund),
        ("RefundId", "Null", cancel),
        ("RefundId", "TooLong", cancel),
    ):
        methods.append(
            generate_validator_test(
                field, condition, dto, code=code.csharp, validators=code.validators
            )
        )
    for method in methods:
        put(root, method)
    before = {path: path.read_bytes() for path in root.rglob("*.cs")}
    for method in methods:
        put(root, method)
    assert {path: path.read_bytes() for path in root.rglob("*.cs")} == before
    outcomes = ran(root, tmp_path)
    failed = {name for name, outcome in outcomes.items() if outcome != "passed"}
    assert failed == {GAP, LACKING}, outcomes
    assert all("AssertFailedException" in outcomes[name] for name in failed)
    assert {f"{m.class_name}.{m.name}" for m in methods} <= set(outcomes)


def test_what_stood_in_the_sample_is_there_byte_for_byte(code):
    for asked in QUESTIONS:
        method = suggested(code, *asked)
        path = PAYMENTS / f"{PLACES[method.test_kind]}/{method.class_name}.cs"
        if not path.exists():
            continue
        stood = path.read_bytes()
        change = append_suggested(stood, method, path=path.name)
        left = stood.splitlines()
        for line in change.after.splitlines():
            if left and line == left[0]:
                left.pop(0)
        assert not left
