"""With --json every command prints one JSON document on standard output, and nothing else."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import termios

import pytest

from tests.cli.console import premortem

PIPE_BYTES = 4096
"""As small as the kernel has them."""

COMMANDS = (
    ["doctor"],
    ["capture", "har", "production.har.gz"],
    ["learn"],
    ["traffic"],
    ["traffic", "--limit", "1"],
    ["profile"],
    ["profile", "POST /invoices"],
    ["generate", "--count", "10"],
    ["cases"],
    ["cases", "--rejected"],
    ["cases", "--rejected", "--by", "rule"],
    ["plan", "build"],
    ["plan", "show", "made.toml"],
    ["run", "made.toml", "--dry-run"],
    ["ask", "What if a refund is issued twice?", "--no-run"],
    ["ask", "--context-schema"],
    ["explore", "create refund"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_speaks_json_alone(project, command):
    if "made.toml" in command:
        premortem("plan", "build", "--out", "made.toml", "--max-requests", "100")
    ran = premortem(*command, "--json")
    assert (ran.code, ran.err) == (0, ""), ran
    assert isinstance(ran.json, dict | list)
    if "show" in command:
        assert ran.json["planned"] == 100
        assert (
            35 <= ran.json["dynamic"] <= 40
        )  # of so few some do not fit with what they need first


def test_one_exchange_and_one_case_speak_json(project):
    row = premortem("traffic", "--limit", "1", "--json").json["rows"][0]
    exchange = premortem("traffic", row["id"], "--json").json
    assert exchange["response"]["status"] == row["status"]
    premortem("generate", "--count", "5")
    listed = premortem("cases", "--json").json
    assert {"operation_id", "request", "origin", "intent"} <= set(listed[0])


def test_init_speaks_json(empty):
    ran = premortem("init", "--json")
    assert ran.json == {"file": "premortem.toml", "kept": None}
    assert premortem("init", "--json", "--force").json["kept"] == "premortem.toml.bak"


def test_an_error_is_json_too(empty):
    ran = premortem("profile", "--json")
    assert ran.code == 2
    assert ran.json["error"] == "NothingLearned"
    assert "premortem capture har" in ran.json["message"]
    assert len(ran.err.splitlines()) == 1


@pytest.mark.skipif(
    not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes cannot be made small on this system"
)
def test_a_slow_reader_of_a_pipe_that_does_not_block_gets_all_of_it(project):
    """As where an event loop made it so: Python alone breaks off with what the pipe takes."""
    whole = premortem("explore", "create refund", "--json").out.encode()
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(write_end, False)
    assert len(whole) > 4 * PIPE_BYTES
    command = [sys.executable, "-m", "premortem", "explore", "create refund", "--json"]
    with subprocess.Popen(command, stdout=write_end, stderr=subprocess.PIPE) as process:
        ready, _, _ = select.select([read_end], [], [], 60)
        assert ready
        while process.poll() is None and held(read_end) < PIPE_BYTES:
            pass  # until the pipe is full, and the writer has to wait
        os.close(write_end)
        with open(read_end, "rb") as pipe:  # noqa: PTH123 - a number, no path
            read = pipe.read()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert read == whole


def held(pipe: int) -> int:
    """Bytes that wait in PIPE."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
