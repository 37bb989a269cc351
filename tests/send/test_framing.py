"""Where an answer ends (RFC 9112, 6.3): hostile, odd and broken ones, from a real server.

Whatever is doubtful is a fault and its connection is not used again: an answer taken for the next
request's would be a false finding about a service that did nothing wrong.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.send.cases import get, post, send, sends
from tests.send.server import Peer, answering, ok, serving

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def replying(*parts: bytes, then: str = "keep"):
    """A server that answers with PARTS, each in a segment, and then `keep`s, `close`s or `reset`s
    the connection."""

    def handle(peer: Peer) -> None:
        while peer.request():
            peer.send(*parts)
            if then == "reset":
                peer.reset()
            if then != "keep":
                return

    return serving(handle)


def first_odd(reply: bytes):
    """A server whose first connection gets REPLY, every later one a plain answer."""

    def handle(peer: Peer) -> None:
        while peer.request():
            peer.send(ok(b"plain") if peer.number else reply)

    return serving(handle)


@pytest.mark.parametrize(
    "fields",
    [
        b"content-length: 2\r\ncontent-length: 3\r\n",
        b"content-length: 2\r\ncontent-length: 2\r\n",
        b"content-length: 2, 2\r\n",
        b"content-length: 2\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        b"content-length: -2\r\n",
        b"content-length: +2\r\n",
        b"content-length: 0x2\r\n",
        b"content-length: 2.0\r\n",
        b"content-length: \r\n",
        b"content-length: 18446744073709551618\r\n",
    ],
)
def test_lengths_that_contradict_or_are_none_are_garbage(fields):
    with first_odd(OK + fields + b"\r\nhi!\r\n0\r\n\r\n") as server:
        first, second = sends(server.url, get(), get())
    assert (first.fault.kind, first.fault.sent) == ("garbage", True)
    assert second.response.body == b"plain"


@pytest.mark.parametrize(
    "chunks",
    [
        b"-2\r\nhi\r\n0\r\n\r\n",
        b"0x2\r\nhi\r\n0\r\n\r\n",
        b"2\r\nhiho\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\nhi\r\n",
        b"2\nhi\n0\n\n",
        b"\r\nhi\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_cannot_be_told_apart_are_garbage(chunks):
    with first_odd(CHUNKED + chunks) as server:
        first, second = sends(server.url, get(), get())
    assert first.fault.kind == "garbage"
    assert second.response.body == b"plain"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\ncontent-length: 2\n\n",
        OK + b"content-length: 2\r\n\n",
        OK + b"x: one\r\n two\r\ncontent-length: 2\r\n\r\n",
        OK + b"x: a\rb\r\ncontent-length: 2\r\n\r\n",
        OK + b"x: a\x00b\r\ncontent-length: 2\r\n\r\n",
        OK + b"content-length : 2\r\n\r\n",
        OK + b": v\r\ncontent-length: 2\r\n\r\n",
        OK + b"no colon\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 000 OK\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 099 OK\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 1000 OK\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\ncontent-length: 2\r\n\r\n",
    ],
)
def test_a_head_that_two_readers_could_read_differently_is_garbage(head):
    """Bare line feeds, folded lines, stray control characters, spaces before colons."""
    with first_odd(head + b"hi") as server:
        first, second = sends(server.url, get(), get())
    assert (first.fault.kind, first.fault.sent) == ("garbage", True)
    assert second.response.body == b"plain"


@pytest.mark.parametrize(
    "chunks",
    [
        b"2\r\nhi\r\n0\r\n\r\n",
        b'2;a="b;\\"c";d\r\nhi\r\n0;last\r\n\r\n',
        b"00000002\r\nhi\r\n000\r\n\r\n",
        b"1\r\nh\r\n1\r\ni\r\n0\r\nx: y\r\nset-cookie: a=1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("every", [1, 3])
def test_chunks_with_extensions_and_trailers_are_joined_however_they_arrive(chunks, every):
    reply = CHUNKED + chunks
    parts = [reply[i : i + every] for i in range(0, len(reply), every)]
    with replying(*parts) as server:
        first, second = sends(server.url, get(), get())
    assert first.response.body == second.response.body == b"hi"
    assert first.response.headers == (("transfer-encoding", "chunked"),)
    assert server.connections == 1


def test_a_coding_that_is_not_chunked_lasts_until_the_connection_ends():
    reply = OK + b"transfer-encoding: chunked, x-other\r\n\r\n2\r\nhi"
    with replying(reply, b"\r\n", then="close") as server:
        first, second = sends(server.url, get(), get())
    assert first.response.body == second.response.body
    assert server.connections == 2


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        (b"HTTP/1.0 200 OK\r\n", 2),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nconnection: x, Close\r\n", 2),
        (b"HTTP/1.1 200\r\n", 1),
        (b"\r\nHTTP/1.1 200 OK\r\n", 1),
    ],
)
def test_a_connection_is_kept_exactly_when_its_answer_says_so(head, connections):
    with replying(head + b"content-length: 2\r\n\r\nhi") as server:
        answers = sends(server.url, get(), get())
    assert [sent.response.body for sent in answers] == [b"hi", b"hi"]
    assert server.connections == connections


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
@pytest.mark.parametrize("cut", [0, 5, 20, 60])
def test_interim_answers_are_passed_over_wherever_they_are_cut(interim, cut):
    reply = b"HTTP/1.1 " + interim + b"\r\nlink: </a>\r\n\r\n" + ok(b"[1]")
    with replying(reply[:cut], reply[cut:]) as server:
        first, second = sends(server.url, post(), post())
    assert first.response.body == second.response.body == b"[1]"
    assert first.response.header("link") is None
    assert server.connections == 1


def test_an_interim_answer_alone_is_no_answer():
    with replying(b"HTTP/1.1 100 Continue\r\n\r\n", then="close") as server:
        assert send(server.url, post()).fault.kind == "reset"


@pytest.mark.parametrize(
    "head",
    [
        OK + b"content-length: 999\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n",
        OK + b"\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 999\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_an_answer_to_head_ends_with_its_head(head):
    with replying(head) as server:
        sent = sends(server.url, get(method="HEAD"), get(method="HEAD"), timeout_s=3)
    assert [s.response.body for s in sent] == [b"", b""]


def test_a_head_known_from_a_get_is_not_taken_for_one_of_a_body():
    """The same bytes of head mean another length after HEAD."""

    def reply(request: bytes) -> bytes:
        whole = ok(b"four")
        return whole[:-4] if request.startswith(b"HEAD") else whole

    order = [get(), get(), get(method="HEAD"), get(), get(method="HEAD"), get()]
    with answering(reply) as server:
        bodies = [sent.response.body for sent in sends(server.url, *order)]
    assert bodies == [b"four", b"four", b"", b"four", b"", b"four"]
    assert server.connections == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("field", [b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n"])
def test_answers_that_have_no_body_have_none_whatever_their_head_says(status, field):
    reply = b"HTTP/1.1 " + status.encode() + b"\r\n" + field + b"\r\n"
    with replying(reply) as server:
        sent = sends(server.url, get(), get(), get())
    assert [s.response.body for s in sent] == [b"", b"", b""]
    assert server.connections == 1


@pytest.mark.parametrize("cut", [4, 30, 60])
@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize(
    "reply", [ok(b"x" * 40), CHUNKED + b"28\r\n" + b"x" * 40 + b"\r\n0\r\n\r\n"]
)
def test_an_answer_cut_off_in_head_or_body_is_a_reset(reply, cut, then):
    with replying(reply[:cut], then=then) as server:
        fault = send(server.url, get()).fault
    assert (fault.kind, fault.sent) == ("reset", True)


def test_a_reset_without_a_byte_of_answer_on_a_new_connection_is_a_reset():
    with replying(then="reset") as server:
        fault = send(server.url, get()).fault
    assert (fault.kind, fault.sent) == ("reset", True)
    assert server.connections == 1


def test_an_answer_that_drips_is_over_at_the_limit_for_the_whole():
    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(OK + b"content-length: 100000\r\n\r\n")
        peer.connection.settimeout(0.01)
        for _ in range(500):
            peer.send(b"x")
            with contextlib.suppress(TimeoutError):
                if peer.connection.recv(1) == b"":
                    return

    with serving(handle) as server:
        fault = send(server.url, get(), timeout_s=0.2).fault
    assert fault.kind == "timeout"
    assert "did not end" in fault.detail


# The same head again: it is not parsed a second time, so it has to mean the same.


def alternating(*replies: bytes):
    """Each request gets the next of REPLIES, over and over, on whatever connection it comes."""
    turn = itertools.cycle(replies)

    def handle(peer: Peer) -> None:
        while peer.request():
            peer.send(*next(turn).split(b"|"))

    return serving(handle)


HEAD = OK + b"content-type: text/plain\r\ncontent-length: 4\r\n\r\n"


def test_a_known_head_with_less_body_waits_for_the_rest():
    with alternating(
        HEAD + b"abcd", HEAD + b"ab|cd", HEAD + b"|abcd", HEAD[:9] + b"|" + HEAD[9:] + b"abcd"
    ) as server:
        sent = sends(server.url, *[get()] * 9)
    assert {s.response.body for s in sent} == {b"abcd"}
    assert len({s.response.headers for s in sent}) == 1
    assert server.connections == 1


def test_a_known_head_with_more_body_spoils_the_connection_not_the_answer():
    with alternating(HEAD + b"abcd", HEAD + b"abcdef") as server:
        sent = sends(server.url, *[get()] * 6)
    assert {s.response.body for s in sent} == {b"abcd"}
    assert server.connections == 3


def test_a_known_head_that_never_gets_its_body_is_a_timeout():
    with alternating(HEAD + b"abcd", HEAD + b"abc") as server:
        first, second = sends(server.url, get(), get(), timeout_s=0.2)
    assert first.response.body == b"abcd"
    assert second.fault.kind == "timeout"


def test_heads_that_differ_each_time_are_read_all_the_same():
    number = itertools.count()
    with answering(lambda _: ok(b"1", headers=f"x-request-id: {next(number)}\r\n")) as server:
        sent = sends(server.url, *[get()] * 600)
    assert [s.response.header("x-request-id") for s in sent] == [str(n) for n in range(600)]
    assert server.connections == 1


def test_one_sender_s_limit_is_not_loosened_by_what_another_one_read():
    with replying(ok(b"x" * 5000)) as server:
        assert sends(server.url, get(), get())[1].response is not None
        assert send(server.url, get(), response_bytes_max=4999).fault.kind == "too_large"


ANSWERS = st.lists(
    st.sampled_from(
        [
            (HEAD + b"abcd", b"abcd"),
            (HEAD + b"wxyz", b"wxyz"),
            (ok(b""), b""),
            (CHUNKED + b"2;x\r\nhi\r\n0\r\nt: 1\r\n\r\n", b"hi"),
            (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
            (b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"abcd", b"abcd"),
            (
                ok(gzip.compress(b"zipped", mtime=0), headers="content-encoding: gzip\r\n"),
                b"zipped",
            ),
        ]
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(answers=ANSWERS, cuts=st.lists(st.integers(1, 60), max_size=4))
def test_any_answers_in_any_segments_on_one_connection_are_each_its_own(answers, cuts):
    turn = iter(answers)

    def handle(peer: Peer) -> None:
        while peer.request():
            data, parts = next(turn)[0], []
            for cut in cuts:
                parts.append(data[:cut])
                data = data[cut:]
            peer.send(*parts, data)

    with serving(handle) as server:
        sent = sends(server.url, *[get()] * len(answers), timeout_s=3)
    assert [s.response.body for s in sent] == [body for _, body in answers]
    assert server.connections == 1


# Sizes.


def test_many_headers_are_read_up_to_the_limit():
    fields = "".join(f"x-{n}: y\r\n" for n in range(5000))
    with replying(ok(b"hi", headers=fields)) as server:
        assert len(send(server.url, get()).response.headers) == 5002


@pytest.mark.parametrize("line", [b"x-a: y\r\n", b"x-a: " + b"y" * 3000 + b"\r\n"])
def test_headers_without_end_are_too_large_however_they_are_cut(line):
    with replying(OK, *[line * 50] * 2000) as server:
        assert send(server.url, get()).fault.kind == "too_large"


@pytest.mark.parametrize(
    "endless", [b"2;" + b"x" * 4000, b"0\r\n" + b"x: y\r\n" * 800, b"1\r\nx\r\n" * 800]
)
def test_extensions_trailers_and_tiny_chunks_without_end_are_too_large(endless):
    more = endless[3:] if endless.startswith(b"0") else endless.replace(b"2;", b"")
    with replying(CHUNKED + endless, *[more] * 400) as server:
        fault = send(server.url, get(), response_bytes_max=10_000).fault
    assert fault.kind == "too_large"


def test_a_bomb_within_a_bomb_is_too_large():
    body = gzip.compress(gzip.compress(b"\0" * 50_000_000, mtime=0), mtime=0)
    with replying(ok(body, headers="content-encoding: gzip, gzip\r\n")) as server:
        fault = send(server.url, get(), response_bytes_max=1_000_000).fault
    assert fault.kind == "too_large"


def test_an_answer_that_comes_before_all_of_a_large_request_was_taken_is_the_answer():
    def handle(peer: Peer) -> None:
        peer.connection.recv(1000)
        peer.send(ok(b"no", status="413 Too Large", headers="connection: close\r\n"))
        while peer.connection.recv(1 << 20):
            pass

    with serving(handle) as server:
        sent = send(server.url, post(body=b"x" * 20_000_000))
    assert sent.response.status == 413
