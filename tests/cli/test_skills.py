"""`premortem skill`, `premortem skills`, `premortem augment`, on the sample of sources."""

import json
import re
import shutil
import subprocess

import pytest

from premortem.pipeline.skills import SKILLS
from tests.cli.console import premortem
from tests.shared import ROOT


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned") / "payments"
    shutil.copytree(ROOT / "examples" / "payments", folder)
    ran = premortem("learn", "--config", folder / "premortem.toml")
    assert ran.code == 0, ran
    return folder


@pytest.fixture
def payments(learned, tmp_path, monkeypatch):
    shutil.copytree(learned, tmp_path / "payments")
    monkeypatch.chdir(tmp_path / "payments")
    return tmp_path / "payments"


def test_skills_are_listed():
    listed = premortem("skills", "--json").json
    here = [one["name"] for one in listed if one["state"] == "here"]
    assert here == [skill.name for skill in SKILLS]
    assert len(listed) == 56
    assert premortem("skills", "--part", "memory").out.count("not here yet") == 7
    only = premortem("skills", "--part", "pipeline").out
    assert "StudioSummaryMarkdown" in only
    assert "AppendTestMethod" not in only


@pytest.mark.parametrize("skill", SKILLS, ids=lambda skill: skill.name)
def test_every_skill_says_what_it_takes(skill):
    assert premortem("skill", skill.name, "--schema").json["$defs"]


def test_a_skill_is_asked_with_fields(payments):
    asked = ["--set", "prompt=What if the amount is too high?", "--json"]
    done = premortem("skill", "expand_prompt_into_paths", *asked).json
    assert done["span"] == "testgen.ExpandPromptIntoPaths"
    assert done["retry_count"] == 0
    assert done["result"]["proposals"][0]["title"] == "Amount equals max allowed"


def test_a_skill_is_asked_with_a_file_and_fields_set_in_it(payments):
    (payments / "asked.json").write_text('{"name": "PaymentRequest"}')
    done = premortem("skill", "InferAssertionsFromDTO", "--input", "asked.json",
                     "--set", "name=RefundRequest").json  # fmt: skip
    assert done["result"]["dto"] == "RefundRequest"


def test_a_skill_chain_by_its_documents(payments):
    """What one prints is what the next is asked with."""
    text = ["--set", "kind=prompt", "--set", "text=What if refund is issued twice?"]
    document = premortem("skill", "LoadTestContext", *text).json["result"]
    for name in ("IdentifyTestGap", "PlanScenarioTemplates", "GenerateTestScenarios"):
        (payments / "next.json").write_text(json.dumps(document))
        document = premortem("skill", name, "--input", "next.json").json["result"]
    assert document["proposals"][0]["title"] == "Refund is issued twice"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["skill", "Nothing"], "there is no skill 'Nothing'"),
        (["skill", "RetryScenario"], "RetryScenario is not here yet: part of memory"),
        (["skill", "SuggestTestMethod", "--set", "prompt"], "is no FIELD=VALUE"),
        (["skill", "SuggestTestMethod", "--input", "none.json"], "cannot be read"),
        (["skill", "SuggestTestMethod", "--set", "promt=x"], "cannot be asked for 'promt'"),
        (["augment"], "say what could go wrong, or name a handler"),
        (["augment", "Is the weather fine?"], "there is nothing to test"),
        (["augment", "What if?", "--handler", "NoHandler"], "no handler 'NoHandler' below"),
        (["augment", "--handler", "RefundHandler"], "did you mean IssueRefundHandler"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_line(payments, arguments, told):
    assert told in premortem(*arguments).complaint


def test_planning_needs_something_learned(payments):
    shutil.rmtree(payments / ".premortem")
    asked = ["--set", "prompt=What if refund is issued twice?"]
    assert "premortem capture" in premortem("skill", "GenerateFeatureScenario", *asked).complaint
    prompt = ["--set", 'context={"handler": "IssueRefundHandler"}']
    done = premortem("skill", "SuggestTestMethod", *asked, *prompt).json
    assert done["result"]["name"] == "Handle_ShouldThrow_WhenRefundIsDuplicate"


def test_augment_says_what_to_do_where_nothing_was_learned(payments):
    shutil.rmtree(payments / ".premortem")
    ran = premortem("augment", "What if refund is issued twice?", "--handler", "IssueRefundHandler")
    assert ran.code == 0
    assert "left out: scenarios: there is no traffic in the store yet; run `premortem" in ran.err
    assert "name an OpenAPI document as `spec`" in ran.err
    assert "Appended 1 unit test" in ran.out
    bare = premortem("augment", "What if refund is issued twice?", "--root", payments / "Tests")
    assert "premortem capture har FILE" in bare.complaint


def test_augment_tells_what_the_tests_cover_before_and_after(payments):
    ran = premortem("augment", "--handler", "CreateInvoiceHandler", "--write")
    assert re.search(r"coverage of CreateInvoiceHandler: \d+% -> \d+% \(\+\d+ points\)", ran.out)
    assert "tests of role CFO: 0 -> " in ran.out
    report = (payments / "Tests/qa-report.md").read_text()
    assert "coverage_before:" in report
    assert re.search(r"- \{edition: enterprise, before: 0, after: \d+\}", report)
    assert "Coverage Delta: +" in (payments / "Tests/qa-augmented-tests.md").read_text()
    again = premortem("augment", "--handler", "CreateInvoiceHandler", "--write", "--json").json
    assert {a["kind"] for a in again["artifacts"]} <= {"metadata", "markdown", "log", "bundle"}


def test_augment_leaves_a_patch_then_writes(payments):
    subprocess.run(["git", "init", "-q"], check=True)
    question = ["augment", "What if refund is issued twice?", "--handler", "IssueRefundHandler"]
    ran = premortem(*question)
    assert ran.code == 0
    assert "Added 1 BDD scenario to `refund_flow.feature`" in ran.out
    (patch,) = (payments / ".premortem/patches").iterdir()
    assert f"apply {patch}" in ran.out
    subprocess.run(["git", "apply", "--check", str(patch)], check=True)
    assert not (payments / "Tests/qa-report.md").exists()
    written = premortem(*question, "--write", "--json").json
    assert written["written"]
    assert (payments / "Tests/qa-report.md").exists()
    again = premortem(*question, "--write").out
    assert "nothing is new" in again
    assert "Added" not in again


def test_augment_closes_what_else_is_missing(payments):
    ran = premortem("augment", "--handler", "CreateInvoiceHandler", "--json").json
    assert ran["context"]["signal"]["kind"] == "self"
    assert len(ran["generated"]["proposals"]) > 3


def test_augment_takes_the_enriched_input(payments):
    (payments / "input.yaml").write_text(
        "trace_id: invoice-2025-0143\nqa_prompt: What if refund is issued twice?\n"
        "existing_coverage: {roles_missing: [CFO, Guest]}\n"
    )
    ran = premortem("augment", "--context", "input.yaml", "--json").json
    assert ran["trace_id"] == "invoice-2025-0143"
    roles = {one["scenario"]["role"] for one in ran["generated"]["proposals"]}
    assert roles >= {"SupportAgent", "CFO", "Guest"}
    assert "cannot read none.yaml" in premortem("augment", "--context", "none.yaml").complaint


def test_augment_runs_what_it_made_where_it_is_asked_to(project):
    ran = premortem("augment", "What if a refund is issued twice?", "--run", "--json")
    assert ran.code == 0, ran
    added = ran.json["augmentation"]["added"]
    assert {one["verdict"]["outcome"] for one in added} <= {"regression", "finding"}
    assert len(added[0]["verdict"]["runs"]) == 5
