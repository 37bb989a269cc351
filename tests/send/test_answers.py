"""Every way in which HTTP/1.1 lets an answer be written, from a server that writes those bytes."""

from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard

from tests.send.cases import get, post, send, sends
from tests.send.server import Peer, answering, ok, serving

CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
    b"5;note=x\r\nhello\r\n6\r\n world\r\n0\r\nx-trailer: 1\r\n\r\n"
)


def replying(*parts: bytes, then_close: bool = False):
    """A server that answers each request with PARTS, each in a segment of its own."""

    def handle(peer: Peer) -> None:
        while peer.request():
            peer.send(*parts)
            if then_close:
                return

    return serving(handle)


def test_a_plain_answer_is_read_with_lower_case_header_names():
    reply = b"HTTP/1.1 201 Created\r\nX-Request-ID: Abc\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"
    with replying(reply + b"Content-Length: 2\r\n\r\nhi") as server:
        sent = send(server.url, get())
    assert sent.fault is None
    assert (sent.response.status, sent.response.body) == (201, b"hi")
    assert sent.response.headers[:3] == (
        ("x-request-id", "Abc"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    )


def test_chunks_are_joined_and_trailers_are_no_headers():
    with replying(CHUNKED) as server:
        first, second = sends(server.url, get(), get())
    assert first.response.body == second.response.body == b"hello world"
    assert first.response.header("x-trailer") is None
    assert server.connections == 1


@pytest.mark.parametrize("reply", [CHUNKED, ok(b'{"a":1}', headers="x: y\r\n")])
def test_an_answer_split_at_every_byte_is_the_same_answer(reply):
    with replying(reply) as whole, replying(*[reply[i : i + 1] for i in range(len(reply))]) as bits:
        assert send(whole.url, get()).response == send(bits.url, get()).response


@pytest.mark.parametrize("cut", range(1, len(CHUNKED)))
def test_an_answer_in_two_parts_cut_anywhere_is_the_same_answer(cut):
    with replying(CHUNKED[:cut], CHUNKED[cut:]) as server:
        assert send(server.url, get()).response.body == b"hello world"


def test_interim_answers_are_passed_over():
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    with replying(interim + ok(b"[1]")) as server:
        first, second = sends(server.url, post(), post())
    assert (first.response.status, first.response.body) == (200, b"[1]")
    assert second.response == first.response
    assert first.response.header("link") is None
    assert server.connections == 1


def test_endless_interim_answers_are_garbage():
    with replying(b"HTTP/1.1 100 Continue\r\n\r\n" * 100) as server:
        assert send(server.url, get()).fault.kind == "garbage"


def test_an_answer_to_head_has_no_body_whatever_length_it_names():
    def reply(request: bytes) -> bytes:
        answer = ok(b'{"long":"body"}')
        return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if b"HEAD" in request else answer

    with answering(reply) as server:
        head, after = sends(server.url, get(method="HEAD"), get())
    assert (head.response.status, head.response.body) == (200, b"")
    assert head.response.header("content-length") == "15"
    assert after.response.body == b'{"long":"body"}'
    assert server.connections == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_body_end_with_their_head(status):
    reply = f"HTTP/1.1 {status}\r\netag: x\r\n\r\n".encode()
    with replying(reply) as server:
        first, second = sends(server.url, get(), get())
    assert (first.response.status, first.response.body) == (int(status[:3]), b"")
    assert second.response.status == int(status[:3])
    assert server.connections == 1


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_without_length_the_body_lasts_until_the_connection_ends(version):
    head = f"{version} 200 OK\r\ncontent-type: text/plain\r\n\r\n".encode()
    with replying(head, b"part one,", b" part two", then_close=True) as server:
        first, second = sends(server.url, get(), get())
    assert first.response.body == second.response.body == b"part one, part two"
    assert server.connections == 2


def test_a_server_that_says_close_gets_a_new_connection_next_time():
    with replying(ok(headers="connection: close\r\n"), then_close=True) as server:
        first, second = sends(server.url, post(), post())
    assert first.response.status == second.response.status == 200
    assert server.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
        b"HTTP/1.1 200 OK\r\ncontent-",
        b"",
    ],
)
def test_a_truncated_answer_is_a_reset_that_may_have_reached_the_target(reply):
    with replying(reply, then_close=True) as server:
        fault = send(server.url, get()).fault
    assert (fault.kind, fault.sent) == ("reset", True)


