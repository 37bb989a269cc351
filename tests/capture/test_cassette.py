"""Cassettes of every kind, as their serialisers write them."""

from __future__ import annotations

import json
import tracemalloc

import pytest
import yaml

from premortem.capture import CaptureCounts, detect
from premortem.capture.cassette import read_cassette
from premortem.errors import InputError


def interaction(number=0, **response):
    return {
        "request": {
            "body": '{"a": 1}',
            "headers": {"Content-Type": ["application/json"], "X-Two": ["1", "2"]},
            "method": "POST",
            "uri": f"http://h.test/items/{number}?q=a+b",
        },
        "response": {
            "body": {"string": '{"b": "é"}'},
            "headers": {"Content-Type": ["application/json"]},
            "status": {"code": 201, "message": "Created"},
            **response,
        },
    }


def read(tmp_path, text):
    path = tmp_path / "cassette"
    path.write_text(text)
    counts = CaptureCounts()
    entries = read_cassette(path, counts=counts)
    return [e.exchange(body_bytes_max=1 << 20, counts=counts) for _, e in entries], counts, path


def vcr_yaml(*interactions):
    return yaml.safe_dump({"interactions": list(interactions), "version": 1})


def vcr_json(*interactions):
    return json.dumps({"version": 1, "interactions": list(interactions)}, indent=2)


@pytest.mark.parametrize("write", [vcr_yaml, vcr_json])
def test_both_of_vcrpys_serialisers_are_read(tmp_path, write):
    exchanges, counts, path = read(tmp_path, write(interaction(0), interaction(1)))
    assert detect(path) == "cassette"
    assert [e.request.path for e in exchanges] == ["/items/0", "/items/1"]
    request, response = exchanges[0].request, exchanges[0].response
    assert (request.method, request.origin) == ("POST", "http://h.test")
    assert request.query == (("q", "a b"),)
    assert request.headers[1:] == (("x-two", "1"), ("x-two", "2"))
    assert request.body == b'{"a": 1}'
    assert (response.status, response.body) == (201, '{"b": "é"}'.encode())
    assert counts.read == 2


RUBY = """\
---
http_interactions:
- request:
    method: post
    uri: http://h.test/a
    body:
      encoding: UTF-8
      string: a=1
    headers:
      Content-Type:
      - application/x-www-form-urlencoded
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type:
      - image/png
    body:
      encoding: ASCII-8BIT
      string: !binary |-
        iVBORw==
    http_version: null
  recorded_at: Tue, 14 Nov 2023 22:13:20 GMT
recorded_with: VCR 6.2.0
"""


def test_a_cassette_of_rubys_vcr_is_read(tmp_path):
    (exchange,), _, path = read(tmp_path, RUBY)
    assert detect(path) == "cassette"
    assert exchange.request.method == "POST"
    assert exchange.request.body == b"a=1"
    assert exchange.response.body == b"\x89PNG"
    assert exchange.started_at == 1700000000


def test_aliases_between_interactions_are_followed(tmp_path):
    headers = {"X-Same": ["1"]}
    first, second = interaction(0), interaction(1)
    first["request"]["headers"] = second["request"]["headers"] = headers
    text = vcr_yaml(first, second)
    assert "&id" in text
    exchanges, _, _ = read(tmp_path, text)
    assert [e.request.headers for e in exchanges] == [(("x-same", "1"),)] * 2


@pytest.mark.parametrize("write", [vcr_yaml, vcr_json])
def test_interactions_that_cannot_be_read_are_counted(tmp_path, write):
    broken = {"request": {"method": "GET"}, "response": {}}
    no_status = interaction(2, status={})
    exchanges, counts, _ = read(tmp_path, write(interaction(0), broken, no_status, interaction(3)))
    assert len(exchanges) == 2
    assert [place for place, _ in counts.malformed] == [1, 2]


@pytest.mark.parametrize("write", [vcr_yaml, vcr_json])
def test_a_cassette_that_is_cut_short_gives_what_is_whole(tmp_path, write):
    text = write(*map(interaction, range(20)))
    path = tmp_path / "cut"
    path.write_text(text[: len(text) * 2 // 3] + '"')
    counts = CaptureCounts()
    found = read_cassette(path, counts=counts)
    with pytest.raises(InputError, match="is damaged or cut short"):
        list(found)
    assert 8 < counts.read < 15


@pytest.mark.parametrize(
    "text",
    ["", "a: 1", "- 1", "interactions: 3", "{}", '{"interactions": {}}', "\x00", "a: [", "&a [*a]"],
)
def test_a_file_that_is_no_cassette_is_named(tmp_path, text):
    with pytest.raises(InputError, match="is not a cassette"):
        read(tmp_path, text)


def test_nested_lists_and_aliases_are_no_bomb(tmp_path):
    bomb = "a: &a [x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)},*{chr(97 + n)}]\n"
        for n in range(20)
    )
    for text in (bomb, "[" * 5000, "interactions:\n- " + "[" * 5000):
        with pytest.raises(InputError):
            read(tmp_path, text)


def test_memory_stays_flat_whatever_the_length_of_the_cassette(tmp_path):
    path = tmp_path / "long.yaml"
    one = vcr_yaml(interaction(body={"string": "lorem ipsum " * 2000}))
    head, _, rest = one.partition("\n")
    body = rest.rpartition("version")[0]
    with path.open("w") as file:
        file.write(head + "\n")
        for _ in range(300):
            file.write(body)
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_cassette(path, counts=CaptureCounts()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 300
    assert path.stat().st_size > 7e6
    assert peak < 3e6
