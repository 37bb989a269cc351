"""What a client sends reaches the service, and its answer comes back, whatever its form."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from tests.capture.proxy.harness import proxied, until
from tests.send.server import answering, ok, serving, unused_port

GET = b"GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nX-Own: 1\r\n\r\n"


def test_a_request_goes_on_with_the_services_host_and_where_it_came_from():
    with answering(lambda _request: ok(b'{"a":1}')) as server, proxied(server.url) as proxy:
        answer = proxy.ask(GET)
        head = server.requests[0].decode().lower()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'\r\n\r\n{"a":1}')
    assert head.startswith("get /a?b=c http/1.1\r\n")
    assert f"host: 127.0.0.1:{server.port}\r\n" in head
    assert "x-own: 1\r\n" in head
    assert "x-forwarded-for: 127.0.0.1\r\n" in head
    assert "x-forwarded-host: shop.example\r\n" in head
    assert "x-forwarded-proto: http\r\n" in head
    assert "via: 1.1 premortem\r\n" in head


def test_what_other_proxies_said_is_kept():
    request = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n"
    request += b"X-Forwarded-Proto: https\r\nVia: 1.1 edge\r\nX-Forwarded-Host: b\r\n\r\n"
    with answering(lambda _request: ok()) as server, proxied(server.url) as proxy:
        proxy.ask(request)
        head = server.requests[0].decode().lower()
    assert "x-forwarded-for: 9.9.9.9, 127.0.0.1\r\n" in head
    assert "x-forwarded-proto: https\r\n" in head
    assert "x-forwarded-host: b\r\n" in head
    assert "via: 1.1 edge, 1.1 premortem\r\n" in head
    assert head.count("via:") == 1


def test_the_clients_host_is_kept_where_it_is_asked_for():
    with (
        answering(lambda _request: ok()) as server,
        proxied(f"{server.url}/prefix", keep_host=True) as proxy,
    ):
        proxy.ask(GET)
    assert server.requests[0].startswith(b"GET /prefix/a?b=c HTTP/1.1\r\nhost: shop.example\r\n")


def test_fields_of_one_hop_do_not_go_on():
    request = (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop, Authorization\r\n"
        b"X-Hop: 1\r\nAuthorization: Bearer t\r\nTE: trailers\r\nProxy-Authorization: x\r\n"
        b"Keep-Alive: 5\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
    )
    headers = "Connection: X-Own-Hop\r\nX-Own-Hop: 1\r\nKeep-Alive: 5\r\nX-Stays: 1\r\n"
    with answering(lambda _request: ok(headers=headers)) as server, proxied(server.url) as proxy:
        answer = proxy.ask(request).lower()
    head = server.requests[0].lower()
    for name in (b"x-hop", b"te:", b"proxy-authorization", b"keep-alive", b"upgrade", b"http2"):
        assert name not in head
    assert b"authorization: bearer t\r\n" in head, "a client cannot have its credentials removed"
    assert b"x-own-hop" not in answer
    assert b"keep-alive" not in answer
    assert b"x-stays: 1\r\n" in answer


def test_requests_of_one_client_share_its_connection_and_one_to_the_service():
    with answering(lambda _request: ok()) as server, proxied(server.url) as proxy:
        with proxy.client() as client:
            for _ in range(50):
                client.send(GET)
                client.until(b"{}")
        assert server.connections == 1
    assert len(server.requests) == 50


def test_pipelined_requests_are_answered_in_their_order():
    def reply(request: bytes) -> bytes:
        return ok(request.split(b" ")[1])

    sent = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" % n for n in range(200)
    )
    with answering(reply) as server, proxied(server.url) as proxy:
        answer = proxy.ask(sent)
        assert [part.split(b"HTTP")[0] for part in answer.split(b"\r\n\r\n")[1:]] == [
            b"/%d" % n for n in range(200)
        ]
        assert server.connections == 1


def test_a_chunked_body_goes_on_chunk_by_chunk_while_it_comes():
    seen: list[bytes] = []

    def handle(peer) -> None:
        while b"0\r\n" not in b"".join(seen):
            seen.append(peer.connection.recv(65536))
        peer.send(ok())

    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(head + b"5;name=value\r\nhello\r\n")
        until(lambda: b"5\r\nhello\r\n" in b"".join(seen))
        client.send(b"3\r\nyou\r\n0\r\nX-Sum: 8\r\nContent-Length: 9\r\n\r\n")
        client.until(b"{}")
    sent = b"".join(seen)
    assert b"transfer-encoding: chunked\r\n" in sent
    assert b";name" not in sent
    assert sent.endswith(b"5\r\nhello\r\n3\r\nyou\r\n0\r\nX-Sum: 8\r\n\r\n")


def test_an_answer_is_passed_on_while_it_comes():
    goes_on = threading.Event()

    def handle(peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata 1\r\n")
        goes_on.wait(10)
        peer.send(b"6\r\ndata 2\r\n0\r\n\r\n")

    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(GET)
        client.until(b"data 1\r\n")
        goes_on.set()
        client.until(b"6\r\ndata 2\r\n0\r\n\r\n")


def test_an_answer_that_ends_with_its_connection_is_framed_for_the_client():
    def handle(peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil", b" the end")

    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        for _ in range(2):
            client.send(GET)
            assert b"transfer-encoding: chunked" in client.until(b"\r\n\r\n")
            client.until(b"0\r\n\r\n")


def test_a_client_of_http_1_0_gets_no_chunks():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    with answering(lambda _request: chunked) as server, proxied(server.url) as proxy:
        answer = proxy.ask(b"GET / HTTP/1.0\r\n\r\n")
        kept = proxy.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert answer.endswith(b"connection: close\r\n\r\nab")
    assert kept.endswith(b"connection: close\r\n\r\nab")
    assert b"host: " in server.requests[0]


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("HEAD", "200 OK", "Content-Length: 1234\r\n"),
        ("GET", "204 No Content", ""),
        ("GET", "304 Not Modified", "ETag: x\r\nContent-Length: 99\r\n"),
    ],
)
def test_answers_without_a_body_end_with_their_head(method, status, headers):
    reply = f"HTTP/1.1 {status}\r\n{headers}\r\n".encode()
    with answering(lambda _request: reply) as server, proxied(server.url) as proxy:
        with proxy.client() as client:
            for _ in range(3):
                client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                head = client.until(b"\r\n\r\n").decode().lower()
                assert headers.lower() in head
                assert "transfer-encoding" not in head
        assert server.connections == 1


def test_a_get_may_have_a_body():
    with answering(lambda request: ok(request[-3:])) as server, proxied(server.url) as proxy:
        answer = proxy.ask(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
    assert answer.endswith(b"\r\n\r\nabc")


def test_who_asks_first_gets_told_to_go_on():
    def handle(peer) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += peer.connection.recv(65536)
        assert b"expect: 100-continue" in request.lower()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        assert peer.connection.recv(65536) == b"abc"
        peer.send(ok())

    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(head)
        assert b"103 Early Hints\r\nLink: </a>\r\n" in client.until(b"100 Continue\r\n\r\n")
        client.send(b"abc")
        client.until(b"{}")


def test_an_answer_before_the_request_ended_reaches_the_client_who_then_is_left():
    def handle(peer) -> None:
        peer.connection.recv(65536)
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        peer.connection.recv(65536)

    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(head + b"x" * 1000)
        assert b"413" in client.until(b"no")
        client.send(b"x" * 500_000)
        assert client.rest() == b""


def test_a_websocket_passes_both_ways_and_the_service_may_speak_first():
    def handle(peer) -> None:
        request = peer.request().lower()
        assert b"upgrade: websocket\r\n" in request
        assert b"connection: upgrade\r\n" in request
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  b"Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello")  # fmt: skip
        while data := peer.connection.recv(65536):
            peer.send(data.upper())
        peer.send(b"bye")

    head = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(head)
        assert b"Sec-WebSocket-Accept: x\r\n" in client.until(b"hello")
        client.send(b"some frame")
        client.until(b"SOME FRAME")
        client.half_close()
        assert client.rest() == b"bye"
        assert proxy.proxy.counts.upgraded == 1


def test_a_service_that_is_down_is_said_and_the_connection_stays():
    with proxied(f"http://127.0.0.1:{unused_port()}") as proxy, proxy.client() as client:
        for _ in range(2):
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
            assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
            client.until(b"refused\n")


def test_an_answer_that_breaks_off_breaks_the_clients_connection():
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"

    def handle(peer) -> None:
        peer.request()
        peer.send(cut)

    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(GET)
        client.until(b"half")
        assert client.rest() == b""
        until(lambda: proxy.proxy.counts.failed == 1)


def test_only_what_may_be_repeated_is_sent_again_after_a_kept_connection_closed():
    answered = threading.Event()

    def handle(peer) -> None:
        while peer.number > 0:
            if not peer.request():
                return
            peer.send(ok())
        peer.request()
        peer.send(ok())
        # It reads the next request, and closes without an answer.
        peer.request()
        answered.set()

    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(GET)
        client.until(b"{}")
        client.send(GET)
        client.until(b"{}")
        assert answered.is_set()
        assert server.connections == 2


def test_a_slow_client_slows_the_service_down_instead_of_filling_memory():
    size = 64 * 1024 * 1024
    written = [0]

    def handle(peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = b"x" * 65536
        while written[0] < size:
            peer.connection.sendall(piece)
            written[0] += len(piece)

    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(GET)
        client.until(b"\r\n\r\n")
        before = -1
        while before != written[0]:  # until the service can write no more
            before = written[0]
            time.sleep(0.1)
        assert written[0] < size / 2
        rest = 0
        while rest < size:
            rest += len(client.connection.recv(1 << 20)) if rest else len(client._buffer) or 0
            if not rest:
                rest = len(client.connection.recv(1 << 20))
        assert rest == size


def test_a_slow_service_slows_the_client_down():
    goes_on = threading.Event()

    def handle(peer) -> None:
        goes_on.wait(10)
        left = 32 * 1024 * 1024
        while left > 0:
            left -= len(peer.connection.recv(1 << 20))
        peer.send(ok())

    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33554432\r\n\r\n")
        client.connection.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 32 * 1024 * 1024:
                sent += client.connection.send(b"x" * 65536)
        assert sent < 32 * 1024 * 1024
        goes_on.set()
        client.connection.settimeout(20)
        client.send(b"x" * (33554432 - sent))
        client.until(b"{}")


def test_a_client_that_leaves_within_its_body_takes_its_request_with_it():
    ended = threading.Event()

    def handle(peer) -> None:
        while peer.connection.recv(65536):
            pass
        ended.set()

    with serving(handle) as server, proxied(server.url) as proxy:
        with proxy.client() as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            until(lambda: server.connections == 1)
        assert ended.wait(10)
        until(lambda: proxy.proxy.counts.aborted == 1)
        assert proxy.proxy.active == 0


def test_requests_under_way_are_answered_when_the_proxy_ends():
    came, goes_on = threading.Event(), threading.Event()

    def handle(peer) -> None:
        peer.request()
        came.set()
        goes_on.wait(10)
        peer.send(ok())

    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        client.send(GET)
        assert came.wait(10)
        ending = threading.Thread(target=proxy.close)
        ending.start()
        until(lambda: proxy.proxy.draining)
        with pytest.raises(OSError, match="refused"):
            until(lambda: bool(socket.create_connection(("127.0.0.1", proxy.port), 5).close()))
        goes_on.set()
        assert b"connection: close\r\n" in client.until(b"{}")
        assert client.rest() == b""
        ending.join(20)


def test_ten_thousand_requests_leave_nothing_behind():
    with answering(lambda _request: ok()) as server, proxied(server.url) as proxy:
        server.requests = Forgetful()
        with proxy.client() as client:
            batch = 100
            for _ in range(10_000 // batch):
                client.send(GET * batch)
                for _ in range(batch):
                    client.until(b"{}")
        until(lambda: proxy.proxy.active == 0)
        assert proxy.proxy.counts.passed == 10_000
        assert proxy.proxy.copied_bytes == 0
        assert server.connections < 10


class Forgetful(list):
    def append(self, _item: object) -> None:
        pass


def test_a_service_behind_tls_is_reached_when_its_authority_is_known(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = subprocess.run(
        [*command, "-keyout", key, "-out", certificate], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("openssl is not installed")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)

    def handle(peer) -> None:
        while peer.request():
            peer.send(ok())

    with serving(handle, tls=server_side) as server:
        url = f"https://localhost:{server.port}"
        trusting = ssl.create_default_context(cafile=str(certificate))
        with proxied(url, tls=trusting) as proxy:
            assert proxy.ask(GET).startswith(b"HTTP/1.1 200")
        with proxied(url, tls=ssl.create_default_context()) as proxy:
            answer = proxy.ask(GET)
    assert answer.startswith(b"HTTP/1.1 502")
    assert b"self-signed" in answer
