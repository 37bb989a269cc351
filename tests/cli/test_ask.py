"""Questions: those that become scenarios, and those that nobody could understand."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.console import premortem

QUESTION = "What if a refund is issued twice?"


def test_a_question_is_understood_and_planned_without_sending_anything(project):
    project.configure(project.base, "http://127.0.0.1:9")
    ran = premortem("ask", QUESTION, "--no-run")
    assert ran.code == 0, ran
    assert "failure mode duplicate" in ran.out
    assert "POST /payments/{payment_id}/refunds" in ran.out
    assert "Then the response status is 4" in ran.out
    assert not (project.folder / "features").exists()


def test_words_need_no_quotes(project):
    quoted = premortem("ask", QUESTION, "--no-run", "--json")
    assert premortem("ask", *QUESTION.split(), "--no-run", "--json").json == quoted.json


@pytest.mark.parametrize(
    ("on", "code", "outcome"), [((), 0, "regression"), (("L08",), 1, "finding")]
)
def test_the_verdict_is_the_exit_code_and_the_scenario_a_file(project, defects, on, code, outcome):
    defects(*on)
    ran = premortem("ask", QUESTION, "--json")
    assert ran.code == code, ran
    verdict = ran.json["verdicts"][0]
    assert verdict["outcome"] == outcome
    evidence = verdict["evidence"]
    assert (evidence["runner"], evidence["runner_sees"]) == ("behave", True), evidence
    assert evidence["in_coverage"]
    questions = [one for one in evidence["heard"] if one["phase"] == "question"]
    assert [one["status"] for one in questions] == [409 if outcome == "regression" else 201]
    path = ran.json["files"][0]
    dry = subprocess.run(
        [sys.executable, "-m", "behave", "--dry-run", "--no-summary", path],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert dry.returncode == 0, dry.stdout + dry.stderr


def test_what_a_scenario_tried_first_is_told_once(project, defects):
    defects()
    guest = "What if a Guest approves an invoice?"
    first = premortem("ask", guest, "--json").json["verdicts"][0]["evidence"]
    again = premortem("ask", guest, "--json").json["verdicts"][0]["evidence"]
    assert again["cells_new"] == []
    assert all("POST /invoices/{invoice_id}/approve" in cell for cell in first["cells_new"])
    covered = premortem("coverage", "--json")
    assert covered.code == 0


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "   \t\n ",
        "?" * 50,
        "x" * 10_000,
        "what if " * 1250,
        "\x00\x1b[2J\x07\x7f",
        "\u202egnp.exe \ud800",
        "[bold red]What if[/] [/elsewhere] {payment_id} %s ${HOME}",
        "Robert'); DROP TABLE exchanges;--",
        "colourless green ideas sleep furiously",
        "What if?",
        "退款两次会怎样",
        "🦄🦄🦄",
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_a_question_that_says_nothing_is_answered_in_a_few_lines(project, prompt):
    ran = premortem("ask", prompt)
    several = "\nnot understood: " in ran.err
    complaint = ran.not_understood if several else ran.complaint
    assert "\x1b" not in complaint
    assert len(complaint) < 1500
    assert project.counts() == (400, 38)


def test_a_context_file_says_what_the_question_leaves_out(project):
    context = {
        "prompt": "What happens if the amount is negative?",
        "context": {
            "handler": "CreateRefundHandler",
            "roles": ["SupportAgent"],
            "trace_id": "trace-0427",
            "values": {"amount": -5},
        },
    }
    (project.folder / "prompt.json").write_text(json.dumps(context))
    ran = premortem("ask", "--context", "prompt.json", "--no-run", "--json")
    assert ran.code == 0, ran
    understood, first = ran.json["understanding"], ran.json["scenarios"][0]
    assert understood["operation_ids"][0] == "POST /payments/{payment_id}/refunds"
    assert (understood["role"], understood["trace_id"]) == ("SupportAgent", "trace-0427")
    assert first["trace_id"] == "trace-0427"
    assert any('"amount": -5' in step["docstring"] for step in first["steps"])


def test_a_value_that_is_set_is_the_one_that_is_sent(project):
    question = "What if the refund amount is negative?"
    ran = premortem("ask", question, "--set", "amount=-7.25", "--no-run", "--json")
    bodies = [step["docstring"] for step in ran.json["scenarios"][0]["steps"]]
    assert any('"amount": -7.25' in body for body in bodies)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no JSON object"),
        ('{"prompt": 5}', "prompt"),
        ('{"context": {"handlers": "x"}}', "handlers"),
        ("\udcff", "UTF-8"),
    ],
)
def test_a_context_file_that_cannot_be_used_is_one_line(project, text, told):
    data = b"\xff" if text == "\udcff" else text.encode()
    (project.folder / "prompt.json").write_bytes(data)
    complaint = premortem("ask", "What if?", "--context", "prompt.json").complaint
    assert "prompt.json" in complaint
    assert told in complaint


def test_a_context_file_that_is_not_there_is_one_line(project):
    assert "cannot read nowhere.json" in premortem("ask", "--context", "nowhere.json").complaint


def test_a_setting_that_is_none_is_one_line(project):
    complaint = premortem("ask", QUESTION, "--set", "amount").complaint
    assert "'amount' is no `field=value`" in complaint


def test_the_schema_of_a_context_file_needs_no_project(empty):
    schema = premortem("ask", "--context-schema").json
    fields = schema["$defs"]["PromptContext"]["properties"]
    assert {"handler", "validator", "roles", "edition", "blueprint_id", "trace_id"} <= set(fields)


def test_what_could_go_wrong_is_asked_by_itself(project):
    project.configure(project.base, "http://127.0.0.1:9")
    ran = premortem("explore", "create refund", "--json")
    assert ran.code == 0, ran
    assert ran.json["operation_id"] == "POST /payments/{payment_id}/refunds"
    considered = ran.json["considered"]
    modes = [one["risk"]["understanding"]["failure_mode"] for one in considered]
    assert {"duplicate", "forbidden_role", "boundary", "over_total"} <= set(modes[:6])
    assert len(set(modes)) == len(modes) >= 10
    scenarios = [one["scenario"] for one in considered if one["scenario"]]
    assert len(scenarios) >= 10
    assert all(one["scenario"] or one["why_not"] for one in considered)


def test_what_is_explored_can_be_run(project, defects):
    defects("L06")
    ran = premortem("explore", "POST /invoices/{invoice_id}/approve", "--run", "--modes", "1",
                    "--json")  # fmt: skip
    assert ran.code == 1, ran
    assert ran.json["considered"][0]["verdict"]["outcome"] == "finding"
    assert len(ran.json["files"]) == 1


def test_an_operation_that_nobody_knows_is_one_line_with_the_nearest(project):
    complaint = premortem("explore", "zeppelin").complaint
    assert "zeppelin" in complaint


def test_what_was_not_understood_is_said(project):
    ran = premortem("ask", "What if a refund is issued twice on a rainy zeppelin?", "--no-run")
    assert ran.code == 0
    assert "zeppelin" in ran.err
