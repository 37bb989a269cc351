"""mitmproxy's flow files: other protocols, flows without answers, damage."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.capture import CaptureCounts, detect
from premortem.capture.mitmproxy import NotNetstring, parse, read_mitmproxy
from premortem.errors import InputError

RECORDED = Path(__file__).with_name("recordings") / "mitmproxy.flows"


def dump(value) -> bytes:
    """A typed netstring, mitmproxy's variant."""
    match value:
        case None:
            kind, text = b"~", b""
        case bool():
            kind, text = b"!", str(value).lower().encode()
        case int():
            kind, text = b"#", str(value).encode()
        case float():
            kind, text = b"^", repr(value).encode()
        case bytes():
            kind, text = b",", value
        case str():
            kind, text = b";", value.encode()
        case dict():
            kind, text = b"}", b"".join(dump(k) + dump(v) for k, v in value.items())
        case _:
            kind, text = b"]", b"".join(map(dump, value))
    return str(len(text)).encode() + b":" + text + kind


scalars = st.none() | st.booleans() | st.integers() | st.binary() | st.text()
values = st.recursive(
    scalars | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_whatever_was_written_is_read(value):
    assert parse(dump(value)) == value


@given(st.binary(max_size=60))
def test_other_bytes_are_refused_and_never_crash(data):
    with suppress(NotNetstring):
        parse(data)


def flow(**changes):
    request = {
        "http_version": b"HTTP/2.0",
        "headers": [[b"X-A", b"1"], [b":path", b"/"]],
        "content": b"{}",
        "timestamp_start": 1700000000.5,
        "host": "::1",
        "port": 8443,
        "method": b"POST",
        "scheme": b"https",
        "authority": b"",
        "path": b"/a?x=1",
    }
    return {"version": 21, "type": "http", "request": request, "response": None, **changes}


def read(tmp_path, *flows, more=b""):
    path = tmp_path / "a.flows"
    path.write_bytes(b"".join(map(dump, flows)) + more)
    counts = CaptureCounts()
    entries = list(read_mitmproxy(path, counts=counts))
    return [e.exchange(body_bytes_max=1 << 20, counts=counts) for _, e in entries], counts


def test_a_flow_without_an_answer_is_a_request(tmp_path):
    (exchange,), _ = read(tmp_path, flow(error={"msg": "gone", "timestamp": 1.0}))
    assert (exchange.recorded, exchange.response.status) == ("request", 0)
    assert exchange.request.origin == "https://[::1]:8443"
    assert exchange.request.headers == (("x-a", "1"),)
    assert exchange.started_at == 1700000000.5


def test_other_protocols_are_left_out_and_counted(tmp_path):
    exchanges, counts = read(tmp_path, flow(), flow(type="tcp"), flow(type="dns"))
    assert len(exchanges) == 1
    assert counts.dropped == {"not http": 2}


def test_flows_that_cannot_be_used_are_counted(tmp_path):
    bad = [flow(version=3), flow(request=None), {"version": 21}, flow(response={"reason": b"OK"})]
    exchanges, counts = read(tmp_path, flow(), *bad)
    assert len(exchanges) == 1
    assert [place for place, _ in counts.malformed] == [1, 2, 4]
    assert counts.dropped == {"not http": 1}


@pytest.mark.parametrize("data", [b"", b"hello", b"5:hello,", b"3:abc", b"99999999999999:x"])
def test_a_file_that_holds_no_flows_is_named(tmp_path, data):
    with pytest.raises(InputError, match="is not a flow file"):
        read(tmp_path, more=data)


def test_a_file_that_is_cut_short_gives_its_whole_flows(tmp_path):
    path = tmp_path / "cut.flows"
    data = RECORDED.read_bytes()
    path.write_bytes(data[:-100])
    assert detect(path) == "mitmproxy"
    found = read_mitmproxy(path, counts=CaptureCounts())
    entries = [next(found) for _ in range(27)]
    with pytest.raises(InputError, match="the 27 entries before that"):
        next(found)
    assert entries[-1][1].method == "GET"
