"""`--help` of every command is a file. After a change: PREMORTEM_WRITE_HELP=1 pytest tests/cli."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.console import premortem

SNAPSHOTS = Path(__file__).with_name("help")
COMMANDS = (
    "",
    "init",
    "doctor",
    "proxy",
    "spool",
    "spool take",
    "spool key",
    "capture",
    "capture file",
    "capture har",
    "capture log",
    "capture cassette",
    "capture mitmproxy",
    "capture postman",
    "capture insomnia",
    "capture curl",
    "capture goreplay",
    "redact",
    "learn",
    "traffic",
    "train",
    "train traffic",
    "train llm",
    "profile",
    "profile diff",
    "profile merge",
    "generate",
    "cases",
    "quality",
    "coverage",
    "checks",
    "plan",
    "plan build",
    "plan check",
    "plan show",
    "run",
    "stop",
    "runs",
    "compare",
    "ask",
    "explore",
    "augment",
    "skill",
    "skills",
    "steps",
    "steps list",
    "steps search",
    "steps explain",
    "steps propose",
    "steps accept",
    "steps csharp",
    "steps serve",
    "studio",
    "findings",
    "findings export",
    "report",
    "replay",
    "roles",
    "editions",
    "ignore",
    "purge",
    "archive",
    "rotate-key",
    "models",
    "models list",
    "models show",
    "models fetch",
    "models try",
    "models promote",
    "models rollback",
)
COLUMNS = 80


def shown(command: str) -> str:
    ran = premortem(*command.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    return "\n".join(line.rstrip() for line in ran.out.splitlines()) + "\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "premortem")
def test_help_is_as_reviewed(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    path = SNAPSHOTS / f"{command.replace(' ', '-') or 'premortem'}.txt"
    text = shown(command)
    if os.environ.get("PREMORTEM_WRITE_HELP"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= COLUMNS


def test_every_command_has_a_snapshot(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    names = r"^│ ([a-z]+(?:-[a-z]+)*) "
    listed = set(re.findall(names, shown(""), re.MULTILINE))
    for parent in ("capture", "findings", "models", "plan", "profile", "spool", "steps", "train"):
        children = re.findall(names, shown(parent), re.MULTILINE)
        listed |= {f"{parent} {child}" for child in children}
    assert listed == set(COMMANDS) - {""}
    assert {path.stem for path in SNAPSHOTS.glob("*.txt")} == {"premortem"} | {
        command.replace(" ", "-") for command in listed
    }


def test_the_version_is_told():
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", premortem("--version").out)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["bogus"], 'Unknown command "bogus"'),
        (["plan", "bild"], 'Did you mean "build"'),
        (["run"], "name a plan file"),
        (["run", "plan.toml", "--fail-on", "sometimes"], 'Choose from: "any", "new", "never"'),
        (["run", "plan.toml", "--nope"], "Unknown option"),
        (["generate"], "--count requires an argument"),
        (["generate", "--count", "0"], "Must be >= 1"),
        (["generate", "--count", "5", "--seed", "-1"], "Must be >= 0"),
        (["traffic", "--limit", "many"], "--limit"),
        (["capture", "har"], "FILES requires an argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistyped_command_line_is_one_line_that_points_to_the_help(arguments, told):
    complaint = premortem(*arguments).complaint
    assert told in complaint
    assert "--help`" in complaint


def test_a_mistyped_command_line_is_json_where_json_was_asked_for():
    ran = premortem("traffic", "--json", "--limit", "many")
    assert ran.code == 2
    assert "--limit" in ran.json["message"]
    assert len(ran.err.splitlines()) == 1
