"""Following the target's log: templates by Drain, records with their traces, offsets."""

import random
import sys
from pathlib import Path

import pytest

from premortem.observe.drain import OTHER, Drain
from premortem.observe.log import LogCommand, LogWatch

TRACE = """\
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "/srv/ledger/app.py", line 12, in pay
    cents(amount)
  File "/srv/ledger/money.py", line 4, in cents
    raise ValueError(amount)
ValueError: 1.234

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/ledger/app.py", line 14, in pay
    audit.fail()
  File "/srv/ledger/audit.py", line 9, in fail
    return self.entries[key]
KeyError: 'payment 17'
INFO:     127.0.0.1:5000 - "POST /payments HTTP/1.1" 500
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


def write(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_lines_that_differ_in_values_have_one_template():
    drain = Drain()
    ids = [
        drain.add(f"paid invoice {n} with {n * 1.5:.2f} EUR from 10.0.0.{n} in {n} ms")
        for n in range(200)
    ]
    other = drain.add("invoice locked by finance")

    assert len(set(ids)) == 1
    assert other not in ids
    assert [t.hits for t in drain.templates] == [200, 1]
    assert drain.templates[0].text == "paid invoice <*> with <*> EUR from <*> in <*> ms"


def test_names_without_a_form_are_found_to_vary():
    drain = Drain()
    for name in ("anna", "bert", "carl", "dora"):
        drain.add(f"user signed in as {name} from the office")

    assert [t.text for t in drain.templates] == ["user signed in as <*> from the office"]


def test_templates_do_not_depend_on_how_often_lines_come():
    lines = [f"job {n % 7} took {n} s" for n in range(50)] + ["shutting down"] * 20
    orders = [random.Random(seed).sample(lines, len(lines)) for seed in range(3)]
    found = []
    for order in orders:
        drain = Drain()
        for line in order:
            drain.add(line)
        found.append({(t.text, t.hits) for t in drain.templates})

    assert found[0] == found[1] == found[2]


def test_templates_have_a_maximum():
    drain = Drain(templates_max=3)
    words = ("alpha", "beta", "gamma", "delta", "epsilon")
    ids = [drain.add(" ".join([word] * (i + 2))) for i, word in enumerate(words)]

    assert len(drain.templates) == 3
    assert ids[3:] == [OTHER, OTHER]
    assert drain.left_out == 2


def test_only_what_was_written_since_a_mark_is_read(log: Path):
    write(log, "INFO: before\n")
    watch = LogWatch(log)
    mark = watch.mark()
    assert watch.since(mark) == []

    write(log, "INFO: after\nWARNING: low on space\n")

    assert [(line.severity, line.text) for line in watch.since(mark)] == [
        ("info", "INFO: after"),
        ("warning", "WARNING: low on space"),
    ]


def test_a_trace_is_one_record_with_the_error_that_got_out(log: Path):
    watch = LogWatch(log)
    write(log, TRACE)

    failed, access = watch.since(0)

    assert failed.severity == "error"
    assert access.severity == "info"
    assert failed.text.startswith("ERROR:")
    assert failed.text.endswith("KeyError: 'payment 17'")
    assert failed.error is not None
    assert failed.error.signature == "KeyError at ledger/audit.py:fail"
    assert access.error is None


def test_two_traces_without_a_line_between_are_two_records(log: Path):
    one = TRACE.rsplit("INFO:", 1)[0]
    watch = LogWatch(log)
    write(log, one + one)

    assert [line.error is not None for line in watch.since(0)] == [True, True]


def test_a_trace_in_a_member_of_json_is_read(log: Path):
    watch = LogWatch(log)
    write(
        log,
        '{"level":50,"time":1,"err":{"type":"TypeError","stack":"TypeError: x is not a function\\n'
        '    at run (/app/src/flows.js:3:5)"},"msg":"failed"}\n'
        '{"level":30,"time":2,"msg":"request completed","trace_id":'
        '"0af7651916cd43dd8448eb211c80319c"}\n',
    )

    failed, done = watch.since(0)

    assert failed.severity == "error"
    assert failed.error is not None
    assert failed.error.signature == "TypeError at src/flows.js:run"
    assert (done.severity, done.trace_id) == ("info", "0af7651916cd43dd8448eb211c80319c")


def test_colours_are_no_part_of_a_line(log: Path):
    watch = LogWatch(log)
    write(log, "\x1b[31mERROR\x1b[0m: \x1b[1mno such user\x1b[0m\n")

    (line,) = watch.since(0)

    assert (line.severity, line.text) == ("error", "ERROR: no such user")


def test_errors_of_different_kinds_are_different_templates(log: Path):
    trace = 'Traceback (most recent call last):\n  File "/srv/a.py", line 1, in {}\n{}: no\n'
    watch = LogWatch(log)
    write(log, trace.format("pay", "KeyError") + "INFO: x\n" + trace.format("buy", "TypeError"))

    failed = [line for line in watch.take() if line.error is not None]

    assert len({line.template_id for line in failed}) == 2


def test_what_is_taken_is_counted_once_and_a_half_line_waits(log: Path):
    watch = LogWatch(log)
    write(log, "INFO: paid 1\nINFO: pai")
    first = watch.take()
    write(log, "d 2\n")
    second = watch.take()

    assert [line.text for line in (*first, *second)] == ["INFO: paid 1", "INFO: paid 2"]
    assert [(t.text, t.hits) for t in watch.templates] == [("INFO: paid <*>", 2)]


def test_a_log_that_was_cut_is_read_from_its_start(log: Path):
    write(log, "INFO: a long line that was there before\n")
    watch = LogWatch(log)
    log.write_text("INFO: new\n")

    assert [line.text for line in watch.take()] == ["INFO: new"]


def test_a_log_that_is_not_there_yet_has_no_lines(log: Path):
    watch = LogWatch(log)
    assert watch.take() == []
    write(log, "INFO: up\n")
    assert [line.text for line in watch.take()] == ["INFO: up"]


def test_a_command_prints_the_log_and_is_ended(tmp_path: Path):
    code = "import time; print('INFO: up', flush=True); time.sleep(60)"
    with LogCommand(f'{sys.executable} -c "{code}"', directory=tmp_path) as command:
        watch = LogWatch(command.path)
        while not watch.mark():
            assert not command.trouble
        assert [line.text for line in watch.since(0)] == ["INFO: up"]
    assert command.trouble
    assert not command.path.exists()
