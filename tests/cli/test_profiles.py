"""`premortem profile`, `profile merge` and `profile diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from tests.cli.console import premortem
from tests.cli.recordings import entry, write_har


def save(path: Path) -> dict:
    ran = premortem("profile", "--json")
    path.write_text(ran.out, encoding="utf-8")
    return ran.json


def test_a_profile_shows_order_and_pools_and_one_operation_its_relations(project: Project):
    shown = premortem("profile")
    assert shown.code == 0
    assert "what follows what" in shown.out
    assert "values of one type" in shown.out
    one = premortem("profile", "POST /invoices")
    assert "changes by itself" in one.out
    assert "within sessions" in one.out
    assert max(map(len, shown.out.splitlines())) <= 120


def test_a_profile_saved_as_a_file_is_the_same_one(project: Project):
    learned = save(Path("saved.json"))
    again = premortem("profile", "--version", "saved.json", "--json").json
    assert again == learned
    assert premortem("profile", "diff", "saved.json", "latest", "--json").json["changes"] == []


def test_two_profiles_are_merged_into_the_latest_one(project: Project):
    first = save(Path("first.json"))
    more = [entry(f"/things/{n}", base=project.base, minute=n) for n in range(5)]
    write_har(Path("more.har"), more)
    assert premortem("capture", "har", "more.har").code == 0
    assert premortem("learn").code == 0
    second = premortem("profile", "--json").json
    ran = premortem("profile", "merge", "first.json", "latest")
    assert ran.code == 0
    assert f"{first['exchanges']:,} exchanges were in two of them" in ran.err
    latest = premortem("profile", "--json").json
    assert latest["parents"] == [first["version"], second["version"]]
    assert latest["exchanges"] == first["exchanges"] + second["exchanges"]


def test_what_changed_is_shown_by_operation(project: Project):
    more = [entry(f"/things/{n}", base=project.base, minute=n) for n in range(30)]
    write_har(Path("more.har"), more)
    assert premortem("capture", "har", "more.har").code == 0
    assert premortem("learn").code == 0
    ran = premortem("profile", "diff")
    assert ran.code == 0
    assert "new operation" in ran.out
    assert "GET /things/{thing_id}" in ran.out
    document = premortem("profile", "diff", "previous", "latest", "--json").json
    assert document["changes"][0]["kind"] == "operation_added"
    assert document["operations"][1] == document["operations"][0] + 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["profile", "diff"], "no previous profile"),
        (["profile", "diff", "nothing.json", "latest"], "cannot read nothing.json"),
        (["profile", "merge", "broken.json", "latest"], "broken.json is no profile"),
        (["profile", "merge", "zzzz", "latest"], "zzzz"),
        (["profile", "merge", "latest"], "SECOND requires an argument"),
        (["profile", "diff", "latest", "latest", "--limit", "0"], "Must be >= 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_no_profile_is_said_in_one_line(arguments, told, project: Project):
    Path("broken.json").write_text('{"operations": 7}')
    assert told in premortem(*arguments).complaint


def test_a_profile_shows_states_rules_and_invariants(project: Project):
    states = premortem("profile", "--states")
    assert states.code == 0
    for view in premortem("profile", "--states", "--json").json:
        assert view["mermaid"] in states.out
        assert view["mermaid"].startswith("stateDiagram-v2")
    rules = premortem("profile", "--rules")
    assert rules.code == 0
    for rule in premortem("profile", "--rules", "--json").json:
        assert f'"{rule["text"]}",' in rules.out
        assert rule["why"]
    invariants = premortem("profile", "--invariants")
    assert invariants.code == 0
    for one in premortem("profile", "--invariants", "--json").json:
        assert f"{json.dumps(one['text'])}," in invariants.out
        assert f"  # {one['why']}" in invariants.out
