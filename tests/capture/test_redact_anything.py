"""Redaction of anything at all: it never raises, keeps form and length, and is idempotent."""

from __future__ import annotations

import json
from time import process_time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.traffic import Request
from tests.capture.test_redact import ORDINARY, SECRETS, body, redactor

pieces = [
    *SECRETS,
    *ORDINARY,
    *("password=", "token: ", "Bearer ", '{"pin":', "<secret>", "</secret>", "://", "%40", "rdx"),
    *'"}[\\&= @\n;/éx',
]
texts = st.text(max_size=60) | st.lists(st.sampled_from(pieces), max_size=7).map("".join)
plain = texts.filter(lambda text: "%" not in text)  # an encoded value may become shorter
documents = st.recursive(
    plain | st.integers() | st.floats(allow_nan=False) | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["password", "pin", "note", "id", "email", "value", "name", "tokens"])
            | plain,
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
types = st.sampled_from(
    [
        "",
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/xml",
        "multipart/form-data; boundary=B",
        "text/csv",
        "text/plain",
    ]
)


def redacted(data: bytes, content_type: str) -> bytes:
    sent = Request(
        method="POST", origin="", path="/", headers=(("content-type", content_type),), body=data
    )
    return redactor().request(sent).body


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | texts.map(lambda t: t.encode("utf-8", "replace")), types)
def test_redaction_never_raises_and_is_idempotent(data, content_type):
    once = redacted(data, content_type)
    assert redacted(once, content_type) == once


@settings(max_examples=300, deadline=None)
@given(documents)
def test_documents_stay_documents_of_the_same_shape(value):
    text = json.dumps(value)
    out = body(text)
    assert shape(json.loads(out)) == shape(json.loads(text))
    assert body(out) == out


@pytest.mark.parametrize("name", ["ssn", "phone", "card_number", "account", "tax_id"])
def test_numbers_are_known_again_whatever_they_begin_with(name):
    for number in range(1_302_998_000, 1_302_999_000, 7):
        out = body(json.dumps({name: number}))
        assert body(out) == out, number


def shape(value):
    if isinstance(value, dict):
        return [(len(key), shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    return (type(value), len(value)) if isinstance(value, str) else type(value)


@settings(max_examples=200, deadline=None)
@given(texts, texts, texts)
def test_requests_stay_requests(path, name, value):
    sent = Request(
        method="GET",
        origin="http://h",
        path="/" + quote(path),
        query=((name, value),),
        headers=((name.lower() or "x", value), ("authorization", value), ("cookie", value)),
    )
    once = redactor().request(sent)
    assert redactor().request(once) == once
    assert len(once.query[0][1]) == len(value)
    assert once.path.startswith("/")


@pytest.mark.parametrize(
    "piece",
    [
        *('<a name="a" ', 'name="a" ', 'password="', "password=", "token is ", "<a>", "\\u0041"),
        *("DE89 ", "eyJ", "a@", "1 ", "://a:", "sk-aa-", "A1b2", "-----BEGIN X PRIVATE KEY-----"),
    ],
)
def test_no_text_takes_more_than_linear_time(piece):
    def seconds(size):
        data = ("<" + piece * (size // len(piece))).encode()
        started = process_time()
        redacted(data, "text/plain")
        return process_time() - started

    assert seconds(64_000) < 40 * max(seconds(8_000), 0.002)  # 8 when linear, 64 when quadratic
