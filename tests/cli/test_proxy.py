"""`premortem proxy`, from the command line to the store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.console import premortem
from tests.send.server import answering, ok
from tests.services import free_port


@contextmanager
def proxying(upstream: str, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`premortem proxy` in this folder, once it listens."""
    port = free_port()
    command = [sys.executable, "-m", "premortem", "proxy", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, "--upstream", upstream, "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        assert b"Ctrl-C ends it" in process.stderr.readline()
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> dict:
    """What it says when the signal NUMBER ends it."""
    process.send_signal(number)
    out, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    return json.loads(out)


def ask(port: int, count: int) -> None:
    for number in range(count):
        body = json.dumps({"number": number, "password": "hunter2hunter2"}).encode()
        url = f"http://127.0.0.1:{port}/things/{number}"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.read() == b"{}"


def test_what_passed_is_in_the_store_once_the_proxy_ends(empty):
    with answering(lambda _request: ok()) as server, proxying(server.url) as (process, port):
        ask(port, 20)
        said = end(process, signal.SIGINT)
    assert (said["passed"], said["recorded"], said["dropped"]) == (20, 20, 0)
    assert said["stored"] == {
        "segments": 1,
        "added": 20,
        "duplicates": 0,
        "waiting": 0,
        "trouble": "",
    }
    assert premortem("traffic", "--json").json["total"] == 20
    assert list((empty / ".premortem" / "spool").iterdir()) == []


def test_segments_get_into_the_store_while_the_proxy_runs(empty):
    with (
        answering(lambda _request: ok()) as server,
        proxying(server.url, "--rotate", "1s") as (process, port),
    ):
        ask(port, 5)
        for _ in range(200):
            listed = premortem("traffic", "--json")
            if listed.code == 0 and listed.json["total"] == 5:
                break
            time.sleep(0.1)
        assert listed.json["total"] == 5
        ask(port, 5)
        said = end(process, signal.SIGTERM)
    assert said["passed"] == 10
    assert premortem("traffic", "--json").json["total"] == 10


def test_it_ends_by_itself_after_the_time_it_was_given(empty):
    with (
        answering(lambda _request: ok()) as server,
        proxying(server.url, "--for", "1s") as (
            process,
            _port,
        ),
    ):
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["elapsed_s"] >= 1


def test_segments_of_another_machine_are_taken_in_with_the_key_it_was_given(empty, tmp_path):
    from base64 import b64decode

    from premortem.capture.middleware import record
    from premortem.config import Config

    key = premortem("spool", "key", "--json").json["key"]
    assert len(b64decode(key)) == 32

    def app(_environ, start_response):
        start_response("200 OK", [])
        return [b"{}"]

    there = tmp_path / "there"
    recorder = record(
        app, directory=there, config=Config(), environment={"PREMORTEM_SPOOL_KEY": key}
    )
    environ = {"PATH_INFO": "/a", "REQUEST_METHOD": "GET", "SERVER_NAME": "a", "SERVER_PORT": "80"}
    assert list(recorder(environ, lambda *_: None)) == [b"{}"]
    recorder.recording.close()
    taken = premortem("spool", "take", there, "--json")
    assert taken.json["added"] == 1
    assert list(there.iterdir()) == []
    assert premortem("spool", "take", there, "--json").json["segments"] == 0


def test_segments_that_cannot_be_read_stay_and_are_said(empty, tmp_path):
    from premortem.capture.spool import Limits, SpoolWriter
    from tests.capture.test_spool import Clock, exchange

    writer = SpoolWriter(tmp_path / "there", os.urandom(32), limits=Limits(), now=Clock())
    writer.write(exchange(1))
    writer.close()
    taken = premortem("spool", "take", tmp_path / "there", "--json")
    assert (taken.json["segments"], taken.json["waiting"]) == (0, 1)
    assert "another key" in taken.json["trouble"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "base_url"),
        (["--upstream", "nowhere"], "write it like http://"),
        (["--upstream", "http://a", "--listen", "8080"], "127.0.0.1:8080"),
        (["--upstream", "http://a", "--sample", "110%"], "not a share"),
        (["--upstream", "http://a", "--for", "soon"], "not a duration"),
        (["--upstream", "http://a", "--keep", "much"], "not a size"),
        (["--upstream", "http://a", "--listen", "192.0.2.1:1"], "cannot listen"),
    ],
    ids=range(7),
)
def test_what_cannot_be_is_said_before_anything_passes(empty, options, told):
    assert told in premortem("proxy", *options).complaint
