"""Stores that cannot be used, and what is asked of them that they do not hold."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest

from tests.cli.console import premortem
from tests.shared import ROOT

KNOWN = (400, 38)
WRITING = (
    ["capture", "har", "production.har.gz"],
    ["learn"],
    ["generate", "--count", "5"],
)


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_a_store_that_another_process_writes_to_is_named(project, command):
    project.configure("[target]", "[store]\nlock_wait_s = 0.2\n[target]")
    if command[0] == "capture":
        (project.folder / "more.har").write_bytes(ANOTHER_ENTRY)
        command = ["capture", "har", "more.har"]
        project.configure("[target]", '[capture]\nhosts = ["*"]\n[target]')
    other = sqlite3.connect(project.folder / ".premortem" / "store.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        complaint = premortem(*command).complaint
        assert "locked by another process" in complaint
        assert "--store" in complaint
        # Whoever only reads need not wait.
        assert project.counts() == KNOWN
    finally:
        other.close()
    assert premortem(*command).code == 0


ANOTHER_ENTRY = b"""{"log": {"entries": [{
 "startedDateTime": "2026-05-01T10:00:00Z", "time": 1,
 "request": {"method": "GET", "url": "http://elsewhere/new", "headers": []},
 "response": {"status": 200, "headers": [], "content": {}}}]}}"""


def test_a_wrong_key_opens_nothing_and_changes_nothing(project, monkeypatch):
    monkeypatch.setenv("PREMORTEM_KEY", "another passphrase")
    for command in (["traffic"], ["learn"], ["capture", "har", "production.har.gz"]):
        complaint = premortem(*command).complaint
        assert "PREMORTEM_KEY" in complaint
        assert "another passphrase" not in complaint
    assert premortem("doctor").code == 2
    monkeypatch.delenv("PREMORTEM_KEY")
    assert project.counts() == KNOWN


@pytest.mark.parametrize("damage", ["gone", "another", "empty", "open"])
def test_a_key_file_that_does_not_fit_is_named(project, damage):
    key = project.folder / ".premortem" / "key"
    content = key.read_bytes()
    if damage == "gone":
        key.unlink()
    elif damage == "open":
        key.chmod(0o644)
    else:
        key.write_bytes(b"" if damage == "empty" else content[::-1].strip()[::1].swapcase())
    complaint = premortem("traffic").complaint
    assert str(key) in complaint or ".premortem/key" in complaint
    key.write_bytes(content)
    key.chmod(0o600)
    assert project.counts() == KNOWN


def test_what_is_no_store_is_named(project):
    for content in (b"not a database at all" * 100, b"SQLite format 3\x00" + b"\x01" * 4000):
        path = project.folder / "odd.db"
        path.write_bytes(content)
        assert "odd.db" in premortem("traffic", "--store", path).complaint
    assert str(project.folder) in premortem("traffic", "--store", project.folder).complaint
    assert "no/where.db" in premortem("learn", "--store", "production.har.gz/no/where.db").complaint


def test_a_damaged_store_is_told_by_doctor(project):
    path = project.folder / ".premortem" / "store.db"
    content = bytearray(path.read_bytes())
    content[8192 * 4 : 8192 * 8] = b"\xaa" * (8192 * 4)
    path.write_bytes(content)
    ran = premortem("doctor")
    assert ran.code == 2
    assert "Traceback" not in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes there")
def test_a_full_disk_loses_nothing_that_was_stored(project):
    project.configure("[target]", '[capture]\nhosts = ["*"]\n[target]')
    entries = ",".join(
        f'{{"startedDateTime": "2026-05-01T10:00:00Z", "time": 1, "request": {{"method": "GET",'
        f' "url": "http://elsewhere/{n}", "headers": []}}, "response": {{"status": 200,'
        f' "headers": [], "content": {{"mimeType": "text/plain",'
        f' "text": "{os.urandom(1500).hex()}"}}}}}}'
        for n in range(400)
    )
    (project.folder / "large.har").write_text(f'{{"log": {{"entries": [{entries}]}}}}')
    size = (project.folder / ".premortem" / "store.db").stat().st_size
    code = (
        "import resource, sys\n"
        "from premortem.cli.app import main\n"
        "limit = int(sys.argv.pop(1))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(size + 128 * 1024), "capture", "har", "large.har"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2, ran
    [line] = ran.stderr.splitlines()
    assert "no room left" in line
    assert premortem("doctor").out.count("intact") == 1
    kept, operations = project.counts()
    assert kept >= KNOWN[0]
    assert operations == KNOWN[1]
    assert premortem("capture", "har", "large.har").code == 0
    assert project.counts()[0] == KNOWN[0] + 400


UNKNOWN_IDS = (
    "ffffffffffffffff",
    "zz",
    "%",
    "*",
    "-",
    "é",
    "\U0010ffff",
    "\ud800",
    "x" * 5000,
    " ",
)


@pytest.mark.parametrize("name", UNKNOWN_IDS, ids=lambda name: ascii(name)[:20])
def test_an_unknown_id_is_answered_in_one_line(project, name):
    for command in (
        ["traffic", name],
        ["cases", name],
        ["findings", name],
        ["replay", name],
        ["ignore", name, "--reason", "x"],
        ["profile", "--version", name],
        ["report", "--run", name],
        ["findings", "--run", name],
    ):
        assert len(premortem(*command).complaint) < 1200, command


@pytest.mark.parametrize("flag", ["--method", "--host", "--path", "--role", "--status"])
@pytest.mark.parametrize("value", ["\ud800", "\U0010ffff", "%[", "x" * 5000])
def test_a_filter_that_fits_nothing_lists_nothing(project, flag, value):
    ran = premortem("traffic", flag, value)
    assert ran.code in (0, 2)
    assert "no exchange" in ran.out or ran.complaint


@pytest.mark.parametrize("command", [["replay", ""], ["ignore", "", "--reason", "x"]])
def test_an_empty_id_names_nothing(project, command):
    assert premortem(*command).complaint


@pytest.mark.parametrize(
    "command",
    [
        ["traffic"],
        ["learn"],
        ["profile"],
        ["generate", "--count", "3"],
        ["cases"],
        ["plan", "build"],
        ["ask", "What if a refund is issued twice?"],
        ["findings"],
        ["report"],
        ["replay", "ab"],
    ],
    ids=" ".join,
)
def test_before_anything_is_captured_the_first_command_is_named(empty, command):
    assert "premortem capture har" in premortem(*command).complaint


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["profile"], "premortem learn"),
        (["generate", "--count", "3"], "premortem learn"),
        (["plan", "build"], "premortem learn"),
        (["ask", "What if a refund is issued twice?"], "premortem learn"),
        (["findings"], "premortem run"),
        (["report"], "premortem run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_before_anything_is_learned_or_run_the_next_command_is_named(project, command, told):
    assert premortem("capture", "har", "production.har.gz", "--store", "new.db").code == 0
    assert told in premortem(*command, "--store", "new.db").complaint
