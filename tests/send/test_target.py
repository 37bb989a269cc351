"""A target that is not there yet, hangs, or has to be brought back to a fresh state."""

from __future__ import annotations

import threading
import time

import pytest

from premortem.config import Config, Reset, RoleConfig, TargetConfig
from premortem.errors import TargetDown, TargetError
from premortem.send.line import open_line
from tests.send.cases import case, get
from tests.send.server import Peer, answering, ok, serving, unused_port


def line_to(url: str, *, directory: str = ".", disposable: bool = True, **target):
    config = Config(
        target=TargetConfig(base_url=url, disposable=disposable, **target),
        roles={"admin": RoleConfig(bearer="${ADMIN}")},
        directory=directory,
    )
    return open_line(config, environment={"ADMIN": "word"})


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Internal Server Error"])
def test_any_answer_means_ready(status):
    with (
        answering(lambda _: ok(status=status)) as server,
        line_to(server.url, ready="/health?deep=1") as line,
    ):
        line.wait_ready()
    assert server.requests[0].startswith(b"GET /health?deep=1 ")


def test_a_target_that_is_down_is_said_to_be_down_after_its_time():
    with line_to(f"http://127.0.0.1:{unused_port()}", ready_timeout_s=0.3) as line:
        began = time.monotonic()
        with pytest.raises(TargetDown, match=r"refused.*base_url"):
            line.wait_ready()
    assert 0.1 < time.monotonic() - began < 2


def test_a_target_that_comes_up_late_is_waited_for():
    def late(peer: Peer) -> None:
        if peer.number >= 2 and peer.request():
            peer.send(ok())

    with serving(late) as server, line_to(server.url) as line:
        line.wait_ready()
    assert server.connections == 3


def test_a_target_that_hangs_is_told_apart_from_one_that_is_down():
    with (
        serving(lambda peer: time.sleep(3)) as server,
        line_to(server.url, ready_timeout_s=0.3) as line,
        pytest.raises(TargetError, match="accepts connections but did not answer GET /"),
    ):
        line.wait_ready()


def test_a_target_that_answers_garbage_is_refused_at_once():
    with (
        serving(lambda peer: peer.send(b"+OK POP3 ready\r\n")) as server,
        line_to(server.url) as line,
        pytest.raises(TargetError, match="does not answer as HTTP"),
    ):
        line.wait_ready()


def test_a_reset_command_runs_where_the_configuration_lies(tmp_path):
    with answering(lambda _: ok()) as server:
        reset = Reset(command="echo done > was-here")
        with line_to(server.url, directory=str(tmp_path), reset=reset) as line:
            assert line.reset()
    assert (tmp_path / "was-here").read_text() == "done\n"


def test_a_reset_request_carries_the_role_s_credentials():
    with answering(lambda _: ok()) as server:
        reset = Reset(request="POST /_test/reset?hard=1", role="admin")
        with line_to(server.url, reset=reset) as line:
            assert line.reset()
    assert server.requests[0].startswith(b"POST /_test/reset?hard=1 ")
    assert b"authorization: Bearer word" in server.requests[0]


@pytest.mark.parametrize(
    ("reset", "said"),
    [
        (Reset(command="echo first; echo 'no such table' >&2; exit 3"), "status 3: no such table"),
        (Reset(command="sleep 5", timeout_s=0.2), "did not end within 0.2 s"),
        (Reset(request="POST /reset"), "answered 500: it broke"),
        (Reset(request="/reset"), "write it like"),
    ],
)
def test_a_reset_that_fails_says_what_it_said(reset, said):
    broken = ok(b"line\nit broke\n", status="500 Internal Server Error")
    with (
        answering(lambda _: broken) as server,
        line_to(server.url, reset=reset) as line,
        pytest.raises(Exception, match=said),
    ):
        line.reset()


def test_nothing_is_reset_that_is_not_configured_or_not_disposable():
    reset = Reset(request="POST /reset", command="exit 1")
    with answering(lambda _: ok()) as server:
        with line_to(server.url) as line:
            assert not line.reset()
        with line_to(server.url, disposable=False, reset=reset) as line:
            assert not line.reset()
    assert not server.requests


def test_after_a_reset_that_restarts_the_service_old_connections_are_not_used():
    with (
        answering(lambda _: ok()) as server,
        line_to(server.url, reset=Reset(command="true")) as line,
    ):
        line.send_case(case(get()))
        line.reset()
        line.send_case(case(get()))
    assert server.connections == 2


def test_a_line_leaves_no_thread_behind():
    before = set(threading.enumerate())  # some of another test's may be about to end
    with line_to("http://127.0.0.1:1") as line:
        assert set(threading.enumerate()) - before
        assert line.send_case(case(get())).fault.kind == "connect"
    assert not set(threading.enumerate()) - before
