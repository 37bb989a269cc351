"""All eight skills as one recipe: everything as a patch, or written, and never twice."""

import json
import re
import subprocess

import msgspec
import pytest
import yaml

from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.understanding.prompt_input import read_context, signal_of
from premortem.domain.proposal import Signal
from premortem.errors import InputError
from premortem.pipeline.augmenting import Augmented, Recipe, augment
from premortem.pipeline.skills.skill import Performed

ROAD = [
    "LoadTestContext",
    "IdentifyTestGap",
    "PlanScenarioTemplates",
    "GenerateTestScenarios",
    "EmitTestArtifacts",
    "ValidateGeneratedTests",
    "EmitObservability",
    "StudioSummaryMarkdown",
]
TWICE = """{"prompt": "What if refund is issued twice?",
 "context": {"handler": "IssueRefundHandler", "trace_id": "refund-2025-0182", "edition": "lite"}}"""
NEGATIVE = TWICE.replace("What if refund is issued twice?", "What if refund amount is negative?")


def asked(text):
    return signal_of("", read_context(text, source="input"))


def end(room, signal, **recipe):
    *performed, last = augment(signal, room=room, recipe=Recipe(**recipe))
    assert isinstance(last, Augmented)
    assert all(isinstance(one, Performed) for one in performed)
    assert [one.skill for one in performed] == ROAD
    return last


def files(room):
    return {
        path.relative_to(room.root).as_posix(): path.read_bytes()
        for path in sorted(room.root.rglob("*"))
        if path.is_file() and ".premortem" not in path.parts
    }


def test_a_question_becomes_the_whole_output_tree(room):
    before = files(room)
    made = end(room, asked(TWICE), write=True, asked_by="qa.alex.k")
    new = set(files(room)) - set(before)
    assert {
        "Tests/test-augmentation-metadata.yaml",
        "Tests/testgen-observability.jsonl",
        "Tests/observability-events.jsonl",
        "Tests/qa-augmented-tests.md",
        "Tests/qa-report.md",
        "Tests/qa-feedback.md",
        "Tests/hypothesis-report.md",
        "Tests/StudioPromptContext.json",
        "Tests/prompt-to-test/refund-2025-0182.json",
    } <= new
    patched = {a.path for a in made.artifacts if a.action == "patched"}
    assert patched == {
        "Tests/PaymentsService.Specs/Features/refund_flow.feature",
        "Tests/PaymentsService.UnitTests/IssueRefundHandlerTests.cs",
        "Tests/test-metadata.yaml",
    }
    assert made.report.status == "success"
    found = yaml.safe_load((room.root / "Tests/test-augmentation-metadata.yaml").read_text())
    assert found["test_type"] == "bdd + unit"
    assert found["prompt_source"] == "cli.prompt.qa.alex.k"


def test_a_second_go_adds_nothing(room):
    end(room, asked(TWICE), write=True)
    before = files(room)
    again = end(msgspec.structs.replace(room, clock=lambda: 9_000.0), asked(TWICE), write=True)
    assert (again.artifacts, again.patch) == ((), "")
    assert files(room) == before


def test_another_question_for_the_same_trace_adds_only_what_is_new(room):
    end(room, asked(TWICE), write=True)
    before = files(room)
    made = end(room, asked(NEGATIVE), write=True)
    after = files(room)
    assert all(action.action == "patched" for action in made.artifacts)
    path = "Tests/PaymentsService.Specs/Features/refund_flow.feature"
    assert after[path].startswith(before[path])
    feature = parse_feature(after[path].decode(), path=path)
    assert [s.title for s in feature.scenarios][1:] == [
        "Refund is issued twice",
        "Negative refund amount",
    ]
    record = yaml.safe_load(after["Tests/test-augmentation-metadata.yaml"])
    assert record["new_scenarios"] == [s.title for s in feature.scenarios][1:]
    summary = after["Tests/qa-augmented-tests.md"].decode()
    assert summary.startswith(before["Tests/qa-augmented-tests.md"].decode())
    bundle = json.loads(after["Tests/prompt-to-test/refund-2025-0182.json"])
    assert [bundle["prompt"], bundle["earlier"][0]["prompt"]] == [
        "What if refund amount is negative?",
        "What if refund is issued twice?",
    ]
    assert end(room, asked(NEGATIVE), write=True).artifacts == ()


