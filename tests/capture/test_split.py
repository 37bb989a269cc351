"""The splitter: the same entries however the bytes come, and each byte looked at once."""

from __future__ import annotations

import json
from time import process_time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.capture.split import BadDocument, Skipped, Splitter

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('{}[]",:\\ax', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
entries = st.lists(
    st.dictionaries(
        st.sampled_from(["startedDateTime", "request", "_x", 'q"}']), values, max_size=4
    ),
    max_size=6,
)


def split(data: bytes, size: int, **options: int) -> list[object]:
    splitter = Splitter(msgspec.json.decode, **options)
    out: list[object] = []
    for start in range(0, len(data), size):
        out += splitter.feed(data[start : start + size])
    out += splitter.finish()
    assert splitter.ended
    return out


@settings(max_examples=150, deadline=None)
@given(entries, st.sampled_from([None, 1, "\t"]), st.integers(1, 70), st.booleans())
def test_any_chunk_size_yields_the_same_entries(expected, indent, size, ascii_only):
    head = {"comment": 'a "entries": [ {', "pages": [{"entries": [1]}]}
    data = json.dumps(
        {"x": {"entries": [{}]}, "log": {**head, "entries": expected, "after": 1}},
        indent=indent,
        ensure_ascii=ascii_only,
    ).encode("utf-8", "surrogatepass")
    assert split(data, size) == expected
    assert split(data, len(data)) == expected


def test_an_entry_that_begins_with_another_key_is_found_too():
    mixed = [{"a": 1, "startedDateTime": 2}, {"startedDateTime": 3}, {"a": {"a": 1}}, {}]
    assert split(json.dumps({"log": {"entries": mixed}}).encode(), 1000) == mixed


def test_what_is_no_object_is_skipped_with_its_reason():
    data = b'{"log":{"entries":[1, "}{", [ {"a": "]"} ], {"a":1}, null, {"a":tru}, {"b":2}]}}'
    for size in (1, 3, 1000):
        out = split(data, size)
        assert [item for item in out if not isinstance(item, Skipped)] == [{"a": 1}, {"b": 2}]
        reasons = [item.reason for item in out if isinstance(item, Skipped)]
        assert len(reasons) == 5
        assert reasons[0] == "not a JSON object"
        assert "malformed" in reasons[-1]


def test_an_entry_over_the_maximum_is_passed_over_without_being_held():
    big = {"a": "x" * 5000, "b": [{"c": "}" * 5000}]}
    data = json.dumps({"log": {"entries": [{"a": 1}, big, {"a": 2}]}}).encode()
    splitter = Splitter(msgspec.json.decode, entry_bytes_max=2000)
    out: list[object] = []
    held = 0
    for start in range(0, len(data), 100):
        out += splitter.feed(data[start : start + 100])
        held = max(held, len(splitter._buffer))
    out += splitter.finish()
    assert out == [{"a": 1}, Skipped("larger than 2000 bytes"), {"a": 2}]
    assert held <= 2200


def test_a_long_string_is_scanned_once():
    def seconds(megabytes: int) -> float:
        data = b'{"log":{"entries":[{"a":"' + b'\\"{' * (megabytes * 350_000) + b'"}]}}'
        started = process_time()
        assert len(split(data, 65536)) == 1
        return process_time() - started

    seconds(1)
    assert seconds(8) < 30 * max(seconds(1), 0.005)  # 8 when linear, 64 when quadratic


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b'"log"',
        b"<html></html>",
        b"\x89PNG\r\n\x1a\n",
        b"{}",
        b'{"log":{}}',
        b'{"log":{"entries":{}}}',
        b'{"entries":[{}]}',
        b'{"log":[{"entries":[{}]}]}',
        b'{"a":{"log":{"entries":[{}]}}}',
    ],
)
def test_other_documents_are_told(data):
    with pytest.raises(BadDocument):
        list(Splitter(msgspec.json.decode).feed(data))
