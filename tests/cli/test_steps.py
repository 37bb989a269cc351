"""`premortem steps`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from premortem.agent.steps.catalogue import CATALOGUE
from tests.agent.till import environment, till
from tests.cli.console import premortem

PHRASE = '[phrases."the books are closed"]\nsteps = [\'the actor "ann" has role "Buyer"\']\n'


def configured(folder, bindings=""):
    path = folder / "premortem.toml"
    path.write_text("[roles.Buyer]\n")
    (folder / "premortem.bindings.toml").write_text(bindings)
    return ("--config", path)


def test_all_steps_and_phrases_are_listed(tmp_path):
    shown = premortem("steps", "list", *configured(tmp_path, PHRASE))
    assert shown.code == 0
    for step in CATALOGUE:
        assert step.expression in shown.out
    assert "the books are closed" in shown.out
    rows = premortem(
        "steps", "list", "race", "--config", tmp_path / "premortem.toml", "--json"
    ).json
    assert {row["area"] for row in rows} == {"race"}


def test_an_area_that_does_not_exist_is_said(tmp_path):
    failed = premortem("steps", "list", "weather", *configured(tmp_path))
    assert (failed.code, "actors" in failed.err) == (2, True)


def test_a_step_is_found_and_explained(tmp_path):
    config = configured(tmp_path)
    assert "idempotency key" in premortem("steps", "search", "idempotency", *config).out
    near = premortem("steps", "explain", "the response has status 409", *config)
    assert (near.code, "the response status is 409" in near.out) == (1, True)
    unknown = premortem("steps", "explain", 'the actor "a" has role "Pilot"', *config)
    assert (unknown.code, "Buyer" in unknown.out) == (1, True)
    assert premortem("steps", "explain", 'the actor "a" has role "Buyer"', *config).code == 0


def test_a_phrase_written_by_hand_is_accepted_without_a_store(tmp_path):
    config = configured(tmp_path, PHRASE)
    assert premortem("steps", "explain", "the books are closed", *config).code == 1
    accepted = premortem("steps", "accept", "the books are closed", "--by", "Ann", *config)
    assert (accepted.code, accepted.err) == (0, "")
    assert "Ann, " in (tmp_path / "premortem.bindings.toml").read_text()
    assert premortem("steps", "explain", "the books are closed", *config).code == 0
    unknown = premortem("steps", "accept", "nothing like it", *config)
    assert (unknown.code, "propose" in unknown.err) == (2, True)


def test_a_step_class_is_written_with_the_phrases(tmp_path):
    config = configured(tmp_path, PHRASE)
    file = tmp_path / "Specs" / "Steps.cs"
    written = premortem("steps", "csharp", file, "--namespace", "Shop.Specs", *config)
    assert written.code == 0
    assert "namespace Shop.Specs" in file.read_text()
    assert '"the books are closed"' in file.read_text()
    assert premortem("steps", "csharp", "--namespace", "1", *config).code == 2


def test_steps_are_served_line_by_line(tmp_path):
    lines = [
        {"keyword": "given", "step": "the edition is {string}", "arguments": ["pro"]},
        {"start": "one"},
        {"keyword": "given", "step": "a sale of {string} was made", "arguments": ["3"]},
        {"keyword": "when", "step": "{string} refunds the sale {int} times at once",
         "arguments": ["ann", 2]},
        {"keyword": "then", "step": "exactly {int} responses have status {int}",
         "arguments": [2, 201]},
        {"keyword": "then", "step": "the table {string} has {int} rows where:",
         "arguments": ["sales", 1], "table": [["state"], ["refunded"]]},
        {"keyword": "then", "step": "the sky is {string}", "arguments": ["blue"]},
        {"step": "the edition is {string}", "arguments": ["pro"]},
        {"start": "two"},
        {"keyword": "then", "step": "the table {string} has {int} rows", "arguments": ["sales", 0]},
        {"end": True},
    ]  # fmt: skip
    sent = "".join(json.dumps(line) + "\n" for line in lines) + "no json\n"
    with till(tmp_path):
        ran = subprocess.run(
            [sys.executable, "-m", "premortem", "steps", "serve"],
            cwd=tmp_path,
            env={**os.environ, **environment()},
            input=sent,
            capture_output=True,
            text=True,
            timeout=100,
        )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == [
        *("error", "passed", "passed", "passed", "failed", "passed", "undefined", "error"),
        *("passed", "passed", "passed", "error"),
    ], ran.stderr
    assert "1 have 201, not 2" in answers[4]["detail"]
    assert (ran.returncode, ran.stderr) == (0, "")
