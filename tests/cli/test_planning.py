"""`premortem plan`: built, checked and shown."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from premortem.cli.context import out
from tests.cli.console import premortem


def built(*options: str) -> dict:
    ran = premortem("plan", "build", *options)
    assert ran.code == 0, ran
    return tomllib.loads(Path("plan.toml").read_text())


@pytest.mark.parametrize(
    ("options", "load", "duration_s"),
    [
        (
            ["--shape", "ramp", "--to", "600/m", "--duration", "2m"],
            {"shape": "ramp", "from_per_second": 0.0, "to_per_second": 10.0},
            120,
        ),
        (
            ["--shape", "step", "--from", "10/s", "--to", "50/s", "--steps", "5"],
            {"shape": "step", "from_per_second": 10.0, "to_per_second": 50.0, "steps": 5},
            60,
        ),
        (
            ["--shape", "spike", "--peak", "100/s", "--at", "30s", "--for", "10s"],
            {"shape": "spike", "peak_per_second": 100.0, "at_s": 30.0, "for_s": 10.0},
            60,
        ),
        (
            ["--shape", "sine", "--peak", "80/s", "--period", "0.5m"],
            {"shape": "sine", "peak_per_second": 80.0, "period_s": 30.0},
            60,
        ),
        (
            ["--shape", "piecewise", "--point", "0:10/s", "--point", "90s:60/m"],
            {"shape": "piecewise", "points": [[0.0, 10.0], [90.0, 1.0]]},
            90,
        ),
        (["--shape", "timeline", "--speed", "2"], {"shape": "timeline", "speed": 2.0}, 60),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_every_shape_has_options(project, options, load, duration_s):
    plan = built(*options)
    assert plan["load"] == load
    assert plan["duration_s"] == duration_s
    assert premortem("plan", "check").code == 0


def test_a_search_may_last_as_long_as_it_needs(project):
    options = ["--shape", "find_limit", "--from", "10/s", "--to", "150/s", "--trial", "5s"]
    plan = built(*options, "--threshold", "p99_ms < 250", "--threshold", "error_ratio < 1%")
    assert plan["load"]["trial_s"] == 5
    assert plan["thresholds"] == ["p99_ms < 250", "error_ratio < 1%"]
    checked = premortem("plan", "check")
    assert (checked.code, checked.out) == (0, "plan.toml is sound\n")
    assert "at most" in premortem("plan", "build", *options, "--threshold", "p99_ms < 9").out


def test_connections_take_the_place_of_a_rate(project):
    plan = built("--connections", "100", "--duration", "1s")
    assert (plan["connections"], plan["in_flight_max"]) == (100, 100)
    assert plan["rate_per_second"] == 400  # the ledger's rate_per_second_max
    assert built("--connections", "8", "--rate", "90/s")["rate_per_second"] == 90


def test_rules_and_workers_are_written(project):
    stops = ["--stop-when", "error_ratio > 20%", "--stop-when", "p99_ms{POST /invoices} > 9 for 5s"]
    plan = built(*stops, "--workers", "2-8", "--executor", "ray")
    assert [(rule["when"], rule["for_s"]) for rule in plan["stop"]] == [
        ("error_ratio > 20%", 0),
        ("p99_ms{POST /invoices} > 9", 5),
    ]
    assert plan["scale"] == {"executor": "ray", "workers_min": 2, "workers_max": 8}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--from", "5/s"], "--from belongs to --shape ramp or step or find_limit"),
        (["--shape", "ramp", "--to", "9/s", "--at", "5s"], "--at belongs to --shape spike"),
        (["--shape", "ramp"], "--shape ramp needs --to, too"),
        (["--shape", "step", "--steps", "3"], "needs --to"),
        (["--shape", "spike"], "needs --peak and --at and --for"),
        (["--shape", "spike", "--peak", "90", "--at", "70s", "--for", "1s"], "before the spike"),
        (["--shape", "sawtooth"], "find_limit"),
        (["--shape", "piecewise", "--point", "5"], "write it like 30s:100/s"),
        (["--shape", "find_limit", "--from", "1", "--to", "9"], "`thresholds`: find_limit"),
        (["--shape", "find_limit", "--to", "9", "--threshold", "p99_ms < 9"], "from_per_second"),
        (["--threshold", "p99 < 5"], "did you mean p99_ms?"),
        (["--stop-when", "p99_ms > 5 for ever"], "not a duration"),
        (["--workers", "many"], "write it like 4 or 1-8"),
        (["--workers", "8-2"], "workers_max = 2"),
        (["--connections", "8", "--shape", "timeline", "--speed", "1"], "keep one of the two"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_be_meant_are_refused(project, options, told):
    assert told in premortem("plan", "build", *options).complaint
    assert not (project.folder / "plan.toml").exists()


def test_a_check_says_everything_with_lines_and_fails(project):
    (project.folder / "plan.toml").write_text(
        'operations = ["POST /invoice"]\n'
        'thresholds = ["p99_ms{GET /nothing} < 5", "target.cpu < 80"]\n'
        "rate_per_second = 500\n"
        "[context.user]\n"
        'role = "Nobody"\n'
        "[hold]\n"
        "value = 3\n"
    )
    ran = premortem("plan", "check")
    assert (ran.code, ran.err) == (2, "")
    lines = ran.out.splitlines()
    assert [line.split(": ")[0] for line in lines[:-1]] == [
        *("plan.toml:1", "plan.toml:2", "plan.toml:2", "plan.toml:3", "plan.toml:4", "plan.toml:7"),
    ]
    assert "did you mean 'POST /invoices'?" in lines[0]
    assert "needs [metrics.cpu] in premortem.toml" in ran.out
    assert "plan.toml:3: warning: " in ran.out
    assert "Nobody" in ran.out
    assert lines[-1] == "5 errors, 1 warning in plan.toml"
    told = premortem("plan", "check", "--json")
    assert told.code == 2
    assert [error["line"] for error in told.json["errors"]] == [1, 2, 2, 4, 7]
    assert told.json["warnings"][0]["key"] == "rate_per_second"


def test_a_plan_can_be_checked_without_a_store(empty):
    (empty / "p.toml").write_text("seed = -1\n")
    ran = premortem("plan", "check", "p.toml")
    assert ran.code == 2
    assert "p.toml:1: error: `seed`" in ran.out
    (empty / "p.toml").write_text("seed = 1\n")
    assert premortem("plan", "check", "p.toml").code == 0
    assert not (empty / ".premortem").exists()
    assert "plan build" in premortem("plan", "check", "gone.toml").complaint


@pytest.mark.parametrize("columns", [80, 110])
def test_a_shape_is_drawn_with_its_rules(project, columns):
    options = ["--shape", "spike", "--peak", "150/s", "--at", "5s", "--for", "1s"]
    built(*options, "--duration", "10s", "--rate", "10/s", "--threshold", "error_ratio < 1%")
    before, out.width = out.width, columns
    try:
        shown = premortem("plan", "show")
    finally:
        out.width = before
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("150/s │")
    assert "█" in lines[0]
    assert "passes if error_ratio < 0.01" in " ".join(shown.out.split())
    assert "240 requests at 10/s, but at 150/s from 5 s on for 1 s, over 10 s" in shown.out
    told = premortem("plan", "show", "--json").json
    assert (told["planned"], told["peak_per_second"], told["duration_s"]) == (240, 150, 10)


def test_a_timeline_sends_as_many_as_production_did(project):
    options = ["--shape", "timeline", "--speed", "1000", "--duration", "20s", "--dynamic", "0%"]
    ran = premortem("plan", "build", *options, "--json")
    told = premortem("plan", "show", "--json").json
    assert told["planned"] == ran.json["planned"] > 0
    assert told["plan"]["requests_max"] == told["planned"]
    assert "as production's own came, 1000 times as fast" in premortem("plan", "show").out
