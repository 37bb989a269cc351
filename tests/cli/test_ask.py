"""Questions: those that become scenarios, and those that nobody could understand."""

from __future__ import annotations

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
    assert ran.json["verdicts"][0]["outcome"] == outcome
    path = ran.json["files"][0]
    dry = subprocess.run(
        [sys.executable, "-m", "behave", "--dry-run", "--no-summary", path],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert dry.returncode == 0, dry.stdout + dry.stderr


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
        "[bold red]What if[/] [/nothing] {payment_id} %s ${HOME}",
        "Robert'); DROP TABLE exchanges;--",
        "colourless green ideas sleep furiously",
        "What if?",
        "退款两次会怎样",
        "🦄🦄🦄",
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_a_question_that_says_nothing_is_answered_in_one_line(project, prompt):
    complaint = premortem("ask", prompt).complaint
    assert "\x1b" not in complaint
    assert len(complaint) < 1500
    assert project.counts() == (400, 38)


def test_what_was_not_understood_is_said(project):
    ran = premortem("ask", "What if a refund is issued twice on a rainy zeppelin?", "--no-run")
    assert ran.code == 0
    assert "zeppelin" in ran.err
