"""GoReplay's files, as its documentation shows them."""

from __future__ import annotations

import gzip

import pytest

from premortem.capture import CaptureCounts, detect
from premortem.capture.goreplay import SEPARATOR, WAITING_MAX, read_goreplay
from premortem.errors import InputError

NS = 1_700_000_000_000_000_000


def payload(kind, number, message, *, at_ns=NS, more=""):
    return f"{kind} {number:024x} {at_ns}{more}\n".encode() + message + SEPARATOR


def request(target="/a", *, method="GET", body=b"", headers=""):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: h.test\r\n{headers}{length}\r\n"
    return head.encode() + body


def response(status=200, *, body=b"{}", headers="Content-Type: application/json\r\n"):
    head = f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read(tmp_path, data):
    path = tmp_path / "a.gor"
    path.write_bytes(data)
    counts = CaptureCounts()
    entries = list(read_goreplay(path, counts=counts))
    return [e.exchange(body_bytes_max=1 << 20, counts=counts) for _, e in entries], counts


def test_requests_and_responses_are_joined_by_their_ids(tmp_path):
    data = (
        payload(1, 1, request("/a?x=1", headers="X-A: 1\r\n"), more=" 0")
        + payload(1, 2, request("/b", method="POST", body=b'{"a":1}'))
        + payload(2, 2, response(201), at_ns=NS + 5_000_000, more=" 4000000")
        + payload(2, 1, response(404, body=b"no"), at_ns=NS + 7_000_000)
        + payload(3, 1, response(500))
    )
    (second, first), counts = read(tmp_path, data)
    assert counts.read == 2
    assert (first.request.path, first.request.query) == ("/a", (("x", "1"),))
    assert first.request.origin == "http://h.test"
    assert first.request.headers == (("x-a", "1"),)
    assert (first.response.status, first.response.body) == (404, b"no")
    assert first.duration_ms == pytest.approx(7)
    assert first.started_at == pytest.approx(NS / 1e9)
    assert (second.request.body, second.response.status) == (b'{"a":1}', 201)
    assert second.duration_ms == pytest.approx(4)
    assert first.recorded == second.recorded == "all"


def test_requests_alone_have_no_answer(tmp_path):
    count = WAITING_MAX + 50
    exchanges, counts = read(
        tmp_path, b"".join(payload(1, n, request(f"/{n}")) for n in range(count))
    )
    assert [e.request.path for e in exchanges] == [f"/{n}" for n in range(count)]
    assert {(e.recorded, e.response.status) for e in exchanges} == {("request", 0)}
    assert counts.read == count


def test_chunked_and_packed_bodies_are_decoded(tmp_path):
    packed = gzip.compress(b'{"long": true}')
    chunks = b"".join(
        f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (packed[:7], packed[7:], b"")
    )
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    (exchange,), _ = read(tmp_path, payload(1, 1, request()) + payload(2, 1, head + chunks))
    assert exchange.response.body == b'{"long": true}'
    assert exchange.response.headers == ()


def test_a_packed_body_that_was_cut_off_is_dropped_for_nobody_can_redact_it(tmp_path):
    answer = response(body=gzip.compress(b"x" * 1000)[:-9], headers="Content-Encoding: gzip\r\n")
    (exchange,), counts = read(tmp_path, payload(1, 1, request()) + payload(2, 1, answer))
    assert exchange.response.body == b""
    assert counts.bodies_coded == 1


def test_payloads_that_hold_no_message_are_counted(tmp_path):
    data = payload(1, 1, request()) + payload(1, 2, b"\x16\x03") + b"junk" + SEPARATOR
    exchanges, counts = read(tmp_path, data)
    assert len(exchanges) == 1
    assert [place for place, _ in counts.malformed] == [1, 2]


@pytest.mark.parametrize("data", [b"", b"junk", b"1 abc 5\nnot http", b"4 a 1\n" + request()])
def test_a_file_of_another_kind_is_named(tmp_path, data):
    with pytest.raises(InputError, match="is not a GoReplay file"):
        read(tmp_path, data)


def test_the_format_is_told_by_the_content(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(payload(1, 1, request()))
    assert detect(path) == "goreplay"
