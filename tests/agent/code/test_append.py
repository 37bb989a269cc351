"""Methods into classes that people own."""

import shutil
import subprocess

import pytest

from premortem.agent.code.append import append_test_method
from premortem.agent.code.code_tests import (
    append_suggested,
    generate_validator_test,
    suggest_test_method,
)
from premortem.agent.code.validator_methods import propose_validator_rule
from premortem.agent.emit.files import write
from premortem.agent.emit.git_patch import check_patch, git_patch
from premortem.agent.knowledge.csharp import read_csharp
from premortem.agent.knowledge.reading import read_code
from premortem.errors import InputError
from tests.shared import ROOT

PAYMENTS = ROOT / "examples" / "payments"
METHOD = "[TestMethod]\npublic void Added()\n{\n    Assert.IsTrue(true);\n}"
CLASS = """using A;

namespace Shop
{
    /// <summary>Ours.</summary>
    [TestClass]
    public class OrderTests
    {
        private int x;   // kept

        [TestMethod]
        public void Old() { }
        // the last word
    }

    public class Other { }
}
"""


def appended(source, name="OrderTests", method=METHOD, **rest):
    return append_test_method(source, name, method, path="OrderTests.cs", **rest)


def test_a_method_goes_behind_the_last_thing_of_its_class_only():
    after = appended(CLASS.encode()).after.decode()
    added = "\n\n        [TestMethod]\n        public void Added()\n        {\n"
    added += "            Assert.IsTrue(true);\n        }"
    assert after == CLASS.replace("// the last word", f"// the last word{added}")


def test_a_method_that_is_there_is_not_added_again():
    once = appended(CLASS.encode()).after
    again = appended(once)
    assert again.after == once
    assert again.artifact.action == "unchanged"
    assert again.names == ()


def test_line_breaks_tabs_and_the_byte_order_mark_stay_as_they_are():
    source = b"\xef\xbb\xbf" + CLASS.replace("    ", "\t").replace("\n", "\r\n").encode()
    after = appended(source).after
    assert after.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in after.replace(b"\r\n", b"")
    assert b"\r\n\t\tpublic void Added()\r\n" in after


def test_a_class_without_members_gets_its_first():
    after = appended(b"namespace N;\n\npublic class OrderTests\n{\n}\n").after.decode()
    assert "{\n    [TestMethod]\n    public void Added()\n" in after
    assert after.endswith("    }\n}\n")
    one_line = appended(b"public class OrderTests { }\n").after.decode()
    assert one_line.endswith("    }\n}\n")


def test_missing_namespaces_are_used_once():
    after = appended(CLASS.encode(), usings=("A", "System.Linq", "Shop")).after.decode()
    assert after.startswith("using A;\nusing System.Linq;\n\nnamespace Shop")
    nothing = appended(b"class OrderTests { }", usings=("System.Linq",)).after.decode()
    assert nothing.startswith("using System.Linq;\nclass")


def test_a_directive_at_the_end_of_a_class_keeps_its_line():
    source = b"class OrderTests\n{\n#if DEBUG\n    int x;\n#endif\n}\n"
    after = appended(source).after.decode()
    assert "#endif\n\n" in after
    assert after.endswith("    }\n}\n")


def test_without_a_file_there_is_a_new_one():
    change = appended(None, namespace="Shop.UnitTests", usings=("Shop", "System.Linq"))
    text = change.after.decode()
    assert change.artifact.action == "created"
    assert text.startswith("using System.Linq;\nusing Microsoft.VisualStudio")
    assert "namespace Shop.UnitTests\n{\n    [TestClass]\n    public class OrderTests\n" in text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"public class Another { }", "has no class OrderTests; it has Another"),
        (b"public class OrderTests { void M( { }", "OrderTests.cs:1 does not parse"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"int x;", "it has no class"),
    ],
)
def test_what_cannot_take_a_method_is_refused_and_said(source, said):
    with pytest.raises(InputError, match=said):
        appended(source)


def test_a_read_only_file_stays_and_is_said(tmp_path):
    path = tmp_path / "OrderTests.cs"
    path.write_text(CLASS)
    path.chmod(0o444)
    with pytest.raises(InputError, match="read-only"):
        write(tmp_path, appended(CLASS.encode()))
    assert path.read_text() == CLASS


def test_a_handler_without_a_method_to_test_is_said_with_those_it_has():
    source = b"class ShipOrderHandler { public void A() { } public void B() { } }"
    code = read_csharp({"ShipOrderHandler.cs": source})
    with pytest.raises(InputError, match="its public methods: A, B"):
        suggest_test_method("What if an order is shipped twice?", "ShipOrderHandler", code=code)
    with pytest.raises(InputError, match="no handler PackOrderHandler; it has ShipOrderHandler"):
        suggest_test_method("What if an order is packed twice?", "PackOrderHandler", code=code)


def test_what_cannot_be_arranged_makes_the_test_inconclusive_and_is_said():
    source = b"""public class ShipOrderHandler {
        public ShipOrderHandler(IClock clock) { }
        public void Handle(string id) { } }"""
    code = read_csharp({"ShipOrderHandler.cs": source})
    made = suggest_test_method(
        "What if an order is shipped after it was cancelled?", "ShipOrderHandler", code=code
    )
    assert made.name == "Ship_ShouldFail_WhenAlreadyCancelled"
    assert "Assert.Inconclusive(" in made.source
    assert "nothing in the code makes a IClock: pass one in" in made.open_points


def test_a_validator_test_asks_the_validator_for_the_field_and_its_message():
    code = read_code(PAYMENTS)
    dto = code.dto("CreateInvoiceInput", language="csharp")
    made = generate_validator_test(
        "Amount", "Zero", dto, code=code.csharp, validators=code.validators
    )
    assert made.name == "Validate_ShouldReject_WhenAmountIsZero"
    assert made.class_name == "CreateInvoiceInputValidatorTests"
    assert 'e => e.PropertyName == "Amount"' in made.source
    assert made.stated.endswith("RuleFor.GreaterThan")
    change = append_suggested(None, made, path="x.cs", namespace="PaymentsService.UnitTests")
    assert b"using System.Linq;" in change.after


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_rule_that_a_validator_lacks_is_proposed_as_a_patch_that_git_takes(tmp_path):
    root = tmp_path / "payments"
    shutil.copytree(PAYMENTS, root)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    sources = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.cs")}
    code = read_code(root)
    dto = code.dto("RefundRequest", language="csharp")
    change = propose_validator_rule(
        dto, "RefundAmount", "TooHigh", sources, code.validators, bound="5000"
    )
    patch = git_patch([change])
    check_patch(patch, repository=root)
    added = [line for line in patch.decode().splitlines() if line.startswith("+ ")]
    assert added == [
        "+            RuleFor(x => x.RefundAmount).LessThanOrEqualTo(5000)"
        '.WithMessage("RefundAmount must be at most 5000");'
    ]
    there = propose_validator_rule(dto, "RefundAmount", "Zero", sources, code.validators)
    assert there.before == there.after
    assert (root / change.path).read_bytes() == change.before
    with pytest.raises(InputError, match="a limit is needed"):
        propose_validator_rule(dto, "RefundAmount", "TooHigh", sources, code.validators)
    payment = code.dto("PaymentRequest", language="csharp")
    with pytest.raises(InputError, match="has no validator"):
        propose_validator_rule(payment, "Amount", "Zero", sources, code.validators)
