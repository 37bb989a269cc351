"""Bodies are found whatever the pieces they come in."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.capture.proxy.chunks import Body, chunk, last_chunk
from premortem.capture.proxy.head import CHUNKED, LENGTH, Refused, RequestHead
from tests.capture.proxy.harness import proxied
from tests.send.server import answering, ok

pieces = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
cuts = st.lists(st.integers(1, 30), min_size=1, max_size=20)


def fed(body: Body, data: bytes, sizes: list[int]) -> tuple[bytes, bytes]:
    """(content, what came after) of DATA in parts of SIZES, again and again."""
    content, turn = b"", 0
    while data:
        size = sizes[turn % len(sizes)]
        turn += 1
        part, data = data[:size], data[size:]
        found, rest = body.feed(part)
        content += found
        if body.done:
            return content, rest + data
    return content, b""


@given(pieces, cuts, st.binary(max_size=20))
@settings(deadline=None)
def test_a_chunked_body_is_found_in_any_pieces(parts, sizes, after):
    body = Body(CHUNKED)
    data = b"".join(map(chunk, parts)) + last_chunk(b"x-sum: 1\r\n") + after
    assert fed(body, data, sizes) == (b"".join(parts), after)
    assert body.trailer == b"x-sum: 1\r\n"


@given(st.binary(min_size=1, max_size=100), cuts, st.binary(max_size=20))
@settings(deadline=None)
def test_a_body_of_known_length_is_found_in_any_pieces(content, sizes, after):
    assert fed(Body(LENGTH, len(content)), content + after, sizes) == (content, after)


@given(st.binary(max_size=300), cuts)
@settings(deadline=None)
def test_any_bytes_are_a_body_or_refused(data, sizes):
    body = Body(CHUNKED)
    with contextlib.suppress(Refused):
        fed(body, data, sizes)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_a_head_or_refused(data):
    with contextlib.suppress(Refused):
        head = RequestHead(data + b"\r\n\r\n")
        assert b"\r" not in head.target
        assert b"\n" not in head.fields.lines.replace(b"\r\n", b"")


@pytest.mark.parametrize("size", [1, 3, 7])
def test_requests_that_come_byte_by_byte_are_the_same_requests(size):
    data = b"PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd"
    data += b"GET /c HTTP/1.1\r\nHost: a\r\n\r\n"
    with (
        answering(lambda _request: ok()) as server,
        proxied(server.url) as proxy,
        proxy.client() as client,
    ):
        for start in range(0, len(data), size):
            client.send(data[start : start + size])
        client.until(b"{}")
        client.until(b"{}")
    lines = [request.split(b"\r\n")[0] for request in server.requests]
    assert lines == [b"PUT /b HTTP/1.1", b"GET /c HTTP/1.1"]
    assert server.requests[0].endswith(b"\r\n\r\nabcd")
