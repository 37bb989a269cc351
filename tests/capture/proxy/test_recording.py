"""What passes is recorded, redacted; what becomes of the recording is nothing to the traffic."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import threading

from premortem.config import CaptureConfig
from tests.capture.proxy.harness import proxied, recorded, until
from tests.send.server import answering, ok, serving

LOGIN = b'{"user":"ann","password":"hunter2hunter2","mail":"ann@example.org"}'


def post(path: str, body: bytes, headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_an_exchange_is_recorded_as_it_was_without_its_secrets(tmp_path):
    spool = tmp_path / "spool"
    answer = ok(b'{"token":"0123456789abcdef0123456789abcdef","id":7}')
    request = post(
        "/login?x=1", LOGIN, "Authorization: Bearer abcdefghijklmnop\r\nTE: trailers\r\n"
    )
    with answering(lambda _request: answer) as server, proxied(server.url, spool=spool) as proxy:
        assert proxy.ask(request).endswith(b'"id":7}')
    (exchange,) = recorded(spool)
    assert exchange.request.method == "POST"
    assert exchange.request.origin == server.url
    assert (exchange.request.path, exchange.request.query) == ("/login", (("x", "1"),))
    assert b'"user":"ann"' in exchange.request.body
    assert b"hunter2" not in exchange.request.body
    assert b"ann@example.org" not in exchange.request.body
    assert exchange.response.status == 200
    assert b"0123456789abcdef" not in exchange.response.body
    names = {name for name, _ in exchange.request.headers}
    assert names == {"content-type", "authorization"}
    assert "abcdefghijklmnop" not in str(exchange.request.headers)
    assert exchange.duration_ms > 0
    assert exchange.tags.session
    for path in spool.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert b"login" not in path.read_bytes()


def test_streamed_and_coded_bodies_are_recorded_whole(tmp_path):
    packed = gzip.compress(b'{"a":1}')
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    chunked += b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%b\r\n5\r\n%b\r\n0\r\n\r\n" % (len(packed) - 5, packed[:-5], packed[-5:])
    request = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    request += b"2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n"

    def handle(peer) -> None:
        while b"0\r\n\r\n" not in peer.connection.recv(65536):
            pass
        peer.send(chunked[:150], chunked[150:])

    with serving(handle) as server, proxied(server.url, spool=tmp_path / "s") as proxy:
        assert packed[-5:] in proxy.ask(request)
    (exchange,) = recorded(tmp_path / "s")
    assert exchange.request.body == b"[1,2]"
    assert exchange.response.body == b'{"a":1}'
    assert exchange.response.header("content-encoding") is None


def test_a_body_larger_than_what_is_kept_passes_and_is_left_out(tmp_path):
    capture = CaptureConfig(hosts=("*",), body_bytes_max=1000)
    big = b'"' + b"x" * 5000 + b'"'
    with (
        answering(lambda _request: ok(big)) as server,
        proxied(server.url, spool=tmp_path / "s", capture=capture) as proxy,
    ):
        assert proxy.ask(post("/a", big)).endswith(big)
        assert proxy.proxy.copied_bytes == 0
    (exchange,) = recorded(tmp_path / "s")
    assert (exchange.request.body, exchange.response.body) == (b"", b"")
    assert proxy.proxy.recording is not None
    assert proxy.proxy.recording.report.bodies_dropped == 2


def test_the_filters_of_the_configuration_hold(tmp_path):
    capture = CaptureConfig(hosts=("*",), exclude_paths=("/health*",), operation_per_minute_max=3)
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, spool=tmp_path / "s", capture=capture) as proxy,
    ):
        proxy.ask(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        for n in range(10):
            proxy.ask(b"GET /things/%d HTTP/1.1\r\nHost: a\r\n\r\n" % n)
    assert proxy.proxy.recording is not None
    report = proxy.proxy.recording.report
    kept = recorded(tmp_path / "s")
    assert {exchange.request.path.split("/")[1] for exchange in kept} == {"things"}
    # The minute may turn while the test runs.
    assert len(kept) in range(3, 7)
    assert report.dropped == {"path": 1, "over operation_per_minute_max": 10 - len(kept)}


def test_sampling_keeps_or_leaves_whole_clients(tmp_path):
    capture = CaptureConfig(hosts=("*",), sample=0.5)
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, spool=tmp_path / "s", capture=capture) as proxy,
    ):
        for n in range(40):
            for _ in range(3):
                proxy.ask(
                    b"GET /%d HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %d\r\n\r\n" % (n, n)
                )
        left_out = proxy.proxy.counts.not_sampled
    kept = [exchange.request.path for exchange in recorded(tmp_path / "s")]
    assert len(kept) + left_out == 120
    assert 5 < len(set(kept)) < 35
    # A client's coin is thrown anew each minute: one may be cut in two.
    assert sum(kept.count(path) != 3 for path in set(kept)) in range(len(set(kept)) + 1)


def test_exchanges_without_a_whole_answer_and_websockets_are_not_recorded(tmp_path):
    def handle(peer) -> None:
        request = peer.request()
        if b"upgrade" in request.lower():
            peer.send(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nhi")
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    head = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with serving(handle) as server, proxied(server.url, spool=tmp_path / "s") as proxy:
        proxy.ask(head)
        proxy.ask(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
    assert recorded(tmp_path / "s") == []


def test_a_recorder_that_is_killed_costs_exchanges_but_no_request(tmp_path):
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, spool=tmp_path / "s") as proxy,
    ):
        recording = proxy.proxy.recording
        assert recording is not None
        proxy.ask(post("/before", b"{}"))
        until(lambda: recording.report.written == 1)
        first = recording.pid
        os.kill(first, signal.SIGKILL)
        until(lambda: recording.pid != first)
        for _ in range(20):
            assert proxy.ask(post("/while", b"{}")).startswith(b"HTTP/1.1 200")
        assert recording.dropped == 20
        until(lambda: recording.pid not in (0, first))
        proxy.ask(post("/after", b"{}"))
    assert recording.deaths == 1
    assert recording.dropped == 20
    paths = [exchange.request.path for exchange in recorded(tmp_path / "s")]
    assert paths == ["/before", "/after"]


def test_a_recorder_that_hangs_fills_the_queue_and_no_more(tmp_path):
    body = b'"' + b"x" * 50_000 + b'"'
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, spool=tmp_path / "s", queue_bytes_max=500_000) as proxy,
    ):
        recording = proxy.proxy.recording
        assert recording is not None
        proxy.ask(post("/first", b"{}"))
        until(lambda: recording.report.written == 1)
        os.kill(recording.pid, signal.SIGSTOP)
        try:
            with proxy.client() as client:
                for _ in range(200):
                    client.send(post("/a", body))
                    client.until(b"{}")
            assert 100 < recording.dropped < 200
        finally:
            os.kill(recording.pid, signal.SIGCONT)
    assert len(recorded(tmp_path / "s")) == 201 - recording.dropped


def test_a_full_disk_is_said_and_traffic_passes(tmp_path):
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, spool=tmp_path / "s") as proxy,
    ):
        recording = proxy.proxy.recording
        assert recording is not None
        _, most = resource.prlimit(recording.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(recording.pid, resource.RLIMIT_FSIZE, (100, most))
        proxy.ask(post("/a", b"{}"))
        until(lambda: recording.report.lost == 1)
        assert "the disk is full" in recording.report.trouble
        assert proxy.ask(post("/b", b"{}")).startswith(b"HTTP/1.1 200")
        resource.prlimit(recording.pid, resource.RLIMIT_FSIZE, (most, most))
    assert recorded(tmp_path / "s") == []


def test_many_clients_at_once_are_all_recorded(tmp_path):
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, spool=tmp_path / "s", queue_bytes_max=1 << 26) as proxy,
    ):
        server.requests = []

        def visit(number: int) -> None:
            with proxy.client() as client:
                for step in range(50):
                    client.send(post(f"/{number}/{step}", b"{}"))
                    client.until(b"{}")

        threads = [threading.Thread(target=visit, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    paths = {exchange.request.path for exchange in recorded(tmp_path / "s")}
    assert len(paths) == 1000
    assert proxy.proxy.recording is not None
    assert proxy.proxy.recording.dropped == 0
