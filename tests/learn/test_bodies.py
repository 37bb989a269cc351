from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.traffic import Request
from premortem.learn.bodies import BODY_BYTES_MAX, LEAVES_MAX, File, leaves, read_body

MULTIPART = (
    b'--xx\r\nContent-Disposition: form-data; name="title"\r\n\r\nA b\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\n--xx--\r\n"
)


def request(media_type: str, body: bytes) -> Request:
    headers = (("content-type", media_type),) if media_type else ()
    return Request(method="POST", origin="", path="/", headers=headers, body=body)


def test_json_is_read_as_it_is():
    assert read_body(request("application/problem+json", b'{"a":[1]}')).value == {"a": [1]}


def test_a_form_is_one_flat_object_and_json_in_it_stays_text():
    body = read_body(request("application/x-www-form-urlencoded", b"a=1&b=x+y&b=z&c=%7B%7D&d="))
    assert body.kind == "form"
    assert body.value == {"a": "1", "b": ["x y", "z"], "c": "{}", "d": ""}


def test_multipart_is_one_flat_object_with_files_by_media_type():
    body = read_body(request("multipart/form-data; boundary=xx", MULTIPART))
    assert body.value == {"title": "A b", "file": File(media_type="image/png")}


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b'{"a":'),
        ("application/json", b"\xff\xfe"),
        ("application/json", b"[" * 100_000),
        ("application/x-www-form-urlencoded", b"\xff=1"),
        ("multipart/form-data", MULTIPART),
        ("application/octet-stream", b"\x00\x01"),
        ("application/json", b"1" * (BODY_BYTES_MAX + 1)),
    ],
)
def test_what_cannot_be_read_is_other(media_type, body):
    assert read_body(request(media_type, body)).kind == "other"


def test_an_empty_body_is_none():
    assert read_body(request("application/json", b"")).kind == "none"


@given(st.text("application/jsontextform-data;= x", max_size=40), st.binary(max_size=60))
def test_any_bytes_under_any_name_can_be_read(media_type, body):
    assert read_body(request(media_type, body)).kind


def test_leaves_stop_at_their_maximum():
    assert sum(1 for _ in leaves([0] * (LEAVES_MAX + 5))) == LEAVES_MAX


def test_leaves_come_in_order_with_stars_for_items():
    value = json.loads('{"a":[{"b":1},{"b":2}],"c":null}')
    assert list(leaves(value)) == [(("a", "*", "b"), 1), (("a", "*", "b"), 2), (("c",), None)]
