"""The usual road, command by command, as a user types it."""

from __future__ import annotations

import json
import re
import shutil
import tomllib

import pytest

from premortem.cli.context import out
from tests.cli.console import premortem

COLUMNS = (80, 110)


def test_init_writes_a_file_that_can_be_read_and_says_what_is_next(empty):
    ran = premortem("init")
    assert ran.code == 0
    assert "premortem doctor" in ran.out
    assert tomllib.loads((empty / "premortem.toml").read_text())["target"]["disposable"] is False


def test_init_replaces_a_file_only_when_forced_and_keeps_the_old_one(empty):
    path = empty / "premortem.toml"
    path.write_text("# mine\n")
    assert "--force" in premortem("init").complaint
    assert path.read_text() == "# mine\n"
    assert premortem("init", "--force").code == 0
    assert "[target]" in path.read_text()
    assert (empty / "premortem.toml.bak").read_text() == "# mine\n"


def test_init_in_a_folder_that_is_not_there_says_so(empty):
    assert "nowhere" in premortem("init", empty / "nowhere").complaint


def test_doctor_finds_a_good_project_good(project):
    ran = premortem("doctor")
    assert (ran.code, ran.err) == (0, "")
    for part in (project.base + " answers", "400 exchanges, 1 profile", "role CFO", "Ledger"):
        assert part in ran.out
    assert "wrong" not in ran.out


def test_doctor_says_what_is_wrong_and_how_to_mend_it(project, monkeypatch):
    monkeypatch.delenv("LEDGER_PASSWORD_CFO")
    project.configure(project.base, "http://127.0.0.1:9")
    project.configure("disposable = true", "")
    (project.folder / "openapi.json").write_text("{}")
    ran = premortem("doctor")
    assert ran.code == 2
    lines = ran.out.splitlines()
    wrong = {line.split(":")[0].split("  ")[1] for line in lines if line.startswith("wrong")}
    assert wrong == {"target", "specification", "role CFO"}
    assert "export LEDGER_PASSWORD_CFO=" in ran.out
    assert "mend `base_url` under [target]" in ran.out
    assert "only GET, HEAD and OPTIONS" in ran.out


def test_doctor_without_a_configuration_points_to_init(empty):
    ran = premortem("doctor")
    assert ran.code == 2
    assert "premortem init" in ran.out
    assert list(empty.iterdir()) == []


def test_importing_twice_adds_nothing(project):
    ran = premortem("capture", "har", "production.har.gz")
    assert ran.code == 0
    assert "400 read, 0 added" in ran.out
    assert "400 there already" in ran.out
    assert project.counts()[0] == 400


def test_what_the_filters_leave_out_is_counted(project):
    project.configure("[target]", '[capture]\nhosts = ["elsewhere.example"]\n[target]')
    ran = premortem("capture", "har", "production.har.gz", "--store", "other.db")
    assert ran.code == 0
    assert "400 left out: host" in ran.out
    assert "hosts" in ran.out.splitlines()[-1]


def test_learning_the_same_again_gives_the_same_profile(project):
    before = premortem("profile", "--json").json["version"]
    ran = premortem("learn", "--spec", "openapi.json", "--json")
    assert ran.code == 0
    assert ran.json["operations"] == 38
    assert ran.json["version"] == before
    assert premortem("profile", "--version", before[:6], "--json").json["version"] == before


def test_the_profile_of_an_operation_is_found_by_a_part_of_its_name(project):
    whole = premortem("profile", "POST /payments/{payment_id}/fraud-check")
    part = premortem("profile", "post /payments/{payment_id}/fraud")
    assert whole.code == 0
    assert whole.out == part.out
    assert "who gets what" in whole.out
    assert "it could be" in premortem("profile", "refunds").complaint
    assert "none fits" in premortem("profile", "unicorns").complaint


