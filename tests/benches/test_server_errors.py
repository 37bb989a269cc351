from __future__ import annotations

import json

from benches.defects.counting_proxy import Seen
from benches.defects.outcome import errors_of
from benches.defects.server_errors import read_errors
from benches.defects.services import KINTO

OWN = "/site-packages/shop/"
PLAIN = b"""INFO started
\x1b[1m"GET /a"\x1b[0m boom
Traceback (most recent call last):
  File "/venv/lib/site-packages/web/router.py", line 4, in handle
    return view(request)
           ^^^^^^^^^^^^^
  File "/venv/lib/site-packages/shop/views.py", line 9, in list_orders
    return parse(request)
  File "/usr/lib/python3.11/json/decoder.py", line 1, in decode
    raise ValueError(text)
ValueError: no number: 'x'
INFO "GET /b" 200
"""
CHAINED = b"""Traceback (most recent call last):
  File "/venv/lib/site-packages/shop/store.py", line 9, in insert
    execute(statement)
  File "/venv/lib/site-packages/driver.py", line 1, in execute
    raise IntegrityError(text)
driver.IntegrityError: UNIQUE failed

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/venv/lib/site-packages/web/router.py", line 4, in handle
    return view(request)
orm.errors.StatementError: insert failed
[SQL: INSERT ...]
"""
GROUPED = b"""ERROR:    Exception in ASGI application
  + Exception Group Traceback (most recent call last):
  |   File "/venv/lib/site-packages/web/tasks.py", line 1, in group
  |     raise BaseExceptionGroup(
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/venv/lib/site-packages/shop/api.py", line 2, in create
    |     check(mail)
    |   File "/venv/lib/site-packages/shop/mail.py", line 3, in check
    |     raise ValueError("Invalid")
    | ValueError: Invalid
    +------------------------------------

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/venv/lib/site-packages/shop/api.py", line 2, in create
    check(mail)
  File "/venv/lib/site-packages/shop/mail.py", line 3, in check
    raise ValueError("Invalid")
ValueError: Invalid
"""


def signatures(log: bytes, language: str = "python", own: str = OWN) -> list[str]:
    return [error.signature for error in read_errors(log, language=language, own=own)]


def test_an_error_is_named_by_its_type_and_the_innermost_frame_of_the_service_itself():
    (error,) = read_errors(PLAIN, language="python", own=OWN)
    assert error.signature == "ValueError @ shop/views.py:list_orders"
    assert PLAIN[error.at :].startswith(b"Traceback")
    assert "no number" in error.message


def test_of_a_chain_the_last_exception_counts_and_an_earlier_one_lends_its_frame():
    assert signatures(CHAINED) == ["StatementError @ shop/store.py:insert"]


def test_a_group_and_what_follows_from_it_are_one_error():
    assert signatures(GROUPED) == ["ValueError @ shop/mail.py:check"]


def test_a_logger_that_fails_hides_no_error_and_is_none_itself():
    failed = CHAINED.replace(b"StatementError: insert failed", b"TypeError: not enough arguments")
    assert signatures(b"--- Logging error ---\n" + failed) == [
        "IntegrityError @ shop/store.py:insert"
    ]
    assert signatures(b"--- Logging error ---\n" + PLAIN[PLAIN.index(b"Traceback") :]) == []


def test_errors_one_after_the_other_stay_apart():
    assert len(signatures(PLAIN + CHAINED + PLAIN)) == 3


def test_an_error_wholly_in_libraries_says_so():
    assert signatures(PLAIN, own="/site-packages/other/") == ["ValueError @ (no own frame)"]


def test_what_comes_from_the_setup_is_left_out():
    log = PLAIN.replace(b"no number", b"Version file missing")
    assert errors_of(KINTO, log, 0, []) == ((), {})


def test_node_errors_are_read_from_lines_of_json():
    stack = (
        "TypeError: x is undefined\n"
        "    at map (node:internal/array:1:2)\n"
        "    at parse (/srv/node_modules/knex/lib/parse.js:3:4)\n"
        "    at ItemsService.readMany (file:///srv/node_modules/@shop/api/dist/items.js:120:17)\n"
        "    at async file:///srv/node_modules/@shop/api/dist/run.js:12:9\n"
    )
    error = {"type": "TypeError", "message": "x is undefined", "stack": stack}
    lines = [
        {"level": 30, "msg": "request completed", "err": error},
        {"level": 50, "err": error},
        {"level": 50, "err": {**error, "stack": stack.replace("ItemsService.readMany (", "")}},
    ]
    log = "\n".join(["> start", *map(json.dumps, lines), "{broken", ""]).encode()
    named, anonymous = signatures(log, language="node", own="/node_modules/@shop/")
    assert named == "TypeError @ @shop/api/dist/items.js:ItemsService.readMany"
    assert anonymous.startswith("TypeError @ @shop/api/dist/")


def test_an_error_is_told_the_request_behind_it():
    log = PLAIN.replace(b"/shop/", b"/kinto/")
    at = log.index(b"Traceback")
    before = Seen(number=1, log_from=0, log_to=at - 5, head=b"GET /quiet HTTP/1.1", status=200)
    beside = Seen(number=2, log_from=0, log_to=len(log), head=b"GET /b HTTP/1.1", status=200)
    behind = Seen(number=3, log_from=5, log_to=len(log), head=b"GET /a HTTP/1.1", status=500)
    never = Seen(number=4, log_from=5, log_to=len(log), head=b"GET /c HTTP/1.1")
    (defect,), silent = errors_of(KINTO, log, 3, [before, behind, beside, never])
    assert [trigger.line for trigger in defect.triggers] == ["GET /a"]
    assert not silent


def test_an_error_logged_after_its_answer_goes_to_the_one_that_failed_before():
    log = b"INFO\n" + PLAIN.replace(b"/shop/", b"/kinto/")
    failed = Seen(number=1, log_from=0, log_to=5, head=b"POST /a HTTP/1.1", status=500)
    after = Seen(number=2, log_from=5, log_to=len(log), head=b"GET /b HTTP/1.1")
    (defect,), _ = errors_of(KINTO, log, 0, [failed, after])
    assert [trigger.line for trigger in defect.triggers] == ["POST /a"]


def test_a_failure_without_an_error_in_the_log_is_told():
    failed = Seen(number=1, log_from=0, log_to=5, head=b"POST /a?b=1 HTTP/1.1", status=503)
    assert errors_of(KINTO, b"INFO\n", 0, [failed]) == ((), {"POST /a 503": 1})


def test_what_was_logged_before_the_first_request_does_not_count():
    log = PLAIN.replace(b"/shop/", b"/kinto/")
    assert len(errors_of(KINTO, log + log, len(log), [])[0]) == 1
    assert errors_of(KINTO, log, len(log), []) == ((), {})
