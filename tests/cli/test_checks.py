"""`premortem checks`."""

from __future__ import annotations

from premortem.checks import CHECKS
from tests.cli.console import premortem
from tests.shared import ROOT

OWN = """
from premortem import check

@check()
def mine(case, sent, known, before):
    '''Says no.'''
"""


def configured(folder, text: str):
    path = folder / "premortem.toml"
    path.write_text(text)
    return ("--config", path)


def test_all_checks_are_listed_with_what_they_say(tmp_path):
    listed = premortem("checks", *configured(tmp_path, ""))
    assert listed.code == 0
    for check in CHECKS:
        assert check.name in listed.out
    assert f"{len(CHECKS)} of {len(CHECKS)} checks are on" in listed.out


def test_what_is_off_is_shown_for_all_for_some_and_for_a_plan(tmp_path):
    config = configured(
        tmp_path,
        '[checks]\noff = ["response_time"]\nfiles = ["own.py"]\n'
        '[checks.off_for]\n"GET /a/*" = ["server_error"]\n',
    )
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "plan.toml").write_text('checks_off = ["no_answer", "mine"]\n')
    rows = premortem("checks", tmp_path / "plan.toml", *config, "--json").json
    by_name = {row["name"]: row for row in rows}
    assert {name for name, row in by_name.items() if not row["on"]} == {
        "response_time",
        "no_answer",
        "mine",
    }
    assert by_name["mine"]["file"] == "own.py"
    assert by_name["mine"]["description"] == "Says no."
    assert by_name["server_error"]["off_for"] == ["GET /a/*"]
    shown = premortem("checks", *config)
    assert "off for GET /a/*" in shown.out
    assert "yours, in own.py" in shown.out


def test_a_file_that_cannot_be_run_is_said_with_its_line(tmp_path):
    config = configured(tmp_path, '[checks]\nfiles = ["own.py"]\n')
    (tmp_path / "own.py").write_text("import nothing_like_this\n")
    failed = premortem("checks", *config)
    assert failed.code == 2
    assert "own.py, line 1 cannot be run: ModuleNotFoundError" in " ".join(failed.err.split())


def test_every_check_stands_in_its_document():
    text = (ROOT / "docs" / "checks.md").read_text()
    assert [check.name for check in CHECKS if f"`{check.name}`" not in text] == []