def test_traffic_is_filtered_paged_and_shown(project):
    refused = premortem("traffic", "--status", "4xx", "--json").json
    assert {row["status"] // 100 for row in refused["rows"]} == {4}
    second = premortem("traffic", "--limit", "2", "--offset", "2", "--json").json["rows"]
    assert second == premortem("traffic", "--limit", "4", "--json").json["rows"][2:]
    assert premortem("traffic", "--path", "/invoices", "--method", "POST", "--role", "Cashier").out
    assert premortem("traffic", "--host", "nowhere").out.startswith("no exchange")
    shown = premortem("traffic", second[0]["id"][:8])
    assert "request\n" in shown.out
    assert "-secret" not in shown.out


def test_the_same_seed_gives_the_same_bytes(project):
    made = []
    for name in ("a.jsonl", "b.jsonl"):
        ran = premortem("generate", "--count", "80", "--seed", "7", "--out", name, "--json")
        assert ran.code == 0
        assert ran.json["cases"] == 80
        made.append((project.folder / name).read_bytes())
    assert made[0] == made[1]
    assert made[0].count(b"\n") == ran.json["sequences"]
    for line in made[0].splitlines():
        assert json.loads(line)["cases"]
    premortem("generate", "--count", "20", "--seed", "8", "--out", "c.jsonl")
    other = (project.folder / "c.jsonl").read_bytes().splitlines()
    # Recorded refusals and rules that are tried come whatever the seed.
    assert len(set(other) - set(made[0].splitlines())) > len(other) / 4


def test_generation_keeps_to_sources_and_operations(project):
    ran = premortem(
        *("generate", "--count", "30", "--source", "mutate", "--json"),
        *("--operation", "POST /invoices", "--operation", "patch /invoices"),
    )
    # What production refused is repeated beside what the source makes.
    assert set(ran.json["sources"]) <= {"mutate", "replay"}
    assert ran.json["kinds"]["adversarial"] == ran.json["sources"]["mutate"] >= 25
    listed = premortem("cases", "--json", "--source", "mutate", "--limit", "100").json
    assert {case["operation_id"] for case in listed} == {
        "POST /invoices",
        "PATCH /invoices/{invoice_id}",
    }


def test_cases_are_listed_and_shown_with_what_comes_before(project):
    premortem("generate", "--count", "40", "--operation", "POST /payments/{payment_id}/refunds")
    listed = premortem("cases", "--json", "--limit", "5", "--source", "sample").json
    shown = premortem("cases", premortem("cases").out.split()[10][:8])
    assert len(listed) == 5
    assert shown.code == 0
    assert "before it, " in shown.out
    assert premortem("cases", "--operation", "unicorns").code == 2
    assert premortem("cases", "--rejected").code == 0
    assert premortem("cases", "--rejected", "--by", "rule").code == 0
    refused = premortem("cases", "--by", "rule")
    assert refused.code == 2
    assert "--rejected --by rule" in refused.err


def test_a_plan_is_a_file_with_the_given_numbers(project):
    ran = premortem(
        *("plan", "build", "--dynamic", "25%", "--rate", "600/m", "--duration", "1m"),
        *("--max-requests", "200", "--source", "sample=1", "--operation", "patch /invoices"),
        *("--seed", "5", "--safe-methods", "--out", "plans/small.toml"),
    )
    assert ran.code == 0
    assert "200 requests, 50 generated, 150 replayed" in ran.out
    plan = tomllib.loads((project.folder / "plans/small.toml").read_text())
    assert plan["rate_per_second"] == 10
    assert plan["duration_s"] == 60
    assert plan["requests_max"] == 200
    assert plan["sources"] == {"sample": 1}
    assert plan["operations"] == ["PATCH /invoices/{invoice_id}"]
    assert plan["safe_methods_only"] is True
    assert (plan["name"], plan["seed"], plan["dynamic"]) == ("small", 5, "25%")


@pytest.mark.parametrize(
    "flags",
    [
        ["--dynamic", "140%"],
        ["--dynamic", "lots"],
        ["--rate", "0/s"],
        ["--rate", "fast"],
        ["--rate", "9" * 400],
        ["--duration", "soon"],
        ["--duration", "0s"],
        ["--source", "sample=0"],
        ["--source", "dice=3"],
        ["--source", "replay=3"],
        ["--source", "sample=²"],
        ["--source", "sample=" + "9" * 5000],
        ["--operation", "unicorns"],
        ["--max-requests", "-3"],
    ],
    ids=lambda flags: " ".join(flags)[:30],
)
def test_a_plan_that_cannot_be_meant_is_refused(project, flags):
    assert premortem("plan", "build", *flags).complaint
    assert not (project.folder / "plan.toml").exists()


def test_a_plan_is_shown_before_it_is_run(project, small_plan):
    ran = premortem("plan", "show")
    assert ran.code == 0
    assert "150 requests at 300/s" in ran.out
    assert "POST /invoices/{invoice_id}/approve" in ran.out
    assert premortem("run", small_plan, "--dry-run").out == ran.out


def test_configuration_and_store_can_be_named(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert premortem("traffic").complaint
    monkeypatch.setenv("PREMORTEM_CONFIG", str(project.config))
    assert premortem("traffic", "--json").json["total"] == 400
    monkeypatch.delenv("PREMORTEM_CONFIG")
    assert premortem("traffic", "--config", project.config, "--json").json["total"] == 400
    shutil.copytree(project.folder / ".premortem", tmp_path / ".premortem")
    assert premortem("traffic", "--store", ".premortem/store.db", "--json").json["total"] == 400


@pytest.mark.parametrize("columns", COLUMNS)
def test_what_is_listed_fits_the_terminal_and_breaks_no_word(project, columns):
    premortem("generate", "--count", "40")
    premortem("plan", "build", "--max-requests", "100")
    before, out.width = out.width, columns
    try:
        for command in (
            ["traffic", "--limit", "200"],
            ["profile"],
            ["profile", "POST /payments/{payment_id}/refunds"],
            ["cases", "--limit", "100"],
            ["plan", "show"],
        ):
            lines = premortem(*command).out.splitlines()
            assert max(map(len, lines)) <= columns, command
            for line in lines:
                # A name that continues in the next line would leave its brace open.
                assert re.sub(r"[^{}]", "", line) in ("", "{}", "{}{}", "{}{}{}", "{", "}"), line
    finally:
        out.width = before
