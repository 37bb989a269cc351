"""What of workers on other machines needs no cluster: the door they come in by, and its keys."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from premortem.config import Config, RoleConfig, StoreConfig, TargetConfig
from premortem.run.frames import FrameSocket
from premortem.run.messages import Hello, Left, Pace, Stop, encode, to_worker
from premortem.run.ray_actor import mentioned
from premortem.run.ray_door import Closed, Door

HELLO = Hello(worker_id="w1", host="h", pid=1)
PUMPS_MAX = 1000


@pytest.fixture
def door() -> Iterator[Door]:
    opened = Door("127.0.0.1")
    yield opened
    opened.close()


def knocking(door: Door, shown: bytes) -> socket.socket:
    connection = socket.create_connection(door.address, 10)
    connection.settimeout(10)
    connection.sendall(shown)
    return connection


def framed(*messages: Hello | Left) -> bytes:
    return b"".join(len(data).to_bytes(4, "little") + data for data in map(encode, messages))


def heard(door: Door, count: int) -> list[object]:
    """The next COUNT things that come through the door."""
    found: list[object] = []
    for _ in range(PUMPS_MAX):
        if len(found) >= count:
            break
        found += door.pump(0.01)
    return found


def turned_away(door: Door, connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    for _ in range(PUMPS_MAX):
        assert not list(door.pump(0.0))
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            continue
        except ConnectionResetError:
            return True
    return False


def test_who_shows_the_token_is_heard_in_order_until_the_connection_ends(door: Door):
    token = door.expect("w1")
    with knocking(door, token + framed(HELLO, Left(worker_id="w1"))):
        assert heard(door, 2) == [("w1", HELLO), ("w1", Left(worker_id="w1"))]
        assert door.is_open("w1")
    (closed,) = heard(door, 1)
    assert isinstance(closed, Closed)
    assert closed.worker_id == "w1"
    assert not door.is_open("w1")


def test_a_token_may_come_byte_by_byte(door: Door):
    token = door.expect("w1")
    with knocking(door, b"") as connection:
        for byte in token:
            connection.sendall(bytes([byte]))
            assert not list(door.pump(0.01))
        connection.sendall(framed(HELLO))
        assert heard(door, 1) == [("w1", HELLO)]


@pytest.mark.parametrize("shown", [b"x" * 32, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"])
def test_who_shows_no_token_is_turned_away(door: Door, shown: bytes):
    door.expect("w1")
    with knocking(door, shown + framed(HELLO)) as connection:
        assert turned_away(door, connection)


def test_a_token_opens_once(door: Door):
    token = door.expect("w1")
    with knocking(door, token + framed(HELLO)):
        assert heard(door, 1) == [("w1", HELLO)]
        with knocking(door, token + framed(HELLO)) as second:
            assert turned_away(door, second)
        assert door.is_open("w1")


def test_the_token_of_a_worker_that_was_given_up_opens_nothing(door: Door):
    token = door.expect("w1")
    door.forget("w1")
    with knocking(door, token + framed(HELLO)) as connection:
        assert turned_away(door, connection)


def test_what_is_said_before_it_comes_in_reaches_a_worker_in_order(door: Door):
    token = door.expect("w1")
    said = [Pace(elapsed_s=0.0, speed=1.0), Stop(why="never mind", grace_s=0.0)]
    for message in said:
        door.put("w1", message)
    with knocking(door, token + framed(HELLO)) as connection:
        heard(door, 1)
        frames = FrameSocket(connection)
        found: list[bytes] = []
        for _ in range(PUMPS_MAX):
            found += frames.read()
            if len(found) == len(said):
                break
    assert [to_worker(data) for data in found] == said


def test_who_speaks_no_frames_is_let_go(door: Door):
    token = door.expect("w1")
    with knocking(door, token + b"\xff\xff\xff\xff"):
        (closed,) = heard(door, 1)
    assert isinstance(closed, Closed)
    assert "it sent no message" in closed.why


def test_a_worker_gets_the_variables_that_target_and_roles_mention_and_no_others():
    config = Config(
        store=StoreConfig(url="postgresql://pm:${STORE_PASSWORD}@db/pm"),
        target=TargetConfig(base_url="http://x", proxy="http://${PROXY_USER}@proxy"),
        roles={"ann": RoleConfig(basic='ann"s:${ANN}'), "bob": RoleConfig(bearer="${UNSET}")},
    )
    environment = {"STORE_PASSWORD": "s", "PROXY_USER": "p", "ANN": "a", "HOME": "h"}
    assert mentioned(config, environment=environment) == {"PROXY_USER": "p", "ANN": "a"}


def test_without_ray_the_error_names_the_extra():
    script = (
        "import sys; sys.modules['ray'] = None\n"
        "from premortem.run.ray_executor import RayExecutor\n"
        "RayExecutor(environment={}, silent_s=5.0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "ConfigError" in run.stderr
    assert "premortem[ray]" in run.stderr
