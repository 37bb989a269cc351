"""Targets that are not there, or not what they should be."""

from __future__ import annotations

import re

import pytest

from tests.cli.console import premortem
from tests.cli.targets import babble, hang, hang_up, ready_then, target
from tests.services import free_port

KNOWN = (400, 38)
SENDING = (["run", "plan.toml"], ["ask", "What if a refund is issued twice?", "--json"])
"""With --json `ask` does not tell what it understood before it fails."""


@pytest.mark.parametrize("command", SENDING, ids=lambda command: command[0])
def test_a_target_that_is_down_is_named(project, small_plan, command):
    base = f"http://127.0.0.1:{free_port()}"
    project.configure(project.base, base)
    project.configure("ready_timeout_s = 1.0", "ready_timeout_s = 0.3")
    complaint = premortem(*command).complaint
    assert base in complaint
    assert "start it" in complaint
    assert project.counts() == KNOWN


@pytest.mark.parametrize(
    ("serve", "told"),
    [(hang, "did not answer"), (babble, "does not answer as HTTP"), (hang_up, "not answer")],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("command", [*SENDING, ["doctor"]], ids=lambda command: command[0])
def test_a_target_that_never_answers_well_is_told_apart(project, small_plan, serve, told, command):
    project.configure("ready_timeout_s = 1.0", "ready_timeout_s = 0.3")
    with target(serve) as (base, _):
        project.configure(project.base, base)
        ran = premortem(*command)
    assert ran.code == 2, ran
    said = ran.out + ran.err
    assert base in said
    assert told in said
    assert "Traceback" not in said


def test_what_hangs_once_it_is_ready_ends_the_run_and_every_request_is_counted(project):
    project.configure('[target.reset]\nrequest = "POST /_test/reset"', "")
    text = project.config.read_text()
    names = re.findall(r"\[roles\.(\w+)", text)
    tokens = "".join(f'[roles.{name}]\nbearer = "held"\n' for name in names)
    project.config.write_text(text[: text.index("[roles.")] + tokens)
    plan = "rate_per_second = 100\nduration_s = 0.4\ntimeout_s = 0.4\ndynamic = '0%'\n"
    (project.folder / "plan.toml").write_text(plan)
    with target(ready_then(hang)) as (base, _):
        project.configure(project.base, base)
        ran = premortem("run", "plan.toml", "--json", "--fail-on", "never")
    summary = ran.json["summary"]
    assert summary["answered"] == 0
    assert summary["faulted"] + summary["unknown"] + summary["left"] == summary["planned"]
    assert premortem("report").code == 0
    assert premortem("report", "--html", "r.html", "--junit", "r.xml").code == 0


def test_a_login_that_fails_names_the_role(project, small_plan, monkeypatch):
    monkeypatch.setenv("LEDGER_PASSWORD_CASHIER", "wrong")
    complaint = premortem("run", small_plan).complaint
    assert "Cashier" in complaint
    assert "wrong" not in complaint


def test_an_unset_variable_is_named_before_anything_is_sent(project, small_plan, monkeypatch):
    monkeypatch.delenv("LEDGER_PASSWORD_CFO")
    with target(babble) as (base, seen):
        project.configure(project.base, base)
        complaint = premortem("run", small_plan).complaint
    assert "role CFO" in complaint
    assert "LEDGER_PASSWORD_CFO" in complaint
    assert "export" in complaint
    assert seen == []


def test_no_target_at_all_points_to_its_key(project, small_plan):
    project.configure(f'base_url = "{project.base}"', "")
    for command in SENDING:
        assert "base_url" in premortem(*command).complaint


@pytest.mark.parametrize("base", ["ftp://127.0.0.1", "http://127.0.0.1:x"])
def test_an_address_that_is_none_is_named(project, small_plan, base):
    project.configure(project.base, base)
    assert "base_url" in premortem("run", small_plan).complaint


@pytest.mark.parametrize("command", SENDING, ids=lambda command: command[0])
def test_nothing_unsafe_goes_to_a_target_that_is_not_disposable(project, small_plan, command):
    project.configure("disposable = true", "disposable = false")
    with target(hang) as (base, seen):
        project.configure(project.base, base)
        complaint = premortem(*command).complaint
    assert "disposable = true" in complaint
    assert base in complaint
    assert seen == []


def test_a_plan_for_such_a_target_keeps_to_safe_methods(project):
    project.configure("disposable = true", "disposable = false")
    ran = premortem("plan", "build", "--rate", "200/s", "--duration", "0.3s")
    assert "only safe methods" in ran.out
    shown = premortem("plan", "show").out
    assert "POST" not in shown
    assert "GET /invoices" in shown
    made = premortem("generate", "--count", "20")
    assert "only safe methods" in made.out
    methods = {case["request"]["method"] for case in premortem("cases", "--json").json}
    assert methods <= {"GET", "HEAD", "OPTIONS"}


def test_a_reset_that_fails_is_named(project, small_plan):
    project.configure('request = "POST /_test/reset"', 'command = "echo no such book >&2; exit 3"')
    complaint = premortem("run", small_plan).complaint
    assert "status 3" in complaint
    assert "no such book" in complaint


def test_a_target_that_breaks_down_while_findings_are_reproduced_loses_nothing(
    project, small_plan, defects
):
    defects("L03", "L04", "L07")
    # A reset that works once.
    project.configure('request = "POST /_test/reset"', 'command = "mkdir once"')
    ran = premortem("run", small_plan, "--json")
    assert ran.code == 2, ran
    assert ran.json["findings"] == []
    assert len(ran.json["unconfirmed"]) >= 2
    assert "mkdir once" in ran.json["trouble"]
    assert premortem("report", "--json").json["summary"] == ran.json["summary"]
