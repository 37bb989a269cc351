from __future__ import annotations

import json
import time

import pytest

from premortem.checks.message import LINE_CHARS_MAX, message_of, reason_of
from premortem.domain.traffic import Response


def says(body: bytes | str, media_type: str = "text/plain") -> str:
    raw = body.encode() if isinstance(body, str) else body
    return message_of(Response(status=500, headers=(("content-type", media_type),), body=raw))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "DivisionError", "message": "by zero"}, "DivisionError: by zero"),
        ({"detail": "Internal Server Error"}, "Internal Server Error"),
        ({"code": 500, "errno": 999, "error": "Oops"}, "Oops"),
        ({"type": "about:blank", "title": "Broken", "detail": "no disk"}, "Broken: no disk"),
        ({"errors": [{"message": "Cannot query", "extensions": {"code": "X"}}]}, "Cannot query"),
        ({"error": {"type": "db", "message": "gone"}}, "db: gone"),
        ({"trace_id": "1", "data": {"a": 1}}, ""),
        ([{"msg": "field required"}], "field required"),
        ("plain", "plain"),
    ],
)
def test_json_says_it_in_its_kind_and_message(body, message):
    assert says(json.dumps(body), "application/json") == message


def test_a_python_traceback_ends_with_the_exception():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/app/main.py", line 12, in handle\n'
        "    return 1 / x\n"
        "ZeroDivisionError: division by zero\n"
    )
    assert says(text) == "ZeroDivisionError: division by zero"
    assert says(json.dumps({"detail": text}), "application/json") == (
        "ZeroDivisionError: division by zero"
    )


def test_a_java_stack_trace_starts_with_the_exception():
    text = "java.lang.NullPointerException: x is null\n\tat com.shop.Cart.add(Cart.java:12)\n"
    assert says(text) == "java.lang.NullPointerException: x is null"


def test_a_debugger_page_names_the_exception():
    page = (
        "<!doctype html><html><head><title>KeyError at /invoices</title><style>b{}</style></head>"
        "<body><h1>KeyError</h1><p>&#39;amount&#39;</p></body></html>"
    )
    assert says(page, "text/html").startswith("KeyError")


def test_a_plain_page_says_its_title():
    page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    assert says(page, "text/html") == "502 Bad Gateway"


def test_a_go_panic_and_a_bare_line_are_themselves():
    assert says("panic: runtime error: index out of range [3]\n\ngoroutine 1\n").startswith("panic")
    assert says("Internal Server Error") == "Internal Server Error"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (409, {"error": "Duplicate", "message": "invoice 7 of ann is there"}, "Duplicate"),
        (422, {"detail": "amount 12.50 is above 10"}, "amount # is above #"),
        (404, {"error": "not found: 7"}, "not found: #"),
        (200, {"error": "Duplicate"}, ""),
        (500, {"error": "Duplicate"}, ""),
    ],
)
def test_the_reason_of_a_refusal_is_the_same_for_each_of_its_kind(status, body, reason):
    raw = json.dumps(body).encode()
    headers = (("content-type", "application/json"),)
    assert reason_of(Response(status=status, headers=headers, body=raw)) == reason


@pytest.mark.parametrize("body", [b"", b"  \n", b"null", b"\xff\xfe\x00\x01"])
def test_nothing_to_say_is_survived(body):
    assert len(says(body, "application/json")) < 10


@pytest.mark.parametrize(
    "body",
    ["<" * 100_000, "<head" * 30_000, "A" * 100_000, "A." * 50_000, "[" * 100_000, "a\n" * 50_000],
)
def test_hostile_bodies_take_no_time(body):
    started = time.process_time()
    for media_type in ("text/html", "text/plain", "application/json"):
        assert len(says(body, media_type)) <= LINE_CHARS_MAX
    assert time.process_time() - started < 2
