"""Which connection a request takes, and what goes out on it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time

import pytest

from premortem.config import TargetConfig
from premortem.errors import ConfigError, TargetError
from premortem.send.http import IDLE_S_MAX, Sender
from tests.send.cases import get, post, run, send, sends
from tests.send.certificates import make_certificates
from tests.send.server import Peer, answering, ok, serving, unused_port


def parse(request: bytes) -> tuple[str, dict[str, str]]:
    head = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return head[0], dict(line.split(": ", 1) for line in head[1:])


def seen(request, **target) -> tuple[str, dict[str, str]]:
    with answering(lambda _: ok()) as server:
        prefix = target.pop("prefix", "")
        assert send(server.url + prefix, request, **target).response.status == 200
    return parse(server.requests[0])


def test_a_request_is_written_with_host_length_and_identity():
    line, headers = seen(post("/a/b", b"12345", query=(("q", "a b&c"), ("q", "é"))))
    assert line == "POST /a/b?q=a%20b%26c&q=%C3%A9 HTTP/1.1"
    assert headers["host"].startswith("127.0.0.1:")
    assert headers["content-length"] == "5"
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(("method", "length"), [("GET", None), ("DELETE", None), ("POST", "0")])
def test_an_empty_body_names_a_length_only_where_one_is_expected(method, length):
    assert seen(get(method=method))[1].get("content-length") == length


def test_hop_by_hop_headers_of_a_case_are_not_sent():
    mine = (("transfer-encoding", "chunked"), ("host", "evil"), ("content-length", "99"))
    _, headers = seen(post(headers=mine))
    assert headers["host"] != "evil"
    assert headers["content-length"] == "2"
    assert "transfer-encoding" not in headers


def test_credentials_take_the_place_of_the_same_header_and_join_cookies():
    async def work(url: str) -> None:
        async with Sender(TargetConfig(base_url=url)) as sender:
            await sender.send(
                get(headers=(("authorization", "old"), ("cookie", "a=1"))),
                credentials=(("authorization", "new"), ("cookie", "sid=2")),
            )

    with answering(lambda _: ok()) as server:
        run(lambda: work(server.url))
    headers = parse(server.requests[0])[1]
    assert headers["authorization"] == "new"
    assert headers["cookie"] == "a=1; sid=2"


@pytest.mark.parametrize(
    ("prefix", "path", "sent"),
    [
        ("/v1", "/users", "/v1/users"),
        ("/v1/", "/users", "/v1/users"),
        ("/v1", "/v1/users", "/v1/users"),
        ("/v1", "/v1", "/v1"),
        ("/v1", "/v11/users", "/v1/v11/users"),
        ("", "/a b/\n/é", "/a%20b/%0A/%C3%A9"),
        ("", "/kept%2Fas:it@is", "/kept%2Fas:it@is"),
        ("", "no-slash", "/no-slash"),
    ],
)
def test_the_base_url_s_path_stands_before_paths_that_do_not_start_with_it(prefix, path, sent):
    assert seen(get(path), prefix=prefix)[0] == f"GET {sent} HTTP/1.1"


@pytest.mark.parametrize(
    "request_",
    [get(headers=(("x", "a\r\nevil: 1"),)), get(headers=(("a b", "1"),)), get(method="G T")],
)
def test_what_cannot_be_written_is_a_fault_that_was_not_sent(request_):
    with answering(lambda _: ok()) as server:
        fault = send(server.url, request_).fault
    assert (fault.kind, fault.sent) == ("garbage", False)
    assert not server.requests


def test_nothing_goes_to_another_host():
    with answering(lambda _: ok()) as server:
        assert send(server.url, get(origin=server.url)).response.status == 200
        with pytest.raises(TargetError, match="only http://127"):
            send(server.url, get(origin="http://example.com"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not set"),
        ("127.0.0.1:80", "write it like"),
        ("ftp://x", "write it like"),
        ("http://u:p@x", "credentials"),
        ("http://x/?a=1", "leave out"),
        ("http://x:99999", "no URL"),
    ],
)
def test_a_base_url_that_cannot_be_used_is_named(url, said):
    with pytest.raises(ConfigError, match=said) as raised:
        Sender(TargetConfig(base_url=url))
    assert "base_url" in str(raised.value)
    assert "u:p" not in str(raised.value)


def test_nobody_listening_is_a_connect_fault_that_was_not_sent():
    fault = send(f"http://127.0.0.1:{unused_port()}", post()).fault
    assert (fault.kind, fault.sent) == ("connect", False)


def test_one_connection_is_kept_and_many_are_opened_only_when_needed():
    async def work(url: str, connections_max: int) -> int:
        config = TargetConfig(base_url=url)
        async with Sender(config, connections_max=connections_max) as sender:
            for _ in range(3):
                await sender.send(get())
            assert sender.connections_opened == 1
            sent = await asyncio.gather(*(sender.send(get()) for _ in range(40)))
            assert [s.response.status for s in sent] == [200] * 40
            return sender.connections_opened

    with answering(lambda _: ok()) as server:
        assert run(lambda: work(server.url, 5)) == 5


def test_waiting_for_a_free_connection_ends_with_the_timeout():
    async def work(url: str) -> list[str]:
        config = TargetConfig(base_url=url)
        async with Sender(config, connections_max=1, timeout_s=0.2) as sender:
            sent = await asyncio.gather(*(sender.send(get()) for _ in range(3)))
            return [f"{s.fault.kind} {s.fault.sent}" for s in sent]

    with serving(lambda peer: [None for _ in iter(peer.request, b"")]) as server:
        assert run(lambda: work(server.url))[1:] == ["timeout False", "timeout False"]


def test_a_cancelled_request_takes_its_connection_with_it():
    answer = threading.Event()

    def handle(peer: Peer) -> None:
        while request := peer.request():
            if b"/slow" in request:
                answer.wait(5)
            peer.send(ok(request.split(b" ")[1]))

    async def work(url: str) -> bytes:
        async with Sender(TargetConfig(base_url=url), connections_max=1) as sender:
            slow = asyncio.create_task(sender.send(get("/slow")))
            await asyncio.sleep(0.05)
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)
            answer.set()
            return (await sender.send(get("/next"))).response.body

    with serving(handle) as server:
        assert run(lambda: work(server.url)) == b"/next"


# A server that closes a kept connection.


def closing_when_reused(peer: Peer) -> None:
    """The first connection answers once, reads the next request and closes without a word."""
    if not peer.request():
        return
    peer.send(ok(b"[0]"))
    while peer.request():
        if peer.number == 0:
            return
        peer.send(ok(b"[1]"))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_stale_connection_is_tried_once_more_when_that_does_no_harm(method):
    with serving(closing_when_reused) as server:
        _, second = sends(server.url, get(), get(method=method))
    assert second.fault is None
    assert server.connections == 2


def test_a_post_on_a_stale_connection_is_not_sent_twice():
    with serving(closing_when_reused) as server:
        _, second = sends(server.url, get(), post())
    assert (second.fault.kind, second.fault.sent) == ("reset", True)
    assert server.connections == 1


def test_a_fresh_connection_that_closes_is_not_tried_again():
    with serving(lambda peer: peer.request() and None) as server:
        assert send(server.url, get()).fault.kind == "reset"
    assert server.connections == 1


def test_a_connection_that_the_server_closed_while_idle_is_not_used_even_for_a_post():
    def handle(peer: Peer) -> None:
        if peer.request():
            peer.send(ok())

    async def work(url: str) -> list[int]:
        async with Sender(TargetConfig(base_url=url)) as sender:
            statuses = []
            for _ in range(5):
                statuses.append((await sender.send(post())).response.status)
                time.sleep(0.03)
            return statuses

    with serving(handle) as server:
        assert run(lambda: work(server.url)) == [200] * 5
    assert server.connections == 5


def test_a_connection_idle_so_long_that_its_server_may_be_closing_it_is_not_used():
    async def work(url: str) -> None:
        async with Sender(TargetConfig(base_url=url)) as sender:
            for pause_s in (0.0, 0.05, IDLE_S_MAX + 0.05):
                await asyncio.sleep(pause_s)
                await sender.send(post())

    with answering(lambda _: ok()) as server:
        run(lambda: work(server.url))
    assert server.connections == 2


def test_times_are_measured_from_the_intended_moment():
    async def work(url: str):
        async with Sender(TargetConfig(base_url=url)) as sender:
            return await sender.send(get(), intended_at=sender.now() - 2)

    with answering(lambda _: ok()) as server:
        sent = run(lambda: work(server.url))
    assert 2000 <= sent.lag_ms < 3000
    assert 0 < sent.duration_ms < 1000


# TLS and proxies.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """(server context, file of the authority that signed it)."""
    server, authority = make_certificates(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    return context, str(authority)


def echoing(peer: Peer) -> None:
    while request := peer.request():
        peer.send(ok(request.split(b"\r\n")[0]))


def test_tls_with_an_authority_of_the_user_s(certificates):
    context, ca = certificates
    with serving(echoing, tls=context) as server:
        first, second = sends(server.url, get("/a"), post("/b"), ca=ca)
    assert first.response.body == b"GET /a HTTP/1.1"
    assert second.response.body == b"POST /b HTTP/1.1"
    assert server.connections == 1


def test_tls_with_an_unknown_authority_is_a_tls_fault_that_says_what_to_do(certificates):
    context, _ = certificates
    with serving(echoing, tls=context) as server:
        fault = send(server.url, get()).fault
    assert (fault.kind, fault.sent) == ("tls", False)
    assert "`ca` under [target]" in fault.detail


def test_tls_to_a_server_that_speaks_plain_http_is_a_tls_fault():
    refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
    with serving(lambda peer: peer.connection.recv(9) and peer.send(refusal)) as server:
        fault = send(server.url.replace("http:", "https:"), get()).fault
    assert (fault.kind, fault.sent) == ("tls", False)


def test_a_ca_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"`ca` under \[target\].*absent"):
        Sender(TargetConfig(base_url="https://x", ca=str(tmp_path / "absent.pem")))


def tunnelling(peer: Peer) -> None:
    """A tiny CONNECT proxy."""
    request = peer.request()
    if b"proxy-authorization: Basic dTpwQHNz" not in request:
        peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        return
    host, port = request.split(b" ")[1].decode().split(":")
    with socket.create_connection((host, int(port))) as far:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def pump(source, sink):
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=pump, args=(far, peer.connection), daemon=True)
        back.start()
        pump(peer.connection, far)
        back.join(2)


def test_plain_http_through_a_proxy_names_the_whole_url():
    with answering(lambda _: ok()) as proxy:
        url = proxy.url.replace("http://", "http://u:p%40ss@")
        sent = send("http://service.invalid:81/base", get("/x"), proxy=url)
    assert sent.response.status == 200
    line, headers = parse(proxy.requests[0])
    assert line == "GET http://service.invalid:81/base/x HTTP/1.1"
    assert headers["host"] == "service.invalid:81"
    assert headers["proxy-authorization"] == "Basic dTpwQHNz"


def test_tls_through_a_proxy_goes_through_a_tunnel(certificates):
    context, ca = certificates
    with serving(echoing, tls=context) as server, serving(tunnelling) as proxy:
        url = proxy.url.replace("http://", "http://u:p%40ss@")
        first, second = sends(server.url, get("/a"), get("/b"), ca=ca, proxy=url)
    assert first.response.body == b"GET /a HTTP/1.1"
    assert second.response.body == b"GET /b HTTP/1.1"
    assert (server.connections, proxy.connections) == (1, 1)


def test_a_proxy_that_refuses_the_tunnel_is_a_connect_fault(certificates):
    _, ca = certificates
    with serving(tunnelling) as proxy:
        fault = send("https://127.0.0.1:1", get(), ca=ca, proxy=proxy.url).fault
    assert (fault.kind, fault.sent) == ("connect", False)
    assert "407" in fault.detail
