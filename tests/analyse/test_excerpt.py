from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from premortem.analyse.excerpt import (
    BODY_CHARS_MAX,
    HEADERS_MAX,
    body_text,
    header_lines,
    printable,
    shorten,
)
from premortem.domain.traffic import Response


def body(raw: bytes, media_type: str = "application/json") -> str:
    return body_text(Response(status=200, headers=(("content-type", media_type),), body=raw))


@given(st.text(st.characters()))
def test_printable_text_can_stand_in_xml_and_in_a_file(text):
    shown = printable(text)
    shown.encode()
    ET.fromstring(f"<a>{shown.replace('&', '').replace('<', '').replace(']]>', '')}</a>")
    assert "\x1b" not in shown


@given(st.text(st.characters()), st.integers(1, 40))
def test_a_shortened_line_is_short_and_one_line(text, length):
    line = shorten(text, length)
    assert len(line) <= length
    assert "\n" not in line


def test_json_is_laid_out_and_what_is_none_is_shown_as_it_is():
    assert body(b'{"a":1}') == '{\n  "a": 1\n}'
    assert body(b'{"a":') == '{"a":'
    assert body(b"") == ""


def test_binary_content_is_told_by_its_size():
    assert body(b"\x89PNG\x00\x00", "image/png") == "(6 bytes of image/png)"
    assert body(bytes(range(128, 256)) * 4, "") == "(512 bytes of binary content)"


def test_long_bodies_are_cut_and_say_so():
    text = body(b"x" * 1_000_000, "text/plain")
    assert len(text) < BODY_CHARS_MAX + 50
    assert text.endswith("(1,000,000 bytes in all)")
    assert body(b"x" * BODY_CHARS_MAX, "text/plain") == "x" * BODY_CHARS_MAX


def test_credentials_are_named_and_not_shown():
    pairs = (("authorization", "Bearer abc"), ("set-cookie", "s=abc"), ("x-note", "fine"))
    assert list(header_lines(pairs)) == [
        "authorization: (not shown)",
        "set-cookie: (not shown)",
        "x-note: fine",
    ]


def test_many_headers_are_counted():
    lines = list(header_lines((("a", "b"),) * (HEADERS_MAX + 2)))
    assert lines[-1] == "… and 2 more headers"
    assert len(lines) == HEADERS_MAX + 1