def test_a_connection_reset_within_the_answer_is_a_reset():
    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
        peer.reset()

    with serving(handle) as server:
        assert send(server.url, get()).fault.kind == "reset"


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\x01\x02\x03" * 10,
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nhello\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nabc",
        b"<html>no head</html>",
    ],
)
def test_what_is_not_http_is_garbage(reply):
    with replying(reply) as server:
        fault = send(server.url, get()).fault
    assert (fault.kind, fault.sent) == ("garbage", True)


@pytest.mark.parametrize(
    "head",
    [b"content-length: 5000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n1388\r\n", b"\r\n"],
)
def test_a_body_beyond_the_limit_is_too_large(head):
    reply = b"HTTP/1.1 200 OK\r\n" + head + b"x" * 5000
    with replying(reply) as server:
        fault = send(server.url, get(), response_bytes_max=4999).fault
    assert (fault.kind, fault.sent) == ("too_large", True)


def test_endless_headers_are_too_large():
    with replying(b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"y" * 600_000) as server:
        assert send(server.url, get()).fault.kind == "too_large"


def test_a_body_as_large_as_the_limit_is_read():
    with replying(ok(b"x" * 5000)) as server:
        assert len(send(server.url, get(), response_bytes_max=5000).response.body) == 5000


def test_an_answer_that_does_not_come_is_a_timeout():
    with replying() as server:
        sent = send(server.url, get(), timeout_s=0.15)
    assert (sent.fault.kind, sent.fault.sent) == ("timeout", True)
    assert "no byte" in sent.fault.detail
    assert 100 < sent.duration_ms < 1500


def test_an_answer_that_does_not_end_is_a_timeout():
    with replying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab") as server:
        fault = send(server.url, get(), timeout_s=0.15).fault
    assert fault.kind == "timeout"
    assert "did not end" in fault.detail


def test_bytes_that_nobody_asked_for_spoil_the_connection_not_the_next_answer():
    with replying(ok(b"1") + ok(b"2")) as server:
        first, second = sends(server.url, get(), get())
    assert first.response.body == second.response.body == b"1"
    assert server.connections == 2


PLAIN = b'{"text":"' + b"long " * 400 + b'"}'


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        ("GZIP", gzip.compress(PLAIN[:100], mtime=0) + gzip.compress(PLAIN[100:], mtime=0)),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", zlib.compress(PLAIN)[2:-4]),
        ("zstd", zstandard.compress(PLAIN)),
        ("gzip, zstd", zstandard.compress(gzip.compress(PLAIN, mtime=0))),
        ("identity", PLAIN),
    ],
)
def test_content_codings_are_undone(coding, body):
    with replying(ok(body, headers=f"content-encoding: {coding}\r\n")) as server:
        first, second = sends(server.url, get(), get())
    assert first.response.body == second.response.body == PLAIN
    assert server.connections == 1


BOMB = b"\0" * 50_000_000


@pytest.mark.parametrize(
    ("coding", "body"), [("gzip", gzip.compress(BOMB, mtime=0)), ("zstd", zstandard.compress(BOMB))]
)
def test_a_compressed_bomb_is_too_large(coding, body):
    with replying(ok(body, headers=f"content-encoding: {coding}\r\n")) as server:
        fault = send(server.url, get(), response_bytes_max=1_000_000).fault
    assert fault.kind == "too_large"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_a_body_that_is_not_what_its_coding_says_is_garbage(coding):
    with replying(ok(PLAIN, headers=f"content-encoding: {coding}\r\n")) as server:
        assert send(server.url, get()).fault.kind == "garbage"


def test_an_unknown_coding_is_left_as_it_is():
    with replying(ok(b"\x8b\x02", headers="content-encoding: br\r\n")) as server:
        assert send(server.url, get()).response.body == b"\x8b\x02"
