"""Bodies are judged by what they are; their media type may be wrong, missing, or a default."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, unquote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.capture import Redactor
from premortem.domain.traffic import Request

KEY = b"k" * 32
VALUES = {
    "password": "hunter2hunter2",
    "email": "anna.kowalska@mail.example",
    "first_name": "Annegret",
    "iban": "DE89370400440532013000",
}
ORDINARY = "left at the door"
DATA = {**VALUES, "note": ORDINARY}
DOCUMENT = json.dumps(DATA)
PARTS = "".join(
    f'--XyZ\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    for name, value in DATA.items()
)
ESCAPED = DOCUMENT.replace('"', "&quot;")
CONTENTS = {
    "json": DOCUMENT,
    "indented json": json.dumps(DATA, indent=2),
    "json with a byte order mark": "\ufeff" + DOCUMENT,
    "json behind a guard": ")]}',\n" + DOCUMENT,
    "jsonp": f"callback({DOCUMENT});",
    "json with a comma too many": DOCUMENT[:-1] + ",}",
    "json with a bare name": DOCUMENT.replace('"note"', "note"),
    "python": str(DATA),
    "json lines": f"{DOCUMENT}\n{DOCUMENT}\n",
    "events": f"event: saved\ndata: {DOCUMENT}\n\n",
    "form": urlencode(DATA),
    "form with encoded names": f"first%5Fname=Annegret&note=left+at+the+door&d={quote(DOCUMENT)}",
    "multipart": PARTS + "--XyZ--\r\n",
    "multipart, cut off": PARTS,
    "xml": "<r>" + "".join(f"<{k}>{v}</{k}>" for k, v in DATA.items()) + "</r>",
    "page with json": f"<html><body><h1>500</h1><pre>{DOCUMENT}</pre></body></html>",
    "page with escaped json": f"<html><body><pre>{ESCAPED}</pre></body></html>",
    "yaml": "\n".join(f"{k}: {v}" for k, v in DATA.items()),
    "table": ",".join(DATA) + "\r\n" + ",".join(DATA.values()) + "\r\n",
    "base64": base64.b64encode(DOCUMENT.encode()).decode(),
    "base64 in lines": base64.encodebytes(DOCUMENT.encode()).decode(),
}
LABELS = [
    "",
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "text/html; charset=utf-8",
    "application/xml",
    "text/csv",
    "application/octet-stream",
    "multipart/form-data",
    "multipart/form-data; boundary=XX",
    "image/png",
    "application/vnd.api+json",
    "application/x-ndjson",
]


def redacted(body: str | bytes, label: str) -> str:
    data = body if isinstance(body, bytes) else body.encode()
    headers = (("content-type", label),) if label else ()
    request = Request(method="POST", origin="", path="/x", headers=headers, body=data)
    return Redactor(KEY).request(request).body.decode("utf-8", "replace")


def readings(text: str) -> str:
    plain = text + unquote_plus(text)
    try:
        return plain + base64.b64decode(text).decode()
    except ValueError:
        return plain


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("label", LABELS)
def test_what_is_secret_goes_and_the_rest_stays_under_any_label(content, label):
    seen = readings(redacted(CONTENTS[content], label))
    assert [name for name, value in VALUES.items() if value in seen] == []
    assert ORDINARY in seen


@given(
    cut=st.integers(1, 60),
    label=st.sampled_from(LABELS),
    depth=st.integers(0, 3),
    wide=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_json_that_a_body_cap_cut_off_keeps_no_part_of_a_secret(cut, label, depth, wide):
    data: object = {"note": "plain", "user": {"password": "Winter-Gate-77"}}
    for _ in range(depth):
        data = {"items": [data]} if depth % 2 else {"data": data, "n": 1}
    text = json.dumps(data, indent=1 if wide else None)
    out = redacted(text[:-cut] if cut < len(text) else text[:1], label)
    assert "Winter" not in out


@given(text=st.text(max_size=200), label=st.sampled_from(LABELS))
@settings(max_examples=200, deadline=None)
def test_any_text_under_any_label_is_redacted_once(text, label):
    once = redacted(text, label)
    assert redacted(once, label) == once


@given(data=st.binary(max_size=200), label=st.sampled_from(LABELS))
@settings(max_examples=100, deadline=None)
def test_any_bytes_under_any_label_are_taken(data, label):
    redacted(data, label)


def test_images_that_are_images_are_left_alone():
    picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR password=hunter2hunter2"
    headers = (("content-type", "image/png"),)
    request = Request(method="PUT", origin="", path="/x", headers=headers, body=picture)
    assert Redactor(KEY).request(request).body == picture
