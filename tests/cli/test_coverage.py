"""`premortem coverage`: the heat map, the page, the gaps."""

from __future__ import annotations

from tests.cli.console import premortem


def test_before_any_run_it_says_what_to_do(project):
    ran = premortem("coverage")
    assert ran.code == 0
    assert "nothing was run yet with this profile: `premortem run PLAN`" in ran.out


def test_after_a_run_it_shows_what_was_tried_and_what_was_not(project):
    premortem("plan", "build", "--out", "made.toml", "--max-requests", "60")
    premortem("run", "made.toml")

    shown = premortem("coverage")
    assert (shown.code, shown.err) == (0, "")
    assert "60 requests" in shown.out
    assert "What remains unseen" in shown.out
    assert "POST /invoices" in shown.out

    roles = premortem("coverage", "--by", "roles", "--run", "latest")
    assert "Cashier" in roles.out
    assert roles.out.startswith("run ")

    page = premortem("coverage", "--html", "coverage.html")
    assert page.out == "wrote coverage.html\n"
    text = (project.folder / "coverage.html").read_text()
    assert text.startswith("<!doctype html>")
    assert "POST /invoices" in text

    gaps = premortem("coverage", "--untested", "--limit", "3")
    assert "more; see --untested --limit" in gaps.out
    found = premortem("coverage", "--json").json
    assert found["covered"]["cases"] == 60
    assert {"rows", "untested", "behaviours", "links_seen"} <= set(found)
    listed = premortem("coverage", "--untested", "--json").json["untested"]
    assert listed == found["untested"]


def test_without_a_store_or_with_a_run_that_is_not_there_it_says_so(empty):
    assert premortem("coverage").code == 2


def test_a_wrong_limit_or_run_is_refused(project):
    ran = premortem("coverage", "--untested", "--limit", "0")
    assert ran.code == 2
    assert "--limit 0: give 1 or more" in ran.err
    assert premortem("coverage", "--run", "nosuchrun").code == 2
