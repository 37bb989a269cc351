"""Whatever a server sends, there is one answer or one fault, and the sender goes on."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.send.cases import get, sends
from tests.send.server import Peer, ok, serving

LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 404 Not Found\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/9.9 999 X\r\n",
        b"content-length: 3\r\n",
        b"content-length: -1\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"transfer-encoding: chunked\r\n",
        b"content-encoding: gzip\r\n",
        b"connection: close\r\n",
        b"connection: upgrade\r\nupgrade: x\r\n",
        b"x: \xff\xfe\r\n",
        b"\r\n",
        b"\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"abc",
        b"\x00",
    ]
)
ANSWERS = st.lists(st.one_of(LINES, LINES, LINES, st.binary(max_size=8)), max_size=9)


@settings(max_examples=300, deadline=None)
@given(parts=ANSWERS, head=st.booleans())
def test_any_bytes_end_in_one_answer_or_one_fault(parts, head):
    def handle(peer: Peer) -> None:
        if peer.request() and peer.number == 0:
            peer.send(b"".join(parts))
        elif peer.number:
            peer.send(ok(b"[1]"))

    request = get(method="HEAD" if head else "GET")
    with serving(handle) as server:
        first, second = sends(server.url, request, get(), timeout_s=3)
    assert (first.response is None) != (first.fault is None)
    assert first.fault is None or first.fault.kind in ("garbage", "reset", "too_large")
    assert second.response is not None
    assert second.response.body == b"[1]"
