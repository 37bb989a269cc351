"""`premortem capture FORMAT` and `capture file`, as a user meets them."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.capture.test_formats_recorded import FORM_OF, RECORDINGS
from tests.cli.console import premortem

COUNTS = {"betamax.json": 22}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", sorted(FORM_OF))
def test_every_format_has_a_command_and_importing_twice_adds_nothing(folder, name):
    shutil.copy(RECORDINGS / name, folder / name)
    expected = COUNTS.get(name, 28)
    ran = premortem("capture", FORM_OF[name], name)
    assert (ran.code, ran.err) == (0, "")
    assert f"{expected} read, {expected} added" in ran.out
    again = premortem("capture", "file", name)
    assert f"{expected} read, 0 added" in again.out
    assert f"{name}: " in again.out
    told = premortem("capture", "file", name, "--json").json
    assert (told["formats"], told["duplicates"]) == ([FORM_OF[name]], expected)


def test_a_folder_is_walked_and_what_is_no_recording_passed_over(folder):
    inside = folder / "recordings" / "deeper"
    shutil.copytree(RECORDINGS, inside)
    (inside / ".hidden.log").write_text("x")
    told = premortem("capture", "file", "recordings", "--json").json
    assert sorted(told["formats"]) == sorted(FORM_OF.values())
    assert told["passed_over_total"] == 4
    assert told["read"] == 28 * 6 + 22
    only = premortem("capture", "log", "recordings", "--json", "--store", "logs.db").json
    assert set(only["formats"]) == {"log"}
    assert only["read"] == 28 * 3


def test_a_file_of_no_format_is_named_with_what_is_expected(folder):
    (folder / "a.har").write_text("nothing of the kind")
    complaint = premortem("capture", "file", "a.har").complaint
    assert "a.har has none of the known formats" in complaint
    assert "an access log" in complaint
    assert "a.flows" in premortem("capture", "mitmproxy", "a.flows").complaint


@pytest.mark.parametrize(
    "form", ["cassette", "mitmproxy", "postman", "insomnia", "curl", "goreplay"]
)
def test_a_file_of_another_format_is_refused_with_advice(folder, form):
    shutil.copy(RECORDINGS / "nginx-combined.log", folder / "file")
    complaint = premortem("capture", form, "file").complaint
    assert "file is not a" in complaint
    assert "; give " in complaint


def test_malformed_lines_are_told_with_their_numbers(folder):
    good = (RECORDINGS / "nginx-combined.log").read_text().splitlines()[0]
    (folder / "a.log").write_text(f"{good}\ngarbage\n")
    assert "skipped line 2 of a.log: " in premortem("capture", "log", "a.log").err


def test_a_log_of_a_custom_format_needs_its_format(folder):
    (folder / "a.log").write_text("GET /a|200|1700000000.0\n")
    assert "--log-format" in premortem("capture", "log", "a.log").complaint
    wanted = "$request|$status|$msec"
    assert "1 added" in premortem("capture", "log", "a.log", "--log-format", wanted).out
    listed = premortem("traffic", "--json").json
    assert listed["total"] == 1


def test_what_has_no_value_is_said(folder):
    item = {"request": {"method": "GET", "url": "{{base}}/a", "header": []}, "name": "a"}
    info = {"name": "c", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/"}
    (folder / "c.json").write_text(json.dumps({"info": info, "item": [item]}))
    ran = premortem("capture", "postman", "c.json", "--origin", "http://h.test")
    assert "1 added" in ran.out
    assert "{{base}} has no value here: left out 1 times" in ran.out


def test_an_exchange_of_which_little_is_known_is_shown(folder):
    shutil.copy(RECORDINGS / "nginx-json.log", folder / "a.log")
    premortem("capture", "log", "a.log")
    row = premortem("traffic", "--json").json["rows"][0]
    shown = premortem("traffic", row["id"], "--json").json
    assert shown["recorded"] == "line"
