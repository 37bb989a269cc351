"""What is not clearly one request does not go on, and nobody can hold the proxy up."""

from __future__ import annotations

import time

import pytest

from premortem.capture.proxy import Waits
from tests.capture.proxy.harness import proxied, until
from tests.send.server import answering, ok, serving

HOST = b"Host: a\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n", 400),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\nContent-Length: 3\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n", 400),
        (b"GET / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n", 400),
        (b"GET a HTTP/1.1\r\nHost: a\r\n", 400),
        (b"GET / HTTP/1.2\r\nHost: a\r\n", 400),
        (b"PRI * HTTP/2.0\r\n", 505),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n", 501),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 300, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n", 431),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n", 414),
    ],
    ids=range(29),
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(head, status):
    with answering(lambda _request: ok()) as server, proxied(server.url) as proxy:
        answer = proxy.ask(head + b"\r\nabcGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.count(b"content-length: ") == 1
        assert b"connection: close\r\n" in answer
        assert proxy.proxy.counts.refused == 1
    assert server.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"3\r\nabcX\r\n",
        b"3 x\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"-1\r\n",
        b"ffffffffffffffffff\r\n",
        b"3\nabc\r\n",
        b"3;" + b"x" * 2000,
        b"1;x=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\nx\r\n"
        * 2000,
        b"0\r\nX: 1\r\n folded\r\n\r\n",
        b"0\r\n" + b"X: 1\r\n" * 5000,
    ],
    ids=range(10),
)
def test_chunks_that_are_none_end_the_request(body):
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with answering(lambda _request: b"") as server, proxied(server.url) as proxy:
        answer = proxy.ask(head + body)
        until(lambda: proxy.proxy.active == 0)
        assert proxy.proxy.counts.passed == 0
    assert answer[:11] in (b"", b"HTTP/1.1 40", b"HTTP/1.1 43", b"HTTP/1.1 50")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
        b"",
    ],
    ids=range(9),
)
def test_an_answer_that_is_none_becomes_a_502(answer):
    def handle(peer) -> None:
        peer.request()
        peer.send(answer)

    with serving(handle) as server, proxied(server.url) as proxy:
        told = proxy.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert proxy.proxy.counts.failed == 1
    assert told.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").startswith(b"HTTP/1.1 502 ")


def test_an_answer_beyond_its_length_is_cut_and_its_connection_is_not_used_again():
    def handle(peer) -> None:
        peer.request()
        peer.send(ok() + ok(b"another's"))

    with serving(handle) as server, proxied(server.url) as proxy, proxy.client() as client:
        for _ in range(3):
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.until(b"\r\n\r\n{}")
        assert server.connections == 3


def test_who_sends_its_head_drop_by_drop_is_told_so_and_left():
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, waits=Waits(head=0.2)) as proxy,
        proxy.client() as client,
    ):
        client.send(b"GET / HTTP/1.1\r\n")
        client.send(b"Host: a\r\n")
        assert client.rest().startswith(b"HTTP/1.1 408 ")
        assert server.requests == []


def test_who_sends_no_more_of_its_body_is_told_so_and_left():
    with (
        serving(lambda peer: peer.connection.recv(10_000_000) and time.sleep(5)) as server,
        proxied(server.url, waits=Waits(request=0.2)) as proxy,
        proxy.client() as client,
    ):
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert client.rest().startswith(b"HTTP/1.1 408 ")


def test_a_client_that_says_nothing_is_left():
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, waits=Waits(idle=0.2)) as proxy,
        proxy.client() as client,
    ):
        assert client.rest() == b""


def test_a_service_that_does_not_answer_is_given_up():
    with (
        serving(lambda peer: peer.request() and peer.request()) as server,
        proxied(server.url, waits=Waits(answer=0.2)) as proxy,
        proxy.client() as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 504 ")


def test_more_clients_than_allowed_are_told_so():
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url, connections_max=2) as proxy,
        proxy.client() as first,
        proxy.client() as second,
    ):
        until(lambda: proxy.proxy.active == 2)
        with proxy.client() as third:
            assert third.rest().startswith(b"HTTP/1.1 503 ")
        for client in (first, second):
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.until(b"{}")


def test_empty_lines_before_a_request_are_passed_over_and_absolute_targets_are_understood():
    with answering(lambda _request: ok()) as server, proxied(server.url, keep_host=True) as proxy:
        proxy.ask(b"\r\n\r\nGET http://other.example/a?b HTTP/1.1\r\nHost: a\r\n\r\n")
        proxy.ask(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    assert server.requests[0].startswith(b"GET /a?b HTTP/1.1\r\nhost: other.example\r\n")
    assert server.requests[1].startswith(b"OPTIONS * HTTP/1.1\r\n")