def test_without_writing_it_is_a_patch_that_git_takes(room):
    git = ["git", "-C", str(room.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    before = files(room)
    made = end(room, asked(TWICE))
    assert files(room) == before
    assert made.patch_name == "patch-test-trace-0182.diff"
    subprocess.run([*git, "apply", "-"], input=made.patch.encode(), check=True)
    applied = files(room)
    assert end(room, asked(TWICE)).patch == ""
    for path, data in before.items():
        (room.root / path).write_bytes(data)
    for path in set(applied) - set(before):
        (room.root / path).unlink()
    end(room, asked(TWICE), write=True)
    assert files(room) == applied


def test_a_folder_within_a_repository_has_its_patch_from_the_top(room):
    git = ["git", "-C", str(room.root.parent)]
    subprocess.run([*git, "init", "-q"], check=True)
    made = end(room, asked(TWICE))
    assert made.repository == str(room.root.parent)
    subprocess.run([*git, "apply", "-"], input=made.patch.encode(), check=True)
    assert (room.root / "Tests/qa-report.md").exists()


def test_an_edition_is_in_scenario_tag_method_and_metadata(room):
    end(room, asked(TWICE), write=True)
    tree = files(room)
    feature = tree["Tests/PaymentsService.Specs/Features/refund_flow.feature"].decode()
    assert "@edition:lite" in feature
    assert 'the edition is "lite"' in feature
    assert (
        b'[Edition("lite")]' in tree["Tests/PaymentsService.UnitTests/IssueRefundHandlerTests.cs"]
    )
    assert b"edition: lite" in tree["Tests/test-augmentation-metadata.yaml"]


def test_every_skill_that_ran_is_in_the_log(room):
    end(room, asked(TWICE), write=True)
    log = (room.root / "Tests/testgen-observability.jsonl").read_text().splitlines()
    spans = [line["span"] for line in map(json.loads, log) if "span" in line]
    assert [f"testgen.{name}" for name in ROAD[:4]] == spans[:4]
    assert "testgen.GenerateFeatureScenario" in spans


def test_a_handler_without_a_question_is_looked_at_for_what_is_missing(room):
    made = end(room, Signal(kind="self", handler="CreateInvoiceHandler"), write=True)
    names = {name for a in made.artifacts if a.kind == "csharp" for name in a.names}
    assert {
        "Handle_ShouldReject_WhenInvoiceExists",
        "Validate_ShouldReject_WhenAmountIsZero",
    } <= names
    assert "CFO creates high-value invoice" in {p.title for p in made.generated.proposals}
    assert made.open_gaps == ()
    found = yaml.safe_load((room.root / "Tests/test-augmentation-metadata.yaml").read_text())
    assert (found["trigger"], found["gap_resolved"]) == ("self-evaluation", True)
    again = end(room, Signal(kind="self", handler="CreateInvoiceHandler"), write=True)
    assert not [a for a in again.artifacts if a.kind in ("feature", "csharp")]


def test_a_broken_feature_stops_everything(room):
    path = room.root / "Tests/PaymentsService.Specs/Features/refund_flow.feature"
    path.write_text("Feature: Refund flow\n  Scenario: A\n    Given x\n  oops\n")
    before = files(room)
    with pytest.raises(InputError, match=r"refund_flow\.feature"):
        end(room, asked(TWICE), write=True)
    assert files(room) == before


def test_a_broken_file_is_named_where_it_stands_and_not_in_the_copy(room):
    path = room.root / "Tests/test-metadata.yaml"
    path.write_text("a: [\n")
    with pytest.raises(InputError, match=re.escape(f"{path} cannot be read as YAML")):
        end(room, asked(TWICE), write=True)


def test_a_read_only_folder_gets_a_patch_and_no_files(room):
    folder = room.root / "Tests"
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    try:
        before = files(room)
        with pytest.raises(InputError, match="cannot write"):
            end(room, asked(TWICE), write=True)
        assert files(room) == before
        assert end(room, asked(TWICE)).patch
    finally:
        folder.chmod(mode)


def test_what_leads_to_nothing_is_said(room):
    with pytest.raises(InputError, match="nothing to test"):
        end(room, Signal(kind="prompt", text="Is the weather fine?"))


def test_the_coverage_delta_is_what_the_tests_gained(room):
    made = end(room, asked(TWICE), write=True)
    before, after = made.augmentation.before, made.augmentation.after
    assert (before.unit_tests, after.unit_tests) == (before.unit_tests, before.unit_tests + 1)
    assert after.feature_scenarios == before.feature_scenarios + 1
    assert before.roles_tested == ("SupportAgent",)
    assert made.coverage_delta == round(after.coverage - before.coverage, 1) > 0
    rows = {(row.by, row.name): row for row in made.augmentation.coverage_rows}
    trace = rows["trace", "refund-2025-0182"]
    assert (trace.before, trace.after) == (0, 2)
    edition = rows["edition", "lite"]
    assert (edition.before, edition.after) == (0, 2)
    handler = rows["handler", "IssueRefundHandler"]
    assert handler.after == handler.before + 2
    again = end(room, asked(TWICE), write=True)
    assert again.coverage_delta == made.coverage_delta


def test_an_unknown_handler_is_said_with_near_ones(room):
    signal = Signal(kind="prompt", text="What if refund is issued twice?", handler="RefundHandler")
    with pytest.raises(InputError, match=r"no handler 'RefundHandler' .*IssueRefundHandler"):
        end(room, signal)


def test_without_anything_learned_test_methods_are_made_and_it_says_how_to_get_scenarios(bare):
    made = end(bare, asked(TWICE))
    assert made.generated.proposals == ()
    assert [m.name for m in made.generated.methods] == ["Handle_ShouldThrow_WhenRefundIsDuplicate"]
    [why] = made.generated.left_out
    assert why.startswith("scenarios: there is no traffic in the store yet; run `premortem capture")
    assert "name an OpenAPI document as `spec` under [target]" in why
