"""Multipart forms, read by Python's own parser of MIME messages."""

from __future__ import annotations

import json
from email.parser import BytesParser
from pathlib import Path

import pytest

from premortem.domain.traffic import Exchange, Profile, Request, Response, Tags
from premortem.generate.mutate import Mutator
from premortem.generate.parts import read_multipart, write_multipart
from premortem.generate.sample import Sampler
from premortem.generate.schema import SchemaSource
from premortem.learn import learn_profile, load_spec

UPLOAD = "POST /pictures"
PICTURE = bytes(range(256))
SPEC = {
    "openapi": "3.0.3",
    "info": {"title": "Pictures", "version": "1"},
    "paths": {
        "/pictures": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "required": ["title", "image"],
                                "properties": {
                                    "title": {"type": "string", "minLength": 3},
                                    "width": {"type": "integer", "minimum": 1, "maximum": 4000},
                                    "image": {"type": "string", "format": "binary"},
                                    "table": {"type": "string", "format": "binary"},
                                },
                            }
                        }
                    },
                },
                "responses": {"201": {"description": "made"}, "422": {"description": "no"}},
            }
        }
    },
}


def upload(number: int) -> Request:
    boundary = f"----part{number}"
    table = "".join(f"row{i},{i * number}\n" for i in range(6))
    parts = [
        ('name="title"', "", f"Picture {number}".encode()),
        ('name="width"', "", str(100 + number).encode()),
        (f'name="image"; filename="p{number}.png"', "image/png", PICTURE + bytes([number])),
        (f'name="table"; filename="t{number}.csv"', "text/csv", table.encode()),
    ]
    body = b""
    for disposition, kind, content in parts:
        body += f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n".encode()
        body += f"Content-Type: {kind}\r\n".encode() if kind else b""
        body += b"\r\n" + content + b"\r\n"
    return Request(
        method="POST",
        origin="http://prod",
        path="/pictures",
        headers=(("content-type", f"multipart/form-data; boundary={boundary}"),),
        body=body + f"--{boundary}--\r\n".encode(),
    )


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> tuple[Profile, dict[str, Exchange]]:
    exchanges = [
        Exchange(
            request=upload(number),
            response=Response(status=201, headers=(("content-type", "application/json"),)),
            started_at=float(number),
            duration_ms=1.0,
            tags=Tags(role="clerk"),
        )
        for number in range(1, 31)
    ]
    file = Path(tmp_path_factory.mktemp("spec")) / "openapi.json"
    file.write_text(json.dumps(SPEC))
    profile = learn_profile(lambda: iter(exchanges), spec=load_spec(file), now=0.0)
    return profile, {exchange.id: exchange for exchange in exchanges}


def parts(request: Request) -> list[tuple[str, str | None, bytes]]:
    """(name, file's name, content) as Python's own parser sees them."""
    head = f"Content-Type: {request.header('content-type')}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    found = []
    for part in message.get_payload():
        name = part.get_param("name", header="content-disposition")
        found.append((str(name), part.get_filename(), part.get_payload(decode=True)))
    return found


def test_a_form_reads_back_as_it_was_written():
    request = upload(3)
    form = read_multipart(request)
    assert form["title"] == "Picture 3"
    assert write_multipart(form, request) == request.body


def test_texts_are_varied_and_pictures_are_kept_whole(learned):
    cases = Sampler(*learned, 1).cases(UPLOAD, 40)
    assert len(cases) == 40
    seen = [{n: (f, c) for n, f, c in parts(case.request)} for case in cases]
    assert len({form["width"][1] for form in seen}) > 10
    assert all(1 <= int(form["width"][1]) <= 4000 for form in seen)
    assert all(form["image"][1].startswith(PICTURE) for form in seen)
    assert all(form["image"][0].endswith(".png") for form in seen)
    assert len({len(form["table"][1]) for form in seen}) > 3
    assert all(form["table"][1].startswith(b"row0,") for form in seen)


def test_each_part_is_broken_alone(learned):
    cases = SchemaSource(*learned, 1).cases(UPLOAD, 80)
    broken = {case.intent.breaks: case for case in cases if case.intent.certain}
    assert {
        "body:/title required",
        "body:/image required",
        "body:/width type",
        "body:/width minimum",
        "body:/width maximum",
        "body:/title minLength",
    } <= set(broken)
    names = {name for name, _, _ in parts(broken["body:/image required"].request)}
    assert "image" not in names
    assert "title" in names
    wrong = {name: content for name, _, content in parts(broken["body:/width type"].request)}
    assert not wrong["width"].isdigit()
    assert len(wrong["title"]) >= 3
    assert wrong["image"].startswith(PICTURE)


def test_files_are_sent_in_ways_that_services_do_not_expect(learned):
    cases = {case.intent.breaks: case for case in Mutator(*learned, 1).cases(UPLOAD, 400)}
    text = {n: f for n, f, _ in parts(cases["body:/image sent as text"].request)}
    assert text["image"] is None
    assert text["table"]
    empty = {n: c for n, _, c in parts(cases["body:/image empty file"].request)}
    assert empty["image"] == b""
    twice = [n for n, _, _ in parts(cases["body:/table file twice"].request)]
    assert twice.count("table") == 2
    assert "body malformed" in cases
    assert cases["body:/title required"].intent.expects == "refusal"
