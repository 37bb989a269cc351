"""HAR entries as exchanges: bodies of every kind, headers, addresses, times, and bad files."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from premortem.capture import CaptureCounts, read_har
from premortem.capture.message import Unusable, parse_query, parse_url, timestamp
from premortem.errors import InputError
from tests.capture.recording import document, entry, json_content, json_post, write


def read(tmp_path, *entries, **options):
    path = write(tmp_path / "a.har", list(entries))
    return list(read_har(path, counts=CaptureCounts(), **options))


def one(tmp_path, **fields):
    (exchange,) = read(tmp_path, entry(**fields))
    return exchange


def test_an_exchange_is_read_whole(tmp_path):
    exchange = one(
        tmp_path,
        method="post",
        url="HTTP://user:pw@API.test:80/a%20b/ü?q=1&q=a+b&x=%C3%A9&flag#part",
        headers={"Accept": "*/*", "Content-Type": "application/json", "X-Id": "7"},
        post=json_post({"a": 1}),
        status=201,
        response_headers={"Content-Type": "application/json", "ETag": "x"},
        content=json_content({"b": 2}),
    )
    request = exchange.request
    assert request.method == "POST"
    assert request.origin == "http://api.test"
    assert request.path == "/a%20b/%C3%BC"
    assert request.query == (("q", "1"), ("q", "a b"), ("x", "é"), ("flag", ""))
    assert request.headers == (
        ("accept", "*/*"),
        ("content-type", "application/json"),
        ("x-id", "7"),
    )
    assert json.loads(request.body) == {"a": 1}
    assert exchange.response.status == 201
    assert json.loads(exchange.response.body) == {"b": 2}
    assert exchange.duration_ms == 12.5
    assert exchange.started_at == pytest.approx(1767323045.678, abs=1e-6)


def test_the_url_wins_over_the_query_string(tmp_path):
    recorded = entry(url="http://api.test/?a=1")
    recorded["request"]["queryString"] = [{"name": "a", "value": "other"}]
    (exchange,) = read(tmp_path, recorded)
    assert exchange.request.query == (("a", "1"),)


def test_pseudo_and_hop_by_hop_headers_are_left_out(tmp_path):
    exchange = one(
        tmp_path,
        headers={
            ":authority": "api.test",
            ":method": "GET",
            "Host": "api.test",
            "Content-Length": "3",
            "Connection": "keep-alive, X-Mine",
            "Keep-Alive": "timeout=5",
            "X-Mine": "1",
            "TE": "trailers",
            "Accept-Encoding": "gzip",
        },
        response_headers={
            ":status": "200",
            "Content-Encoding": "gzip",
            "Content-Length": "20",
            "Transfer-Encoding": "chunked",
            "Content-Type": "text/plain",
        },
        content={"size": 2, "mimeType": "text/plain", "text": "hi"},
    )
    assert exchange.request.headers == (("accept-encoding", "gzip"),)
    assert exchange.response.headers == (("content-type", "text/plain"),)
    assert exchange.response.body == b"hi"


def test_form_params_become_a_form_body(tmp_path):
    params = [{"name": "a b", "value": "1&2"}, {"name": "c", "value": "é"}, {"name": "d"}]
    request = one(
        tmp_path,
        method="POST",
        post={"mimeType": "application/x-www-form-urlencoded", "params": params},
    ).request
    assert request.body == b"a+b=1%262&c=%C3%A9&d="
    assert request.media_type == "application/x-www-form-urlencoded"


def test_text_wins_over_params(tmp_path):
    post = {"mimeType": "text/plain", "text": "a=1", "params": [{"name": "b", "value": "2"}]}
    assert one(tmp_path, method="POST", post=post).request.body == b"a=1"


def test_multipart_params_become_a_multipart_body(tmp_path):
    params = [
        {"name": "title", "value": "x"},
        {"name": "file", "value": "data", "fileName": "f.txt", "contentType": "text/plain"},
    ]
    request = one(
        tmp_path,
        method="POST",
        headers={"Content-Type": "multipart/form-data; boundary=BB"},
        post={"mimeType": "multipart/form-data; boundary=BB", "params": params},
    ).request
    assert request.body == (
        b'--BB\r\nContent-Disposition: form-data; name="title"\r\n\r\nx\r\n'
        b'--BB\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\ndata\r\n--BB--\r\n"
    )


def test_multipart_without_a_boundary_gets_one(tmp_path):
    post = {"mimeType": "multipart/form-data", "params": [{"name": "a", "value": "1"}]}
    request = one(tmp_path, method="POST", post=post).request
    boundary = request.header("content-type").partition("boundary=")[2]
    assert boundary
    assert request.body.startswith(b"--" + boundary.encode())


def test_base64_bodies_are_decoded_on_both_sides(tmp_path):
    data = bytes(range(256))
    coded = base64.b64encode(data).decode()
    exchange = one(
        tmp_path,
        method="POST",
        post={"mimeType": "application/octet-stream", "text": coded, "encoding": "base64"},
        content={"size": 256, "mimeType": "image/png", "text": coded, "encoding": "base64"},
    )
    assert exchange.request.body == data
    assert exchange.response.body == data
    assert exchange.response.media_type == "image/png"


def test_a_packed_request_body_is_unpacked(tmp_path):
    coded = base64.b64encode(gzip.compress(b"plain")).decode()
    request = one(
        tmp_path,
        method="POST",
        headers={"Content-Encoding": "gzip"},
        post={"mimeType": "text/plain", "text": coded, "encoding": "base64"},
    ).request
    assert request.body == b"plain"
    assert request.header("content-encoding") is None


def test_a_body_that_was_left_out_is_counted(tmp_path):
    path = write(tmp_path / "a.har", [entry(content={"size": 10, "mimeType": "text/plain"})])
    counts = CaptureCounts()
    (exchange,) = read_har(path, counts=counts)
    assert exchange.response.body == b""
    assert counts.bodies_missing == 1


def test_text_is_encoded_in_the_charset_it_names(tmp_path):
    post = {"mimeType": "text/plain; charset=ISO-8859-1", "text": "é"}
    assert one(tmp_path, method="POST", post=post).request.body == b"\xe9"


def test_optional_fields_may_be_missing(tmp_path):
    bare = {
        "startedDateTime": "2026-01-02T03:04:05Z",
        "request": {"method": "GET", "url": "https://h:8443"},
        "response": {"status": 204},
    }
    (exchange,) = read(tmp_path, bare)
    assert exchange.request.origin == "https://h:8443"
    assert exchange.request.path == "/"
    assert exchange.duration_ms == 0


def test_a_negative_time_is_the_sum_of_the_timings(tmp_path):
    recorded = entry(time=-1)
    recorded["time"] = -1
    assert read(tmp_path, recorded)[0].duration_ms == 6


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T00:00:01", 1),
        ("1970-01-01 00:00:01z", 1),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.123456789012Z", 1.123456789012),
        ("1970-01-01T01:00:01,25+01:00", 1.25),
        ("1969-12-31T18:30:01-0530", 1),
        ("1970-01-01T02:00+02", 0),
        ("1970-01-01T00:00:60Z", 60),
    ],
)
def test_times_of_every_variant_are_read(text, seconds):
    assert timestamp(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", ["", "yesterday", "1970-13-01T00:00:00Z", "1970-01-01", "12:00"])
def test_other_times_are_refused(text):
    with pytest.raises(Unusable):
        timestamp(text)


@pytest.mark.parametrize("url", ["", "/a", "ws://h/", "data:text/plain,a", "http://", "h.test/a"])
def test_other_addresses_are_refused(url):
    with pytest.raises(Unusable):
        parse_url(url)


def test_a_query_keeps_order_blanks_and_broken_escapes():
    assert parse_query("b=1&a&&a=%zz&c=%C3%A9+x") == (
        ("b", "1"),
        ("a", ""),
        ("a", "%zz"),
        ("c", "é x"),
    )


def test_malformed_entries_are_skipped_and_listed(tmp_path):
    bad = [
        entry(url="nonsense"),
        entry(at="never"),
        {"startedDateTime": "2026-01-01T00:00:00Z"},
        entry(status="ok"),
        entry(content={"text": "***", "encoding": "base64"}),
        17,
    ]
    path = write(tmp_path / "a.har", [entry(), *bad, entry()])
    counts = CaptureCounts()
    assert len(list(read_har(path, counts=counts))) == 2
    assert counts.read == 8
    assert counts.malformed_total == 6
    assert [index for index, _ in counts.malformed] == [1, 2, 3, 4, 5, 6]
    assert "`request`" in counts.malformed[2][1]
    assert all(reason for _, reason in counts.malformed)


def test_the_list_of_malformed_entries_has_a_maximum(tmp_path):
    path = write(tmp_path / "a.har", [0] * 150)
    counts = CaptureCounts()
    assert list(read_har(path, counts=counts)) == []
    assert len(counts.malformed) == 100
    assert counts.malformed_total == 150


def test_gzip_is_told_by_its_magic_and_a_byte_order_mark_is_passed_over(tmp_path):
    data = b"\xef\xbb\xbf" + document([entry()])
    half = len(data) // 2
    for name, content in {
        "plain.gz": data,
        "packed.har": gzip.compress(data),
        "members.har": gzip.compress(data[:half]) + gzip.compress(data[half:]) + b"\0\0",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert len(list(read_har(tmp_path / name, counts=CaptureCounts()))) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_file_yields_its_whole_entries_and_then_says_so(tmp_path, packed):
    import random

    noise = random.Random(1)
    entries = [entry(url=f"http://h/{i}?{noise.randbytes(99).hex()}") for i in range(50)]
    data = document(entries)
    data = (
        gzip.compress(data)[: len(gzip.compress(data)) // 2] if packed else data[: len(data) // 2]
    )
    path = tmp_path / "cut.har"
    path.write_bytes(data)
    stream = read_har(path, counts=CaptureCounts())
    got = []
    with pytest.raises(InputError) as caught:
        got.extend(iter_into(stream, got))
    assert 15 < len(got) < 30
    assert f"the {len(got)} entries before" in str(caught.value)
    assert "only what is missing is added" in str(caught.value)


def iter_into(stream, got):
    for item in stream:
        got.append(item)
    return []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"PK\x03\x04" + bytes(500),
        bytes(range(256)) * 20,
        b"<html>",
        b"[]",
        b"{}",
        b'{"log": {"version": "1.2"}}',
        b'{"openapi": "3.1.0"}',
        b"\x1f\x8b",
        b"\x1f\x8bjunk that is no gzip",
        gzip.compress(b"not a har", mtime=0),
        gzip.compress(b"", mtime=0),
        '{"log":{"entries":[]}}'.encode("utf-16"),
    ],
)
def test_what_is_no_har_is_one_clear_line(tmp_path, content):
    path = tmp_path / "x.har"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(read_har(path, counts=CaptureCounts()))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_directory_are_one_clear_line(tmp_path):
    for path in (tmp_path / "absent.har", tmp_path):
        with pytest.raises(InputError) as caught:
            list(read_har(path, counts=CaptureCounts()))
        assert str(path) in str(caught.value)


def test_an_empty_recording_is_fine(tmp_path):
    assert read(tmp_path) == []


def test_progress_ends_at_the_size_of_the_file(tmp_path):
    path = write(tmp_path / "a.har", [entry()] * 300, packed=True)
    seen: list[int] = []
    list(read_har(path, counts=CaptureCounts(), progress=seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == path.stat().st_size


def test_a_large_body_passes_or_is_dropped_and_counted(tmp_path):
    text = "x" * 50_000_000
    path = write(tmp_path / "a.har", [entry(content={"size": 1, "text": text}), entry()])
    counts = CaptureCounts()
    big, _ = read_har(path, counts=counts, body_bytes_max=60_000_000)
    assert len(big.response.body) == 50_000_000
    assert counts.bodies_dropped == 0
    big, _ = read_har(path, counts=counts, body_bytes_max=1_000_000)
    assert big.response.body == b""
    assert counts.bodies_dropped == 1
