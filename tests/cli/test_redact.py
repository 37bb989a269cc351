"""`premortem redact`: what redaction changes, shown or written, and nothing stored."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tests.cli.console import premortem
from tests.cli.recordings import entry, write_har

SECRETS = {
    "password": "Tundra-Kite-4471",
    "email": "ines.vallcorba@mail.example",
    "phone": "+34 655 901 334",
    "token": "tk4QmZ8rW2nXc6VbL9sHd3FyPq1",
}
BODY = {**SECRETS, "status": "pending", "build": "zq8w2n5c0v7m"}
LOG = (
    '203.0.113.77 - - [10/Mar/2026:13:55:36 +0000] "GET /reset?token=Zx81qPlm20VnTr55&page=2 '
    'HTTP/1.1" 200 512 "-" "curl/8.5.0"\n'
)


@pytest.fixture
def recording(empty):
    return write_har(empty / "session.har", [entry(body=json.dumps(BODY).encode())] * 3)


def leaks(text):
    return [name for name, value in SECRETS.items() if value in text]


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_check_lists_places_and_rules_and_shows_no_whole_secret(empty, recording):
    before = files(empty)
    ran = premortem("redact", "--check", recording)
    assert ran.code == 0, ran
    assert "3 exchanges read" in ran.out
    assert "/email" in ran.out
    assert leaks(ran.out + ran.err) == []
    assert "zq8w2n5c0v7m" in ran.out, "what looks random and stays is shown for a person to judge"
    assert files(empty) == before, "a check writes nothing"


def test_json_output_is_one_document_with_masked_values(recording):
    ran = premortem("redact", "--check", recording, "--json")
    found = ran.json
    assert found["exchanges"] == 3
    assert {change["place"] for change in found["changes"]} >= {
        f"response.body /{name}" for name in SECRETS
    }
    assert all(change["count"] == 3 for change in found["changes"])
    assert leaks(ran.out) == []


def test_an_access_log_is_checked(empty):
    (empty / "access.log").write_text(LOG * 20)
    ran = premortem("redact", "--check", "access.log", "--json")
    assert ran.code == 0, ran
    assert ran.json["exchanges"] == 20
    assert "request.query token" in {change["place"] for change in ran.json["changes"]}
    assert "Zx81qPlm20VnTr55" not in ran.out


def test_a_text_is_read_from_standard_input(empty, monkeypatch):
    text = f"user ok\nlogin password={SECRETS['password']} from 203.0.113.9\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    ran = premortem("redact", "--json")
    assert ran.code == 0, ran
    assert {change["place"] for change in ran.json["changes"]} == {"line 2"}
    assert leaks(ran.out) == []
    assert files(empty) == {}


def test_a_redacted_recording_is_a_har_archive_that_imports(empty, recording):
    ran = premortem("redact", recording, "--out", "shared.har")
    assert ran.code == 0, ran
    written = (empty / "shared.har").read_text()
    assert leaks(written + ran.out) == []
    [first, *_] = json.loads(written)["log"]["entries"]
    answer = json.loads(first["response"]["content"]["text"])
    assert (answer["status"], answer["build"]) == (BODY["status"], BODY["build"])
    assert premortem("redact", "--check", "shared.har", "--json").json["exchanges"] == 3
    imported = premortem("capture", "har", "shared.har", "--json")
    assert imported.code == 0, imported
    assert premortem("traffic", "--json").json["total"] >= 1


def test_a_file_that_is_there_is_not_written_over(empty, recording):
    (empty / "shared.har").write_text("mine")
    assert "already" in premortem("redact", recording, "--out", "shared.har").complaint
    assert (empty / "shared.har").read_text() == "mine"


def test_checking_and_writing_exclude_each_other(empty, recording):
    assert "--check" in premortem("redact", "--check", recording, "--out", "o.har").complaint
    assert not (empty / "o.har").exists()


@pytest.mark.parametrize("arguments", [("--check", "none.har"), ("none.har", "--out", "o.har")])
def test_a_file_that_is_not_there_is_named(empty, arguments):
    assert "none.har" in premortem("redact", *arguments).complaint
    assert files(empty) == {}


def test_what_is_no_recording_is_said(empty):
    (empty / "notes.bin").write_bytes(b"\x00\x01 nothing known \xff" * 9)
    assert "notes.bin" in premortem("redact", "--check", "notes.bin").complaint
