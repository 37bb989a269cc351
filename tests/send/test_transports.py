"""One contract for HTTP/1.1 and HTTP/2, plain and over TLS, through a real server."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json

import pytest

from premortem.config import TargetConfig
from premortem.domain.run import Fault
from premortem.domain.traffic import Response
from premortem.errors import ConfigError, TargetError
from premortem.send.opening import new_sender
from tests.send import gateway as nginx
from tests.send.cases import get, post, run
from tests.send.server import Peer, ok, serving, unused_port

pytest.importorskip("pycurl", reason="the extra http2 is not installed")
pytestmark = pytest.mark.skipif(not nginx.available(), reason=nginx.MISSING)

ROADS = [("http", "1.1"), ("http", "2"), ("https", "1.1"), ("https", "2")]


class Service:
    """Answers as its path says; /echo tells what came."""

    def __init__(self) -> None:
        self.arrived = itertools.count()
        self.count = 0

    def handle(self, peer: Peer) -> None:
        while request := peer.request():
            self.count = next(self.arrived) + 1
            head, _, body = request.partition(b"\r\n\r\n")
            line, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = line.split(" ")
            path, _, rest = target.partition("?")[0][1:].partition("/")
            if path == "silent":
                peer.connection.settimeout(5)
                peer.request()
                return
            if path in ("cut", "drip"):
                peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
                if path == "drip":
                    peer.connection.settimeout(5)
                    peer.request()
                return
            fields = [tuple(each.split(": ", 1)) for each in lines]
            peer.send(self.reply(path, rest, method, target, fields, body))

    def reply(self, path, rest, method, target, fields, body) -> bytes:
        if path == "status":
            if rest in ("204", "304"):
                return f"HTTP/1.1 {rest} X\r\netag: x\r\n\r\n".encode()
            return ok(b"{}", status=f"{rest} X")
        if path == "size":
            return ok(b"x" * int(rest))
        if path == "zipped":
            return ok(
                gzip.compress(b"y" * int(rest), mtime=0), headers="content-encoding: gzip\r\n"
            )
        if path == "headers":
            return ok(headers="".join(f"x-{n}: {n}\r\n" for n in range(int(rest))))
        if path == "cookies":
            return ok(headers="Set-Cookie: a=1\r\nset-cookie: b=2\r\n")
        if path == "chunked":
            head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            return head + b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nx-trailer: 1\r\n\r\n"
        told = {
            "method": method,
            "target": target,
            "fields": fields,
            "body": body.decode("latin-1"),
        }
        answer = ok(json.dumps(told).encode())
        return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else answer


class Road:
    """A scheme and a version to the service."""

    def __init__(self, gateway: nginx.Gateway, service: Service, scheme: str, version: str) -> None:
        self.gateway, self.service = gateway, service
        self.scheme, self.version = scheme, version
        self.url = gateway.url(scheme, version)

    def sender(self, *, prefix: str = "", options: dict | None = None, **target):
        fields = {"base_url": self.url + prefix, "http": self.version, "ca": self.gateway.authority}
        return new_sender(
            TargetConfig(**(fields | target)), **({"timeout_s": 5.0} | (options or {}))
        )

    def sends(self, *requests, credentials=(), **options):
        async def work():
            async with self.sender(**options) as sender:
                return [await sender.send(each, credentials=credentials) for each in requests]

        return run(work)

    def send(self, request, **options):
        return self.sends(request, **options)[0]

    def echo(self, request, **options):
        sent = self.send(request, **options)
        assert sent.response is not None, sent.fault
        return json.loads(sent.response.body)


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    service = Service()
    with (
        serving(service.handle) as server,
        nginx.gateway(tmp_path_factory.mktemp("nginx"), server.port) as gateway,
    ):
        yield gateway, service


@pytest.fixture(params=ROADS, ids=lambda road: f"{road[0]}-{road[1]}")
def road(request, standing):
    return Road(*standing, *request.param)


def test_the_protocol_is_the_one_that_was_asked_for(road):
    path = f"/echo/{road.scheme}-{road.version}"
    assert road.send(get(path)).response.status == 200
    spoken = "HTTP/2.0" if road.version == "2" else "HTTP/1.1"
    assert road.gateway.saw(f"GET {path} {spoken}")


@pytest.mark.parametrize(
    ("request_", "method", "target", "body"),
    [
        (
            get("/echo/a b", query=(("q", "a b&c"), ("q", "é"))),
            "GET",
            "/echo/a%20b?q=a%20b%26c&q=%C3%A9",
            "",
        ),
        (get("/echo/../x/./y"), "GET", "/echo/../x/./y", ""),
        (post("/echo", b'{"a":1}'), "POST", "/echo", '{"a":1}'),
        (post("/echo", b""), "POST", "/echo", ""),
        (post("/echo", b"\x00\xff" * 9), "POST", "/echo", "\x00\xff" * 9),
        (get("/echo", method="DELETE"), "DELETE", "/echo", ""),
        (post("/echo", b"[]", method="PATCH"), "PATCH", "/echo", "[]"),
        (post("/echo", b"[]", method="PUT"), "PUT", "/echo", "[]"),
        (post("/echo", b"[]", method="DELETE"), "DELETE", "/echo", "[]"),
        (get("/echo", method="OPTIONS"), "OPTIONS", "/echo", ""),
        (get("/echo", method="PURGE"), "PURGE", "/echo", ""),
    ],
)
def test_what_is_sent_is_what_arrives(road, request_, method, target, body):
    told = road.echo(request_)
    assert (told["method"], told["target"], told["body"]) == (method, target, body)


def test_headers_arrive_once_each_and_none_is_added(road):
    mine = (("x-a", "1"), ("x-a", "2"), ("x-empty", ""), ("cookie", "a=1"), ("x-utf", "é"))
    told = road.echo(post("/echo", b"", headers=mine), credentials=(("cookie", "b=2"),))
    fields = [tuple(each) for each in told["fields"]]
    names = sorted(name.lower() for name, _ in fields)
    added = {"host", "content-length", "connection"}
    assert [n for n in names if n not in added] == sorted(
        ["x-a", "x-a", "x-empty", "cookie", "x-utf", "accept-encoding", "user-agent"]
    )
    values = {name.lower(): value for name, value in fields}
    assert values["cookie"] == "a=1; b=2"
    assert values["accept-encoding"] == "identity"
    assert values["user-agent"] == "premortem"
    assert values["host"].startswith("127.0.0.1:")
    assert values["content-length"] == "0"


def test_one_sender_s_requests_do_not_colour_one_another(road):
    sent = road.sends(
        post("/echo", b"one", headers=(("x-a", "1"),)),
        get("/echo"),
        get("/echo", method="HEAD"),
        get("/echo"),
        post("/echo", b""),
        get("/echo", method="DELETE"),
    )
    told = [json.loads(one.response.body) if one.response.body else None for one in sent]
    assert told[2] is None
    assert [one["method"] for one in told if one] == ["POST", "GET", "GET", "POST", "DELETE"]
    assert [one["body"] for one in told if one] == ["one", "", "", "", ""]
    assert not any(name.lower() == "x-a" for one in told[3:] for name, _ in one["fields"])


@pytest.mark.parametrize("status", [201, 204, 304, 400, 404, 500, 503])
def test_every_status_is_an_answer(road, status):
    answer = road.send(get(f"/status/{status}")).response
    assert answer.status == status
    assert answer.body == (b"" if status in (204, 304) else b"{}")


def test_header_names_are_lower_case_and_repeated_ones_stay_apart(road):
    headers = road.send(get("/cookies")).response.headers
    assert [value for name, value in headers if name == "set-cookie"] == ["a=1", "b=2"]
    assert ("content-type", "application/json") in headers


def test_a_base_url_s_path_stands_before_the_request_s(road):
    assert road.echo(get("/echo"), prefix="/v1")["target"] == "/v1/echo"


@pytest.mark.parametrize("path", ["/chunked", "/zipped/12", "/size/0", "/headers/300"])
def test_bodies_and_heads_of_every_kind_are_read(road, path):
    answer = road.send(get(path)).response
    bodies = {"/chunked": b"hello world", "/zipped/12": b"y" * 12, "/size/0": b""}
    assert answer.body == bodies.get(path, answer.body)
    assert answer.header("x-trailer") is None
    assert path != "/headers/300" or answer.header("x-299") == "299"


@pytest.mark.parametrize("path", ["/size/5000", "/zipped/5000"])
def test_the_response_size_cap_holds(road, path):
    assert len(road.send(get(path), response_bytes_max=5000).response.body) == 5000
    fault = road.send(get(path), response_bytes_max=4999).fault
    assert (fault.kind, fault.sent) == ("too_large", True)


def test_an_answer_that_is_cut_off_is_a_reset(road):
    fault = road.send(get("/cut")).fault
    assert (fault.kind, fault.sent) == ("reset", True)


@pytest.mark.parametrize(("path", "said"), [("/silent", "no byte"), ("/drip", "did not end")])
def test_an_answer_that_does_not_come_or_end_is_a_timeout(road, path, said):
    fault = road.send(get(path), options={"timeout_s": 0.3}).fault
    assert (fault.kind, fault.sent) == ("timeout", True)
    assert said in fault.detail


def test_nobody_listening_is_a_connect_fault(road):
    url = f"{road.scheme}://127.0.0.1:{unused_port()}"
    fault = road.send(post(), base_url=url).fault
    assert (fault.kind, fault.sent) == ("connect", False)


def test_what_cannot_be_written_or_is_meant_for_another_host_is_not_sent(road):
    fault = road.send(get(headers=(("x", "a\r\nevil: 1"),))).fault
    assert (fault.kind, fault.sent) == ("garbage", False)
    with pytest.raises(TargetError, match="only"):
        road.send(get(origin="http://example.com"))


@pytest.mark.parametrize("road", ROADS[2:], indirect=True)
def test_an_unknown_authority_is_a_tls_fault_that_says_what_to_do(road):
    fault = road.send(get(), ca="").fault
    assert (fault.kind, fault.sent) == ("tls", False)
    assert "`ca` under [target]" in fault.detail


def test_a_ca_file_that_cannot_be_read_is_named(road, tmp_path):
    with pytest.raises(ConfigError, match=r"`ca` under \[target\].*absent"):
        road.sender(ca=str(tmp_path / "absent.pem"), base_url="https://x")


# The callback door.


def begun(road, requests, **options):
    """What came of REQUESTS begun all at once: (index, outcome, began, ended) as they ended."""

    async def work():
        async with road.sender(options=options) as sender:
            ended, over = [], asyncio.get_running_loop().create_future()
            called = [0]

            def done_for(index):
                def done(outcome, began, at):
                    ended.append((index, outcome, began, at))
                    if len(ended) == len(requests):
                        over.set_result(None)

                return done

            before = sender.now()
            for index, request in enumerate(requests):
                sender.begin(
                    sender.prepare(request),
                    done_for(index),
                    head=request.method == "HEAD",
                    idempotent=request.method == "GET",
                )
                assert not ended, "never within begin"
            called.append(sender.waiting)
            await asyncio.wait_for(over, 30)
            return ended, called[1], sender.connections_opened, before, sender.now()

    return run(work)


def test_each_request_ends_once_with_its_own_answer(road):
    requests = [post("/echo", f"[{n}]".encode()) for n in range(300)]
    ended, waiting, connections, before, after = begun(road, requests, connections_max=20)
    assert sorted(index for index, *_ in ended) == list(range(300))
    assert all(json.loads(o.body)["body"] == f"[{i}]" for i, o, *_ in ended)
    assert all(before <= began <= at <= after for _, _, began, at in ended)
    assert waiting >= 280
    assert connections <= (20 if road.version == "1.1" else 8)


def test_in_http_2_many_requests_share_one_connection(standing):
    road = Road(*standing, "https", "2")
    ended, _, connections, *_ = begun(road, [get("/echo")] * 100, connections_max=50)
    assert {outcome.status for _, outcome, *_ in ended} == {200}
    assert connections == 1


def test_closing_ends_what_is_under_way_and_what_waits_each_once(road):
    async def work():
        outcomes = []
        async with road.sender(options={"connections_max": 2}) as sender:
            for _ in range(5):
                sender.begin(sender.prepare(get("/silent")), lambda *all_: outcomes.append(all_[0]))
            await sender.send(get("/echo"), timeout_s=0.3)
        sender.begin(sender.prepare(get()), lambda *all_: outcomes.append(all_[0]))
        await asyncio.sleep(0.01)
        return outcomes

    outcomes = run(work)
    assert len(outcomes) == 6
    assert all(isinstance(o, Fault) and o.kind == "reset" for o in outcomes)
    assert [o.sent for o in outcomes].count(True) == 2


def test_a_request_that_nobody_waits_for_any_more_leaves_its_place_to_the_next(road):
    async def work():
        async with road.sender(options={"connections_max": 1}) as sender:
            slow = asyncio.create_task(sender.send(get("/silent")))
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(sender.send(get("/silent")))
            await asyncio.sleep(0)
            for task in (slow, waiting):
                task.cancel()
            await asyncio.gather(slow, waiting, return_exceptions=True)
            return (await sender.send(get("/echo"))).response, sender.waiting

    answer, waiting = run(work)
    assert isinstance(answer, Response)
    assert waiting == 0


def test_done_may_begin_the_next_request_again_and_again(road):
    async def work():
        async with road.sender(options={"connections_max": 3}) as sender:
            left, over = [60], asyncio.get_running_loop().create_future()
            data = sender.prepare(post("/echo", b"{}"))

            def done(outcome, _began, _ended):
                assert outcome.status == 200
                left[0] -= 1
                if left[0] >= 3:
                    sender.begin(data, done)
                elif not left[0]:
                    over.set_result(sender.connections_opened)

            for _ in range(3):
                sender.begin(data, done)
            return await asyncio.wait_for(over, 20)

    assert run(work) <= 3


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_server_that_ends_connections_gets_no_post_twice(tmp_path, version):
    service = Service()
    with (
        serving(service.handle) as server,
        nginx.gateway(tmp_path, server.port, keepalive_requests=7) as gateway,
    ):
        road = Road(gateway, service, "https", version)
        ended, *_ = begun(
            road, [post("/echo", f"{n}".encode()) for n in range(200)], connections_max=10
        )
        outcomes = [outcome for _, outcome, *_ in ended]
    answered = sum(isinstance(outcome, Response) for outcome in outcomes)
    doubtful = sum(isinstance(outcome, Fault) and outcome.sent for outcome in outcomes)
    assert len(outcomes) == 200
    assert answered <= service.count <= answered + doubtful
    # A stream beyond a GOAWAY was not taken, and is sent again; libcurl gives up after a few.
    assert answered >= 190


def test_a_target_that_does_not_speak_http_2_is_told_apart(standing):
    gateway, service = standing
    road = Road(gateway, service, "https", "2")
    road.url = f"https://127.0.0.1:{gateway.ports['tls_1']}"
    fault = road.send(get("/echo")).fault
    assert (fault.kind, fault.sent) == ("garbage", True)
    assert "HTTP/2" in fault.detail
