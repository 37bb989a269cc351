from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.run import Fault
from premortem.domain.traffic import Request, Response
from premortem.send.bind import bind
from tests.send.cases import binding, case, get, post

FORM = (("content-type", "application/x-www-form-urlencoded"),)


def answer(document: object = None, **headers: str) -> Response:
    pairs = (("content-type", "application/json"), *headers.items())
    return Response(status=201, headers=pairs, body=json.dumps(document).encode())


def bound(request: Request, binding_, *answers: Response | None) -> Request:
    result = bind(case(request, binding_), answers)
    assert isinstance(result, Request), result
    return result


def test_a_path_segment_is_named_by_its_index_and_percent_encoded():
    request = get("/a/old/b/old")
    result = bound(request, binding("body:/id", "path:1", "old"), answer({"id": "x/y z"}))
    assert result.path == "/a/x%2Fy%20z/b/old"


def test_only_the_recorded_part_of_a_segment_is_replaced():
    result = bound(
        get("/t/t3_abc.json"),
        binding("body:/data/0/id", "path:1", "abc"),
        answer({"data": [{"id": 7}]}),
    )
    assert result.path == "/t/t3_7.json"


@settings(max_examples=50)
@given(st.text(min_size=1))
def test_any_live_text_survives_the_path(text):
    result = bound(get("/a/old"), binding("body:/id", "path:1", "old"), answer({"id": text}))
    assert result.path.count("/") == 2
    if text.isprintable() and not any("\ud800" <= c <= "\udfff" for c in text):
        assert unquote(result.path.split("/")[2]) == text


def test_query_header_and_cookie_places():
    live = answer({"id": "new"})
    query = (("id", "old"), ("id", "other"), ("x", "old"))
    result = bound(get(query=query), binding("body:/id", "query:id", "old"), live)
    assert result.query == (("id", "new"), ("id", "other"), ("x", "old"))
    request = get(headers=(("if-match", '"old"'), ("cookie", "a=old; sid=old")))
    assert bound(request, binding("body:/id", "header:If-Match", "old"), live).headers[0] == (
        "if-match",
        '"new"',
    )
    assert bound(request, binding("body:/id", "cookie:sid", "old"), live).headers[1] == (
        "cookie",
        "a=old; sid=new",
    )


def test_values_come_from_headers_and_cookies_too():
    live = answer({}, etag='"7"', **{"set-cookie": "sid=s1; Path=/; HttpOnly"})
    request = get("/a/old")
    assert bound(request, binding("header:ETag", "path:1", "old"), live).path == "/a/%227%22"
    assert bound(request, binding("cookie:sid", "path:1", "old"), live).path == "/a/s1"


@pytest.mark.parametrize(
    ("recorded", "live", "result"),
    [
        (42, 57, 57),
        (42, "57", 57),
        (42, "abc", "abc"),
        ("42", 57, "57"),
        ("42", "x", "x"),
        ("inv-42!", 57, "inv-57!"),
        (1.5, 2.25, 2.25),
        (True, False, False),
        ({"a": 42}, 57, {"a": 42}),
    ],
)
def test_a_json_value_keeps_its_type(recorded, live, result):
    text = {"inv-42!": "42"}.get(str(recorded), recorded)
    text = text if isinstance(text, str) else json.dumps(text)
    body = json.dumps({"deep": [{"v": recorded}], "other": recorded}).encode()
    request = bound(
        post(body=body), binding("body:/id", "body:/deep/0/v", text), answer({"id": live})
    )
    assert json.loads(request.body) == {"deep": [{"v": result}], "other": recorded}


def test_a_star_stands_for_every_item_that_holds_the_value():
    body = b'{"ids":["old","else","old"]}'
    result = bound(post(body=body), binding("body:/id", "body:/ids/*", "old"), answer({"id": "n"}))
    assert json.loads(result.body) == {"ids": ["n", "else", "n"]}


def test_forms_are_encoded_anew():
    request = post(body=b"id=old+x&name=a%26b&empty=", headers=FORM)
    result = bound(request, binding("body:/id", "body:/id", "old x"), answer({"id": "n&m"}))
    assert result.body == b"id=n%26m&name=a%26b&empty="


def test_a_place_that_holds_something_else_is_left_alone():
    request = post("/a/mutated", b'{"id": null}')
    for place in ("path:1", "body:/id", "query:id", "path:9"):
        assert bound(request, binding("body:/id", place, "old"), answer({"id": "n"})).path == (
            "/a/mutated"
        )


def test_values_of_several_steps_go_into_one_request():
    c = case(
        get("/a/o1/b/o2"),
        binding("body:/id", "path:1", "o1"),
        binding("body:/id", "path:3", "o2", step=2),
    )
    result = bind(c, (answer({"id": "n1"}), None, answer({"id": "n2"})))
    assert result.path == "/a/n1/b/n2"


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (None,),
        (answer({}),),
        (answer({"id": None}),),
        (answer([1]),),
        (Response(status=500, body=b"<html>"),),
    ],
)
def test_a_value_that_never_came_is_a_fault_that_was_not_sent(answers):
    fault = bind(case(get("/a/old"), binding("body:/id", "path:1", "old")), answers)
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.sent) == ("unbound", False)
    assert "body:/id of step 1" in fault.detail
